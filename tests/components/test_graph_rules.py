"""Rules that hold for every resource of a stack."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pulumi
import pulumi_aws as aws
import pytest

from streaming_etl import (
    BackfillArgs,
    FunctionsArgs,
    LakeArgs,
    LakeTableArgs,
    MergeArgs,
    PartitionArgs,
    TransformArgs,
)
from streaming_etl.stack.recorder import Graph, Node
from tests.support.pipelines import (
    Pipelines,
    dev_stack,
    every_resource,
    several_lake_tables,
)
from tests.support.provider_inputs import input_names
from tools.project import ROOT

PIPELINE = "streaming-etl:index:StreamingEtlPipeline"
STACK_DASHBOARD = "streaming-etl:index:StackDashboard"
LAKE_TABLE = "streaming-etl:index:LakeTable"
LAKE_TABLE_PREFIXES = (
    "catalog-crawler",
    "catalog-objects",
    "catalog-table",
    "delivery-",
    # Without the workgroup, which is the pipeline's.
    "merge-own-policy",
    "merge-states-policy",
    "merge-states-role",
    "merge-schedule",
    "merge-state-machine",
    "merged-table",
    "query-view",
    "transform-",
)
"""What the names of a lake table's resources start with, after the pipeline's name."""
SERVICES = {
    "lambda.amazonaws.com",
    "firehose.amazonaws.com",
    "glue.amazonaws.com",
    "states.amazonaws.com",
    "scheduler.amazonaws.com",
}

NETWORK_ACTIONS = {
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
}
"""What a function in a VPC needs for its network interfaces."""

WITHOUT_RESOURCES = {
    "dynamodb:ListStreams",
    *NETWORK_ACTIONS,
    "xray:PutTelemetryRecords",
    "xray:PutTraceSegments",
}
"""Actions that support no resource other than `*`, or for which Lambda requires it."""

PARAMETER = "arn:aws:ssm:ap-northeast-1:123456789012:parameter/key"
ALL_STAGES = {
    "format": "parquet",
    "catalog": "crawler",
    "partitions": PartitionArgs(dynamic_partition_keys={"kind": ["a"]}),
    "backfill": BackfillArgs(enabled=True),
    "transform": TransformArgs(environment={"TAX_RATE": "0.1"}, secrets={"KEY": PARAMETER}),
    "functions": FunctionsArgs(subnet_ids=["subnet-1"], security_group_ids=["sg-1"], tracing=True),
    "lake": LakeArgs(kms_key_arn="arn:aws:kms:ap-northeast-1:123456789012:key/k"),
}
# A merge stage needs `catalog: projection`.
MERGED = ALL_STAGES | {
    "catalog": "projection",
    "merge": MergeArgs(enabled=True, change_log_retention_days=90),
}
GRAPHS = ["example stack", "all stages", "merge stage", "several lake tables", "every resource"]


@pytest.fixture(scope="module", params=GRAPHS)
def graph(request: pytest.FixtureRequest, pipelines: Pipelines) -> Graph:
    match request.param:
        case "example stack":
            return dev_stack()
        case "all stages":
            return pipelines.build(**ALL_STAGES)
        case "merge stage":
            return pipelines.build(**MERGED)
        case "every resource":
            return pipelines.build(**every_resource(pipelines))
    return pipelines.build(**several_lake_tables(pipelines))


def pipeline_of(node: Node, graph: Graph) -> str:
    """Return the name of the pipeline that a resource belongs to."""
    if node.parent_type == PIPELINE:
        return node.parent
    assert node.parent_type == LAKE_TABLE
    return graph[node.parent].parent


def part_of(node: Node, graph: Graph) -> str:
    """Return a resource's name without the names of pipeline and lake table."""
    if node.parent_type == LAKE_TABLE:
        return node.name.removeprefix(prefix_of(node))
    lake_tables = [each.name.removesuffix("lake-table") for each in graph.of("LakeTable")]
    prefixes = [f"{pipeline_of(node, graph)}-", *lake_tables]
    return node.name.removeprefix(max(filter(node.name.startswith, prefixes), key=len))


def prefix_of(node: Node) -> str:
    """Return how the names of the parent's resources begin."""
    return f"{node.parent.removesuffix('-lake-table')}-"


