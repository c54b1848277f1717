"""A change log, its full history and its merged table, in DuckDB.

DuckDB replaces Athena. Two of its transactions that only insert both commit, where Iceberg rejects
the second one, so the merged table here may have duplicates that it cannot have on AWS.
"""

import atexit
import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cache
from typing import Any

import duckdb

from streaming_etl.components.table.column_types import athena_type
from streaming_etl.components.table.lake_table import LakeTable
from streaming_etl.components.table.merge import (
    expire_tombstones_sql,
    merge_sql,
    merged_columns,
    merged_state_sql,
)
from streaming_etl.components.table.queries import current_state_sql, quoted
from streaming_etl.components.table.window import DayWindow

DAY = timedelta(1)
FIRST_DAY = date(2026, 11, 28)
# Days before the present one that merge and view read.
WINDOW_DAYS = 2
# Days after a change until which its rows may be written, by a replay or a backfill.
REPLAY_DAYS = 2
# The window reads full days, so a row stays in it for up to a day longer.
TOMBSTONE_DAYS = REPLAY_DAYS + WINDOW_DAYS + 1
# Days that a merge may read besides the window, without reading the entire log.
LONGER_DAYS = TOMBSTONE_DAYS - REPLAY_DAYS - WINDOW_DAYS
FULL, LIVE = "all_rows", "live"

Texts = Callable[[str], str]
"""Changes a statement; tests leave out a part of it."""


class WrongStateError(AssertionError):
    """The state, or the merged table, is not the expected one."""


@dataclass
class Change:
    """A change, and how many rows `transform` returns for it."""

    item: str
    op: str
    rows: int
    number: int
    """Changes in the order of the table; also the value of its rows."""
    epoch: int
    sequence_number: str
    day: date
    order: tuple[int, ...]
    """Position as numbers, which the queries must find from texts."""
    written: set[int] = field(default_factory=set)
    """Rows that are in the lake."""

    @property
    def label(self) -> str:
        return f"2026-11-{self.epoch:02}T00:00:00.000" if self.epoch else ""


@cache
def database() -> duckdb.DuckDBPyConnection:
    """Database of the process: opening one takes longer than a query."""
    connection = duckdb.connect(config={"threads": 1})
    atexit.register(database.cache_clear)
    for schema in (FULL, LIVE):
        connection.execute(f"CREATE SCHEMA {schema}")
    return connection


