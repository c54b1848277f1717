"""Aliases with the former parent of every resource."""

from collections import Counter
from typing import Any

import pulumi
import pytest

from streaming_etl import (
    BackfillArgs,
    LakeTableQueryArgs,
    MonitoringArgs,
    PartitionArgs,
    QueryArgs,
    StreamingEtlPipeline,
)
from streaming_etl.stack.recorder import Graph, Node, build
from tests.components.test_sharing import NAMES, build_all
from tests.support.pipelines import Pipelines
from tools.pipeline_graphs.__main__ import case_graph, modules_directory
from tools.pipeline_graphs.cases import CASES

PIPELINE = "streaming-etl:index:StreamingEtlPipeline"
LAKE_TABLE = "streaming-etl:index:LakeTable"

FORMER_CHILDREN = {
    "Backfill": [
        "backfill-children-policy",
        "backfill-function",
        "backfill-log-policy",
        "backfill-logs",
        "backfill-policy",
        "backfill-role",
        "backfill-state-machine",
        "backfill-states-policy",
        "backfill-states-role",
    ],
    "Catalog": [
        "catalog-crawler",
        "catalog-crawler-policy",
        "catalog-crawler-role",
        "catalog-database",
        "catalog-objects",
        "catalog-table",
    ],
    "Delivery": [
        "delivery-log-stream",
        "delivery-logs",
        "delivery-policy",
        "delivery-role",
        "delivery-stream",
        "transform-function",
        "transform-log-policy",
        "transform-logs",
        "transform-requeue-policy",
        "transform-role",
    ],
    "Forwarder": [
        "forwarder-function",
        "forwarder-log-policy",
        "forwarder-logs",
        "forwarder-mapping",
        "forwarder-policy",
        "forwarder-role",
    ],
    "Lake": [
        "lake-bucket",
        "lake-encryption",
        "lake-events",
        "lake-lifecycle",
        "lake-ownership",
        "lake-policy",
        "lake-public-access",
        "lake-versioning",
    ],
    "Monitoring": [
        "monitoring-backfill-failed",
        "monitoring-changes-lost",
        "monitoring-crawler-failed",
        "monitoring-dashboard",
        "monitoring-data-freshness",
        "monitoring-delivery-failed",
        "monitoring-email-08168cd8",
        "monitoring-email-e8f39b3e",
        "monitoring-error-records",
        "monitoring-failed-batches",
        "monitoring-failed-changes-metric",
        "monitoring-failed-conversions",
        "monitoring-forwarder-errors",
        "monitoring-forwarder-throttles",
        "monitoring-iterator-age",
        "monitoring-not-polling",
        "monitoring-partition-limit",
        "monitoring-requeued",
        "monitoring-retries-exhausted",
        "monitoring-throttled-records",
        "monitoring-topic",
        "monitoring-topic-policy",
        "monitoring-transform-duration",
        "monitoring-transform-errors",
        "monitoring-transform-failed",
        "monitoring-transform-throttles",
        "watch-crawler-failed",
        "watch-crawler-failed-target",
        "watch-error-records",
        "watch-error-records-target",
        "watch-failed-batches",
        "watch-failed-batches-target",
        "watch-topic",
        "watch-topic-policy",
    ],
    "Query": [
        "query-current-state",
        "query-latest-changes",
        "query-rows-per-partition",
        "query-view",
        "query-workgroup",
    ],
    "Source": [
        "source-table",
    ],
}
"""Resources of version 0.1 by the component that was their parent, for any settings."""


def former_urn(parent: str, kind: str, name: str) -> str:
    return f"urn:pulumi:test::streaming-etl::{PIPELINE}$streaming-etl:index:{parent}${kind}::{name}"


@pytest.fixture(scope="module")
def graphs() -> list[Graph]:
    """Return the graphs of pipelines with every setting."""
    with modules_directory():
        return [case_graph(name) for name in CASES]


def test_every_resource_of_the_earlier_version_has_its_former_parent(graphs: list[Graph]) -> None:
    parents = {name: parent for parent, names in FORMER_CHILDREN.items() for name in names}
    offenders = {
        node.name
        for graph in graphs
        for node in graph.custom
        if (name := node.name.removeprefix("shop-")) in parents
        and former_urn(parents[name], node.type, node.name) not in node.aliases
    }
    assert offenders == set()


@pytest.fixture(scope="module")
def renamed(pipelines: Pipelines) -> Graph:
    return pipelines.build(
        catalog="crawler", backfill=BackfillArgs(enabled=True), renamed_from=["store", "sales"]
    )


def test_every_resource_of_a_renamed_pipeline_has_all_former_names(renamed: Graph) -> None:
    parents = {name: parent for parent, names in FORMER_CHILDREN.items() for name in names}
    missing = {}
    for node in renamed.nodes:
        part = node.name.removeprefix("shop")
        below = f"{PIPELINE}${LAKE_TABLE}" if node.parent_type == LAKE_TABLE else PIPELINE
        kind = node.type if node.type == PIPELINE else f"{below}${node.type}"
        names = [f"store{part}", f"sales{part}"]
        expected = {f"urn:pulumi:test::streaming-etl::{kind}::{name}" for name in names}
        if (parent := parents.get(part.removeprefix("-"))) is not None:
            expected |= {former_urn(parent, node.type, name) for name in [node.name, *names]}
        missing[node.name] = expected - {*node.aliases}
    assert {name: urns for name, urns in missing.items() if urns} == {}
    assert len(missing) > 50