def statements(graph: Graph) -> Iterator[tuple[str, dict[str, Any]]]:
    """Name of the resource and statement, for every statement of every policy."""
    for node in graph.custom:
        for key in {"policy", "assumeRolePolicy"} & node.inputs.keys():
            for statement in node.policy(key)["Statement"]:
                yield node.name, statement


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def test_resources_are_children_of_their_pipeline_or_of_its_lake_table(graph: Graph) -> None:
    offenders = []
    for node in graph.nodes:
        if node.type in (PIPELINE, STACK_DASHBOARD):
            expected = "pulumi:pulumi:Stack"
        elif node.name == "all_pipelines-dashboard":
            expected = STACK_DASHBOARD
        else:
            is_own = part_of(node, graph).startswith(LAKE_TABLE_PREFIXES)
            expected = LAKE_TABLE if is_own else PIPELINE
        offenders += [node.name] if node.parent_type != expected else []
    assert offenders == []


def test_names_start_with_the_name_of_the_pipeline(graph: Graph) -> None:
    offenders = [node.name for node in graph.custom if not node.name.startswith(prefix_of(node))]
    assert offenders == []


def test_no_type_and_name_occur_twice(graph: Graph) -> None:
    names = Counter((node.type, node.name) for node in graph.nodes)
    assert [name for name, count in names.items() if count > 1] == []


def test_every_resource_that_supports_tags_has_the_tag_of_its_pipeline(graph: Graph) -> None:
    offenders = [
        node.name
        for node in graph.custom
        if "tags" in input_names(node.type)
        and node.inputs.get("tags") != {"streaming-etl:pipeline": pipeline_of(node, graph)}
    ]
    assert offenders == []
    assert "tags" in input_names("aws:lambda/eventSourceMapping:EventSourceMapping")


def resource_types_of_the_program() -> set[str]:
    """The types that the program creates, such as `aws:s3/bucket:Bucket`."""
    calls = re.compile(r"\baws\.(\w+)\.(\w+)\(")
    classes = {
        getattr(getattr(aws, module), name)
        for path in (ROOT / "components").rglob("*.py")
        for module, name in calls.findall(path.read_text())
    }
    return {
        cls.pulumi_type
        for cls in classes
        if isinstance(cls, type) and issubclass(cls, pulumi.CustomResource)
    }


def test_the_rules_see_a_resource_of_every_type(pipelines: Pipelines) -> None:
    graph = pipelines.build(**every_resource(pipelines))
    assert resource_types_of_the_program() - {node.type for node in graph.custom} == set()


def test_every_bucket_is_private(graph: Graph) -> None:
    public_access = {
        "blockPublicAcls": True,
        "blockPublicPolicy": True,
        "ignorePublicAcls": True,
        "restrictPublicBuckets": True,
    }
    for bucket in graph.of("Bucket"):
        name = f"{bucket.name}-0000000"

        def of_bucket(kind: str, name: str = name) -> list[dict[str, Any]]:
            return [node.inputs for node in graph.of(kind) if node.inputs["bucket"] == name]

        assert of_bucket("BucketPublicAccessBlock") == [{"bucket": name, **public_access}]
        [ownership] = of_bucket("BucketOwnershipControls")
        assert ownership["rule"] == {"objectOwnership": "BucketOwnerEnforced"}
        [policy] = of_bucket("BucketPolicy")
        assert json.loads(policy["policy"])["Statement"] == [
            {
                "Effect": "Deny",
                "Principal": "*",
                "Action": "s3:*",
                "Resource": [f"arn:aws:s3:::{name}", f"arn:aws:s3:::{name}/*"],
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            }
        ]


def test_a_customer_key_encrypts_the_bucket(pipelines: Pipelines, minimal: Graph) -> None:
    key = "arn:aws:kms:ap-northeast-1:123456789012:key/k"
    encryption = pipelines.build(lake=LakeArgs(kms_key_arn=key))["shop-lake-encryption"].inputs
    assert encryption["bucket"] == "shop-lake-bucket-0000000"
    assert encryption["rules"] == [
        {
            "applyServerSideEncryptionByDefault": {
                "sseAlgorithm": "aws:kms",
                "kmsMasterKeyId": key,
            },
            "bucketKeyEnabled": True,
        }
    ]
    # S3 encrypts with its own keys by default.
    assert "shop-lake-encryption" not in {node.name for node in minimal.nodes}


def test_views_have_no_description(minimal: Graph) -> None:
    # Trino shows no view with one.
    tables = [*minimal.of("CatalogTable"), *dev_stack().of("CatalogTable")]
    views = [node for node in tables if node.inputs.get("tableType") == "VIRTUAL_VIEW"]
    assert len(views) == 6
    assert [view.name for view in views if "description" in view.inputs] == []


