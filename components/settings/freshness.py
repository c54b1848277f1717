"""Waits and buffers that `freshness` chooses where a setting has no value."""

import math
from dataclasses import dataclass

MINUTES = "minutes"


@dataclass(frozen=True, kw_only=True)
class Buffers:
    """Time and size of Firehose's buffers of a lake table."""

    transform_seconds: int
    delivery_mib: int
    delivery_seconds: int
    delivery_stages: float = 1
    """Of the buffer, which dynamic partitioning multiplies by 1.5."""

    @property
    def longest_wait(self) -> int:
        """Seconds until Firehose has written a row, without its own time."""
        return self.transform_seconds + math.ceil(self.delivery_seconds * self.delivery_stages)


@dataclass(frozen=True, kw_only=True)
class Preset:
    """Values of a freshness."""

    batching_window_seconds: int
    buffers: Buffers


PRESETS = {
    "seconds": Preset(
        # Without a window a batch has at most 10 changes.
        batching_window_seconds=1,
        buffers=Buffers(transform_seconds=0, delivery_mib=64, delivery_seconds=0),
    ),
    MINUTES: Preset(
        batching_window_seconds=5,
        buffers=Buffers(transform_seconds=60, delivery_mib=64, delivery_seconds=120),
    ),
    "economy": Preset(
        batching_window_seconds=60,
        # Longer waits for the transform would save calls only, which cost almost nothing.
        buffers=Buffers(transform_seconds=60, delivery_mib=128, delivery_seconds=900),
    ),
}
"""From the freshest to the cheapest."""
