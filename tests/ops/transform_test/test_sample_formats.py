"""Sample files in every form that AWS prints."""

import gzip
import json
from base64 import b64encode
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from streaming_etl.handlers.wire.change_line import change_line
from streaming_etl.ops.transform_test.sample_formats import SampleSource, samples_of
from streaming_etl.stack.errors import CommandError
from tests.support.changes import read_change, stream_record
from tests.support.pipelines import ROOT

SOURCE = SampleSource("orders.json", ["id"], "always")
EVENT = json.loads((ROOT / "tests" / "handlers" / "events" / "stream_batch.json").read_text())
EVENTS = EVENT["Records"]
LINES = [change_line(record) for record in EVENTS]


def encoded(content: Any) -> bytes:
    return content if isinstance(content, bytes) else json.dumps(content).encode()


def changes(content: Any, key: tuple[str, ...] = ("id",), old_image: str = "always") -> list[Any]:
    """Kind, keys, new and old item of each change in a file."""
    lines = samples_of(encoded(content), SampleSource("orders.json", key, old_image))
    read = [read_change(line) for line in lines]
    return [(change.kind, change.keys, change.new, change.old) for change in read]


def rejection(content: Any, key: tuple[str, ...] = ("id",)) -> CommandError:
    with pytest.raises(CommandError) as rejected:
        samples_of(encoded(content), SampleSource("orders.json", key, "always"))
    return rejected.value


KEY = {"sku": 7}
TEA = {"sku": 7, "name": "green tea"}
TYPED_KEY = {"sku": {"N": "7"}}
TYPED_TEA = {**TYPED_KEY, "name": {"S": "green tea"}}
INSERT = ("INSERT", KEY, TEA, None)
REMOVE = ("REMOVE", KEY, None, TEA)
CAPACITY = {"ConsumedCapacity": {"TableName": "tea", "CapacityUnits": 0.5}}


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        (TEA, [INSERT]),
        ([TEA], [INSERT]),
        (b'\xef\xbb\xbf{"sku": 7,\r\n "name": "green tea"}\r\n', [INSERT]),
        (TYPED_TEA, [INSERT]),
        ({"kind": "INSERT", "new": TEA}, [INSERT]),
        ({"kind": "INSERT", "new": TYPED_TEA}, [INSERT]),
        # get-item, and a line of a full export to S3.
        ({"Item": TYPED_TEA, **CAPACITY}, [INSERT]),
        # put-item with return values, update-item.
        ({"Attributes": TYPED_TEA}, [INSERT]),
        # scan, query, execute-statement.
        ({"Items": [TYPED_TEA], "Count": 1, "ScannedCount": 1, **CAPACITY}, [INSERT]),
        # batch-get-item, transact-get-items.
        ({"Responses": {"tea": [TYPED_TEA]}, "UnprocessedKeys": {}}, [INSERT]),
        ({"Responses": [{"Item": TYPED_TEA}]}, [INSERT]),
        # Input of batch-write-item.
        (
            {"tea": [{"PutRequest": {"Item": TYPED_TEA}}, {"DeleteRequest": {"Key": TYPED_KEY}}]},
            [INSERT, ("REMOVE", KEY, None, None)],
        ),
        ({"RequestItems": {"tea": [{"PutRequest": {"Item": TYPED_TEA}}]}}, [INSERT]),
    ],
)
def test_reads_items_and_changes_in_every_form(form: Any, expected: list[Any]) -> None:
    assert changes(form, ("sku",)) == expected


@pytest.mark.parametrize(
    "form",
    [
        {"Responses": {"tea": [TYPED_TEA]}, "UnprocessedKeys": {}},
        {"tea": [{"PutRequest": {"Item": TYPED_TEA}}]},
    ],
    ids=["batch-get-item", "batch-write-item"],
)
def test_items_of_a_batch_need_the_names_of_the_key(form: Any) -> None:
    assert rejection(form, ()).code == "unknown-key"
    wrong = rejection(form, ("id",))
    assert (wrong.code, wrong.details["missing"]) == ("missing-key", ["id"])


def test_reads_an_incremental_export_with_its_keys_and_times() -> None:
    written = {"WriteTimestampMicros": {"N": "1795426200000000"}}
    lines = [
        {"Metadata": written, "Keys": TYPED_KEY, "NewImage": TYPED_TEA},
        {"Metadata": written, "Keys": TYPED_KEY, "NewImage": TYPED_TEA, "OldImage": TYPED_KEY},
        {"Metadata": written, "Keys": TYPED_KEY, "OldImage": TYPED_TEA},
        {"Metadata": written, "Keys": TYPED_KEY},
    ]
    body = gzip.compress(b"\n".join(map(encoded, lines)))

    assert changes(body, ()) == [
        INSERT,
        ("MODIFY", KEY, TEA, KEY),
        REMOVE,
        ("REMOVE", KEY, None, None),
    ]
    read = [read_change(line) for line in samples_of(body, SOURCE)]
    assert {change.changed_at.timestamp() for change in read} == {1_795_426_200}


