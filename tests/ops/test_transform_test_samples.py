"""A file of samples is understood by its form, or refused with its name, the line and the rest."""

import gzip
import json
from base64 import b64encode
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from streaming_etl.handlers.wire.change_line import change_line
from streaming_etl.ops.transform_test.samples import ALLOWED, Source, samples_of
from streaming_etl.stack.errors import CommandError
from tests.components.pipelines import ROOT
from tests.handlers.fakes import read_change, stream_record

SOURCE = Source("orders.json", ["id"], "always")
BATCH = json.loads((ROOT / "tests" / "handlers" / "events" / "stream_batch.json").read_text())
EVENTS = BATCH["Records"]


def changes(given: Any, old_image: str = "always") -> list[tuple[str, Any, Any, Any]]:
    """Kind, keys, new and old item of each change that a file with this tells."""
    body = given if isinstance(given, bytes) else json.dumps(given).encode()
    lines = samples_of(body, Source("orders.json", ["id"], old_image))
    read = [read_change(line) for line in lines]
    return [(change.kind, change.keys, change.new, change.old) for change in read]


ITEM = {"id": "a", "n": Decimal("0.1")}
INSERT = [("INSERT", {"id": "a"}, ITEM, None)]


@pytest.mark.parametrize(
    "body",
    [
        b'{"id": "a", "n": 0.1}',
        b'[{"id": "a", "n": 0.1}]',
        b'\xef\xbb\xbf{"id": "a",\r\n "n": 0.1}\r\n',
        b'{"id": {"S": "a"}, "n": {"N": "0.1"}}',
        b'{"Item": {"id": {"S": "a"}, "n": {"N": "0.1"}}}',
        b'{"Items": [{"id": {"S": "a"}, "n": {"N": "0.1"}}], "Count": 1, "ScannedCount": 1}',
        b'{"kind": "INSERT", "new": {"id": "a", "n": 0.1}}',
        b'{"kind": "INSERT", "new": {"id": {"S": "a"}, "n": {"N": "0.1"}}}',
    ],
)
def test_an_item_is_an_insert_however_it_is_written(body: bytes) -> None:
    assert changes(body) == INSERT


def test_items_stand_one_behind_the_other_and_numbers_stay_exact() -> None:
    body = b'{"id": "a", "n": 0.10000000000000000000000000001}\n\n{"id": "b"}{"id": "c"}'
    assert [change[2] for change in changes(body)] == [
        {"id": "a", "n": Decimal("0.10000000000000000000000000001")},
        {"id": "b"},
        {"id": "c"},
    ]


def test_a_change_told_by_hand_has_its_kind_images_keys_and_time() -> None:
    given = [
        {"kind": "MODIFY", "new": {"id": "a", "n": 2}, "old": {"id": "a", "n": 1}},
        {"kind": "REMOVE", "keys": {"id": "a"}, "is_ttl_delete": True},
        {"kind": "SNAPSHOT", "new": {"id": "a"}, "changed_at": "2026-01-02T03:04:05+09:00"},
    ]
    assert changes(given) == [
        ("MODIFY", {"id": "a"}, {"id": "a", "n": 2}, {"id": "a", "n": 1}),
        ("REMOVE", {"id": "a"}, None, None),
        ("SNAPSHOT", {"id": "a"}, {"id": "a"}, None),
    ]
    assert changes(given[:1], "on_remove") == [("MODIFY", {"id": "a"}, {"id": "a", "n": 2}, None)]
    read = [read_change(line) for line in samples_of(json.dumps(given).encode(), SOURCE)]
    assert [change.is_ttl_delete for change in read] == [False, True, False]
    assert read[2].changed_at.isoformat() == "2026-01-01T18:04:05+00:00"
    assert [change.event_id for change in read[:2]] == ["sample-1", "sample-2"]


def test_an_item_with_attributes_of_these_names_is_an_item() -> None:
    item = {"id": "a", "kind": "INSERT", "new": {"id": "b"}}
    assert changes(item) == [("INSERT", {"id": "a"}, item, None)]


@pytest.mark.parametrize(
    "item",
    [
        {"id": "a", "payload": {"Records": []}},
        {"id": "a", "rawData": "AA==", "errorCode": "x"},
        {"id": "a", "Items": [{"sku": 1}], "Count": 1},
        {"id": "a", "Records": ["x"]},
        {"id": "a", "Item": {"sku": 1}},
        {"id": "a", "kind": "INSERT", "new": {"id": "b"}, "old": {"id": "b"}, "x": 1},
    ],
    ids=lambda item: list(item)[1],
)
def test_an_item_may_have_attributes_named_as_aws_names_what_it_wraps(item: dict[str, Any]) -> None:
    assert changes(item) == [("INSERT", {"id": "a"}, item, None)]


LINES = [change_line(record) for record in EVENTS]
FAILED_BATCH = {"requestContext": {"condition": "RetryAttemptsExhausted"}, "payload": BATCH}
ERROR_RECORDS = b"".join(
    json.dumps({"errorCode": "X", "rawData": b64encode(data).decode()}).encode() + b"\n"
    for data in (b"".join(LINES[:3]), LINES[3])
)


@pytest.mark.parametrize(
    "body",
    [
        json.dumps(BATCH).encode(),
        json.dumps(EVENTS).encode(),
        b"\n".join(json.dumps(record).encode() for record in EVENTS),
        json.dumps(FAILED_BATCH).encode(),
        json.dumps({**FAILED_BATCH, "payload": json.dumps(BATCH)}).encode(),
        ERROR_RECORDS,
        gzip.compress(ERROR_RECORDS),
    ],
    ids=["event", "list", "lines", "batch", "batch with text", "errors", "gzip"],
)
def test_what_aws_wrote_is_read_as_it_lies_in_the_bucket(body: bytes) -> None:
    assert samples_of(body, SOURCE) == LINES


