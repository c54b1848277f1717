"""The stack's config: an unknown, a missing and a misplaced setting are refused with their path."""

import json
from typing import Any

import pytest

from streaming_etl import SettingsError, args_from_config
from streaming_etl.stack.program import program_graph
from streaming_etl.stack.recorder import Graph
from tests.components.pipelines import ROOT, Pipelines, dev_config

KNOWN = (
    "architecture, backfill, catalog, crawler_schedule, database_name, delivery, format,"
    " forwarder, glue_table_name, lake, log_retention_days, monitoring, partitions, query, runtime,"
    " source, table_name, tags, transform, transform_module"
)


def refusal(tables: Any) -> str:
    """The refusal of the whole `tables` map, before any resource exists."""
    graph = Graph()
    with pytest.raises(SettingsError) as refused:
        program_graph({"streaming-etl:tables": json.dumps(tables)}, into=graph)
    assert graph.nodes == []
    return str(refused.value)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"fromat": "csv"},
            "tables.shop: there is no setting 'fromat': did you mean format?",
        ),
        (
            {"forwarder": {"batchsize": 1}},
            "tables.shop.forwarder: there is no setting 'batchsize': did you mean batch_size?",
        ),
        (
            {"partitions": {"timezone": "UTC"}},
            "tables.shop.partitions: there is no setting 'timezone': did you mean time_zone?",
        ),
        (
            {"zzz": 1},
            f"tables.shop: there is no setting 'zzz': known are {KNOWN}.",
        ),
        (
            {"query": {"zzz": 1}},
            "tables.shop.query: there is no setting 'zzz':"
            " known are force_destroy, bytes_scanned_cutoff_mib.",
        ),
        (
            {"lake": None},
            "tables.shop.lake: None is no map of settings; write `name: value` lines.",
        ),
        (
            {"partitions": ["day"]},
            "tables.shop.partitions: ['day'] is no map of settings; write `name: value` lines.",
        ),
    ],
)
def test_a_setting_is_refused_at_its_path(
    pipelines: Pipelines, given: dict[str, Any], message: str
) -> None:
    assert pipelines.config_refusal(**given) == message


def test_settings_that_must_be_given_are_named() -> None:
    assert refusal({"shop": {}}) == (
        "tables.shop: table_name, transform_module, partitions must be set."
    )
    assert refusal({"shop": {"table_name": "orders", "partitions": {}}}) == (
        "tables.shop: transform_module must be set."
    )
    assert refusal({"shop": None}) == (
        "tables.shop: None is no map of settings; write `name: value` lines."
    )


def test_a_stack_whose_config_has_no_tables_is_told_how_to_write_them() -> None:
    assert refusal(None) == (
        "tables: there is no map of tables in the stack's config; write `streaming-etl:tables:`"
        " with at least one table below it, as Pulumi.dev.yaml of the repository does."
    )


@pytest.mark.parametrize("tables", [{}, [], "orders"])
def test_a_stack_without_tables_is_refused(tables: Any) -> None:
    assert refusal(tables) == (
        f"tables: {tables!r} is no map of tables; name at least one below `tables` in the"
        " stack's config, as Pulumi.dev.yaml does."
    )


def test_one_refused_table_keeps_every_table_of_the_stack_from_being_built() -> None:
    tables = json.loads(dev_config()["streaming-etl:tables"])
    name = "is no pipeline name: a-z 0-9 and single - between them, a letter first, because"
    assert refusal({**tables, "Third_Table": tables["orders"]}) == (
        f"tables.Third_Table: name='Third_Table' {name} bucket names derive from it;"
        " use lower case."
    )
    missing = {**tables["orders"], "transform_module": "transforms/missing.py"}
    assert refusal({**tables, "third": missing}) == (
        "tables.third: transform_module='transforms/missing.py' does not exist below"
        f" {ROOT}: give the path of a Python file with `def transform(change)`."
    )
    flat = {**tables["shipments"], "format": "csv", "delivery": {"buffer_mib": 64}}
    assert refusal({**tables, "third": flat}) == (
        "tables.third: column 'address' in transforms/shipments.py is nested, which csv cannot"
        ' hold: use "string" (written as JSON text), or format json or parquet.'
    )


def test_the_config_and_python_make_the_same_settings(pipelines: Pipelines) -> None:
    given = {
        "table_name": "orders",
        "transform_module": pipelines.module(),
        "partitions": {},
        "tags": {"team": "a"},
    }
    assert args_from_config("tables.shop", given) == pipelines.args(tags={"team": "a"})
