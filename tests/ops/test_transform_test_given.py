"""A change given by hand becomes the record that the stream would have, or is refused."""

import time
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest

from streaming_etl.ops.transform_test import rows_of
from streaming_etl.ops.transform_test.sample_records import BAD_NUMBER, attributes, stream_record

ITEM = {"id": "a"}


NO_DYNAMODB_JSON = "an attribute is no DynamoDB JSON: "


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({}, "there is no item; give `new`, `old` or, for a REMOVE, its `keys`"),
        ({"new": {"n": 1}}, "the item has no id, of which the table's key is made; give it, or"),
        ({"new": ITEM, "kind": "UPDATE"}, "kind='UPDATE' is none of INSERT, MODIFY, REMOVE, SNAP"),
        ({"new": ITEM, "kind": "REMOVE"}, "a REMOVE has no new item; give the item that went as"),
        ({"old": ITEM, "kind": "MODIFY"}, "MODIFY has a new item; give it as `new`"),
        ({"new": ITEM, "old": ITEM, "kind": "SNAPSHOT"}, "SNAPSHOT has no old item; leave `old`"),
        ({"new": ITEM, "is_ttl_delete": True}, "INSERT is no delete; is_ttl_delete goes with a"),
        ({"new": {"id": {"N": "x"}}}, NO_DYNAMODB_JSON + BAD_NUMBER),
        ({"new": {"id": {"B": "*"}}}, NO_DYNAMODB_JSON),
        ({"new": {"id": {"S": 1}}}, NO_DYNAMODB_JSON + "Expected `str | null`, got `int`"),
        ({"new": {**ITEM, "n": 0.5}}, "attribute n: Float types are not supported. Use Decimal"),
        ({"new": {**ITEM, "d": date(2026, 1, 1)}}, "attribute d: Unsupported type"),
        ({"new": {**ITEM, "n": 10**38 + 1}}, f"attribute n: {BAD_NUMBER}; DynamoDB has str, int"),
        ({"new": {**ITEM, "l": [Decimal("1E+126")]}}, f"attribute l: {BAD_NUMBER}; "),
        ({"new": {"id": None}}, "the key id is null, which DynamoDB takes for no key; give a text"),
        ({"new": {"id": True}}, "the key id is true or false, which"),
        ({"new": {"id": [1]}}, "the key id is a list, which"),
        ({"new": {"id": {"a": 1}}}, "the key id is a map, which"),
        ({"new": {"id": {1}}}, "the key id is a set, which"),
        ({"new": {"id": ""}}, "the key id is empty, which"),
        ({"new": ITEM, "keys": {"id": None}}, "the key id is null, which"),
    ],
)
def test_what_is_no_change_is_refused(options: dict[str, Any], error: str) -> None:
    with pytest.raises(ValueError, match=r".") as refused:
        rows_of("transforms/orders.py", **options)
    assert str(refused.value).startswith(error)


def test_plain_values_become_those_of_dynamodb_and_its_own_stay() -> None:
    item = {
        **{"s": "x", "n": 1, "d": Decimal("1.50"), "t": True, "z": None, "b": b"\x00\xff"},
        **{
            "l": [b"\x01", {"a": 2}],
            "m": {"b": {b"\x02", b"\x01"}},
            "ss": {"b", "a"},
            "ns": {2, 1},
        },
    }
    dynamodb = {
        "s": {"S": "x"},
        "n": {"N": "1"},
        "d": {"N": "1.50"},
        "t": {"BOOL": True},
        "z": {"NULL": True},
        "b": {"B": "AP8="},
        "l": {"L": [{"B": "AQ=="}, {"M": {"a": {"N": "2"}}}]},
        "m": {"M": {"b": {"BS": ["AQ==", "Ag=="]}}},
        "ss": {"SS": ["a", "b"]},
        "ns": {"NS": ["1", "2"]},
    }
    assert attributes(item) == attributes(dynamodb) == dynamodb


def test_a_time_without_a_zone_is_utc_wherever_the_test_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        record = stream_record(1, ["id"], new=ITEM, changed_at=datetime(2026, 11, 23, 9, 30))
    finally:
        monkeypatch.undo()
        time.tzset()
    assert record["dynamodb"]["ApproximateCreationDateTime"] == 1_795_426_200