@pytest.mark.parametrize(
    ("at", "seconds"),
    [
        ("2026-11-23T18:30:00+09:00", 1_795_426_200),
        ("2026-11-23T09:30:00", 1_795_426_200),
        (1_795_426_200, 1_795_426_200),
        (1_795_426_200.5, 1_795_426_200.5),
        (1_795_426_200_500_000, 1_795_426_200.5),
        (None, 1_795_426_200),
    ],
)
def test_reads_records_of_the_cli_with_their_keys(at: Any, seconds: float) -> None:
    stream = {"Keys": TYPED_KEY, "OldImage": TYPED_TEA, "SequenceNumber": "5", "SizeBytes": 9}
    if at is not None:
        stream["ApproximateCreationDateTime"] = at
    record = {
        "eventID": "e",
        "eventName": "REMOVE",
        "userIdentity": {"PrincipalId": "dynamodb.amazonaws.com", "Type": "Service"},
        "dynamodb": stream,
    }
    body = encoded({"Records": [record], "NextShardIterator": "arn|1|x"})

    assert changes(body, ()) == [REMOVE]
    [change] = [read_change(line) for line in samples_of(body, SOURCE)]
    assert (change.changed_at.timestamp(), change.is_ttl_delete) == (seconds, True)
    assert (change.event_id, change.sequence_number) == ("e", "5")


def test_a_record_without_id_and_number_gets_those_of_a_sample() -> None:
    record = {"eventName": "INSERT", "dynamodb": {"Keys": TYPED_KEY, "NewImage": TYPED_TEA}}
    [_, line] = samples_of(encoded([record, record]), SOURCE)

    change = read_change(line)
    assert (change.event_id, change.sequence_number[-1]) == ("sample-2", "2")


def test_keeps_the_order_and_the_digits_of_numbers() -> None:
    body = b'{"id": "a", "n": 0.10000000000000000000000000001}\n\n{"id": "b"}{"id": "c"}'
    assert [change[2] for change in changes(body)] == [
        {"id": "a", "n": Decimal("0.10000000000000000000000000001")},
        {"id": "b"},
        {"id": "c"},
    ]


def test_a_hand_written_change_has_its_kind_images_keys_and_time() -> None:
    written = [
        {"kind": "MODIFY", "new": {"id": "a", "n": 2}, "old": {"id": "a", "n": 1}},
        {"kind": "REMOVE", "keys": {"id": "a"}, "is_ttl_delete": True},
        {"kind": "SNAPSHOT", "new": {"id": "a"}, "changed_at": "2026-01-02T03:04:05+09:00"},
    ]
    assert changes(written) == [
        ("MODIFY", {"id": "a"}, {"id": "a", "n": 2}, {"id": "a", "n": 1}),
        ("REMOVE", {"id": "a"}, None, None),
        ("SNAPSHOT", {"id": "a"}, {"id": "a"}, None),
    ]
    assert changes(written[:1], old_image="on_remove") == [
        ("MODIFY", {"id": "a"}, {"id": "a", "n": 2}, None)
    ]
    read = [read_change(line) for line in samples_of(encoded(written), SOURCE)]
    assert [change.is_ttl_delete for change in read] == [False, True, False]
    assert read[2].changed_at.isoformat() == "2026-01-01T18:04:05+00:00"
    assert [change.event_id for change in read[:2]] == ["sample-1", "sample-2"]


@pytest.mark.parametrize(
    "attributes",
    [
        {"kind": "INSERT", "new": {"id": "b"}},
        {"kind": "INSERT", "new": {"id": "b"}, "old": {"id": "b"}, "x": 1},
        {"payload": {"Records": []}},
        {"rawData": "AA==", "errorCode": "x"},
        {"Items": [{"sku": 1}], "Count": 1},
        {"Records": ["x"]},
        {"Item": {"sku": 1}},
        {"Table": {"TableName": "x"}},
    ],
    ids=lambda attributes: next(iter(attributes)),
)
def test_an_item_with_the_key_is_an_item_whatever_its_attributes(attributes: Any) -> None:
    item = {"id": "a", **attributes}
    assert changes(item) == [("INSERT", {"id": "a"}, item, None)]


FAILED_BATCH = {"requestContext": {"condition": "RetryAttemptsExhausted"}, "payload": EVENT}
ERROR_RECORDS = b"".join(
    json.dumps({"errorCode": "X", "rawData": b64encode(data).decode()}).encode() + b"\n"
    for data in (b"".join(LINES[:3]), LINES[3])
)


