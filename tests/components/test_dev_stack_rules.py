"""Rules over all resources of the example stack."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

from streaming_etl.stack.recorder import Graph, Node
from tests.components.pipelines import dev_stack
from tests.components.provider_types import arguments_of

STAGES = {
    f"streaming-etl:index:{stage}"
    for stage in ("Source", "Lake", "Catalog", "Delivery", "Forwarder", "Query", "Monitoring")
}
PIPELINE = "streaming-etl:index:StreamingEtlPipeline"
PIPELINES = {"orders", "shipments"}
BLOCK_PUBLIC_ACCESS = dict.fromkeys(
    ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets"), True
)
BUCKET_SETTINGS: dict[str, dict[str, Any]] = {
    "BucketPublicAccessBlock": BLOCK_PUBLIC_ACCESS,
    "BucketOwnershipControls": {"rule": {"objectOwnership": "BucketOwnerEnforced"}},
    "BucketServerSideEncryptionConfiguration": {
        "rules": [
            {
                "applyServerSideEncryptionByDefault": {"sseAlgorithm": "AES256"},
                "bucketKeyEnabled": False,
            }
        ]
    },
}

GRAPH = dev_stack()


def pipeline_of(node: Node, graph: Graph = GRAPH) -> str:
    """The name of the pipeline that a custom resource belongs to."""
    [stage] = [
        other
        for other in graph.nodes
        if (other.type, other.name) == (node.parent_type, node.parent)
    ]
    assert stage.parent_type == PIPELINE
    return stage.parent


def of_bucket(kind: str, bucket: Node) -> list[Node]:
    return [node for node in GRAPH.of(kind) if node.inputs["bucket"] == physical(bucket)]


def physical(node: Node) -> str:
    return f"{node.name}-0000000"


def statements(node: Node) -> Iterator[dict[str, Any]]:
    for key in ("policy", "assumeRolePolicy"):
        if key in node.inputs:
            yield from node.policy(key)["Statement"]


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def test_resources_belong_to_stages_and_stages_to_pipelines() -> None:
    parents = {PIPELINE: {"pulumi:pulumi:Stack"}, **{stage: {PIPELINE} for stage in STAGES}}
    wrong = [
        node.name
        for node in GRAPH.nodes
        if node.parent_type not in (STAGES if node.custom else parents[node.type])
    ]
    assert wrong == []


def test_names_begin_with_the_name_of_the_pipeline() -> None:
    stages = [node for node in GRAPH.nodes if node.type in STAGES]
    named = [(node, node.parent) for node in stages]
    named += [(node, pipeline_of(node)) for node in GRAPH.custom]
    assert [node.name for node, name in named if not node.name.startswith(f"{name}-")] == []


def test_resources_with_tags_have_the_pipelines_name() -> None:
    expected = {
        node.name: {"streaming-etl:pipeline": pipeline_of(node)}
        if "tags" in arguments_of(node.type)
        else None
        for node in GRAPH.custom
    }
    assert {node.name: node.inputs.get("tags") for node in GRAPH.custom} == expected


def test_type_and_name_are_unique() -> None:
    names = Counter((node.type, node.name) for node in GRAPH.nodes)
    assert [name for name, count in names.items() if count > 1] == []


def test_buckets_are_private_and_encrypted() -> None:
    for bucket in GRAPH.of("Bucket"):
        for kind, settings in BUCKET_SETTINGS.items():
            [node] = of_bucket(kind, bucket)
            assert node.inputs == {"bucket": physical(bucket), **settings}


def test_buckets_reject_requests_without_tls() -> None:
    for bucket in GRAPH.of("Bucket"):
        [policy] = of_bucket("BucketPolicy", bucket)
        arn = f"arn:aws:s3:::{physical(bucket)}"
        assert policy.policy()["Statement"] == [
            {
                "Effect": "Deny",
                "Principal": "*",
                "Action": "s3:*",
                "Resource": [arn, f"{arn}/*"],
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            }
        ]


def test_roles_trust_one_service_acting_for_this_account() -> None:
    for role in GRAPH.of("Role"):
        [trust] = role.policy("assumeRolePolicy")["Statement"]
        assert set(trust) == {"Effect", "Principal", "Action", "Condition"}
        assert list(trust["Principal"]) == ["Service"]
        assert isinstance(trust["Principal"]["Service"], str)
        assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": "123456789012"}}


def test_every_role_has_policies_of_its_stage() -> None:
    for role in GRAPH.of("Role"):
        policies = [
            node for node in GRAPH.of("RolePolicy") if node.inputs["role"] == physical(role)
        ]
        assert {node.parent for node in policies} == {role.parent}


def test_only_the_list_of_streams_is_allowed_on_all_resources() -> None:
    allowed = [
        (node.name, as_list(statement["Action"]), as_list(statement.get("Resource", [])))
        for node in GRAPH.nodes
        for statement in statements(node)
        if statement["Effect"] == "Allow"
    ]
    assert allowed
    assert [name for name, actions, _ in allowed if "*" in "".join(actions)] == []
    on_all = [actions for _, actions, resources in allowed if "*" in resources]
    # ListStreams does not support resources.
    assert [actions for actions in on_all if actions != ["dynamodb:ListStreams"]] == []


def test_functions_write_to_log_groups_with_retention() -> None:
    assert {group.inputs["retentionInDays"] for group in GRAPH.of("LogGroup")} == {30}
    groups = {physical(group) for group in GRAPH.of("LogGroup")}
    used = [function.inputs["loggingConfig"]["logGroup"] for function in GRAPH.of("Function")]
    assert used
    assert set(used) - groups == set()


def test_no_resource_refers_to_another_pipeline() -> None:
    # All names of these pipelines contain the pipeline's name, so every text has one.
    references = {
        node.name: {
            name for name in PIPELINES if name in json.dumps([node.inputs, node.depends_on])
        }
        for node in GRAPH.custom
    }
    assert references == {node.name: {pipeline_of(node)} for node in GRAPH.custom}


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
        "region": "ap-northeast-1",
    }


def test_the_stack_exports_every_output_of_every_pipeline() -> None:
    exports = {name: dict(outputs) for name, outputs in GRAPH.exports.items()}
    tables = {name: outputs.pop("settings")["table_name"] for name, outputs in exports.items()}
    assert tables == {"orders": "orders", "shipments": "shipments"}
    assert exports == {
        "orders": outputs_of("orders", "orders-catalog-crawler-0000000"),
        "shipments": outputs_of("shipments", None),
    }
