"""The example transform of orders."""

from datetime import datetime
from typing import Any

import pytest

from streaming_etl import TransformError, rows_of

MODULE = "transforms/orders.py"
ORDER = {
    "id": "o-1",
    "user_id": "u-1",
    "store_id": "tokyo",
    "created": "2026-11-01T09:00:00",
    "updated_at": "2026-11-02T10:30:00",
}
ROW = {
    **ORDER,
    "created": datetime(2026, 11, 1, 9),
    "updated_at": datetime(2026, 11, 2, 10, 30),
}


@pytest.mark.parametrize("kind", ["INSERT", "SNAPSHOT"])
def test_a_new_or_backfilled_order_becomes_a_row(kind: Any) -> None:
    assert rows_of(MODULE, ORDER, kind=kind) == [ROW]


def test_a_modified_order_has_its_new_values() -> None:
    moved = {**ORDER, "store_id": "osaka"}
    assert rows_of(MODULE, new=moved, old=ORDER) == [{**ROW, "store_id": "osaka"}]


@pytest.mark.parametrize("is_ttl_delete", [False, True])
def test_a_removed_order_has_its_last_values(is_ttl_delete: bool) -> None:
    [row] = rows_of(MODULE, old=ORDER, is_ttl_delete=is_ttl_delete, metadata=True)
    assert (row["_op"], row["_key"]) == ("REMOVE", '{"id":{"S":"o-1"}}')
    assert row | ROW == row


def test_other_attributes_are_not_in_the_row() -> None:
    assert rows_of(MODULE, {**ORDER, "note": b"\x00", "lines": [1, {"a": {2}}]}) == [ROW]


@pytest.mark.parametrize("name", ["user_id", "store_id", "created", "updated_at"])
def test_an_order_without_one_of_its_fields_fails(name: str) -> None:
    broken = {key: value for key, value in ORDER.items() if key != name}
    with pytest.raises(TransformError, match=r"^KeyError at orders\.py:\d+$"):
        rows_of(MODULE, broken)
