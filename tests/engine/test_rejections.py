"""Rejected stacks: the preview fails, and an update creates nothing."""

from collections.abc import Iterator
from typing import Any

import pytest

from local.engine.backend import RecordingBackend
from local.engine.provider import serving
from local.engine.workspace import EngineStack
from tests.engine.harness import ORDERS, Engine, config_of

READER = {**ORDERS, "source": {"use_existing": True}}
STREAM = "arn:aws:dynamodb:ap-northeast-1:000000000000:table/orders/stream/2026-11-23T00:00:00.000"
WITHOUT_STREAM = {
    "name": "orders",
    "arn": STREAM.partition("/stream")[0],
    "hashKey": "id",
    "streamEnabled": False,
    "streamArn": "",
    "streamViewType": "",
}
TABLES = {
    "orders": WITHOUT_STREAM,
    "keys": WITHOUT_STREAM
    | {"streamEnabled": True, "streamArn": STREAM, "streamViewType": "KEYS_ONLY"},
}

# Tables in the config, and the paths and settings that the error names.
REJECTED: dict[str, tuple[dict[str, Any], set[str]]] = {
    "values and names in two pipelines": (
        {
            "orders": {**ORDERS, "forwarder": {"batch_size": 0, "memory_mib": 1}},
            "returns": {**ORDERS, "query": {"current_statee": True}},
        },
        {"tables.orders.forwarder", "`batch_size`", "`memory_mib`", "`current_statee`"},
    ),
    "a table that two pipelines create": (
        {"orders": ORDERS, "returns": {**ORDERS, "glue_table_name": "returns"}},
        {"tables.returns", "`table_name`"},
    ),
    "a third reader": (
        {name: {**READER, "glue_table_name": name} for name in ("one", "two", "three")},
        {"tables.three", "tables.one", "tables.two"},
    ),
    "a table without a stream": ({"orders": READER}, {"`table_name`", "'orders'"}),
    "a stream without images": (
        {"keys": {**READER, "table_name": "keys"}},
        {"`table_name`", "KEYS_ONLY"},
    ),
    "no tables, such as with a misspelled key": ({}, {"`tables`"}),
}


@pytest.fixture(scope="module")
def backend() -> RecordingBackend:
    return RecordingBackend(tables=TABLES)


@pytest.fixture(scope="module")
def stack(
    backend: RecordingBackend, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[EngineStack]:
    with serving(backend) as port:
        yield Engine(tmp_path_factory.mktemp("rejections"), port, backend).stack()


@pytest.mark.parametrize("case", REJECTED)
def test_an_invalid_stack_fails_and_the_error_names_all_settings(
    stack: EngineStack, case: str
) -> None:
    tables, named = REJECTED[case]
    stack.configure(config_of(tables))

    outcome = stack.preview()

    assert not outcome.succeeded
    assert {part for part in named if part not in outcome.errors[0]} == set()
    assert not any("Traceback" in error for error in outcome.errors)


def test_the_error_of_a_missing_table_is_that_of_the_look_up(stack: EngineStack) -> None:
    stack.configure(config_of({"orders": {**READER, "table_name": "missing"}}))
    outcome = stack.preview()
    assert not outcome.succeeded
    assert "aws:dynamodb/getTable:getTable" in outcome.errors[0]
    assert "missing" in outcome.errors[0]


@pytest.mark.parametrize(
    "invalid", [{**ORDERS, "format": "xml"}, {**READER, "glue_table_name": ""}]
)
def test_an_update_creates_no_resource_of_a_stack_with_an_invalid_pipeline(
    stack: EngineStack, backend: RecordingBackend, invalid: dict[str, Any]
) -> None:
    stack.configure(config_of({"first": {**ORDERS, "table_name": "first"}, "orders": invalid}))
    assert not stack.up().succeeded
    assert not backend.resources
