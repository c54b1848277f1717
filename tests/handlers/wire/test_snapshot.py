"""Items from before the stream as changes of type SNAPSHOT."""

from base64 import b64encode
from typing import Any

import botocore.session
import pytest

import transforms.orders
import transforms.shipments
from streaming_etl.handlers.change.change import Change
from streaming_etl.handlers.change.decode import RecordReader
from streaming_etl.handlers.rows.metadata import metadata_of
from streaming_etl.handlers.wire.change_line import change_line
from streaming_etl.handlers.wire.snapshot import marker_record, snapshot_record
from tests.support.changes import STREAM_ARN, STREAM_LABEL, read_change, stream_record

TAKEN_AT_MS = 1_795_426_200_123

# An item as boto3's client returns it: binary as bytes.
BINARY = {"id": {"B": b"\x00\xff\xfe"}, "parts": {"BS": [b"\x01", b"\xfa\xfb"]}}
# The same item as in the stream and in an export.
BINARY_TEXT = {
    "id": {"B": b64encode(b"\x00\xff\xfe").decode()},
    "parts": {"BS": [b64encode(b"\x01").decode(), b64encode(b"\xfa\xfb").decode()]},
}


def test_a_snapshot_is_a_stream_record_with_its_time_as_sequence_number() -> None:
    item = {"id": {"S": "o-1"}, "total": {"N": "12.50"}, "line": {"N": "7"}}

    assert snapshot_record(item, ["id", "line"], TAKEN_AT_MS, STREAM_ARN) == {
        "eventID": "snapshot-1795426200123-a1a88948b9a901320465b9cd25c5bf4a",
        "eventName": "SNAPSHOT",
        "eventSourceARN": STREAM_ARN,
        "dynamodb": {
            "ApproximateCreationDateTime": 1_795_426_200,
            "Keys": {"id": {"S": "o-1"}, "line": {"N": "7"}},
            "SequenceNumber": "1795426200123",
            "NewImage": item,
        },
    }


def test_the_event_id_depends_on_key_and_time_only() -> None:
    def event_id(item: dict[str, Any], names: list[str], taken_at_ms: int = TAKEN_AT_MS) -> str:
        return str(snapshot_record(item, names, taken_at_ms, STREAM_ARN)["eventID"])

    item = {"id": {"S": "o-1"}, "line": {"N": "7"}}
    known = event_id(item, ["id", "line"])

    assert event_id({"line": {"N": "7"}, "id": {"S": "o-1"}}, ["line", "id"]) == known
    assert event_id({**item, "total": {"N": "1"}}, ["id", "line"]) == known
    others = [
        event_id({**item, "line": {"N": "8"}}, ["id", "line"]),
        event_id({**item, "line": {"S": "7"}}, ["id", "line"]),
        event_id(item, ["id", "line"], TAKEN_AT_MS + 1),
    ]
    assert len({known, *others}) == 4


def test_binary_is_the_same_from_bytes_and_from_base64() -> None:
    as_bytes = snapshot_record(BINARY, ["id"], TAKEN_AT_MS, STREAM_ARN)
    as_text = snapshot_record(BINARY_TEXT, ["id"], TAKEN_AT_MS, STREAM_ARN)

    assert as_bytes["eventID"] == as_text["eventID"]
    assert change_line(as_bytes) == change_line(as_text)
    change = read_change(change_line(as_bytes))
    assert change.new == {"id": b"\x00\xff\xfe", "parts": {b"\x01", b"\xfa\xfb"}}
    assert change.keys == {"id": b"\x00\xff\xfe"}


def test_a_snapshot_has_the_same_key_text_as_a_stream_record() -> None:
    record = stream_record(1)
    record["dynamodb"] |= {
        "Keys": {"id": BINARY_TEXT["id"], "line": {"N": "10"}},
        "NewImage": {**BINARY_TEXT, "line": {"N": "10"}},
    }
    snapshot = snapshot_record(
        {**BINARY, "line": {"N": "1E+1"}}, ["line", "id"], TAKEN_AT_MS, STREAM_ARN
    )

    keys = [
        metadata_of(decoded).key
        for each in (record, snapshot)
        for chunk in RecordReader().read(change_line(each))
        for decoded in chunk.records()
    ]

    assert keys == ['{"id":{"B":"AP/+"},"line":{"N":"10"}}'] * 2


def test_a_snapshots_sequence_number_is_shorter_than_any_of_a_stream() -> None:
    model = botocore.session.Session().get_service_model("dynamodbstreams")
    fewest = model.shape_for("SequenceNumber").metadata["min"]

    record = snapshot_record({"id": {"S": "o-1"}}, ["id"], TAKEN_AT_MS, STREAM_ARN)

    assert fewest == 21
    assert len(record["dynamodb"]["SequenceNumber"]) == 13


def test_a_marker_has_the_stream_and_neither_item_nor_key() -> None:
    assert marker_record(TAKEN_AT_MS, STREAM_ARN) == {
        "eventID": f"backfill-{STREAM_LABEL}",
        "eventName": "BACKFILL",
        "eventSourceARN": STREAM_ARN,
        "dynamodb": {
            "ApproximateCreationDateTime": 1_795_426_200,
            "Keys": {},
            "SequenceNumber": "1795426200123",
        },
    }


ORDER = {
    "id": {"S": "o-1"},
    "user_id": {"S": "u-1"},
    "store_id": {"S": "tokyo"},
    "created": {"S": "2026-11-01T09:00:00"},
    "updated_at": {"S": "2026-11-02T09:00:00"},
}
SHIPMENT = {
    "id": {"S": "s-1"},
    "carrier": {"S": "yamato"},
    "status": {"S": "packed"},
    "weight_kg": {"N": "1.125"},
    "address": {"M": {"city": {"S": "Osaka"}}},
    "parcels": {"L": [{"M": {"sku": {"S": "sku-1"}, "quantity": {"N": "2"}}}]},
    "tags": {"L": [{"S": "gift"}]},
    "updated_at": {"S": "2026-11-02T09:00:00"},
}


@pytest.mark.parametrize(
    ("module", "item"),
    [(transforms.orders, ORDER), (transforms.shipments, SHIPMENT)],
    ids=["orders", "shipments"],
)
def test_the_example_transforms_return_the_same_row_for_snapshot_and_insert(
    module: Any, item: dict[str, Any]
) -> None:
    insert = stream_record(1)
    insert["dynamodb"] |= {"Keys": {"id": item["id"]}, "NewImage": item}
    snapshot = snapshot_record(item, ["id"], TAKEN_AT_MS, STREAM_ARN)
    changes: list[Change] = [read_change(change_line(record)) for record in (insert, snapshot)]

    assert [change.kind for change in changes] == ["INSERT", "SNAPSHOT"]
    rows = [module.transform(change) for change in changes]
    assert rows[0] == rows[1]
    assert rows[0]["id"] == item["id"]["S"]
