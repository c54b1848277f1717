"""Change log and merged table in DuckDB, with the project's SQL."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

import duckdb

from streaming_etl.components.table import merge
from streaming_etl.components.table.column_types import athena_type
from streaming_etl.components.table.lake_table import LakeTable
from streaming_etl.components.table.layout import merged_table_name
from streaming_etl.components.table.merge import merged_columns
from streaming_etl.components.table.window import DayWindow, RecentWindow
from tests.simulation.current_state import SHOWN, column_values, database, duckdb_type, plain
from tests.simulation.deploy import EXTRA
from tests.simulation.merge_rows import HIDDEN, Days, LoggedRow, Position, Shown
from tests.simulation.scenario import Scenario
from tests.simulation.world import START

DATABASE = "merging"


class SqlTable:
    """The tables of the lake table that runs at present."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario, self._final = scenario, scenario.table
        deploy = scenario.deploy
        self._table: LakeTable = scenario.table if deploy is None else deploy.table
        self._name = f'"{DATABASE}"."{merged_table_name(self._final.name)}"'
        self._has_duplicates = False
        self._rows = f'"{DATABASE}"."{self._final.name}_rows"'
        self._create()

    def _create(self) -> None:
        types = {column.name: athena_type(column.type) for column in self._final.all_columns}
        self._kinds = {name: duckdb_type(kind) for name, kind in types.items()}
        self._kinds |= dict.fromkeys(self._final.partition_keys, "VARCHAR")
        logged = ", ".join(f'"{name}" {kind}' for name, kind in self._kinds.items())
        merged = ", ".join(
            f'"{column.name}" {duckdb_type(athena_type(column.type))}'
            for column in merged_columns(self._table)
        )
        view = f'"{DATABASE}"."{self._final.name}"'
        database().execute(
            f'CREATE SCHEMA IF NOT EXISTS "{DATABASE}";'
            f"CREATE OR REPLACE TABLE {self._rows} ({logged}, appears double, expires double);"
            "SET VARIABLE seconds = 0.0;"
            f"CREATE OR REPLACE VIEW {view} AS SELECT * EXCLUDE (appears, expires)"
            f" FROM {self._rows}"
            " WHERE appears <= getvariable('seconds') AND getvariable('seconds') < expires;"
            f"CREATE OR REPLACE TABLE {self._name} ({merged})"
        )

    def log(self, rows: Sequence[LoggedRow]) -> None:
        """Add rows to the change log; they exist at their times only."""
        if not rows:
            return
        values = column_values([row.row for row in rows], self._kinds, self._final)
        selected = [
            f'CAST(unnest(?::VARCHAR[]) AS {self._kinds[name]}) AS "{name}"' for name in values
        ]
        database().execute(
            f"INSERT INTO {self._rows} SELECT {', '.join(selected)},"
            " unnest(?::DOUBLE[]), unnest(?::DOUBLE[])",
            [
                *values.values(),
                [row.appears - START for row in rows],
                [row.expires - START for row in rows],
            ],
        )

    def add_column(self) -> None:
        """Add the column of the deployment to the merged table."""
        self._table = self._final
        kind = duckdb_type(athena_type(EXTRA.type))
        database().execute(f'ALTER TABLE {self._name} ADD COLUMN "{EXTRA.name}" {kind}')

    def merge(self, days: Days, now: float) -> None:
        self._run(self._merge_text(days), now)

    def merge_at_once(self, days: Days, now: float) -> None:
        """Run two merges of one snapshot, again if one cannot commit."""
        sql = self._text(self._merge_text(days), now)
        with database().cursor() as first, database().cursor() as second:
            for connection in (first, second):
                connection.execute(f"SET VARIABLE seconds = {now - START!r}; BEGIN")
                # A transaction's snapshot begins with its first statement.
                connection.execute(f"SELECT count(*) FROM {self._name}")
            first.execute(sql)
            first.execute("COMMIT")
            try:
                second.execute(sql)
                second.execute("COMMIT")
                # DuckDB commits both if they only insert; Iceberg does not.
                self._has_duplicates = True
            except duckdb.TransactionException:
                second.execute("ROLLBACK")
                second.execute(sql)

    def expire(self, tombstone_days: int, success_day: date) -> None:
        database().execute(
            merge.expire_tombstones_sql(
                DATABASE, self._table, tombstone_days, success_day.isoformat()
            )
        )

    def state(self, hours: int, now: float) -> list[Shown]:
        """Return the view's rows.

        hours: its window.
        """
        time_zone = self._scenario.args.partitions.time_zone
        window = RecentWindow(hours=hours, time_zone=time_zone)
        text = merge.merged_state_sql(DATABASE, self._table, window)
        shown = ", ".join(f'CAST("{name}" AS VARCHAR)' for name in SHOWN)
        return [plain(*row) for row in self._run(f"SELECT {shown} FROM ({text})", now)]

    def merged_state(self) -> list[Shown]:
        """Return the rows that other engines read."""
        shown = ", ".join(f'CAST("{name}" AS VARCHAR)' for name in SHOWN)
        some = f"DISTINCT _key, _row, {shown}" if self._has_duplicates else f"0, 0, {shown}"
        sql = f'SELECT {some} FROM {self._name} WHERE "_op" NOT IN {HIDDEN}'
        return [plain(*row[2:]) for row in database().execute(sql).fetchall()]

    def merged_keys(self) -> list[tuple[str, Position, int]]:
        """Return key, position and number of each merged row."""
        some = "DISTINCT" if self._has_duplicates else ""
        rows = database().execute(
            f"SELECT {some} _key, coalesce(_stream_epoch, ''), CAST(_sequence_number AS HUGEINT),"
            f" _row FROM {self._name}"
        )
        return sorted((key, (epoch, at), number) for key, epoch, at, number in rows.fetchall())

    def _merge_text(self, days: Days) -> str:
        window = DayWindow(first=days.first.isoformat(), last=days.last.isoformat())
        return merge.merge_sql(DATABASE, self._table, window)

    def _run(self, sql: str, now: float) -> list[tuple[Any, ...]]:
        database().execute(f"SET VARIABLE seconds = {now - START!r}")
        return database().execute(self._text(sql, now)).fetchall()

    def _text(self, sql: str, now: float) -> str:
        time = datetime.fromtimestamp(now, UTC)
        return sql.replace("current_timestamp", f"TIMESTAMPTZ '{time:%Y-%m-%d %H:%M:%S}+00'")
