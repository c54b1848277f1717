"""Stream or table that is replaced during a run."""

from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random


@dataclass(frozen=True, kw_only=True)
class Recreation:
    """New stream, after writes without one or after a restore."""

    stops_at: float
    """When the old stream ends."""
    starts_at: float
    """When the new stream begins."""
    backup_at: float | None
    """The time of the backup; None if only the stream was switched off and on."""

    @property
    def epoch(self) -> str:
        """Return the label of the new stream."""
        return f"{datetime.fromtimestamp(self.starts_at, UTC):%Y-%m-%dT%H:%M:%S}.000"


def recreation_of(chance: Random, start: float, seconds: float) -> Recreation | None:
    if chance.random() > 0.2:
        return None
    stops, starts = sorted(start + chance.random() * seconds for _ in range(2))
    is_restored = chance.random() < 0.5
    return Recreation(
        stops_at=stops,
        starts_at=starts,
        backup_at=start + chance.random() * (stops - start) if is_restored else None,
    )