def test_a_record_s_time_may_have_a_point() -> None:
    record = stream_record(1)
    record["dynamodb"]["ApproximateCreationDateTime"] = 1795426200.5
    [line] = samples_of(json.dumps(record).encode(), SOURCE)
    assert read_change(line).changed_at.timestamp() == 1795426200.5


METADATA = '"_op":"INSERT","_key":"{}","_row":0,"_event_id":"e","_sequence_number":"1"'
ROW = b64encode(f'{{{METADATA},"_changed_at":"2026-11-23 09:30:00"}}'.encode()).decode()


TOO_MUCH = (
    "orders.json is nested deeper, or has a number longer, than an item of DynamoDB: 32 levels and"
    " 38 digits are allowed."
)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", "orders.json is empty."),
        (b"\xff", "orders.json is no text in UTF-8."),
        (b'{"id": "a"}\n{"id": }', "orders.json, line 2: Expecting value."),
        (b'{"id": "a",\n "n": NaN}', "orders.json, line 1: NaN is no JSON, and DynamoDB has none."),
        (b'{"id": "a"}\n7', "orders.json, line 2: 7 is no item and no change."),
        (b"[[]]", "orders.json, line 1: [] is no item and no change."),
        (b'\n{"n": 1}', "orders.json, line 2: the item has no id, of which the table's key is made;"
         " give it, or the change's `keys`."),
        (b'{"kind": "REMOVE", "new": {"id": "a"}}', "orders.json, line 1: a REMOVE has no new item;"
         " give the item that went as `old`."),
        (b'{"kind": "REMOVE", "keys": {"id": "a"}, "changed_at": "noon"}',
         "orders.json, line 1: changed_at='noon' is no ISO time; write it as"
         " 2026-11-23T09:30:00Z."),
        (b'{"kind": "INSERT", "new": 7}', "orders.json, line 1: new is no item but 7; give an"
         " object of attributes."),
        (b'{"eventName": "INSERT", "dynamodb": {}}', "orders.json, line 1: it is no stream record"
         " (KeyError: 'eventID')."),
        (b'{"eventID": "e", "eventName": "INSERT", "dynamodb": 7}',
         "orders.json, line 1: it is no stream record (TypeError: 'int' object is not"
         " subscriptable)."),
        (json.dumps(stream_record(1, "UPDATE")).encode(), "orders.json, line 1: it is no stream"
         " record (ValidationError: Invalid enum value 'UPDATE' - at `$.eventName`)."),
        (b'{"requestContext": {}, "payload": 7}', "orders.json: its payload has no Records."),
        (b"[]", "orders.json holds no change."),
        (b'{"Items": [], "Count": 0}', "orders.json holds no change."),
        (b'{"requestContext": {}, "payload": {"Records": []}}', "orders.json holds no change."),
        (b'{"kind": "UPDATE", "new": {"id": "a"}}', "orders.json, line 1: kind='UPDATE' is none of"
         " INSERT, MODIFY, REMOVE, SNAPSHOT; use one of these."),
        (b'{"new": {"id": "a"}, "old": {"id": "a"}}', "orders.json, line 1: the change has no kind;"
         " give INSERT, MODIFY, REMOVE, SNAPSHOT as its `kind`."),
        (b'{"kind": "REMOVE", "old": {"id": "a"}, "ttl_delete": true}', "orders.json, line 1: a"
         " change has no field 'ttl_delete': did you mean is_ttl_delete?."),
        (b'{"kind": "INSERT", "new": {"id": "a"}, "x": 1}', "orders.json, line 1: a change has no"
         " field 'x': known are kind, new, old, keys, changed_at, is_ttl_delete."),
        (b'{"kind": "INSERT", "new": {"id": "a"}, "changed_at": 1795426200}', "orders.json, line 1:"
         " changed_at=1795426200 is no ISO time; write it as 2026-11-23T09:30:00Z."),
        (b'{"kind": "REMOVE", "keys": {"id": "a"}, "is_ttl_delete": "yes"}', "orders.json, line 1:"
         " is_ttl_delete='yes' is not a yes or no; use true or false."),
        (b'{"kind": "fruit"}', "orders.json, line 1: kind='fruit' is none of INSERT, MODIFY,"
         " REMOVE, SNAPSHOT; use one of these."),
        (b'{"kind": "fruit", "n": 1}', "orders.json, line 1: the item has no id, of which the"
         " table's key is made; give it, or the change's `keys`."),
        (b'{"id": "a", "n": ' + b"1" * 5000 + b"}", TOO_MUCH),
        (b"[" * 100_000, TOO_MUCH),
        (b'{"rawData": "*"}', "orders.json, entry 1: its rawData is no base64."),
        (f'{{"rawData": "{ROW}"}}'.encode(), "orders.json, entry 1: it holds rows, which the"
         " transform has made."),
        (b"\x1f\x8b", "orders.json: its gzip is damaged or cut off."),
    ],
)  # fmt: skip
def test_what_holds_no_changes_is_refused_with_what_is_allowed(body: bytes, error: str) -> None:
    with pytest.raises(CommandError) as refused:
        samples_of(body, SOURCE)
    assert refused.value.message == f"{error}\n{ALLOWED}"


@pytest.mark.parametrize("name", ["orders", "shipments"])
def test_the_worked_examples_hold_an_insert_a_modify_and_a_remove(name: str) -> None:
    body = Path(ROOT, "transforms", f"{name}.changes.json").read_bytes()
    assert {change[0] for change in changes(body)} == {"INSERT", "MODIFY", "REMOVE"}
