"""Example items of any table."""

import json
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from local.sample.examples import example_attributes, example_items, sample_of
from local.sample.lake import Lake
from streaming_etl.handlers.wire.routing import Where
from streaming_etl.ops.transform_test.sample_records import attributes
from tests.support.deployed import deployed_pipeline
from tools.project import ROOT

KEYS = {"PK": "S", "SK": "S"}
USERS = {"SK": {"prefix": "PROFILE#"}}


def lake_of(directory: Path, module: str, where: Mapping[str, Any] = USERS) -> Lake:
    """A lake table `users` with this module."""
    (directory / "users.py").write_text(module)
    table = {"table": "users", "delivery_stream": "users", "errors_location": "s3://lake/errors/"}
    settings = {"transform_module": "users.py", "where": where, "partitions": {}}
    pipeline = deployed_pipeline(
        settings={"lake_tables": {"users": settings}}, lake_tables={"users": table}
    )
    return Lake(Mock(), pipeline, "users")


def test_an_item_has_the_columns_and_their_types(tmp_path: Path) -> None:
    module = """
COLUMNS = {
    "id": {"type": "string", "path": "PK"},
    "name": "string",
    "city": {"type": "string", "path": "address.city"},
    "born": "date",
    "seen": {"type": "timestamp", "unit": "seconds"},
    "total": "decimal(10,2)",
    "ratio": "double",
    "active": "boolean",
    "visits": "array<struct<page:string,seconds:int>>",
    "scores": "map<string,double>",
}
"""

    [item] = example_items(lake_of(tmp_path, module), KEYS, tmp_path)

    assert item == attributes(
        {
            "PK": "1",
            "SK": "PROFILE#1",
            "name": "text",
            "address": {"city": "text"},
            "born": "2026-11-23",
            "seen": 1795426200,
            "total": 1,
            "ratio": Decimal("1.5"),
            "active": True,
            "visits": [{"page": "text", "seconds": 1}],
            "scores": {"key": Decimal("1.5")},
        }
    )


def test_an_item_has_the_attributes_that_a_function_reads(tmp_path: Path) -> None:
    module = """
from datetime import datetime
COLUMNS = {"id": "string", "total": "decimal(10,2)", "size": "int", "label": "string"}

def transform(change):
    order = change.new or change.old
    row = {}
    row["total"] = order["net"] + order.get("tax", 0)
    row["at"] = datetime.fromisoformat(order["placed"])
    row["label"] = "order " + order["name"]
    lines = [line["sku"] for line in order["lines"]]
    return {"id": order["PK"], "size": int(order["size"]) + int(order["weight"]), **row}
"""
    lake = lake_of(tmp_path, module)

    [item] = example_items(lake, KEYS, tmp_path)

    assert item == attributes(
        {
            "PK": "1",
            "SK": "PROFILE#1",
            "net": 1,
            "tax": 1,
            "placed": "2026-11-23T09:30:00",
            "name": "text",
            "lines": [],
            "sku": "text",
            "size": 1,
            "weight": 1,
        }
    )


@pytest.mark.parametrize("module", ["COLUMNS = {", ""])
def test_an_item_of_an_unreadable_module_has_key_and_conditions(
    tmp_path: Path, module: str
) -> None:
    types = {"device": "B", "at": "N"}
    lake = lake_of(tmp_path, module, {"type": ["lead"]})

    assert [*example_items(lake, types, tmp_path)] == [
        {"device": {"B": "MQ=="}, "at": {"N": "1"}, "type": {"S": "lead"}}
    ]


def test_sample_changes_with_the_key_are_preferred(tmp_path: Path) -> None:
    items = [
        {"PK": "USER#1", "SK": "PROFILE#1", "name": "Ada"},
        {"PK": "USER#1", "SK": "CART"},
        {"kind": "REMOVE", "keys": {"PK": "USER#1", "SK": "PROFILE#1"}},
    ]
    (tmp_path / "users.changes.json").write_text(json.dumps(items))
    lake = lake_of(tmp_path, 'COLUMNS = {"name": "string"}')

    assert [*example_items(lake, KEYS, tmp_path)] == [attributes(items[0])]
    # Without this key they are samples of another table.
    [generated] = example_items(lake, {"id": "S"}, tmp_path)
    assert generated["id"] == {"S": "1"}


@pytest.mark.parametrize(("key", "fits"), [("id", True), ("PK", False)])
def test_the_sample_of_the_example_stack_needs_its_key(key: str, fits: bool) -> None:
    pipeline = deployed_pipeline(name="orders")

    assert (sample_of(pipeline, {key: "S"}) is not None) == fits
    first = next(example_items(Lake(Mock(), pipeline), {key: "S"}, ROOT))
    assert first[key] == {"S": "o-0000" if fits else "1"}


@pytest.mark.parametrize(
    ("rules", "example"),
    [
        ({}, {}),
        ({"type": ["lead", "visitor"], "closed": [False]}, {"type": "lead", "closed": False}),
        ({"sk": {"prefix": "ORDER#"}, "version": [2.5]}, {"sk": "ORDER#1", "version": 2.5}),
        # A prefix that ends with a word is a value itself, such as a constant sort key.
        ({"sk": {"prefix": "PROFILE"}}, {"sk": "PROFILE"}),
    ],
)
def test_an_example_matches_the_condition(rules: Any, example: dict[str, Any]) -> None:
    assert example_attributes(rules) == example
    assert not rules or Where(rules).matches(attributes(example_attributes(rules)))
