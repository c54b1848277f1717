"""Results of the queries over small tables.

DuckDB replaces Athena; both have the functions that the queries use.
"""

import itertools
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streaming_etl import PartitionArgs, QueryArgs
from streaming_etl.components.table.column_types import glue_type
from streaming_etl.components.table.lake_table import LakeTable
from streaming_etl.components.table.queries import (
    current_state_sql,
    latest_changes_sql,
    quoted,
    rows_per_partition_sql,
)
from tests.support.pipeline_settings import lake_table

DATABASE = "shop_test"
TABLE = lake_table()
CSV = lake_table(format="csv")
BY_PARTITION = lake_table(query=QueryArgs(current_state_source="partitions"))
# Without COLUMNS: these are the columns that the crawler finds.
CRAWLED = lake_table(None, catalog="crawler")

DUCKDB_TYPES = {"string": "VARCHAR", "timestamp": "TIMESTAMP", "int": "INTEGER"}

# Sequence numbers have varying length: as text, the first of these would come last.
EARLY, LATER, LAST = "900000000000000000001", "4000000000000000000000002", "12" * 19


class Row(NamedTuple):
    """A row of the lake; rows of an item differ by `total`."""

    id: str
    total: Any
    op: str = "INSERT"
    row: int = 0
    sequence_number: str = EARLY
    event_id: str | None = None
    created: Any = None
    day: str = "23"
    epoch: str | None = "2026-11-01T00:00:00.000"

    @property
    def values(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "total": self.total,
            "created": "2026-11-23 09:30:00" if self.created is None else self.created,
            "_op": self.op,
            "_key": f'{{"id":{{"S":"{self.id}"}}}}',
            "_row": self.row,
            "_event_id": self.event_id or f"event-{self.sequence_number}",
            "_stream_epoch": self.epoch,
            "_sequence_number": self.sequence_number,
            "_changed_at": "2026-11-23 00:30:00",
            "year": "2026",
            "month": "11",
            "day": self.day,
        }


def run(table: LakeTable, sql: str, rows: Iterable[Row]) -> list[tuple[Any, ...]]:
    """The result of a query over a table with these rows."""
    declared_table = TABLE if table.columns is None else table
    columns = [(column.name, glue_type(column.type)) for column in declared_table.all_columns]
    columns += [(key, "string") for key in table.partition_keys]
    text_only = {kind for _, kind in columns} == {"string"}
    with duckdb.connect() as database:
        database.execute(f'CREATE SCHEMA "{DATABASE}"')
        declared = ", ".join(f'"{name}" {DUCKDB_TYPES.get(kind, kind)}' for name, kind in columns)
        database.execute(f'CREATE TABLE "{DATABASE}"."orders" ({declared})')
        for row in rows:
            values = [row.values[name] for name, _ in columns]
            marks = ", ".join("?" * len(columns))
            database.execute(
                f'INSERT INTO "{DATABASE}"."orders" VALUES ({marks})',
                ["" if value is None else str(value) for value in values] if text_only else values,
            )
        keys = ", ".join(map(quoted, table.partition_keys))
        path = "/".join(f"{key}=' || {quoted(key)} || '" for key in table.partition_keys)
        database.execute(
            f'CREATE VIEW "{DATABASE}"."orders_objects" AS SELECT * EXCLUDE ({keys}),'
            f""" 's3://lake/data/{path}/object' AS "$path" FROM "{DATABASE}"."orders\""""
        )
        result = database.execute(sql)
        names = {name for name, *_ in result.description}
        assert names <= {*dict(columns), "rows"}, "internal columns"
        return result.fetchall()


def current(*rows: Row, table: LakeTable = TABLE) -> list[tuple[str, int]]:
    """Item and total of each row of the current state."""
    result = run(table, current_state_sql(DATABASE, table), rows)
    return sorted((row[0], int(row[1])) for row in result)


def test_the_last_change_of_an_item_is_current_in_any_order_of_rows() -> None:
    first = Row("a", 1, sequence_number=EARLY)
    second = Row("a", 2, op="MODIFY", sequence_number=LATER)
    third = Row("a", 3, op="MODIFY", sequence_number=LAST)
    assert current(first, second, third) == [("a", 3)]
    assert current(third, first, second) == [("a", 3)]


def test_a_longer_sequence_number_is_later() -> None:
    assert EARLY > LATER > LAST
    rows = [Row("a", 1, sequence_number=EARLY), Row("a", 2, sequence_number=LATER)]
    assert current(*rows) == [("a", 2)]


def test_a_removed_item_is_missing_until_the_next_insert() -> None:
    put = Row("a", 1, sequence_number=EARLY)
    removed = Row("a", 1, op="REMOVE", sequence_number=LATER)
    put_again = Row("a", 2, sequence_number=LAST)
    assert current(put, removed) == []
    assert current(removed, put_again, put) == [("a", 2)]


