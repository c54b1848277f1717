"""The present state over small data: the last change of each item, once, and nothing removed.

DuckDB stands in for Athena; both know the functions that the text uses.
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

from streaming_etl import PartitionArgs
from streaming_etl.stack.recorder import Graph
from tests.components.pipelines import Pipelines

DUCKDB_TYPES = {"string": "VARCHAR", "timestamp": "TIMESTAMP", "int": "INTEGER"}

# Sequence numbers have varying length: as text, the first of these would come last.
EARLY, LATER, LAST = "900000000000000000001", "4000000000000000000000002", "12" * 19


class Row(NamedTuple):
    """A row of the lake; `total` tells the rows of an item apart."""

    id: str
    total: Any
    op: str = "INSERT"
    row: int = 0
    sequence_number: str = EARLY
    event_id: str | None = None
    created: Any = None

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
            "_sequence_number": self.sequence_number,
            "_changed_at": "2026-11-23 00:30:00",
            **{"year": "2026", "month": "11", "day": "23"},
        }


def run(graph: Graph, query: str, rows: Iterable[Row]) -> list[tuple[Any, ...]]:
    """What a saved query answers over a table of these rows."""
    table = graph["shop-catalog-table"].inputs
    columns = [*table["storageDescriptor"]["columns"], *table["partitionKeys"]]
    text_only = {column["type"] for column in columns} == {"string"}
    kinds = [DUCKDB_TYPES.get(column["type"], column["type"]) for column in columns]
    with duckdb.connect() as database:
        database.execute('CREATE SCHEMA "shop_test"')
        declared = ", ".join(
            f'"{column["name"]}" {kind}' for column, kind in zip(columns, kinds, strict=True)
        )
        database.execute(f'CREATE TABLE "shop_test"."orders" ({declared})')
        for row in rows:
            values = [row.values[column["name"]] for column in columns]
            marks = ", ".join("?" * len(columns))
            database.execute(
                f'INSERT INTO "shop_test"."orders" VALUES ({marks})',
                [str(value) for value in values] if text_only else values,
            )
        return database.execute(graph[query].inputs["query"]).fetchall()


def current(graph: Graph, *rows: Row) -> list[tuple[str, int]]:
    """The item and the total of each row of the present state."""
    found = run(graph, "shop-query-current-state", rows)
    return sorted((row[0], int(row[1])) for row in found)


def test_the_last_change_of_an_item_wins_whatever_order_the_rows_lie_in(minimal: Graph) -> None:
    first = Row("a", 1, sequence_number=EARLY)
    second = Row("a", 2, op="MODIFY", sequence_number=LATER)
    third = Row("a", 3, op="MODIFY", sequence_number=LAST)
    assert current(minimal, first, second, third) == [("a", 3)]
    assert current(minimal, third, first, second) == [("a", 3)]


def test_a_longer_sequence_number_is_the_later_one(minimal: Graph) -> None:
    assert EARLY > LATER > LAST
    rows = [Row("a", 1, sequence_number=EARLY), Row("a", 2, sequence_number=LATER)]
    assert current(minimal, *rows) == [("a", 2)]


def test_a_removed_item_is_left_out_and_comes_back_when_it_is_put_again(minimal: Graph) -> None:
    put = Row("a", 1, sequence_number=EARLY)
    removed = Row("a", 1, op="REMOVE", sequence_number=LATER)
    put_again = Row("a", 2, sequence_number=LAST)
    assert current(minimal, put, removed) == []
    assert current(minimal, removed, put_again, put) == [("a", 2)]


def test_a_change_delivered_twice_counts_once(minimal: Graph) -> None:
    first = Row("a", 1, sequence_number=EARLY)
    second = Row("a", 2, sequence_number=LATER)
    assert current(minimal, first, second, second, first) == [("a", 2)]


# What a backfill gives its snapshots: the time in milliseconds, as text behind none of the others.
TAKEN, TAKEN_LATER = "9795426200123", "9795426200124"
# As the embedded AWS numbers its changes, with zeros in front.
EMBEDDED = "000000017954262000000000000001"


def snapshot(total: int, sequence_number: str = TAKEN, row: int = 0) -> Row:
    event_id = f"snapshot-{sequence_number}-a"
    return Row("a", total, "SNAPSHOT", row, sequence_number, event_id)


@pytest.mark.parametrize("number", [EARLY, LATER, LAST, EMBEDDED])
@pytest.mark.parametrize("op", ["INSERT", "MODIFY"])
def test_a_snapshot_beats_no_change_whichever_of_them_comes_first(
    minimal: Graph, number: str, op: str
) -> None:
    change = Row("a", 2, op=op, sequence_number=number)
    assert current(minimal, snapshot(1), change) == [("a", 2)]
    assert current(minimal, change, snapshot(1), snapshot(1, TAKEN_LATER)) == [("a", 2)]


@pytest.mark.parametrize("number", [EARLY, LATER, LAST, EMBEDDED])
def test_an_item_removed_before_its_snapshot_arrives_stays_removed(
    minimal: Graph, number: str
) -> None:
    removed = Row("a", 2, op="REMOVE", sequence_number=number)
    assert current(minimal, removed, snapshot(1)) == []
    assert current(minimal, snapshot(1), removed) == []


def test_of_two_snapshots_the_later_one_is_current_and_a_repeat_counts_once(
    minimal: Graph,
) -> None:
    first, second = snapshot(1), snapshot(2, TAKEN_LATER)
    assert current(minimal, first) == [("a", 1)]
    assert current(minimal, second, first, second, first) == [("a", 2)]


def test_all_rows_of_a_snapshot_stay_and_fewer_of_a_later_one_replace_them(
    minimal: Graph,
) -> None:
    rows = [snapshot(1, row=index) for index in range(3)]
    assert current(minimal, *rows, *rows) == [("a", 1)] * 3
    assert current(minimal, *rows, snapshot(2, TAKEN_LATER)) == [("a", 2)]


def test_all_rows_of_the_last_change_stay_even_equal_ones(minimal: Graph) -> None:
    before = [Row("a", 1, row=index) for index in range(3)]
    after = [Row("a", 2, row=index, sequence_number=LATER) for index in range(2)]
    assert current(minimal, *before, *after, *after) == [("a", 2), ("a", 2)]


def test_items_do_not_hide_each_other(minimal: Graph) -> None:
    rows = [Row("a", 1, sequence_number=LAST), Row("b", 2, sequence_number=EARLY)]
    assert current(minimal, *rows) == [("a", 1), ("b", 2)]


def test_csv_texts_come_out_typed_and_empty_ones_as_null(pipelines: Pipelines) -> None:
    graph = pipelines.build(format="csv")
    rows = [
        Row("a", "12.50", sequence_number=EARLY),
        Row("b", "", sequence_number=LATER, created=""),
    ]
    changed_at = datetime(2026, 11, 23, 0, 30)
    day = ("2026", "11", "23")
    assert sorted(run(graph, "shop-query-current-state", rows)) == [
        ("a", Decimal("12.50"), datetime(2026, 11, 23, 9, 30), *day, EARLY, changed_at),
        ("b", None, None, *day, LATER, changed_at),
    ]


def test_csv_rows_follow_the_same_rules_as_typed_ones(pipelines: Pipelines) -> None:
    graph = pipelines.build(format="csv")
    rows = [
        Row("a", "1", sequence_number=EARLY),
        *(Row("a", "2", op="MODIFY", row=index, sequence_number=LATER) for index in (0, 1, 1)),
        Row("b", "3", sequence_number=EARLY),
        Row("b", "3", op="REMOVE", sequence_number=LAST),
    ]
    assert current(graph, *rows) == [("a", 2), ("a", 2)]


def test_a_query_that_asks_for_a_key_reads_only_its_folder(pipelines: Pipelines) -> None:
    graph = pipelines.build(partitions=PartitionArgs(dynamic_partition_keys={"store_id": []}))
    query = graph["shop-query-rows-per-partition"].inputs["query"]
    with duckdb.connect() as database:
        database.execute('CREATE SCHEMA "shop_test"')
        database.execute(
            'CREATE TABLE "shop_test"."orders" AS SELECT * FROM (VALUES'
            " ('1', '2026', '11', '23'), ('1', '2026', '11', '23'), ('2', '2026', '11', '23'))"
            ' AS t("store_id", "year", "month", "day")'
        )
        found = database.execute(query.replace("<store_id>", "1")).fetchall()
    assert found == [("1", "2026", "11", "23", 2)]


def test_the_latest_changes_are_the_hundred_highest_sequence_numbers(minimal: Graph) -> None:
    rows = [Row("a", number, sequence_number=str(number)) for number in range(1, 121)]
    found = run(minimal, "shop-query-latest-changes", rows)
    assert [int(row[1]) for row in found] == list(range(120, 20, -1))


def test_rows_are_counted_per_folder(minimal: Graph) -> None:
    rows = [Row("a", 1), Row("b", 1, op="REMOVE")]
    assert run(minimal, "shop-query-rows-per-partition", rows) == [("2026", "11", "23", 2)]


CHANGES = st.lists(
    st.tuples(
        st.sampled_from("abc"), st.sampled_from(["INSERT", "MODIFY", "REMOVE"]), st.integers(1, 3)
    ),
    max_size=12,
)


@settings(derandomize=True, database=None, deadline=None, max_examples=40)
@given(CHANGES, st.integers(1, 200), st.randoms(use_true_random=False))
def test_any_shuffled_and_repeated_stream_of_changes_gives_the_last_state_of_each_item(
    minimal: Graph, stream: list[tuple[str, str, int]], start: int, random: Any
) -> None:
    rows: list[Row] = []
    expected: dict[str, list[tuple[str, int]]] = {}
    for number, (item, op, count) in enumerate(stream, start):
        written = [Row(item, number, op, index, str(number * 7)) for index in range(count)]
        expected[item] = [] if op == "REMOVE" else [(item, number)] * count
        rows += written * random.randint(1, 3)
    random.shuffle(rows)
    assert current(minimal, *rows) == sorted(itertools.chain(*expected.values()))
