"""Transform without a function: rows of attributes, and failed changes."""

import base64
from typing import Any

import pytest

from streaming_etl.handlers.rows.row_error import RowError
from streaming_etl.handlers.transform import _outcomes, transform_records
from streaming_etl.handlers.wire.change_line import change_line
from streaming_etl.handlers.wire.snapshot import marker_record, snapshot_record
from tests.support.changes import STREAM_ARN, firehose_records, line, stream_record
from tests.support.fake_aws import FakeDelivery
from tests.support.rows import columns_only, fields, rows_of

COLUMNS: dict[str, Any] = {
    "id": "string",
    "total": {"decimal": [10, 2]},
    "city": "string",
    "created": {"timestamp": "seconds"},
}
RUNTIME = columns_only(COLUMNS, {"city": ["address", "city"], "created": ["createdAt"]})
IMAGE = {
    "total": {"N": "12.5"},
    "address": {"M": {"city": {"S": "Oita"}}},
    "createdAt": {"N": "1795426200"},
}


def run(*contents: bytes, using: Any = RUNTIME) -> tuple[list[Any], list[bytes]]:
    """Results, and requeued records."""
    requeue = FakeDelivery()
    return transform_records(firehose_records(*contents), using, requeue)["records"], (
        requeue.records
    )


def values(result: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of a result without metadata."""
    return [
        {name: value for name, value in row.items() if not name.startswith("_")}
        for row in rows_of(result)
    ]


@pytest.mark.parametrize("aggregated", [True, False])
def test_a_row_has_the_columns_attributes(aggregated: bool) -> None:
    lines = [line(1, **IMAGE, other={"S": "unused"}), line(2)]
    results, requeued = run(*([b"".join(lines)] if aggregated else lines))
    assert [row for result in results for row in values(result)] == [
        {"id": "o-1", "total": 12.5, "city": "Oita", "created": "2026-11-23 09:30:00"},
        {"id": "o-2"},
    ]
    assert requeued == []


def test_a_csv_row_has_every_column() -> None:
    [result], _ = run(line(1), using=columns_only(COLUMNS, file_format="csv"))
    assert base64.b64decode(result["data"]).endswith(b',2026-11-23 09:30:00,"o-1",,,\n')


def test_a_removed_item_has_the_values_of_its_old_image_or_its_keys() -> None:
    record = stream_record(1, "REMOVE")
    image = record["dynamodb"].pop("NewImage")
    without = change_line(record)
    record["dynamodb"]["OldImage"] = image | IMAGE
    [first, second], _ = run(change_line(record), without)
    assert values(first)[0]["total"] == 12.5
    assert values(second) == [{"id": "o-1"}]


def test_snapshots_and_markers_have_rows() -> None:
    item = {"id": {"S": "o-1"}, **IMAGE}
    snapshot = change_line(snapshot_record(item, ["id"], 1_795_426_200_000, STREAM_ARN))
    marker = change_line(marker_record(1_795_426_200_000, STREAM_ARN))
    [result], _ = run(snapshot + marker)
    assert [row["_op"] for row in rows_of(result)] == ["SNAPSHOT", "BACKFILL"]
    assert values(result) == [
        {"id": "o-1", "total": 12.5, "city": "Oita", "created": "2026-11-23 09:30:00"},
        {},
    ]


INVALID: list[tuple[dict[str, Any], str, str]] = [
    ({"total": {"S": "12.5"}}, "type", "total decimal(10,2)"),
    ({"total": {"N": "0.125"}}, "decimal-digits", "total decimal(10,2)"),
    ({"createdAt": {"S": "1795426200"}}, "type", "created timestamp"),
    ({"createdAt": {"N": "1795426200000"}}, "timestamp-range", "created timestamp"),
    ({"address": {"S": "Oita"}}, "path", "city"),
    ({"total": {"X": 1}}, "change-format", ""),
    ({"total": {"N": "a"}}, "change-format", ""),
]


@pytest.mark.parametrize(("image", "rule", "column"), INVALID)
def test_an_invalid_value_fails_one_change(image: dict[str, Any], rule: str, column: str) -> None:
    bad = line(2, **image)
    [good, failed], requeued = run(line(1) + bad + line(3), bad)
    assert [row["id"] for row in values(good)] == ["o-1", "o-3"]
    assert (failed["result"], requeued) == ("ProcessingFailed", [bad.strip()])
    [error] = _outcomes(base64.b64encode(bad).decode(), RUNTIME)[1]
    assert isinstance(error, RowError)
    assert fields(error)[:2] == (rule, column)


def test_a_partition_key_is_read_by_its_path() -> None:
    using = columns_only(
        {"id": "string"}, {"store": ["storeId"]}, dynamic_partition_keys={"store": ["a", "b"]}
    )
    results, requeued = run(
        line(1, storeId={"S": "a"}),
        line(2, store={"S": "a"}),
        line(3, storeId={"S": "c"}),
        line(4, storeId={"S": "a"}) + line(5, storeId={"S": "b"}),
        using=using,
    )
    assert [result.get("metadata", result["result"]) for result in results] == [
        {"partitionKeys": {"store": "a"}},
        "ProcessingFailed",
        "ProcessingFailed",
        {"partitionKeys": {"store": "a"}},
    ]
    assert requeued == [line(5, storeId={"S": "b"}).strip()]
    assert values(results[0]) == [{"id": "o-1"}]