@pytest.mark.parametrize(
    "content",
    [
        EVENT,
        EVENTS,
        b"\n".join(map(encoded, EVENTS)),
        FAILED_BATCH,
        {**FAILED_BATCH, "payload": json.dumps(EVENT)},
        ERROR_RECORDS,
        gzip.compress(ERROR_RECORDS),
    ],
    ids=["event", "list", "lines", "failed batch", "batch as text", "error records", "gzip"],
)
def test_reads_events_and_objects_of_the_lake_unchanged(content: Any) -> None:
    assert samples_of(encoded(content), SOURCE) == LINES


ROW_KEY = json.dumps('{"id":{"S":"a"}}')
METADATA = f'"_op":"INSERT","_key":{ROW_KEY},"_row":0,"_event_id":"e","_sequence_number":"1"'
ROW = b64encode(f'{{{METADATA},"_changed_at":"2026-11-23 09:30:00"}}'.encode()).decode()


@pytest.mark.parametrize(
    ("content", "code", "line"),
    [
        (b"", "empty", None),
        (b"\xff", "not-utf-8", None),
        (b"\x1f\x8b", "damaged-gzip", None),
        (b'{"id": "a"}\n{"id": }', "invalid-json", 2),
        (b'{"id": "a",\n "n": NaN}', "invalid-json", None),
        (b'{"id": "a", "n": ' + b"1" * 5000 + b"}", "exceeds-item-limits", None),
        (b"[" * 100_000, "exceeds-item-limits", None),
        ([], "no-changes", None),
        ({"Items": [], "Count": 0}, "no-changes", None),
        ({"requestContext": {}, "payload": {"Records": []}}, "no-records", None),
        (b'{"id": "a"}\n7', "not-a-change", 2),
        ([{}], "not-a-change", 1),
        (b'\n{"n": 1}', "missing-key", 2),
        ({"kind": "fruit", "n": 1}, "missing-key", 1),
        ({"kind": "REMOVE", "new": {"id": "a"}}, "unexpected-image", 1),
        ({"kind": "INSERT", "new": 7}, "image-not-an-item", 1),
        ({"kind": "UPDATE", "new": {"id": "a"}}, "unknown-kind", 1),
        ({"new": {"id": "a"}, "old": {"id": "a"}}, "unknown-kind", 1),
        ({"kind": "REMOVE", "old": {"id": "a"}, "ttl_delete": True}, "unknown-field", 1),
        ({"kind": "INSERT", "new": {"id": "a"}, "changed_at": "noon"}, "invalid-field", 1),
        ({"kind": "INSERT", "new": {"id": "a"}, "changed_at": 1795426200}, "invalid-field", 1),
        ({"kind": "REMOVE", "keys": {"id": "a"}, "is_ttl_delete": "yes"}, "invalid-field", 1),
        ({"eventName": "INSERT", "dynamodb": {}}, "invalid-stream-record", 1),
        ({"eventName": "INSERT", "dynamodb": 7}, "invalid-stream-record", 1),
        (stream_record(1, "UPDATE"), "invalid-stream-record", 1),
        ({"Table": {"TableName": "tea"}}, "output-without-changes", 1),
        ({"UnprocessedItems": {}}, "output-without-changes", 1),
        ({"requestContext": {}, "payload": 7}, "no-records", None),
        ({"rawData": "*"}, "raw-data-not-base64", None),
        ({"rawData": ROW}, "rows-instead-of-changes", None),
    ],
)
def test_rejects_a_file_without_changes(content: Any, code: str, line: int | None) -> None:
    error = rejection(content)
    assert (error.code, error.details["file"], error.details["line"]) == (code, "orders.json", line)


def test_rejections_name_what_differs() -> None:
    assert rejection({"n": 1}).details["missing"] == ["id"]
    assert rejection(TEA, ()).code == "unknown-key"
    assert rejection({"Table": {}}).details["form"] == "describe-table"
    misspelled = {"kind": "REMOVE", "old": {"id": "a"}, "ttl_delete": True}
    assert rejection(misspelled).details["suggestion"] == ["is_ttl_delete"]


@pytest.mark.parametrize(
    "name", ["orders", "shipments", "shop_orders", "shop_customers", "shop_leads"]
)
def test_the_examples_have_an_insert_a_modify_and_a_remove(name: str) -> None:
    body = Path(ROOT, "transforms", f"{name}.changes.json").read_bytes()
    keys = ["pk", "sk"] if name.startswith("shop") else ["id"]
    assert {change[0] for change in changes(body, keys)} == {"INSERT", "MODIFY", "REMOVE"}
