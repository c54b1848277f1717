"""Updates of a Glue table with an open table format.

The stand-in provider replaces a table as the schema of the real one says.
"""

import json
from typing import Any

import pulumi_aws as aws
import pytest

from local.engine.workspace import EngineStack
from tests.engine.harness import Engine

FIELDS = {"id": 100, "_op": 1}


class Program:
    """A program with one Iceberg table."""

    def __init__(self) -> None:
        self.fields = FIELDS
        self.version = "2"
        self.name = "orders_merged"

    def __call__(self) -> None:
        schema = {
            "fields": [
                {"id": id_, "name": name, "required": False, "type": json.dumps("string")}
                for name, id_ in self.fields.items()
            ]
        }
        iceberg: dict[str, Any] = {
            "metadata_operation": "CREATE",
            "version": self.version,
            "iceberg_table_input": {"location": "s3://lake/merged/", "schema": schema},
        }
        aws.glue.CatalogTable(
            "merged-table",
            database_name="shop",
            name=self.name,
            open_table_format_input={"iceberg_input": iceberg},
        )


@pytest.fixture
def program() -> Program:
    return Program()


@pytest.fixture
def stack(engine: Engine, program: Program) -> EngineStack:
    stack = engine.stack(program=program)
    outcome = stack.up()
    assert outcome.succeeded, outcome.errors
    return stack


def test_an_unchanged_table_is_unchanged(stack: EngineStack) -> None:
    assert not stack.preview().changed


def test_a_new_field_updates_the_table_in_place(stack: EngineStack, program: Program) -> None:
    program.fields = {**FIELDS, "note": 101}

    assert stack.preview().changed == {"merged-table": "update"}
    assert stack.up().changed == {"merged-table": "update"}
    assert not stack.preview().changed


@pytest.mark.parametrize(("name", "value"), [("version", "3"), ("name", "other")])
def test_another_version_or_name_replaces_the_table(
    stack: EngineStack, program: Program, name: str, value: str
) -> None:
    setattr(program, name, value)

    assert stack.preview().changed == {"merged-table": "replace"}
