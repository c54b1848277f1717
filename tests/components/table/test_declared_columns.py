"""COLUMNS: names, types, paths and units."""

import ast
from typing import Any

import pytest

from streaming_etl.components.settings.validation import Problem
from streaming_etl.components.table.column_types import Column
from streaming_etl.components.table.declared_columns import (
    AttributeSource,
    columns_of,
    columns_problems,
    literal_entries,
    parse_path,
    sources_of,
)


def problems(columns: str, *, has_transform: bool = False) -> list[Problem]:
    """Problems of COLUMNS with this text."""
    entries = literal_entries(ast.parse(columns, mode="eval").body)
    return list(columns_problems("shop.py", entries, has_transform=has_transform))


def rules(columns: str, **options: bool) -> list[tuple[str, Any]]:
    return [(it.rule, it.details.get("column")) for it in problems(columns, **options)]


@pytest.mark.parametrize("has_transform", [True, False])
@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ("{'id': 'string', 'id': 'int'}", ("column-twice", "id")),
        ("{'ID': 'string'}", ("column-name", "ID")),
        ("{'1st': 'string'}", ("column-name", "1st")),
        (f"{{'{'a' * 256}': 'string'}}", ("column-name", "a" * 256)),
        ("{1: 'string'}", ("column-name", 1)),
        ("{'_op': 'string'}", ("column-reserved", "_op")),
        ("{'_rank': 'int'}", ("column-reserved", "_rank")),
        ("{'id': 'string', '_copied': 'string'}", ("column-reserved", "_copied")),
        ("{'_': 'int'}", ("column-reserved", "_")),
        ("{'id': 1}", ("column-type", "id")),
        ("{'id': 'str'}", ("column-type", "id")),
        ("{'id': ('string', 'address.city')}", ("column-type", "id")),
        ("{'id': {}}", ("column-type", "id")),
        ("{'id': {'type': ['string']}}", ("column-type", "id")),
        ("{'id': {'type': 'string', 'pfad': 'a'}}", ("column-keys", "id")),
        ("{'id': {'type': 'string', 1: 'a'}}", ("column-keys", "id")),
    ],
)
def test_rejects_invalid_columns(
    columns: str, has_transform: bool, expected: tuple[str, Any]
) -> None:
    assert rules(columns, has_transform=has_transform) == [expected]


def test_reports_all_problems_of_columns() -> None:
    columns = "{'ID': 'str', '_op': 'string', 'id': 'int', 'id': {'type': 'int;', 'unit': 's'}}"
    assert rules(columns) == [
        ("column-name", "ID"),
        ("column-type", "ID"),
        ("column-reserved", "_op"),
        ("column-twice", "id"),
        ("column-type", "id"),
        ("column-unit", "id"),
    ]


PATHS: list[tuple[Any, Any]] = [
    ("city", ("city",)),
    ("address.city", ("address", "city")),
    ("lines[0]", ("lines", 0)),
    ("lines[0].sku", ("lines", 0, "sku")),
    ("a[10][2].b c.#d", ("a", 10, 2, "b c", "#d")),
    ("größe", ("größe",)),
    (["shop.name"], ("shop.name",)),
    (("a[0]", 0, "b.c"), ("a[0]", 0, "b.c")),
    ("", None),
    (".a", None),
    ("a.", None),
    ("a..b", None),
    ("[0]", None),
    ("a[]", None),
    ("a[-1]", None),
    ("a[x]", None),
    ("a[0]b", None),
    ("a[0", None),
    ("a]", None),
    ("a[٣]", None),
    ([], None),
    ([0], None),
    ([""], None),
    (["a", ""], None),
    (["a", -1], None),
    (["a", True], None),
    (["a", 1.0], None),
    (None, None),
    ({"a": 1}, None),
]


@pytest.mark.parametrize(("path", "steps"), PATHS)
def test_a_path_is_text_as_in_dynamodb_or_a_list_of_steps(path: Any, steps: Any) -> None:
    assert parse_path(path) == steps
    columns = f"{{'id': {{'type': 'string', 'path': {path!r}}}}}"
    assert rules(columns) == ([] if steps else [("column-path", "id")])


def test_reads_types_and_sources() -> None:
    columns = """{
        "id": "string",
        "city": {"type": "array<string>", "path": "address.city"},
        "created": {"type": "timestamp", "path": ["createdAt"], "unit": "milliseconds"},
        "due": {"type": " date ", "unit": "seconds"},
    }"""
    assert problems(columns) == []
    entries = literal_entries(ast.parse(columns, mode="eval").body)
    assert entries is not None
    assert columns_of(entries) == (
        Column("id", "string"),
        Column("city", {"array": "string"}),
        Column("created", "timestamp"),
        Column("due", "date"),
    )
    assert sources_of(entries) == {
        "id": AttributeSource(("id",)),
        "city": AttributeSource(("address", "city")),
        "created": AttributeSource(("createdAt",), "milliseconds"),
        "due": AttributeSource(("due",), "seconds"),
    }


@pytest.mark.parametrize("unit", ["'s'", "'days'", "None", "1000", "['seconds']"])
def test_rejects_an_unknown_unit(unit: str) -> None:
    assert rules(f"{{'at': {{'type': 'timestamp', 'unit': {unit}}}}}") == [("column-unit", "at")]


@pytest.mark.parametrize("kind", ["string", "bigint", "double", "array<timestamp>"])
def test_rejects_a_unit_of_another_type_than_a_time(kind: str) -> None:
    columns = f"{{'at': {{'type': {kind!r}, 'unit': 'seconds'}}}}"
    assert rules(columns) == [("column-unit-type", "at")]


def test_rejects_a_path_or_unit_of_what_transform_returns() -> None:
    columns = "{'a': {'type': 'date', 'unit': 's'}, 'b': {'type': 'int', 'path': 'b'}}"
    assert rules(columns, has_transform=True) == [("column-source", "a"), ("column-source", "b")]
    assert rules("{'a': {'type': 'int'}}", has_transform=True) == []