PART: dict[str, Any] = {
    "catalog": "crawler",
    "format": "parquet",
    "partitions": PartitionArgs(dynamic_partition_keys={"kind": ["a"]}),
}
"""Settings of a lake table with all of its resources."""


def urn_of(node: Node) -> str:
    above = {PIPELINE: [PIPELINE], LAKE_TABLE: [PIPELINE, LAKE_TABLE]}.get(node.parent_type, [])
    return f"urn:pulumi:test::streaming-etl::{'$'.join([*above, node.type])}::{node.name}"


def continued(old: Graph, new: Graph) -> list[str]:
    """URNs of the old graph, once for each resource that continues it."""
    existing = {urn_of(node) for node in old.nodes}
    return [urn for node in new.nodes for urn in {urn_of(node), *node.aliases} if urn in existing]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"orders": []}, {"sales": ["orders"]}),
        ({"orders": [], "orders_catalog": []}, {"sales": ["orders"], "orders_catalog": []}),
        ({"sales": [], "orders_catalog": []}, {"orders": ["sales"], "orders_catalog": []}),
        (
            {"a": [], "b": [], "c": []},
            {"orders": ["a"], "orders_monitoring": ["b"], "orders_monitoring_query": ["c"]},
        ),
        (
            {"a": [], "b": [], "c": [], "d": []},
            {"monitoring": ["a"], "catalog": ["b"], "lake": ["c"], "query_catalog": ["d"]},
        ),
        ({"orders": []}, {"items": ["sales", "orders"]}),
        ({"sales": []}, {"orders": ["orders", "sales"]}),
        # Both in the same update.
        ({}, {"orders": ["lake-table"]}),
        ({}, {"catalog": ["lake-table"]}),
    ],
    ids=str,
)
@pytest.mark.parametrize("renamed", [[], ["store"]], ids=str)
def test_a_renamed_lake_table_keeps_every_resource(
    pipelines: Pipelines,
    before: dict[str, list[str]],
    after: dict[str, list[str]],
    renamed: list[str],
) -> None:
    shared = {
        "monitoring": MonitoringArgs(alarms="all"),
        "backfill": BackfillArgs(enabled=True),
    }
    query = {"query": LakeTableQueryArgs(saved_queries=True)}
    old_tables = {key: {**PART, **query} for key in before}
    new_tables = {
        key: {**PART, **query, "renamed_from": [name.replace("_", "-") for name in names]}
        for key, names in after.items()
    }
    one = {**PART, "query": QueryArgs(saved_queries=True)}
    old = pipelines.build(
        renamed[0] if renamed else "shop",
        **shared,
        **(pipelines.lake_tables(**old_tables) if before else one),
    )
    new = pipelines.build(
        "shop", **shared, **pipelines.lake_tables(**new_tables), renamed_from=renamed
    )
    assert Counter(continued(old, new)) == Counter(map(urn_of, old.nodes))
    assert len(new.nodes) == len(old.nodes)


def test_the_oldest_name_may_be_in_use_again(pipelines: Pipelines) -> None:
    node = pipelines.build(renamed_from=["shop", "sales"])["shop-query-workgroup"]
    assert node.inputs["name"] == "shop-test"
    assert {urn.rpartition("::")[2] for urn in node.aliases if "Query" not in urn} == {
        "sales-query-workgroup"
    }


def test_resources_that_a_program_adds_to_the_pipeline_have_no_alias(pipelines: Pipelines) -> None:
    def program() -> None:
        pipeline = StreamingEtlPipeline("shop", pipelines.args(renamed_from="sales"))
        opts = pulumi.ResourceOptions(parent=pipeline)
        for name in ("shopping", "lake-bucket"):
            pulumi.ComponentResource("program:index:Report", name, None, opts)

    graph = build(program)
    assert [graph[name].aliases for name in ("shopping", "lake-bucket")] == [[], []]


def test_aliases_do_not_collide_between_pipelines(pipelines: Pipelines) -> None:
    graph = build_all(pipelines, catalog="crawler")
    aliases = [
        alias
        for node in graph.custom
        # The provider's aliases for renamed types occur more than once.
        for alias in {*node.aliases}
        if "V2::" not in alias
    ]
    assert len(aliases) == len({*aliases}) > 30 * len(NAMES)


def test_a_pipeline_below_another_component_has_aliases_below_it(pipelines: Pipelines) -> None:
    def program() -> None:
        team = pulumi.ComponentResource("program:index:Team", "sales")
        opts = pulumi.ResourceOptions(parent=team)
        StreamingEtlPipeline("shop", pipelines.args(), opts)

    [alias] = build(program)["shop-source-table"].aliases
    assert alias == (
        "urn:pulumi:test::streaming-etl::program:index:Team"
        "$streaming-etl:index:StreamingEtlPipeline$streaming-etl:index:Source"
        "$aws:dynamodb/table:Table::shop-source-table"
    )


def test_transformations_of_the_program_are_applied_too(pipelines: Pipelines) -> None:
    def protect(args: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult:
        opts = pulumi.ResourceOptions.merge(args.opts, pulumi.ResourceOptions(protect=True))
        return pulumi.ResourceTransformationResult(props=args.props, opts=opts)

    opts = pulumi.ResourceOptions(transformations=[protect])
    graph = build(lambda: StreamingEtlPipeline("shop", pipelines.args(), opts))
    table = graph["shop-source-table"]
    assert table.options["protect"] is True
    assert table.aliases == [former_urn("Source", table.type, table.name)]
