"""Model of the merged table, which a test compares with the SQL."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from math import ceil
from typing import Protocol
from zoneinfo import ZoneInfo

from streaming_etl.components.table.merge import RENEWED_AFTER_DAYS
from tests.simulation.merge_plan import DAY
from tests.simulation.merge_rows import HIDDEN, Days, LoggedRow, Position, Shown, state_of


class MergedTable(Protocol):
    """Change log and merged table of one lake table."""

    def log(self, rows: list[LoggedRow]) -> None:
        """Add rows to the change log; they exist at their times only."""

    def add_column(self) -> None:
        """Add the column of the deployment to the merged table."""

    def merge(self, days: Days, now: float) -> None: ...

    def merge_at_once(self, days: Days, now: float) -> None:
        """Run two merges that read the same snapshot."""

    def expire(self, tombstone_days: int, success_day: date) -> None: ...

    def state(self, hours: int, now: float) -> list[Shown]:
        """Return the view's rows.

        hours: its window.
        """

    def merged_state(self) -> list[Shown]:
        """Return the rows that other engines read."""

    def merged_keys(self) -> list[tuple[str, Position, int]]:
        """Return key, position and number of each merged row."""


@dataclass
class MergedRow:
    """Row of the merged table."""

    logged: LoggedRow
    merged_at: float


class ModelTable:
    """The semantics of the statements, without SQL."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone
        self._log: list[LoggedRow] = []
        self._merged: dict[str, dict[tuple[Position, int], MergedRow]] = defaultdict(dict)

    def log(self, rows: list[LoggedRow]) -> None:
        self._log += rows

    def add_column(self) -> None:
        """The model's rows have all columns."""

    def merge(self, days: Days, now: float) -> None:
        since = self._marked_epoch()
        by_key: dict[str, list[LoggedRow]] = defaultdict(list)
        for row in self._window(days, now):
            if row.position[0] >= since:
                by_key[row.key].append(row)
        for key, rows in by_key.items():
            newest = max(row.position for row in rows)
            merged = self._merged[key]
            if any(position > newest for position, _ in merged):
                continue
            for position, number in [*merged]:
                if position < newest:
                    del merged[position, number]
            for row in rows:
                if row.position == newest:
                    known = merged.setdefault((newest, row.number), MergedRow(row, now))
                    is_old = known.merged_at < now - RENEWED_AFTER_DAYS * DAY
                    if known.logged.op == "REMOVE" and is_old:
                        known.merged_at = now

    def merge_at_once(self, days: Days, now: float) -> None:
        # One of them is run again, as on AWS.
        self.merge(days, now)
        self.merge(days, now)

    def expire(self, tombstone_days: int, success_day: date) -> None:
        since = self._marked_epoch()
        midnight = datetime.combine(success_day, time(), UTC).timestamp()
        before = midnight - tombstone_days * DAY
        for merged in self._merged.values():
            for place, row in [*merged.items()]:
                is_old = row.logged.op == "REMOVE" and row.merged_at < before
                if is_old or row.logged.position[0] < since:
                    del merged[place]

    def state(self, hours: int, now: float) -> list[Shown]:
        return [copies[0] for copies in self.copies(hours, now)]

    def copies(self, hours: int, now: float) -> list[list[Shown]]:
        """Return the view's rows, each with all of its copies."""
        today = datetime.fromtimestamp(now, self._zone).date()
        # A change of the clocks makes the window one hour longer.
        days = Days(today - timedelta(ceil((hours + 1) / 24)), today)
        rows = [*(row.logged for row in self._rows()), *self._window(days, now)]
        return state_of(rows)

    def merged_state(self) -> list[Shown]:
        return [row.logged.shown for row in self._rows() if row.logged.op not in HIDDEN]

    def merged_keys(self) -> list[tuple[str, Position, int]]:
        """Return key, position and number of each merged row."""
        return sorted((it.logged.key, it.logged.position, it.logged.number) for it in self._rows())

    def _rows(self) -> Iterator[MergedRow]:
        for merged in self._merged.values():
            yield from merged.values()

    def _window(self, days: Days, now: float) -> Iterable[LoggedRow]:
        return (row for row in self._log if row.is_there(now) and days.include(row.day))

    def _marked_epoch(self) -> str:
        markers = (row.logged for row in self._rows() if row.logged.op == "BACKFILL")
        return max((row.position[0] for row in markers), default="")
