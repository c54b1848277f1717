"""A pipeline with three lake tables: shared resources, and separate ones.

Alarms and dashboard are tested in tests/components/monitoring.
"""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from streaming_etl import ForwarderArgs
from streaming_etl.stack.recorder import Graph, Node, archive_files
from tests.components.test_graph_rules import LAKE_TABLE, part_of
from tests.support.pipelines import Pipelines, several_lake_tables
from tests.support.problems import places

LAKE_TABLES = {"items": "items", "orders": "orders", "orders-catalog": "orders_catalog"}
"""Glue tables by the name in `lake_tables`."""
BUCKET = "arn:aws:s3:::shop-lake-bucket-0000000"
LAMBDA = "arn:aws:lambda:ap-northeast-1:123456789012:function"
FIREHOSE = "arn:aws:firehose:ap-northeast-1:123456789012:deliverystream"


@pytest.fixture(scope="module")
def graph(pipelines: Pipelines) -> Graph:
    return pipelines.build(**several_lake_tables(pipelines))


def resources(graph: Graph, action: str, policy: str) -> list[str]:
    """The resources on which a policy allows an action."""
    return [
        resource
        for statement in graph[policy].policy()["Statement"]
        if action in statement["Action"]
        for resource in statement["Resource"]
    ]


def test_the_lake_tables_share_what_is_not_their_own(graph: Graph) -> None:
    shared = sorted(part_of(node, graph) for node in graph.custom if is_shared(node))
    assert shared == [
        "backfill-children-policy",
        "backfill-function",
        "backfill-logs",
        "backfill-policy",
        "backfill-role",
        "backfill-start",
        "backfill-start-policy",
        "backfill-start-role",
        "backfill-state-machine",
        "backfill-states-policy",
        "backfill-states-role",
        "catalog-database",
        "forwarder-function",
        "forwarder-logs",
        "forwarder-mapping",
        "forwarder-policy",
        "forwarder-role",
        "lake-bucket",
        "lake-events",
        "lake-lifecycle",
        "lake-ownership",
        "lake-policy",
        "lake-public-access",
        "lake-versioning",
        "monitoring-backfill-failed",
        "monitoring-changes-lost",
        "monitoring-crawler-failed",
        "monitoring-dashboard",
        "monitoring-dead-lettered",
        "monitoring-forwarder-errors",
        "monitoring-forwarder-throttles",
        "monitoring-iterator-age",
        "monitoring-not-polling",
        "monitoring-retries-exhausted",
        "monitoring-topic",
        "monitoring-topic-policy",
        "query-workgroup",
        "source-table",
        "watch-crawler-failed",
        "watch-crawler-failed-target",
        "watch-dead-lettered",
        "watch-dead-lettered-target",
        "watch-topic",
        "watch-topic-policy",
    ]


def is_shared(node: Node) -> bool:
    prefixes = [f"shop-{name}-{part}" for name in LAKE_TABLES for part in ("monitoring", "query")]
    return node.parent_type != LAKE_TABLE and not node.name.startswith(tuple(prefixes))


def test_each_lake_table_has_its_own(graph: Graph) -> None:
    own: dict[str, set[str]] = {name: set() for name in LAKE_TABLES}
    for node in graph.custom:
        if not is_shared(node):
            [name] = [
                name for name in LAKE_TABLES if node.name == f"shop-{name}-{part_of(node, graph)}"
            ]
            own[name].add(part_of(node, graph))
    every = {
        "catalog-objects",
        "catalog-table",
        "delivery-log-stream",
        "delivery-logs",
        "delivery-policy",
        "delivery-role",
        "delivery-stream",
        "monitoring-data-freshness",
        "monitoring-delivery-failed",
        "monitoring-requeued",
        "monitoring-throttled-records",
        "monitoring-transform-duration",
        "monitoring-transform-errors",
        "monitoring-transform-failed",
        "monitoring-transform-throttles",
        "query-view",
        "transform-function",
        "transform-logs",
        "transform-policy",
        "transform-role",
    }
    of_parquet = {
        "catalog-crawler",
        "catalog-crawler-policy",
        "catalog-crawler-role",
        "monitoring-failed-conversions",
        "monitoring-partition-limit",
        "query-current-state",
        "query-latest-changes",
        "query-rows-per-partition",
    }
    # A crawler's table is read by its partitions, so it has no objects table.
    assert own["orders"] == own["items"] == every
    assert own["orders-catalog"] | {"catalog-objects"} == every | of_parquet


def test_each_lake_table_has_its_paths_and_its_glue_tables(graph: Graph) -> None:
    for name, table in LAKE_TABLES.items():
        glue_table = graph[f"shop-{name}-catalog-table"].inputs
        assert glue_table["name"] == table
        location = f"s3://shop-lake-bucket-0000000/data/shop_test/{table}/"
        assert glue_table["storageDescriptor"]["location"] == location
        stream = graph[f"shop-{name}-delivery-stream"].inputs["extendedS3Configuration"]
        assert stream["prefix"].startswith(f"data/shop_test/{table}/")
        assert stream["errorOutputPrefix"].startswith(f"errors/shop_test/{table}/")
        assert graph[f"shop-{name}-query-view"].inputs["name"] == f"{table}_current"
        outputs = graph.exports["pipeline"]["lake_tables"][name]
        assert outputs["table"] == table
        assert outputs["delivery_stream"] == f"shop-{name}-delivery-stream-0000000"
        errors = f"s3://shop-lake-bucket-0000000/errors/shop_test/{table}/"
        assert outputs["errors_location"] == errors