def test_a_duplicate_change_counts_once() -> None:
    first = Row("a", 1, sequence_number=EARLY)
    second = Row("a", 2, sequence_number=LATER)
    assert current(first, second, second, first) == [("a", 2)]


# Sequence numbers of snapshots: the time in milliseconds, lower than those of all changes.
TAKEN, TAKEN_LATER = "9795426200123", "9795426200124"
# Sequence number of the embedded AWS, with leading zeros.
EMBEDDED = "000000017954262000000000000001"


def snapshot(total: int, sequence_number: str = TAKEN, row: int = 0) -> Row:
    event_id = f"snapshot-{sequence_number}-a"
    return Row("a", total, "SNAPSHOT", row, sequence_number, event_id)


@pytest.mark.parametrize("number", [EARLY, LATER, LAST, EMBEDDED])
@pytest.mark.parametrize("op", ["INSERT", "MODIFY"])
def test_any_change_is_later_than_a_snapshot(number: str, op: str) -> None:
    change = Row("a", 2, op=op, sequence_number=number)
    assert current(snapshot(1), change) == [("a", 2)]
    assert current(change, snapshot(1), snapshot(1, TAKEN_LATER)) == [("a", 2)]


@pytest.mark.parametrize("number", [EARLY, LATER, LAST, EMBEDDED])
def test_an_item_removed_before_its_snapshot_stays_removed(number: str) -> None:
    removed = Row("a", 2, op="REMOVE", sequence_number=number)
    assert current(removed, snapshot(1)) == []
    assert current(snapshot(1), removed) == []


def test_the_later_of_two_snapshots_is_current() -> None:
    first, second = snapshot(1), snapshot(2, TAKEN_LATER)
    assert current(first) == [("a", 1)]
    assert current(second, first, second, first) == [("a", 2)]


def test_all_rows_of_a_snapshot_are_current_until_a_later_one() -> None:
    rows = [snapshot(1, row=index) for index in range(3)]
    assert current(*rows, *rows) == [("a", 1)] * 3
    assert current(*rows, snapshot(2, TAKEN_LATER)) == [("a", 2)]


def test_all_rows_of_the_last_change_are_current() -> None:
    before = [Row("a", 1, row=index) for index in range(3)]
    after = [Row("a", 2, row=index, sequence_number=LATER) for index in range(2)]
    assert current(*before, *after, *after) == [("a", 2), ("a", 2)]


def test_the_last_change_is_per_item() -> None:
    rows = [Row("a", 1, sequence_number=LAST), Row("b", 2, sequence_number=EARLY)]
    assert current(*rows) == [("a", 1), ("b", 2)]


OLD, NEW = "2026-11-01T00:00:00.000", "2026-11-20T00:00:00.000"
EVERY_TABLE = pytest.mark.parametrize("table", [TABLE, BY_PARTITION, CSV, CRAWLED])


def marker(epoch: str, day: str = "23") -> Row:
    return Row("", None, "BACKFILL", 0, TAKEN, f"backfill-{epoch}", epoch=epoch, day=day)


@EVERY_TABLE
def test_a_change_of_a_later_stream_is_later_whatever_its_number(table: LakeTable) -> None:
    before = Row("a", 1, sequence_number=LAST, epoch=OLD)
    after = Row("a", 2, sequence_number=EARLY, epoch=NEW)
    assert current(after, before, table=table) == [("a", 2)]
    removed = Row("a", 2, op="REMOVE", sequence_number=EARLY, epoch=NEW)
    assert current(removed, before, table=table) == []


@EVERY_TABLE
def test_rows_without_an_epoch_are_the_oldest(table: LakeTable) -> None:
    before = Row("a", 1, sequence_number=LAST, epoch=None)
    assert current(before, table=table) == [("a", 1)]
    assert current(before, Row("a", 2, epoch=OLD), table=table) == [("a", 2)]


@EVERY_TABLE
@pytest.mark.parametrize("days", [("23", "24"), ("24", "23"), ("23", "23")])
def test_copies_of_a_change_from_before_and_after_the_epochs_count_once(
    table: LakeTable, days: tuple[str, str]
) -> None:
    before, after = (
        Row("a", 1, epoch=epoch, day=day) for epoch, day in zip((None, OLD), days, strict=True)
    )
    assert current(before, after, table=table) == [("a", 1)]
    assert current(after, before, table=table) == [("a", 1)]


@EVERY_TABLE
def test_nothing_is_hidden_without_a_marker(table: LakeTable) -> None:
    rows = [
        Row(item, total, sequence_number=str(total), epoch=epoch)
        for item, total, epoch in (("a", 1, OLD), ("b", 2, NEW), ("c", 3, None))
    ]
    assert current(*rows, table=table) == [("a", 1), ("b", 2), ("c", 3)]


