"""Outputs of the components."""

from typing import Any

import pytest
from pulumi.provider.experimental.util import camel_case

from streaming_etl import LakeArgs, MonitoringArgs, PartitionArgs, QueryArgs
from streaming_etl.components.pipeline import plain_data
from streaming_etl.components.settings.stack_config import args_from_config
from streaming_etl.stack.recorder import Graph
from tests.support.pipelines import TRANSFORM, Pipelines, dev_stack


def without_nulls(value: Any) -> Any:
    """Return the value as Pulumi stores it."""
    if not isinstance(value, dict):
        return value
    return {key: without_nulls(item) for key, item in value.items() if item is not None}


def test_the_component_registers_its_outputs_in_camel_case(minimal: Graph) -> None:
    exports = without_nulls(minimal.exports["pipeline"])
    # The largest output is in the state once.
    assert exports.pop("settings")
    assert minimal["shop"].outputs == {camel_case(name): exports[name] for name in exports}
    assert "source_table_arn" in exports


def test_every_component_registers_outputs(minimal: Graph) -> None:
    components = [node for node in minimal.nodes if not node.custom]
    assert sorted(node.name for node in components) == ["shop", "shop-lake-table"]
    assert [node.name for node in components if node.outputs is None] == []


@pytest.mark.parametrize("pipeline", ["orders", "shipments", "shop"])
def test_the_settings_of_a_pipeline_can_be_rebuilt_from_its_outputs(pipeline: str) -> None:
    settings = dev_stack().exports[pipeline]["settings"]
    args = args_from_config(pipeline, without_nulls(settings))
    assert plain_data(args) == settings
    assert args.table_name == pipeline


def test_settings_that_are_not_defaults_can_be_rebuilt(pipelines: Pipelines) -> None:
    settings = {
        "format": "parquet",
        "partitions": PartitionArgs(dynamic_partition_keys={"kind": ["a"], "store": []}),
        "lake": LakeArgs(bucket_name="shared"),
        "monitoring": MonitoringArgs(alarm_topic_arn="arn:aws:sns:us-east-1:123456789012:alarms"),
        "tags": {"team": "sales"},
    }
    output = pipelines.build(**settings).exports["pipeline"]["settings"]
    assert output == plain_data(pipelines.args(**settings))
    assert plain_data(args_from_config("shop", without_nulls(output))) == output


def test_a_pipeline_without_current_state_has_neither_view_nor_saved_query(
    pipelines: Pipelines,
) -> None:
    graph = pipelines.build(
        query=QueryArgs(current_state=False), lake=LakeArgs(data_retention_days=30)
    )
    outputs = graph.exports["pipeline"]
    assert (outputs["view"], outputs["current_state_query_id"]) == (None, None)
    assert saved_queries(graph) == []
    assert [node.name for node in graph.of("CatalogTable")] == ["shop-catalog-table"]


def saved_queries(graph: Graph) -> list[str]:
    nodes = [node for node in graph.nodes if node.type.endswith(":NamedQuery")]
    return sorted(node.inputs["name"] for node in nodes)


def test_queries_are_saved_on_request_and_instead_of_a_view(
    pipelines: Pipelines, minimal: Graph
) -> None:
    everything = ["shop-current-state", "shop-latest-changes", "shop-rows-per-partition"]
    requested = QueryArgs(saved_queries=True)
    crawled = {"module": TRANSFORM, "catalog": "crawler"}
    injected = {
        "partitions": PartitionArgs(dynamic_partition_keys={"store": []}),
        "query": QueryArgs(current_state_source="partitions"),
    }
    stateless = QueryArgs(current_state=False, saved_queries=True)
    graphs = {
        "by default": minimal,
        "requested": pipelines.build(query=requested),
        "without columns": pipelines.build(**crawled),
        "with an injected key": pipelines.build(**injected),
        "without current state": pipelines.build(query=stateless),
    }
    assert {name: saved_queries(graph) for name, graph in graphs.items()} == {
        "by default": [],
        "requested": everything,
        "without columns": ["shop-current-state"],
        "with an injected key": ["shop-current-state"],
        "without current state": everything[1:],
    }
    ids = {
        name: graph.exports["pipeline"]["current_state_query_id"] for name, graph in graphs.items()
    }
    assert [name for name, id_ in ids.items() if id_ is None] == [
        "by default",
        "without current state",
    ]


def test_a_pipeline_without_columns_has_neither_view_nor_glue_table(pipelines: Pipelines) -> None:
    graph = pipelines.build(module=TRANSFORM, catalog="crawler")
    outputs = graph.exports["pipeline"]
    assert outputs["view"] is None
    assert outputs["table"] == "orders"
    assert outputs["crawler"] == "shop-catalog-crawler-0000000"
    assert {"shop-query-view", "shop-catalog-table"}.isdisjoint(node.name for node in graph.nodes)
