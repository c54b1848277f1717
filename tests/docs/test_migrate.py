"""Tests of the queries and promises of docs/migrate.md."""

import json
from base64 import b64decode
from typing import Any

import duckdb
import pytest

from streaming_etl.handlers.forwarder import Routing, forward
from streaming_etl.handlers.transform import TransformRuntime, transform_records
from streaming_etl.handlers.wire.routing import Route
from tests.docs.example_lake import lake
from tests.docs.pages import blocks
from tests.support.changes import firehose_records, stream_record
from tests.support.rows import runtime

QUERIES = [block.text for block in blocks("sql") if block.page == "docs/migrate.md"]


def query(piece: str) -> str:
    """The query of the page that contains this text."""
    [text] = [text for text in QUERIES if piece in text]
    return text


def old_row(id_: str, event: str, kind: str = "INSERT", number: str = "10") -> list[Any]:
    times = ["2026-11-23 09:00:00"] * 2
    return [id_, "u-1", f"store {event}", *times, event, kind, number, "2026-11-23 12:00:00"]


def new_row(
    id_: str, event: str, kind: str = "INSERT", number: str = "10", row: int = 0
) -> list[Any]:
    times = ["2026-11-23 09:00:00"] * 2
    key = json.dumps({"id": {"S": id_}})
    epoch = "2026-11-01T00:00:00.000"
    metadata = [kind, key, str(row), event, epoch, number, "2026-11-23 12:00:00"]
    return [*metadata, id_, "u-1", f"store {event}", *times, "2026", "11", "23"]


def run_query(text: str, old: list[list[Any]], new: list[list[Any]]) -> list[tuple[Any, ...]]:
    """Rows of the query, or of the view that it creates."""
    with lake() as database:
        fill(database, "by_hand.orders", old)
        fill(database, "orders_prod.orders", new)
        database.execute(text)
        if text.startswith("CREATE"):
            database.execute(f"SELECT * FROM {text.split()[4]}")
        return database.fetchall()


def fill(database: duckdb.DuckDBPyConnection, table: str, rows: list[list[Any]]) -> None:
    for row in rows:
        database.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})", row)


def test_finds_a_change_that_only_one_lake_has_and_ignores_snapshots() -> None:
    old = [old_row("a", "both"), old_row("b", "old only")]
    new = [
        new_row("a", "both"),
        new_row("a", "both"),
        new_row("c", "new only"),
        new_row("d", "s", "SNAPSHOT"),
    ]
    assert [row[0] for row in run_query(query("o.event_id, o.event_name"), old, new)] == [
        "old only"
    ]
    rows = run_query(query('n."_event_id", n."_op"'), old, new)
    assert [row[0] for row in rows] == ["new only"]


def test_finds_an_item_whose_last_change_is_missing_in_one_lake() -> None:
    old = [old_row("a", "1"), old_row("b", "2"), old_row("b", "3", "MODIFY", "9")]
    new = [new_row("a", "1"), new_row("a", "4", "REMOVE", "11"), new_row("b", "2")]
    assert run_query(query("EXCEPT"), old, new) == [("a", "u-1", "store 1")]


def test_the_view_for_readers_is_the_current_state() -> None:
    new = [new_row("a", "1"), new_row("a", "2", "MODIFY", "11"), new_row("b", "3", "REMOVE")]
    [(id_, _, store, *_)] = run_query(query("VIEW reporting.orders AS"), [], new)
    assert (id_, store) == ("a", "store 2")


def test_the_view_of_all_changes_has_each_change_from_one_lake() -> None:
    old = [old_row("a", "before"), old_row("a", "both")]
    new = [new_row("a", "both"), new_row("a", "after"), new_row("a", "s", "SNAPSHOT")]
    rows = run_query(query("VIEW reporting.order_changes AS"), old, new)
    assert sorted(row[3] for row in rows) == ["after", "before", "both"]


def test_counts_changes_and_rows_per_hour_without_duplicates() -> None:
    new = [
        new_row("a", "1"),
        new_row("a", "1"),
        new_row("a", "1", row=1),
        new_row("a", "s", "SNAPSHOT"),
    ]
    [(_, changes, rows, with_repeats)] = run_query(query("date_trunc"), [], new)
    assert (changes, rows, with_repeats) == (1, 2, 3)


RECORDS = [stream_record(number, "MODIFY", store={"S": f"s{number}"}) for number in range(7)]
for record in RECORDS:
    record["dynamodb"]["OldImage"] = {"id": record["dynamodb"]["Keys"]["id"], "store": {"S": "old"}}


def sent(max_changes_per_record: int, old_image: str = "on_remove") -> list[bytes]:
    """The Firehose records that the forwarder makes with these settings."""
    records: list[bytes] = []

    def put(_route: Route, contents: list[bytes], _left: int, _is_first: bool) -> list[int]:
        records.extend(contents)
        return []

    route = Route("orders", "orders-delivery", old_image, max_changes_per_record, 256 * 1024)
    forward(RECORDS, Routing(frozenset({"MODIFY"}), False, [route]), put, pytest.fail)
    return records


def transformed(records: list[bytes], using: TransformRuntime) -> tuple[list[str], bytes]:
    """The results and the rows of the transform for these records."""
    results = transform_records(firehose_records(*records), using, lambda _: [])["records"]
    data = b"".join(b64decode(result.get("data", "")) for result in results)
    return [result["result"] for result in results], data


def compare(change: Any) -> Any:
    return {"id": change.new["id"], "moved": change.old["store"] != change.new["store"]}


def test_rows_do_not_depend_on_aggregation_even_when_it_changes() -> None:
    using = runtime(lambda change: change.new)
    results, rows = transformed(sent(1), using)
    assert (results, rows.count(b"\n")) == (["Ok"] * 7, 7)
    for records in (sent(500), sent(3), [*sent(1)[:4], b"".join(sent(1)[4:])]):
        assert len(records) < 7
        assert transformed(records, using)[1] == rows


@pytest.mark.parametrize("old_image", ["on_remove", "never"])
def test_rows_need_old_images_only_if_the_transform_reads_them(
    old_image: str,
) -> None:
    using = runtime(lambda change: change.new or change.old)
    assert transformed(sent(1, old_image), using) == transformed(sent(1, "always"), using)
    assert transformed(sent(1, "always"), runtime(compare))[0] == ["Ok"] * 7
    assert transformed(sent(1, old_image), runtime(compare))[0] == ["ProcessingFailed"] * 7