def test_forwarder_and_backfill_may_send_to_every_delivery_stream(graph: Graph) -> None:
    streams = {f"{FIREHOSE}/shop-{name}-delivery-stream-0000000" for name in LAKE_TABLES}
    for function in ("forwarder", "backfill"):
        found = resources(graph, "firehose:PutRecordBatch", f"shop-{function}-policy")
        assert sorted(found) == sorted(streams)


@pytest.mark.parametrize("name", LAKE_TABLES)
def test_the_roles_of_a_lake_table_reach_no_other_one(graph: Graph, name: str) -> None:
    table = LAKE_TABLES[name]
    assert resources(graph, "firehose:PutRecordBatch", f"shop-{name}-transform-policy") == [
        f"{FIREHOSE}/shop-{name}-delivery-stream-0000000"
    ]
    delivery = f"shop-{name}-delivery-policy"
    function = f"{LAMBDA}:shop-{name}-transform-function-0000000"
    assert resources(graph, "lambda:InvokeFunction", delivery) == [function, f"{function}:$LATEST"]
    assert resources(graph, "s3:PutObject", delivery) == [
        f"{BUCKET}/data/shop_test/{table}/*",
        f"{BUCKET}/errors/shop_test/{table}/*",
    ]
    glue = resources(graph, "glue:GetTableVersions", delivery)
    assert [arn.rpartition("/")[2] for arn in glue if ":table/" in arn] == (
        [table] if name == "orders-catalog" else []
    )
    # Nor another function, delivery stream or path.
    other = [key for key in LAKE_TABLES if key != name and not name.startswith(key)]
    for policy in (delivery, f"shop-{name}-transform-policy"):
        text = json.dumps(graph[policy].policy())
        assert [key for key in other if f"shop-{key}-" in text] == []


def prefixes_of(graph: Graph) -> list[str]:
    pattern = graph["shop-watch-dead-lettered"].policy("eventPattern")
    return [key["prefix"] for key in pattern["detail"]["object"]["key"]]


def failure_locations(graph: Graph) -> list[str]:
    outputs = graph.exports["pipeline"]
    return [
        *(table["errors_location"] for table in outputs["lake_tables"].values()),
        outputs["backfill_errors_location"],
        outputs["failed_batches_location"],
    ]


def test_one_rule_matches_the_failures_of_all_lake_tables(
    pipelines: Pipelines, graph: Graph
) -> None:
    failed_batches = "aws/lambda/uuid-of-shop-forwarder-mapping/"
    # A database that the pipeline creates has no other error records.
    assert prefixes_of(graph) == [failed_batches, "errors/shop_test/"]
    shared = pipelines.build(**several_lake_tables(pipelines, database_name="lake"))
    assert prefixes_of(shared) == [
        failed_batches,
        *(f"errors/lake/{table}/" for table in LAKE_TABLES.values()),
        "errors/lake/shop-test/backfill-failed/",
    ]
    for each in (graph, shared):
        matched = tuple(f"s3://shop-lake-bucket-0000000/{prefix}" for prefix in prefixes_of(each))
        assert [path for path in failure_locations(each) if not path.startswith(matched)] == []
        assert not "s3://shop-lake-bucket-0000000/data/".startswith(matched)


def event_patterns(graph: Graph) -> list[int]:
    """The lengths of the rules' patterns, as the provider sends them."""
    return [
        len(json.dumps(node.policy("eventPattern"), separators=(",", ":")))
        for node in graph.of("EventRule")
    ]


def test_twenty_long_lake_tables_have_patterns_that_eventbridge_accepts(
    pipelines: Pipelines,
) -> None:
    names = {f"t{number:02}_{'x' * 26}": {"catalog": "crawler"} for number in range(20)}
    tables = pipelines.lake_tables(**names)
    graph = pipelines.build("shop", **tables)
    shared = {**tables, "database_name": "d" * 36}
    longest = pipelines.build("shop", **shared)
    # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
    assert max(event_patterns(graph)) <= 2048
    assert 1800 < max(event_patterns(longest)) <= 2048
    problems = pipelines.problems(**{**shared, "database_name": "d" * 37})
    assert places(problems) == [("", "lake_tables", "event-pattern-length")]
    assert problems[0].details == {"length": 2056, "most": 2048}


def test_the_forwarder_has_a_route_for_each_lake_table(pipelines: Pipelines) -> None:
    forwarder = ForwarderArgs(old_image="always", max_changes_per_record=7, unmatched="fail")
    graph = pipelines.build(**several_lake_tables(pipelines, forwarder=forwarder))
    function = graph["shop-forwarder-function"].inputs
    shared = {"old_image": "always", "max_changes_per_record": 7, "max_record_kib": 256}
    conditions: Mapping[str, Any] = {
        "items": {"type": ["item"]},
        "orders": {"sk": {"prefix": "ORDER#"}},
        "orders-catalog": {"type": ["customer", 5], "vip": [True]},
    }
    assert json.loads(archive_files(function["code"])["forwarder.json"]) == {
        "event_names": ["INSERT", "MODIFY", "REMOVE"],
        "unmatched": "fail",
        "routes": [{"name": name, "where": where, **shared} for name, where in conditions.items()],
    }
    assert json.loads(function["environment"]["variables"]["DELIVERY_STREAMS"]) == {
        name: f"shop-{name}-delivery-stream-0000000" for name in LAKE_TABLES
    }
