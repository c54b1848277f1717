"""Stream records of hand-written changes."""

import time
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest

from streaming_etl import rows_of
from streaming_etl.ops.transform_test.sample_records import (
    InvalidChangeError,
    attributes,
    stream_record,
)

ITEM = {"id": "a"}


@pytest.mark.parametrize(
    ("change", "code", "details"),
    [
        ({}, "no-item", {}),
        ({"new": {"n": 1}}, "missing-key", {"missing": ["id"]}),
        ({"new": 7}, "image-not-an-item", {"field": "new"}),
        ({"new": ITEM, "kind": "UPDATE"}, "unknown-kind", {"kind": "UPDATE"}),
        (
            {"new": ITEM, "kind": "REMOVE"},
            "unexpected-image",
            {"kind": "REMOVE", "field": "new"},
        ),
        ({"old": ITEM, "kind": "MODIFY"}, "missing-image", {"kind": "MODIFY", "field": "new"}),
        (
            {"new": ITEM, "old": ITEM, "kind": "SNAPSHOT"},
            "unexpected-image",
            {"kind": "SNAPSHOT", "field": "old"},
        ),
        ({"new": ITEM, "is_ttl_delete": True}, "not-a-delete", {"kind": "INSERT"}),
        *[
            (
                {"new": {"id": value}},
                "invalid-dynamodb-json",
                {"attribute": "id", "type": type_, "got": got},
            )
            for value, type_, got in [
                ({"N": "x"}, "N", "another text"),
                ({"B": "*"}, "B", "another text"),
                ({"S": 1}, "S", "a number"),
                ({"X": "1"}, None, "an object with X"),
            ]
        ],
        *[
            ({"new": {**ITEM, "x": value}}, "invalid-attribute", {"attribute": "x"})
            for value in (0.5, date(2026, 1, 1), 10**38 + 1, [Decimal("1E+126")])
        ],
        *[
            ({"new": {"id": value}}, "invalid-key", {"attribute": "id", "type": kind})
            for value, kind in [
                (None, "NULL"),
                (True, "BOOL"),
                ([1], "L"),
                ({"a": 1}, "M"),
                ({1}, "NS"),
                ("", "S"),
            ]
        ],
        ({"new": {"id": {"S": "a"}, "x": 1}}, "mixed-json", {"attribute": "id"}),
        ({"new": ITEM, "keys": {"id": None}}, "invalid-key", {"attribute": "id", "type": "NULL"}),
    ],
)
def test_rejects_an_invalid_change(
    change: dict[str, Any], code: str, details: dict[str, Any]
) -> None:
    with pytest.raises(InvalidChangeError) as rejected:
        rows_of("transforms/orders.py", **change)
    assert (rejected.value.code, rejected.value.details) == (code, details)


def test_converts_plain_values_to_dynamodb_json() -> None:
    item = {
        "s": "x",
        "n": 1,
        "d": Decimal("1.50"),
        "t": True,
        "z": None,
        "b": b"\x00\xff",
        "l": [b"\x01", {"a": 2}],
        "m": {"b": {b"\x02", b"\x01"}},
        "ss": {"b", "a"},
        "ns": {2, 1},
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


def test_a_time_without_a_zone_is_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        record = stream_record(1, ["id"], new=ITEM, changed_at=datetime(2026, 11, 23, 9, 30))
    finally:
        monkeypatch.undo()
        time.tzset()
    assert record["dynamodb"]["ApproximateCreationDateTime"] == 1_795_426_200
