"""FIELD_IDS: paths and numbers."""

import ast
from typing import Any

import pytest

from streaming_etl.components.table.declared_columns import literal_entries
from streaming_etl.components.table.declared_field_ids import field_id_problems
from streaming_etl.components.table.merge import field_ids
from tests.support.pipeline_settings import lake_table


def rules(text: str, *, has_columns: bool = True) -> list[tuple[str, Any]]:
    """Rule and path, or id, of each problem of FIELD_IDS."""
    entries = literal_entries(ast.parse(text, mode="eval").body)
    return [
        (problem.rule, problem.details.get("entry", problem.details.get("id")))
        for problem in field_id_problems("shop.py", entries, has_columns=has_columns)
    ]


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "{'id': 100, 'removed': 101, 'last': 99_999}",
        "{'lines': 102, 'lines.element': 102_001, 'lines.element.sku_1': 102_999}",
        "{'labels.value': 100_002, 'labels': 100}",
        "{'shop': 100, 'shop._id': 100_001}",
    ],
)
def test_valid_field_ids_have_no_problem(text: str) -> None:
    assert rules(text) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("dict(id=100)", ("field-ids-not-literal", None)),
        ("{'id': FIRST}", ("field-ids-not-literal", None)),
        ("{**OTHERS}", ("field-ids-not-literal", None)),
        ("{'id': 100, 'id': 101}", ("field-id-path-twice", "id")),
        ("{1: 100}", ("field-id-path", 1)),
        ("{'': 100}", ("field-id-path", "")),
        ("{'ID': 100}", ("field-id-path", "ID")),
        ("{'_op': 100}", ("field-id-path", "_op")),
        ("{'lines[0]': 100}", ("field-id-path", "lines[0]")),
        ("{'lines..sku': 100}", ("field-id-path", "lines..sku")),
        ("{'id': 99}", ("field-id-number", "id")),
        ("{'id': 100_000}", ("field-id-number", "id")),
        ("{'id': '100'}", ("field-id-number", "id")),
        ("{'id': 100.0}", ("field-id-number", "id")),
        ("{'id': True}", ("field-id-number", "id")),
        ("{'lines.element': 100_001}", ("field-id-without-column", "lines.element")),
        ("{'lines': 101, 'lines.element': 100_001}", ("field-id-number", "lines.element")),
        ("{'lines': 101, 'lines.element': 101_000}", ("field-id-number", "lines.element")),
        ("{'id': 100, 'total': 100}", ("field-id-twice", 100)),
        ("{'a': 100, 'a.b': 100_001, 'a.c': 100_001}", ("field-id-twice", 100_001)),
    ],
)
def test_rejects_invalid_field_ids(text: str, expected: tuple[str, Any]) -> None:
    assert rules(text) == [expected]


def test_reports_all_problems_of_field_ids() -> None:
    text = "{'ID': 1, 'id': 100, 'total': 100, 'lines.element': 'a'}"
    assert rules(text, has_columns=False) == [
        ("field-ids-without-columns", None),
        ("field-id-path", "ID"),
        ("field-id-twice", 100),
        ("field-id-without-column", "lines.element"),
    ]


def test_the_ids_of_a_table_are_valid_field_ids() -> None:
    columns = {"id": "string", "lines": "array<struct<sku:string,sizes:map<string,int>>>"}
    assert rules(repr(field_ids(lake_table(columns)))) == []
