"""Rules over the whole graph of the example stack, for every node of it."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from streaming_etl.stack.recorder import Graph, Node
from tests.components.pipelines import dev_stack
from tests.components.provider_types import arguments_of

STAGES = {
    f"streaming-etl:index:{stage}"
    for stage in ("Source", "Lake", "Catalog", "Delivery", "Forwarder", "Query", "Monitoring")
}
PIPELINE = "streaming-etl:index:StreamingEtlPipeline"
PIPELINES = ("orders", "shipments")

GRAPH = dev_stack()
# Threads register resources in any order, but the test runner wants the same one everywhere.
NODES = sorted(GRAPH.nodes, key=lambda node: (node.name, node.type))


def named(nodes: list[Node]) -> dict[str, Any]:
    return {"argvalues": nodes, "ids": [f"{node.name}:{node.type}" for node in nodes]}


def of(kind: str) -> dict[str, Any]:
    return named([node for node in NODES if node.type.endswith(f":{kind}")])


CUSTOM = named([node for node in NODES if node.custom])


def pipeline_of(node: Node, graph: Graph = GRAPH) -> str:
    """The name of the pipeline that a custom resource belongs to."""
    [stage] = [
        other
        for other in graph.nodes
        if (other.type, other.name) == (node.parent_type, node.parent)
    ]
    assert stage.parent_type == PIPELINE
    return stage.parent


def statements(node: Node) -> Iterator[dict[str, Any]]:
    for key in ("policy", "assumeRolePolicy"):
        if key in node.inputs:
            yield from node.policy(key)["Statement"]


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


@pytest.mark.parametrize("node", **CUSTOM)
def test_a_resource_has_a_stage_for_its_parent(node: Node) -> None:
    assert node.parent_type in STAGES
    assert node.name.startswith(f"{pipeline_of(node)}-")


@pytest.mark.parametrize("node", **named([node for node in NODES if not node.custom]))
def test_a_stage_has_its_pipeline_for_a_parent_and_a_pipeline_the_stack(node: Node) -> None:
    if node.type == PIPELINE:
        assert node.parent_type == "pulumi:pulumi:Stack"
    else:
        assert node.type in STAGES
        assert node.parent_type == PIPELINE
        assert node.name.startswith(f"{node.parent}-")


@pytest.mark.parametrize("node", **CUSTOM)
def test_what_takes_tags_carries_the_pipelines_name(node: Node) -> None:
    taggable = "tags" in arguments_of(node.type)
    wanted = {"streaming-etl:pipeline": pipeline_of(node)} if taggable else None
    assert node.inputs.get("tags") == wanted


def test_no_type_and_name_stand_twice() -> None:
    names = Counter((node.type, node.name) for node in NODES)
    assert [name for name, count in names.items() if count > 1] == []


@pytest.mark.parametrize("bucket", **of("Bucket"))
@pytest.mark.parametrize(
    ("kind", "closed"),
    [
        (
            "BucketPublicAccessBlock",
            {
                "blockPublicAcls": True,
                "blockPublicPolicy": True,
                "ignorePublicAcls": True,
                "restrictPublicBuckets": True,
            },
        ),
        ("BucketOwnershipControls", {"rule": {"objectOwnership": "BucketOwnerEnforced"}}),
        (
            "BucketServerSideEncryptionConfiguration",
            {
                "rules": [
                    {
                        "applyServerSideEncryptionByDefault": {"sseAlgorithm": "AES256"},
                        "bucketKeyEnabled": False,
                    }
                ]
            },
        ),
    ],
)
def test_a_bucket_is_closed(bucket: Node, kind: str, closed: dict[str, Any]) -> None:
    physical = f"{bucket.name}-0000000"
    found = [node.inputs for node in GRAPH.of(kind) if node.inputs["bucket"] == physical]
    assert found == [{"bucket": physical, **closed}]


@pytest.mark.parametrize("bucket", **of("Bucket"))
def test_a_bucket_takes_nothing_without_tls(bucket: Node) -> None:
    physical = f"{bucket.name}-0000000"
    [policy] = [node for node in GRAPH.of("BucketPolicy") if node.inputs["bucket"] == physical]
    assert policy.policy()["Statement"] == [
        {
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": [f"arn:aws:s3:::{physical}", f"arn:aws:s3:::{physical}/*"],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }
    ]


@pytest.mark.parametrize("role", **of("Role"))
def test_a_role_trusts_one_service_acting_for_this_account(role: Node) -> None:
    [trust] = role.policy("assumeRolePolicy")["Statement"]
    assert set(trust) == {"Effect", "Principal", "Action", "Condition"}
    assert list(trust["Principal"]) == ["Service"]
    assert isinstance(trust["Principal"]["Service"], str)
    assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": "123456789012"}}


@pytest.mark.parametrize("role", **of("Role"))
def test_a_role_has_policies_of_its_own(role: Node) -> None:
    policies = [
        node for node in GRAPH.of("RolePolicy") if node.inputs["role"] == f"{role.name}-0000000"
    ]
    assert policies
    assert {node.parent for node in policies} == {role.parent}


@pytest.mark.parametrize(
    "node",
    **named([node for node in NODES if {"policy", "assumeRolePolicy"} & node.inputs.keys()]),
)
def test_nothing_is_allowed_on_everything_but_the_listing_of_streams(node: Node) -> None:
    for statement in statements(node):
        if statement["Effect"] == "Allow":
            actions = as_list(statement["Action"])
            assert not [action for action in actions if "*" in action]
            if "*" in as_list(statement.get("Resource", [])):
                # ListStreams knows no resource.
                assert actions == ["dynamodb:ListStreams"]


@pytest.mark.parametrize("group", **of("LogGroup"))
def test_a_log_group_has_an_end(group: Node) -> None:
    assert group.inputs["retentionInDays"] == 30


@pytest.mark.parametrize("function", **of("Function"))
def test_a_function_writes_to_a_log_group_that_has_an_end(function: Node) -> None:
    group = function.inputs["loggingConfig"]["logGroup"]
    assert group in {f"{node.name}-0000000" for node in GRAPH.of("LogGroup")}


@pytest.mark.parametrize("node", **CUSTOM)
def test_a_resource_tells_nothing_of_the_other_pipeline(node: Node) -> None:
    own = pipeline_of(node)
    [other] = set(PIPELINES) - {own}
    # Table, Glue names and every physical name of these pipelines hold the pipeline's own.
    text = json.dumps([node.inputs, node.depends_on])
    assert other not in text


def test_the_search_for_the_other_pipeline_would_find_it() -> None:
    # What tells not even its own pipeline's name could not give the other's away.
    silent = [
        node.name
        for node in NODES
        if node.custom and pipeline_of(node) not in json.dumps([node.inputs, node.depends_on])
    ]
    assert silent == []


def outputs_of(pipeline: str, crawler: str | None) -> dict[str, Any]:
    table = f"arn:aws:dynamodb:ap-northeast-1:123456789012:table/{pipeline}"
    bucket = f"{pipeline}-lake-bucket-0000000"
    topic = f"{pipeline}-monitoring-topic-0000000"
    return {
        "bucket": bucket,
        "database": f"{pipeline}_test",
        "table": pipeline,
        "view": f"{pipeline}_current",
        "workgroup": f"{pipeline}-test",
        "current_state_query_id": f"{pipeline}-query-current-state-id",
        "delivery_stream": f"{pipeline}-delivery-stream-0000000",
        "source_table": pipeline,
        "source_table_arn": table,
        "source_stream_arn": f"{table}/stream/2026-11-23T00:00:00.000",
        "failed_batches_location": (
            f"s3://{bucket}/aws/lambda/uuid-of-{pipeline}-forwarder-mapping/"
        ),
        "errors_location": f"s3://{bucket}/errors/{pipeline}_test/{pipeline}/",
        "alarm_topic_arn": f"arn:aws:sns:ap-northeast-1:123456789012:{topic}",
        "failure_events_topic_arn": (
            f"arn:aws:sns:ap-northeast-1:123456789012:{pipeline}-watch-topic-0000000"
        ),
        "dashboard": f"{pipeline}-test",
        "crawler": crawler,
        "backfill_state_machine_arn": None,
        "backfill_location": None,
    }


def test_the_stack_exports_every_output_of_every_table() -> None:
    assert GRAPH.exports == {
        "orders": outputs_of("orders", "orders-catalog-crawler-0000000"),
        "shipments": outputs_of("shipments", None),
    }
