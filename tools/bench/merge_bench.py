"""Bytes and CPU time of the current state in DuckDB, by history.

The change log is Parquet files by day. Every size has the same latest days, and each item changes
once in `DAYS_PER_PASS` days, so that the sizes differ in the length of their history only.
"""

import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import duckdb

from streaming_etl import PartitionArgs, StreamingEtlPipelineArgs
from streaming_etl.components.settings.lake_table_names import ONLY_LAKE_TABLE
from streaming_etl.components.settings.merge import MergeArgs
from streaming_etl.components.settings.stages import QueryArgs
from streaming_etl.components.table.column_types import athena_type
from streaming_etl.components.table.lake_table import LakeTable, plan_lake_table
from streaming_etl.components.table.merge import merge_sql, merged_columns, merged_state_sql
from streaming_etl.components.table.queries import current_state_sql, quoted
from streaming_etl.components.table.transform_module import read_transform_module
from streaming_etl.components.table.window import DayWindow, RecentWindow
from tools.bench import five_columns

HISTORIES = (1, 10, 100)
"""Changes per item."""
ITEMS = 10_000
DAYS_PER_PASS = 10
"""Days in which each item changes once."""
VALUES = 3
"""Values of each query in a pass."""
TODAY = date(2026, 11, 29)
# DuckDB reads the merged table as a Parquet file, and writes a native table.
FULL, READ, WRITTEN = "history", "read_only", "written"
LOG, MERGED, MERGE = "log", "merged", "merge"
MEASURES = (LOG, MERGED, MERGE)


class Size(NamedTuple):
    """Number of items, and changes per item."""

    items: int
    history: int

    @property
    def changes(self) -> int:
        return self.items * self.history

    @property
    def changes_per_day(self) -> int:
        return self.items // DAYS_PER_PASS

    @property
    def days(self) -> int:
        return self.history * DAYS_PER_PASS


@dataclass(frozen=True)
class Result:
    """Bytes of files, and CPU seconds of each pass, by measure."""

    size: Size
    rows: int
    """Rows of the current state."""
    bytes: dict[str, int]
    seconds: dict[str, list[float]]

    def ratios(self, measure: str, base: "Result") -> tuple[float, float]:
        """Bytes and CPU time, the latter as the median over the passes."""
        pairs = zip(self.seconds[measure], base.seconds[measure], strict=True)
        return self.bytes[measure] / base.bytes[measure], median(x / y for x, y in pairs)


def lake_table() -> LakeTable:
    """The lake table of five columns as Parquet, with merge."""
    args = StreamingEtlPipelineArgs(
        table_name="orders",
        transform_module=five_columns.__file__,
        format="parquet",
        partitions=PartitionArgs(projection_start_year=2000),
        merge=MergeArgs(enabled=True),
        # DuckDB has no column of an object's path.
        query=QueryArgs(current_state_source="partitions"),
    )
    module = read_transform_module(args.transform_module)
    return plan_lake_table("orders", args.tables[ONLY_LAKE_TABLE], module)


TABLE = lake_table()
SETTINGS = MergeArgs(enabled=True)
VIEW_WINDOW = RecentWindow(hours=SETTINGS.window_hours, time_zone="UTC")
# Days of a scheduled merge: since the window before the last successful one, and a day.
SINCE = timedelta(hours=SETTINGS.window_hours, minutes=SETTINGS.interval_minutes) + timedelta(1)
MERGE_WINDOW = DayWindow(
    first=f"{(datetime.combine(TODAY, datetime.max.time()) - SINCE).date()}",
    last=f"{TODAY + timedelta(1)}",
)


def changes_sql(size: Size, today: date) -> str:
    """SELECT the change log and the hour of each change."""
    per_day = size.changes_per_day
    # 7919 has no common factor with the number of items, so each pass has all items, in no order.
    return f"""\
SELECT
  'order-' || "item" AS "id", 'customer-' || "item" % 997 AS "customer_id",
  'Order ' || "item" || ' ' || substr(md5('title' || "number"), 1, 24) AS "title",
  CAST("number" % 100000 / 100 AS decimal(10,2)) AS "total",
  "changed_at" AS "updated_at",
  CASE WHEN ("ago" + "ago" // {size.items}) % 20 = 7 THEN 'REMOVE' ELSE 'MODIFY' END AS "_op",
  '{{"id":{{"S":"order-' || "item" || '"}}}}' AS "_key", CAST(0 AS integer) AS "_row",
  md5('event' || "number") AS "_event_id", '2026-11-01T00:00:00.000' AS "_stream_epoch",
  CAST(CAST('4421584500000000000000000000' AS hugeint) - 7 * "ago" AS varchar)
    AS "_sequence_number",
  "changed_at" AS "_changed_at",
  strftime("changed_at", '%Y') AS "year", strftime("changed_at", '%m') AS "month",
  strftime("changed_at", '%d') AS "day", hour("changed_at") AS "_hour"
FROM (
  SELECT "ago", {10**9} - "ago" AS "number", "ago" * 7919 % {size.items} AS "item",
    TIMESTAMP '{today} 23:59:59'
      - to_microseconds(CAST("ago" * {86_400_000_000 // per_day} AS bigint)) AS "changed_at"
  FROM range({size.changes}) AS "changes" ("ago")
)
ORDER BY "changed_at\""""