class MergeWorld:
    """Writes changes and runs merges; `check` compares the states."""

    def __init__(self, table: LakeTable, epoch: int = 0, texts: Texts = lambda sql: sql) -> None:
        self._table, self._texts = table, texts
        self.today = FIRST_DAY
        self.changes: list[Change] = []
        self._numbers = itertools.count(1)
        # The length of the numbers grows during the run.
        self._sequence = itertools.count(10**21 - 4)
        self._epoch = epoch
        self._items: set[str] = set()
        self._unmerged: set[date] = set()
        self._has_duplicates = False
        self._log_expires = False
        self._create()

    def _create(self) -> None:
        columns = ", ".join(
            f"{quoted(column.name)} {athena_type(column.type)}"
            for column in self._table.all_columns
        )
        keys = ", ".join(f"{quoted(key)} varchar" for key in self._table.partition_keys)
        for schema in (FULL, LIVE):
            database().execute(f"CREATE OR REPLACE TABLE {schema}.orders ({columns}, {keys})")
        merged = ", ".join(
            f"{quoted(column.name)} {athena_type(column.type)}"
            for column in merged_columns(self._table)
        )
        database().execute(f"CREATE OR REPLACE TABLE {LIVE}.orders_merged ({merged})")

    # Changes

    def change(self, item: str, op: str, rows: int) -> Change:
        """A change of the present stream, without its rows."""
        sequence_number = next(self._sequence)
        change = self._add(item, op, rows, str(sequence_number), (1, sequence_number))
        if op == "REMOVE":
            self._items.discard(item)
        else:
            self._items.add(item)
        return change

    def snapshot(self, item: str, rows: int) -> Change:
        """A snapshot of an item, without rows if it does not exist."""
        rows = rows if item in self._items else 0
        number = 1_795_426_200_000 + len(self.changes)
        return self._add(item, "SNAPSHOT", rows, str(number), (0, number))

    def marker(self) -> Change:
        """The marker of a completed backfill of the present stream."""
        number = 1_795_426_200_000 + len(self.changes)
        return self._add("", "BACKFILL", 1, str(number), (0, number))

    def new_stream(self) -> None:
        """Begin a stream with lower sequence numbers."""
        self._epoch += 1
        self._sequence = itertools.count(10**21 - 4)

    def _add(self, item: str, op: str, rows: int, number: str, order: tuple[int, ...]) -> Change:
        change = Change(
            item, op, rows, next(self._numbers), self._epoch, number, self.today,
            (self._epoch, *order),
        )  # fmt: skip
        self.changes.append(change)
        return change

    # Rows

    def write(self, change: Change, rows: Iterable[int] | None = None) -> None:
        """Write rows of a change to the change log, today."""
        rows = range(change.rows) if rows is None else rows
        lines = [self._row(change, row) for row in rows]
        for schema in (FULL, LIVE) if lines else ():
            values = ", ".join(f"({', '.join(line)})" for line in lines)
            database().execute(f"INSERT INTO {schema}.orders VALUES {values}")
        if lines:
            change.written.update(rows)
            self._unmerged.add(self.today)

    def _row(self, change: Change, row: int) -> list[str]:
        is_marker = change.op == "BACKFILL"
        values: dict[str, Any] = {
            "id": None if is_marker else change.item,
            "total": None if is_marker else change.number * 10 + row,
            "_op": change.op,
            "_key": "{}" if is_marker else f'{{"id":{{"S":"{change.item}"}}}}',
            "_row": row,
            "_event_id": f"backfill-{change.label}" if is_marker else f"event-{change.number}",
            "_stream_epoch": change.label,
            "_sequence_number": change.sequence_number,
            "_changed_at": f"{change.day} 12:00:00",
            "year": f"{self.today:%Y}",
            "month": f"{self.today:%m}",
            "day": f"{self.today:%d}",
        }
        if self._table.format == "csv":
            values = {name: "" if value is None else value for name, value in values.items()}
        names = [column.name for column in self._table.all_columns] + [*self._table.partition_keys]
        return ["NULL" if values[name] is None else f"'{values[name]}'" for name in names]

    # Merges

    def window(self, days: int = WINDOW_DAYS) -> DayWindow:
        return DayWindow(first=f"{self.today - timedelta(days)}", last=f"{self.today}")

    def merge(self, days: int = WINDOW_DAYS) -> None:
        """Merge twice; the second run must change nothing."""
        sql = self._merge_text(days)
        database().execute(sql)
        self._must_change_nothing(sql)
        self._was_merged(days)
        self._check_merged_table()

    def merge_twice_at_once(self) -> None:
        """Run two merges of one snapshot, again if one cannot commit."""
        sql = self._merge_text(WINDOW_DAYS)
        with database().cursor() as first, database().cursor() as second:
            for connection in (first, second):
                connection.execute("BEGIN")
                # A transaction's snapshot begins with its first statement.
                connection.execute(f"SELECT count(*) FROM {LIVE}.orders_merged")
            first.execute(sql)
            first.execute("COMMIT")
            try:
                second.execute(sql)
                second.execute("COMMIT")
            except duckdb.TransactionException:
                second.execute("ROLLBACK")
                second.execute(sql)
        self._was_merged(WINDOW_DAYS)
        self._has_duplicates = True

    def ranges(self) -> list[DayWindow]:
        """Windows of a rebuild, newest first."""
        end = self.today - timedelta(WINDOW_DAYS)
        middle = FIRST_DAY + (end - FIRST_DAY) // 2
        periods = ((end, self.today), (middle, end - DAY), (FIRST_DAY, middle - DAY))
        return [
            DayWindow(first=f"{first}", last=f"{last}") for first, last in periods if first <= last
        ]

    def merge_range(self, window: DayWindow) -> None:
        """Merge a range, and let tombstones expire at the same time."""
        database().execute(self._merge_text_of(window))
        database().execute(self._expiry_text())
        if window.last == f"{self.today}":
            self._was_merged(WINDOW_DAYS)
        self._check_merged_table()

    def run(self, first: date, success_day: date, tombstone_days: int) -> None:
        """Merge the days since `first`, then let tombstones expire."""
        window = DayWindow(first=f"{first}", last=f"{self.today}")
        database().execute(self._merge_text_of(window))
        database().execute(
            expire_tombstones_sql(LIVE, self._table, tombstone_days, f"{success_day}")
        )

    def _was_merged(self, days: int) -> None:
        first = self.window(days).first
        self._unmerged = {day for day in self._unmerged if f"{day}" < first}

    def _check_merged_table(self) -> None:
        """The merged table has the rows of one change per item, once."""
        position = "_key, _stream_epoch, _sequence_number"
        merged = f"{LIVE}.orders_merged"
        ((items, changes, rows, all_rows),) = self.rows(
            f"SELECT count(DISTINCT _key), count(DISTINCT ({position})),"
            f" count(DISTINCT ({position}, _row)), count(*) FROM {merged}"
        )
        _compare(changes, items)
        if not self._has_duplicates:
            _compare(all_rows, rows)

    def _merge_text(self, days: int) -> str:
        return self._merge_text_of(self.window(days))

    def _merge_text_of(self, window: DayWindow) -> str:
        return self._at("12:00:00", merge_sql(LIVE, self._table, window))

    def _at(self, time: str, sql: str) -> str:
        """A changed statement that runs today at `time`."""
        now = f"TIMESTAMPTZ '{self.today} {time}+00'"
        return self._texts(sql).replace("current_timestamp", now)

    def next_day(self) -> None:
        """Pass midnight; a day that leaves the window is merged before."""
        leaving = self.today - timedelta(WINDOW_DAYS)
        if any(day <= leaving for day in self._unmerged):
            self.merge()
        self.today += timedelta(1)
        if self._log_expires:
            self._expire_log()

    def expire_log(self) -> None:
        """Delete rows before the window, today and each day after."""
        self._log_expires = True
        self._expire_log()

    def _expire_log(self) -> None:
        first = self.window().first
        database().execute(
            f"DELETE FROM {LIVE}.orders WHERE year || '-' || month || '-' || day < '{first}'"
        )

    def expire_tombstones(self) -> None:
        """Delete what no query shows; no merge may insert it again."""
        sql = self._expiry_text()
        database().execute(sql)
        self._must_change_nothing(sql)
        if not self._unmerged:
            rows = self._merged_rows()
            database().execute(self._merge_text(WINDOW_DAYS))
            _compare(self._merged_rows(), rows)
            _compare(self._epochs_before_marker(), [])

    def _expiry_text(self) -> str:
        # The latest day that any expiry may have, so that each tombstone expires on its last day.
        tomorrow = str(self.today + timedelta(1))
        return self._texts(expire_tombstones_sql(LIVE, self._table, TOMBSTONE_DAYS, tomorrow))

    def _merged_rows(self) -> list[tuple[Any, ...]]:
        """The merged table without the times of merges."""
        merged = f"SELECT * EXCLUDE _merged_at FROM {LIVE}.orders_merged"
        return self.rows(f"SELECT CAST(merged AS varchar) FROM ({merged}) AS merged")

    def merge_times(self) -> list[tuple[Any, ...]]:
        """Item and time of the merge of each merged row."""
        return self.rows(f"SELECT id, _merged_at FROM {LIVE}.orders_merged")

    def _must_change_nothing(self, sql: str) -> None:
        _compare(database().execute(sql).fetchall(), [(0,)])

    def _epochs_before_marker(self) -> list[tuple[Any, ...]]:
        merged = f"{LIVE}.orders_merged"
        return self.rows(
            f"SELECT DISTINCT _stream_epoch FROM {merged} WHERE coalesce(_stream_epoch, '') <"
            f" (SELECT max(_stream_epoch) FROM {merged} WHERE _op = 'BACKFILL')"
        )

    # Results

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return sorted(database().execute(sql).fetchall())

    def state(self) -> list[tuple[Any, ...]]:
        """The current state of merged rows and window."""
        return self.state_of(self.window())

    def state_of(self, window: DayWindow) -> list[tuple[Any, ...]]:
        return self.rows(self._texts(merged_state_sql(LIVE, self._table, window)))

    def full_state(self) -> list[tuple[Any, ...]]:
        """The current state of the full history."""
        return self.rows(current_state_sql(FULL, self._table))

    def expected(self) -> list[tuple[str, int]]:
        """Item and total of each current row, without SQL."""
        written = [change for change in self.changes if change.written]
        epoch = max((change.epoch for change in written if change.op == "BACKFILL"), default=0)
        last: dict[str, Change] = {}
        for change in written:
            if change.epoch >= epoch and change.op != "BACKFILL":
                last[change.item] = max(
                    change, last.get(change.item, change), key=lambda one: one.order
                )
        return sorted(
            (item, change.number * 10 + row)
            for item, change in last.items()
            if change.op != "REMOVE"
            for row in change.written
        )

    def check_state(self) -> None:
        """Compare merged rows and window with the model."""
        _compare([row[:2] for row in self.state()], self.expected())

    def check_full_state(self) -> None:
        """Compare merged rows and window with the full history, all columns."""
        # A row in several partitions is shown with one of them.
        keys = range(2, 2 + len(self._table.partition_keys))
        states = [
            [[value for at, value in enumerate(row) if at not in keys] for row in rows]
            for rows in (self.state(), self.full_state())
        ]
        _compare(*states)


def _compare(found: object, expected: object) -> None:
    if found != expected:
        raise WrongStateError(f"{found} instead of {expected}")
