"""Ranges of days that one statement each merges."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

GIB = 2**30

# Athena stops a query after 30 minutes, and a scheduled run that commits meanwhile makes the
# statement run again: at the shortest interval, after 15 minutes. Trino 483 merges about 4 MB of
# compressed rows per second and core, so that four cores need five minutes for 4 GiB.
# https://docs.aws.amazon.com/athena/latest/ug/service-limits.html
DEFAULT_MAX_GIB = 4.0

# Of an execution: 500 ranges with six attempts each are below 25,000 events, and their input is
# below 256 KiB. https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
MAX_RANGES = 500


@dataclass(frozen=True)
class DayRange:
    """Days from the first to the last one."""

    first: date
    last: date
    size: int = 0
    """Bytes of the objects below these days."""

    @property
    def as_input(self) -> dict[str, str]:
        """The range in the input of the state machine."""
        return {"first": self.first.isoformat(), "last": self.last.isoformat()}

    @property
    def as_json(self) -> dict[str, Any]:
        return {**self.as_input, "bytes": self.size}

    @classmethod
    def from_input(cls, value: Mapping[str, str]) -> "DayRange":
        return cls(date.fromisoformat(value["first"]), date.fromisoformat(value["last"]))


def split(sizes: Mapping[date, int], first: date, last: date, max_bytes: float) -> list[DayRange]:
    """Split days into ranges, the newest one first.

    sizes: bytes by the first day of each partition. A range has at most `max_bytes`, or one
    partition.
    """
    ranges: list[DayRange] = []
    begin, end, size = last, last, 0
    for day in sorted((day for day in sizes if day <= last), reverse=True):
        if size and size + sizes[day] > max_bytes:
            ranges.append(DayRange(begin, end, size))
            end, size = begin - timedelta(days=1), 0
        begin, size = day, size + sizes[day]
    return [*ranges, DayRange(min(first, end), end, size)]