def write_log(size: Size, folder: Path, today: date = TODAY) -> None:
    """Write Parquet files by day, and one of the last hour."""
    for name, condition in (
        ("day", f"NOT ({last_hour(today)})"),
        ("hour", last_hour(today)),
    ):
        duckdb.connect(config={"threads": 1}).execute(
            f'COPY (SELECT * EXCLUDE "_hour" FROM ({changes_sql(size, today)}) WHERE {condition})'
            f" TO '{folder}' (FORMAT parquet, PARTITION_BY (year, month, day),"
            f" FILENAME_PATTERN '{name}-{{i}}', OVERWRITE_OR_IGNORE)"
        )


def last_hour(today: date) -> str:
    """Condition of the changes between two merges."""
    return f""""_hour" = 23 AND CAST("_changed_at" AS date) = DATE '{today}'"""


class Lake:
    """Change log and merged table of one size.

    Each query gets the files of the partitions that its condition selects, as Athena does by
    partition projection. DuckDB would list the folders of the entire log.
    """

    def __init__(self, size: Size, folder: Path) -> None:
        self.size = size
        self._log, self._merged = folder / "log", folder / "merged.parquet"
        self._database = duckdb.connect(config={"threads": 1})
        write_log(size, self._log)
        columns = ", ".join(
            f"{quoted(column.name)} {athena_type(column.type)}" for column in merged_columns(TABLE)
        )
        for schema in (FULL, READ, WRITTEN):
            self.execute(f"CREATE SCHEMA {schema}")
        self.execute(f"CREATE TABLE {WRITTEN}.orders_merged ({columns})")
        files = self._log_files()
        # The last hour is left to the measured merge.
        self._create_log(WRITTEN, [path for path in files if path.name.startswith("day")])
        self.execute(merge_sql(WRITTEN, TABLE, full_window(size)))
        self.execute(f"COPY {WRITTEN}.orders_merged TO '{self._merged}' (FORMAT parquet)")
        self.execute(f"CREATE VIEW {READ}.orders_merged AS FROM read_parquet('{self._merged}')")
        read = self._log_files(VIEW_WINDOW.condition(TABLE))
        written = self._log_files(MERGE_WINDOW.condition(TABLE))
        for schema, log in ((FULL, files), (READ, read), (WRITTEN, written)):
            self._create_log(schema, log)
        self.bytes = {
            LOG: _total(files),
            MERGED: _total([*read, self._merged]),
            MERGE: _total([*written, self._merged]),
        }

    def _log_files(self, condition: str = "true") -> list[Path]:
        """Files of the log whose partitions fulfil the condition."""
        files = _relation(f"'{self._log}/*/*/*/*.parquet'", ", filename = true")
        names = self.execute(f"SELECT DISTINCT filename FROM {files} WHERE {condition}")
        return [Path(name) for (name,) in names]

    def _create_log(self, schema: str, files: Iterable[Path]) -> None:
        relation = _relation(str([str(path) for path in files]))
        self.execute(f"CREATE OR REPLACE VIEW {schema}.orders AS FROM {relation}")

    def execute(self, sql: str) -> list[tuple[Any, ...]]:
        now = f"TIMESTAMPTZ '{TODAY} 23:59:59+00'"
        return self._database.execute(sql.replace("current_timestamp", now)).fetchall()

    def run(self, measure: str) -> list[tuple[Any, ...]]:
        """Run the statement of a measure; its changes remain."""
        return self.execute(
            {
                LOG: current_state_sql(FULL, TABLE),
                MERGED: merged_state_sql(READ, TABLE, VIEW_WINDOW),
                MERGE: merge_sql(WRITTEN, TABLE, MERGE_WINDOW),
            }[measure]
        )

    def seconds(self, measure: str) -> float:
        """CPU time of the statement, which is rolled back."""
        self.execute("BEGIN")
        start = time.process_time()
        self.run(measure)
        seconds = time.process_time() - start
        self.execute("ROLLBACK")
        return seconds


def _relation(files: str, options: str = "") -> str:
    partitions = "hive_partitioning = true, hive_types_autocast = false"
    return f"read_parquet({files}, {partitions}{options})"


def _total(files: Iterable[Path]) -> int:
    return sum(path.stat().st_size for path in files)


def full_window(size: Size) -> DayWindow:
    return DayWindow(first=f"{TODAY - timedelta(size.days)}", last=f"{TODAY}")


def measure(items: int, histories: Sequence[int], passes: int) -> list[Result]:
    """Measure all sizes in each pass, several times.

    Raises ValueError unless the merged table and the window have the state of the entire log, also
    after a merge of new changes.
    """
    with tempfile.TemporaryDirectory() as folder:
        lakes = []
        for history in histories:
            path = Path(folder) / str(history)
            path.mkdir()
            lakes.append(Lake(Size(items, history), path))
        results = [
            Result(lake.size, check(lake), lake.bytes, {name: [] for name in MEASURES})
            for lake in lakes
        ]
        for _ in range(passes):
            # By measure, so that the same query runs before it for each size.
            for name in MEASURES:
                for lake, result in zip(lakes, results, strict=True):
                    values = [lake.seconds(name) for _ in range(VALUES)]
                    result.seconds[name].append(median(values))
    return results


def check(lake: Lake) -> int:
    """Compare the states; return the number of current rows."""
    state = sorted(lake.run(LOG))
    if sorted(lake.run(MERGED)) != state:
        raise ValueError(f"the states of the log and of the merged table differ for {lake.size}")
    lake.execute("BEGIN")
    [(merged,)] = lake.run(MERGE)
    [(again,)] = lake.run(MERGE)
    lake.execute("ROLLBACK")
    if not merged or again:
        raise ValueError(f"two merges change {merged} and {again} rows for {lake.size}")
    return len(state)
