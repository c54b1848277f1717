"""Rows of attributes: image, paths, missing and invalid values."""

from typing import Any

import pytest

from streaming_etl.handlers.change.decode import RecordReader
from streaming_etl.handlers.rows.attribute_row import attribute_row
from streaming_etl.handlers.rows.row_error import RowError
from streaming_etl.handlers.wire.change_line import change_line
from tests.support.changes import changes, stream_record
from tests.support.rows import fields

PATHS: dict[str, list[str | int]] = {
    "id": ["id"],
    "city": ["address", "city"],
    "sku": ["lines", 1, "sku"],
    "shop": ["shop.name"],
}


def row_of(record: dict[str, Any], paths: Any = PATHS, *, lazy: bool = True) -> dict[str, Any]:
    """Row of a stream record."""
    [change] = changes(RecordReader(lazy=lazy), change_line(record))
    return attribute_row(paths)(change)


def images(**stream: Any) -> dict[str, Any]:
    """A stream record with this part `dynamodb`."""
    record = stream_record(1, "MODIFY")
    del record["dynamodb"]["NewImage"]
    record["dynamodb"] |= stream
    return record


@pytest.mark.parametrize("lazy", [True, False])
def test_reads_attributes_by_name_and_by_path(lazy: bool) -> None:
    image = {
        "address": {"M": {"city": {"S": "Oita"}, "floor": {"N": "2"}}},
        "lines": {"L": [{"NULL": True}, {"M": {"sku": {"S": "a-1"}}}]},
        "shop.name": {"S": "Kyoto"},
        "shop": {"M": {"name": {"S": "another"}}},
    }
    row = row_of(stream_record(1, **image), lazy=lazy)
    assert row == {"id": "o-1", "city": "Oita", "sku": "a-1", "shop": "Kyoto"}


@pytest.mark.parametrize(
    "image",
    [
        {},
        {"address": {"NULL": True}, "lines": {"NULL": True}, "shop.name": {"NULL": True}},
        {"address": {"M": {}}, "lines": {"L": [{"S": "only one"}]}},
        {"address": {"M": {"city": {"NULL": True}}}, "lines": {"L": [{"S": "a"}, {"M": {}}]}},
    ],
)
def test_a_missing_attribute_is_none(image: dict[str, Any]) -> None:
    assert row_of(stream_record(1, **image)) == {
        "id": "o-1",
        "city": None,
        "sku": None,
        "shop": None,
    }


@pytest.mark.parametrize(
    ("image", "column", "details"),
    [
        ({"address": {"S": "Oita"}}, "city", {"expected": "map", "got": "str"}),
        ({"address": {"L": []}}, "city", {"expected": "map", "got": "list"}),
        ({"lines": {"M": {"1": {"S": "a"}}}}, "sku", {"expected": "list", "got": "dict"}),
        ({"lines": {"SS": ["a", "b"]}}, "sku", {"expected": "list", "got": "set"}),
        ({"lines": {"L": [{"S": "a"}, {"N": "1"}]}}, "sku", {"expected": "map", "got": "int"}),
    ],
)
def test_a_path_through_another_type_fails_the_change(
    image: dict[str, Any], column: str, details: dict[str, str]
) -> None:
    with pytest.raises(RowError) as raised:
        row_of(stream_record(1, **image))
    assert fields(raised.value) == ("path", column, details)


def test_the_item_is_the_new_image_else_the_old_image_else_the_keys() -> None:
    keys = {"id": {"S": "a"}}
    new, old = ({**keys, "image": {"S": name}} for name in ("new", "old"))
    for stream, expected in (
        ({"NewImage": new, "OldImage": old}, "new"),
        ({"NewImage": new}, "new"),
        ({"OldImage": old}, "old"),
        ({}, None),
    ):
        row = row_of(images(Keys=keys, **stream), {"id": ["id"], "image": ["image"]})
        assert row == {"id": "a", "image": expected}


def test_an_attribute_of_the_new_image_is_not_replaced_by_the_old_one() -> None:
    record = images(
        Keys={"id": {"S": "a"}},
        NewImage={"id": {"S": "a"}},
        OldImage={"id": {"S": "a"}, "note": {"S": "removed"}},
    )
    assert row_of(record, {"note": ["note"]}) == {"note": None}


def test_an_attribute_that_is_not_dynamodb_json_fails_the_change() -> None:
    with pytest.raises(RowError) as raised:
        row_of(stream_record(1, note={"X": 1}), {"note": ["note"]})
    assert fields(raised.value) == ("change-format", "", {"got": "ValidationError"})