@EVERY_TABLE
def test_rows_of_streams_before_the_newest_marker_are_history(table: LakeTable) -> None:
    newest = "2026-11-25T00:00:00.000"
    rows = [
        Row("gone", 1, sequence_number=LAST, epoch=OLD),
        Row("gone", 2, sequence_number=LATER, epoch=None),
        Row("kept", 3, op="SNAPSHOT", sequence_number=TAKEN, epoch=NEW),
        Row("new", 4, sequence_number=EARLY, epoch=newest),
    ]
    expected = [("kept", 3), ("new", 4)]
    markers = [marker(OLD), marker(NEW), marker(NEW)]
    assert current(*markers, *rows, table=table) == expected
    assert current(*rows, *markers, table=table) == expected


def test_csv_text_is_cast_and_empty_text_is_null() -> None:
    rows = [
        Row("a", "12.50", sequence_number=EARLY),
        Row("b", "", sequence_number=LATER, created=""),
    ]
    changed_at = datetime(2026, 11, 23, 0, 30)
    day = ("2026", "11", "23")
    assert sorted(run(CSV, current_state_sql(DATABASE, CSV), rows)) == [
        ("a", Decimal("12.50"), datetime(2026, 11, 23, 9, 30), *day, EARLY, changed_at),
        ("b", None, None, *day, LATER, changed_at),
    ]


def test_csv_rows_follow_the_same_rules() -> None:
    rows = [
        Row("a", "1", sequence_number=EARLY),
        *(Row("a", "2", op="MODIFY", row=index, sequence_number=LATER) for index in (0, 1, 1)),
        Row("b", "3", sequence_number=EARLY),
        Row("b", "3", op="REMOVE", sequence_number=LAST),
    ]
    assert current(*rows, table=CSV) == [("a", 2), ("a", 2)]


def test_crawled_rows_follow_the_same_rules() -> None:
    rows = [
        Row("a", 1, sequence_number=EARLY),
        *(Row("a", 2, op="MODIFY", row=index, sequence_number=LATER) for index in (0, 1, 1)),
        Row("b", 3, sequence_number=EARLY),
        Row("b", 3, op="REMOVE", sequence_number=LAST),
    ]
    assert current(*rows, table=CRAWLED) == [("a", 2), ("a", 2)]


def test_copies_of_a_crawled_row_in_two_partitions_count_once() -> None:
    copies = [Row("a", 1, day=day) for day in ("24", "23")]
    assert current(*copies, *copies, table=CRAWLED) == [("a", 1)]


def test_a_query_of_an_injected_key_reads_one_partition() -> None:
    table = lake_table(partitions=PartitionArgs(dynamic_partition_keys={"store_id": []}))
    query = rows_per_partition_sql(DATABASE, table)
    with duckdb.connect() as database:
        database.execute('CREATE SCHEMA "shop_test"')
        database.execute(
            'CREATE TABLE "shop_test"."orders" AS SELECT * FROM (VALUES'
            " ('1', '2026', '11', '23'), ('1', '2026', '11', '23'), ('2', '2026', '11', '23'))"
            ' AS t("store_id", "year", "month", "day")'
        )
        found = database.execute(query.replace("<store_id>", "1")).fetchall()
    assert found == [("1", "2026", "11", "23", 2)]


def test_latest_changes_have_the_highest_sequence_numbers() -> None:
    rows = [Row("a", number, sequence_number=str(number)) for number in range(1, 121)]
    found = run(TABLE, latest_changes_sql(DATABASE, TABLE), rows)
    assert [int(row[1]) for row in found] == list(range(120, 20, -1))


def test_counts_rows_per_partition() -> None:
    rows = [Row("a", 1), Row("b", 1, op="REMOVE")]
    assert run(TABLE, rows_per_partition_sql(DATABASE, TABLE), rows) == [("2026", "11", "23", 2)]


CHANGES = st.lists(
    st.tuples(
        st.sampled_from("abc"), st.sampled_from(["INSERT", "MODIFY", "REMOVE"]), st.integers(1, 3)
    ),
    max_size=12,
)


@settings(derandomize=True, database=None, deadline=None, max_examples=40)
@given(CHANGES, st.integers(1, 200), st.randoms(use_true_random=False))
def test_any_shuffled_stream_with_duplicates_gives_the_last_state(
    stream: list[tuple[str, str, int]], start: int, random: Any
) -> None:
    rows: list[Row] = []
    expected: dict[str, list[tuple[str, int]]] = {}
    for number, (item, op, count) in enumerate(stream, start):
        written = [Row(item, number, op, index, str(number * 7)) for index in range(count)]
        expected[item] = [] if op == "REMOVE" else [(item, number)] * count
        rows += written * random.randint(1, 3)
    random.shuffle(rows)
    assert current(*rows) == sorted(itertools.chain(*expected.values()))
