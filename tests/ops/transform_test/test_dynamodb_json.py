"""Invalid values of DynamoDB JSON, with their paths."""

from typing import Any, Optional

import pytest

from streaming_etl.ops.transform_test.dynamodb_json import (
    InvalidValue,
    invalid_values,
    is_dynamodb_json,
)


@pytest.mark.parametrize(
    ("value", "path", "type_", "got", "set_type"),
    [
        ({"X": "1"}, "a", None, "an object with X", None),
        ({"S": "1", "N": "1"}, "a", None, "an object with S and N", None),
        ({}, "a", None, "an empty object", None),
        ("text", "a", None, "text", None),
        ({"S": 1}, "a", "S", "a number", None),
        ({"S": None}, "a", "S", "null", None),
        ({"N": 1}, "a", "N", "a number", None),
        ({"N": "x"}, "a", "N", "another text", None),
        ({"N": "1E+126"}, "a", "N", "another text", None),
        ({"N": "NaN"}, "a", "N", "another text", None),
        ({"N": "1" * 39}, "a", "N", "another text", None),
        ({"N": f"0.{'1' * 39}"}, "a", "N", "another text", None),
        ({"N": "1E-131"}, "a", "N", "another text", None),
        ({"N": f"1{'0' * 126}"}, "a", "N", "another text", None),
        ({"B": "*"}, "a", "B", "another text", None),
        ({"BOOL": "true"}, "a", "BOOL", "text", None),
        ({"NULL": []}, "a", "NULL", "a list", None),
        ({"NULL": False}, "a", "NULL", "false", None),
        ({"M": [{"S": "1"}]}, "a", "M", "a list", None),
        ({"L": {"S": "1"}}, "a", "L", "an object", None),
        ({"SS": "1"}, "a", "SS", "text", None),
        ({"SS": ["1", True]}, "a[1]", "S", "true or false", "SS"),
        ({"NS": ["x"]}, "a[0]", "N", "another text", "NS"),
        ({"BS": ["MQ==", "*"]}, "a[1]", "B", "another text", "BS"),
        ({"L": [{"S": "1"}, {"SS": "x"}]}, "a[1]", "SS", "text", None),
        ({"M": {"b": {"X": "1"}}}, "a.b", None, "an object with X", None),
        ({"M": {"b": {"L": [{"S": "1"}, {"M": {"c": "1"}}]}}}, "a.b[1].c", None, "text", None),
    ],
)
def test_an_invalid_value_is_reported_with_path_type_and_kind(
    value: Any, path: str, type_: Optional[str], got: str, set_type: Optional[str]
) -> None:
    found = [*invalid_values({"id": {"S": "1"}, "a": value})]

    assert found == [InvalidValue(path, type_, got, set_type)]


@pytest.mark.parametrize(
    "value",
    [
        {"S": ""},
        {"B": ""},
        {"BOOL": False},
        {"NULL": True},
        {"M": {}},
        {"L": [{"M": {}}, {"L": []}]},
        {"NS": ["1", "2.50"]},
        *[
            {"N": text}
            for text in ["1E5", "1e+5", "-0", "+1", "007", ".5", "5.", "1E-130", "0E200"]
        ],
        {"N": f"1{'0' * 125}"},
        {"N": "9" * 38},
        {"N": f"1.{'0' * 50}"},
    ],
)
def test_valid_values_are_accepted(value: Any) -> None:
    assert [*invalid_values({"id": {"S": "1"}, "a": value})] == []


def test_all_invalid_values_are_found() -> None:
    item = {"a": {"X": "1"}, "b": {"L": [{"N": "x"}, {"S": "1"}, {"BOOL": 1}]}}

    assert [each.attribute for each in invalid_values(item)] == ["a", "b[0]", "b[2]"]


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ({"id": {"S": "1"}, "m": {"M": {}}}, True),
        # Misspelled types, not maps: an item of plain JSON has a key.
        ({"id": {"X": "1"}}, True),
        ({"id": {"S": "1"}, "a": {"STR": "1"}}, True),
        ({"id": {"S": "1"}, "a": 1}, False),
        ({"id": {"S": "1", "N": "1"}}, False),
        ({"id": {"city": "Sapporo"}}, False),
        ({}, False),
    ],
)
def test_dynamodb_json_is_recognized_by_its_types(item: dict[str, Any], expected: bool) -> None:
    assert is_dynamodb_json(item) is expected
