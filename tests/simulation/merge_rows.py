"""Rows of a change log, and the state that they must have."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

from tests.simulation.lake import Row

HIDDEN = ("REMOVE", "BACKFILL")

Position = tuple[str, int]
Shown = tuple[Any, ...]
"""Values of a row that the comparison shows."""


class Days(NamedTuple):
    """Days of the change log, both included."""

    first: date
    last: date

    def include(self, day: str) -> bool:
        """Return whether they have the day, month or year."""
        length = len(day)
        return self.first.isoformat()[:length] <= day <= self.last.isoformat()[:length]


@dataclass(frozen=True)
class LoggedRow:
    """Row of the change log."""

    row: Row
    appears: float
    """When its object exists."""
    expires: float
    key: str
    position: Position
    number: int
    op: str
    changed_at: float
    shown: Shown

    @property
    def day(self) -> str:
        return day_of(self.row.folder)

    def is_there(self, now: float) -> bool:
        return self.appears <= now < self.expires


def day_of(folder: Mapping[str, str]) -> str:
    """Return a partition's day; its month or year without a day."""
    if "dt" in folder:
        return folder["dt"]
    return "-".join(folder[key] for key in ("year", "month", "day") if key in folder)


def state_of(rows: Iterable[LoggedRow]) -> list[list[Shown]]:
    """Return the current rows; of each its copies, one of which counts."""
    rows = list(rows)
    since = max((row.position[0] for row in rows if row.op == "BACKFILL"), default="")
    last: dict[str, Position] = {}
    for row in rows:
        last[row.key] = max(last.get(row.key, row.position), row.position)
    copies: dict[tuple[str, int], list[Shown]] = defaultdict(list)
    for row in rows:
        is_current = row.position == last[row.key] and row.position[0] >= since
        if is_current and row.op not in HIDDEN:
            copies[row.key, row.number].append(row.shown)
    return [*copies.values()]


def difference(state: Iterable[Shown], expected: Iterable[list[Shown]]) -> str:
    """Return how a state differs from the expected one, if at all."""
    unexpected, lacking, total = Counter(state), 0, 0
    for copies in expected:
        total += 1
        found = next((shown for shown in copies if unexpected[shown] > 0), None)
        if found is None:
            lacking += 1
        else:
            unexpected[found] -= 1
    more = sum(unexpected.values())
    return f"has {more} unexpected rows and lacks {lacking} of {total}" if more or lacking else ""