def test_map_keys_keep_their_case_in_json_and_parquet(pipelines: Pipelines) -> None:
    table = pipelines.build(format="json")["shop-catalog-table"].inputs
    serde = table["storageDescriptor"]["serDeInfo"]
    assert serde["parameters"]["case.insensitive"] == "false"
    stream = pipelines.build(format="parquet")["shop-delivery-stream"].inputs
    conversion = stream["extendedS3Configuration"]["dataFormatConversionConfiguration"]
    deserializer = conversion["inputFormatConfiguration"]["deserializer"]
    assert deserializer == {"openXJsonSerDe": {"caseInsensitive": False}}


def test_every_role_trusts_one_service_for_this_account(graph: Graph) -> None:
    offenders = []
    for role in graph.of("Role"):
        [trust] = role.policy("assumeRolePolicy")["Statement"]
        service = trust["Principal"].get("Service")
        expected = {
            "Effect": "Allow",
            "Principal": {"Service": service},
            "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"aws:SourceAccount": "123456789012"}},
        }
        if trust != expected or service not in SERVICES:
            offenders.append(role.name)
    assert offenders == []


def policies_of(role: Node, graph: Graph) -> list[Node]:
    return [
        node for node in graph.of("RolePolicy") if node.inputs["role"] == f"{role.name}-0000000"
    ]


def test_every_role_has_separate_policies_with_its_parent(graph: Graph) -> None:
    offenders = [
        role.name
        for role in graph.of("Role")
        if {node.parent for node in policies_of(role, graph)} != {role.parent}
    ]
    assert offenders == []


def test_the_glue_table_has_a_column_before_the_transform_writes_it(graph: Graph) -> None:
    """Firehose omits other columns from Parquet."""
    offenders = []
    for table in graph.of("CatalogTable"):
        if table.name.endswith("-catalog-table"):
            function = graph[f"{prefix_of(table)}transform-function"]
            offenders += [function.name] if table.name not in function.depends_on else []
    assert offenders == []


def test_merges_select_a_column_before_the_transform_writes_it(graph: Graph) -> None:
    """No later merge adds the column's value to a merged row."""
    offenders = []
    for machine in graph.of("StateMachine"):
        if machine.name.endswith("-merge-state-machine"):
            function = graph[f"{prefix_of(machine)}transform-function"]
            offenders += [function.name] if machine.name not in function.depends_on else []
    assert offenders == []


def test_allow_statements_have_no_wildcard_actions_or_resources(graph: Graph) -> None:
    offenders = [
        f"{name}: {action}"
        for name, statement in statements(graph)
        if statement["Effect"] == "Allow"
        for action in as_list(statement["Action"])
        if "*" in action
        or ("*" in as_list(statement.get("Resource", [])) and action not in WITHOUT_RESOURCES)
    ]
    assert offenders == []


def test_every_log_group_expires_and_every_function_writes_to_one(graph: Graph) -> None:
    groups = {f"{node.name}-0000000": node for node in graph.of("LogGroup")}
    assert {node.inputs["retentionInDays"] for node in groups.values()} == {30}
    functions = graph.of("Function")
    assert {node.inputs["loggingConfig"]["logGroup"] for node in functions} <= set(groups)


def test_no_resource_refers_to_another_pipeline() -> None:
    graph = dev_stack()
    pipelines = {node.name for node in graph.of("StreamingEtlPipeline")}
    assert pipelines == {"orders", "shipments", "shop"}
    offenders = []
    for node in graph.custom:
        # That dashboard shows all pipelines.
        if node.parent_type == STACK_DASHBOARD:
            continue
        own = pipeline_of(node, graph)
        others = "|".join(pipelines - {own})
        # Physical names, the database and the stream. Names of lake tables follow other words.
        other = re.compile(rf"(?<![\w-])({others})(-|_dev|/stream)")
        text = json.dumps([node.inputs, node.depends_on])
        if other.search(text) or own not in text:
            offenders.append(node.name)
    assert offenders == []


def test_the_order_of_lake_tables_and_conditions_changes_nothing(pipelines: Pipelines) -> None:
    """The engine sorts a config; other languages have no order."""
    partitions = PartitionArgs()
    where = {"kind": ["a"], "archived": [False]}

    def inputs(order: int) -> dict[str, Any]:
        tables = {
            name: LakeTableArgs(
                transform_module=pipelines.module(),
                partitions=partitions,
                where=dict([*where.items()][::order]),
            )
            for name in ("orders", "items", "customers")[::order]
        }
        graph = pipelines.build(
            transform_module=None,
            partitions=None,
            lake_tables=tables,
            backfill=BackfillArgs(enabled=True),
        )
        return {node.name: node.inputs for node in graph.custom}

    assert inputs(-1) == inputs(1)
