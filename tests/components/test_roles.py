"""Boundary, path, prefix and existing roles, on every role of a pipeline."""

import json
import re
from fnmatch import fnmatchcase
from typing import Any

import pulumi
import pytest

from streaming_etl import (
    BackfillArgs,
    IamArgs,
    LakeArgs,
    MergeArgs,
    PartitionArgs,
    SourceArgs,
    StreamingEtlPipeline,
)
from streaming_etl.stack.recorder import ACCOUNT_ID, UNKNOWN, Graph, Node, build
from tests.support.pipelines import Pipelines, existing_table
from tests.support.problems import places

BOUNDARY = f"arn:aws:iam::{ACCOUNT_ID}:policy/boundary"
KEY = f"arn:aws:kms:ap-northeast-1:{ACCOUNT_ID}:key/k"
ROLE_NAMES = {
    "forwarder": "lambda.amazonaws.com",
    "backfill": "lambda.amazonaws.com",
    "backfill-states": "states.amazonaws.com",
    "backfill-start": "scheduler.amazonaws.com",
    "orders-transform": "lambda.amazonaws.com",
    "orders-delivery": "firehose.amazonaws.com",
    "orders-merge-states": "states.amazonaws.com",
    "orders-merge-schedule": "scheduler.amazonaws.com",
    "items-transform": "lambda.amazonaws.com",
    "items-delivery": "firehose.amazonaws.com",
    "items-catalog-crawler": "glue.amazonaws.com",
}
EXISTING = {name: f"arn:aws:iam::{ACCOUNT_ID}:role/team/etl-{name}" for name in ROLE_NAMES}


def everything(pipelines: Pipelines, **settings: Any) -> dict[str, Any]:
    """Settings with every stage that has a role, and two lake tables."""
    tables = pipelines.lake_tables(
        orders={"where": {"kind": ["order"]}, "merge": MergeArgs(enabled=True)},
        items={
            "format": "parquet",
            "catalog": "crawler",
            "partitions": PartitionArgs(dynamic_partition_keys={"kind": ["a"]}),
        },
    )
    backfill = BackfillArgs(enabled=True, on_create=True)
    return {**tables, "backfill": backfill, "lake": LakeArgs(kms_key_arn=KEY), **settings}


def roles(graph: Graph) -> dict[str, Node]:
    return {node.name: node for node in graph.nodes if node.type == "aws:iam/role:Role"}


def test_every_role_has_boundary_path_and_prefix(pipelines: Pipelines) -> None:
    settings = IamArgs(
        permissions_boundary_arn=BOUNDARY, role_path="/team/etl/", role_name_prefix="acme-"
    )
    found = roles(pipelines.build(**everything(pipelines, iam=settings)))
    assert set(found) == {f"shop-{name}-role" for name in ROLE_NAMES}
    shared = {(role.inputs["permissionsBoundary"], role.inputs["path"]) for role in found.values()}
    assert shared == {(BOUNDARY, "/team/etl/")}
    offenders = [
        name
        for name, role in found.items()
        if not re.fullmatch(f"acme-{name}-[0-9a-f]{{7}}", role.inputs["name"])
    ]
    assert offenders == []


def test_roles_have_no_new_inputs_by_default(minimal: Graph) -> None:
    offenders = [
        name
        for name, role in roles(minimal).items()
        if set(role.inputs) != {"assumeRolePolicy", "tags"}
    ]
    assert offenders == []


def names_with(pipelines: Pipelines, stack: str = "test", **settings: Any) -> list[str]:
    def program() -> None:
        StreamingEtlPipeline("shop", pipelines.args(iam=IamArgs(**settings)))

    return sorted(role.inputs["name"] for role in roles(build(program, stack=stack)).values())


def test_another_path_prefix_or_stack_gives_other_names(pipelines: Pipelines) -> None:
    """A role with another path exists before the former one is deleted."""
    first = names_with(pipelines, role_name_prefix="a-")
    others = [
        names_with(pipelines, role_name_prefix="a-", role_path="/x/"),
        names_with(pipelines, role_name_prefix="b-"),
        names_with(pipelines, "prod", role_name_prefix="a-"),
    ]
    assert [set(first) & set(other) for other in others] == [set(), set(), set()]
    assert names_with(pipelines, role_name_prefix="a-") == first


def test_a_renamed_pipeline_keeps_the_names_of_its_roles(pipelines: Pipelines) -> None:
    settings = IamArgs(role_name_prefix="a-")
    before = roles(pipelines.build("store", iam=settings))
    after = roles(pipelines.build("shop", iam=settings, renamed_from="store"))
    assert sorted(role.inputs["name"] for role in after.values()) == sorted(
        role.inputs["name"] for role in before.values()
    )


def test_the_longest_role_name_has_64_characters(pipelines: Pipelines) -> None:
    settings = {"catalog": "crawler", "iam": IamArgs(role_name_prefix="p" * 15)}
    longest = roles(pipelines.build("a" * 20, **settings))[f"{'a' * 20}-catalog-crawler-role"]
    assert len(longest.inputs["name"]) == 64
    [problem] = pipelines.problems("a" * 21, **settings)
    assert places([problem]) == [("iam", "role_name_prefix", "role-name-length")]
    assert (problem.details["length"], problem.details["most"]) == (65, 64)
    # The longest role exists.
    arns = {"catalog-crawler": EXISTING["items-catalog-crawler"]}
    existing = IamArgs(role_name_prefix="p" * 15, role_arns=arns)
    assert roles(pipelines.build("a" * 21, catalog="crawler", iam=existing))


def test_no_role_and_no_policy_is_created_for_existing_roles(pipelines: Pipelines) -> None:
    graph = pipelines.build(**everything(pipelines, iam=IamArgs(role_arns=EXISTING)))
    assert [node.name for node in graph.nodes if node.type.startswith("aws:iam/")] == []
    used = {
        **{node.name: node.inputs["role"] for node in graph.of("Function")},
        **{node.name: node.inputs["roleArn"] for node in graph.of("StateMachine")},
        **{node.name: node.inputs["role"] for node in graph.of("Crawler")},
        **{node.name: node.inputs["target"]["roleArn"] for node in graph.of("Schedule")},
        **{
            node.name: node.inputs["extendedS3Configuration"]["roleArn"]
            for node in graph.of("FirehoseDeliveryStream")
        },
    }
    assert used == {
        "shop-forwarder-function": EXISTING["forwarder"],
        "shop-backfill-function": EXISTING["backfill"],
        "shop-backfill-state-machine": EXISTING["backfill-states"],
        "shop-backfill-start": EXISTING["backfill-start"],
        "shop-orders-transform-function": EXISTING["orders-transform"],
        "shop-orders-delivery-stream": EXISTING["orders-delivery"],
        "shop-orders-merge-state-machine": EXISTING["orders-merge-states"],
        "shop-orders-merge-schedule": EXISTING["orders-merge-schedule"],
        "shop-items-transform-function": EXISTING["items-transform"],
        "shop-items-delivery-stream": EXISTING["items-delivery"],
        "shop-items-catalog-crawler": EXISTING["items-catalog-crawler"],
    }
    conversion = graph["shop-items-delivery-stream"].inputs["extendedS3Configuration"]
    schema = conversion["dataFormatConversionConfiguration"]["schemaConfiguration"]
    assert schema["roleArn"] == EXISTING["items-delivery"]


def test_an_existing_role_leaves_the_others_unchanged(pipelines: Pipelines) -> None:
    all_created = pipelines.build()
    settings = IamArgs(role_arns={"forwarder": EXISTING["forwarder"]})
    graph = pipelines.build(iam=settings)
    removed = {node.name for node in all_created.nodes} - {node.name for node in graph.nodes}
    assert removed == {"shop-forwarder-role", "shop-forwarder-policy"}
    assert set(graph.exports["pipeline"]["role_policies"]) == {"forwarder"}
    assert all_created.exports["pipeline"]["role_policies"] is None


def test_the_role_may_be_an_output(pipelines: Pipelines) -> None:
    def program() -> None:
        arn = pulumi.Output.from_input(EXISTING["forwarder"])
        StreamingEtlPipeline("shop", pipelines.args(iam=IamArgs(role_arns={"forwarder": arn})))

    assert build(program)["shop-forwarder-function"].inputs["role"] == EXISTING["forwarder"]


def documents(graph: Graph) -> dict[str, list[dict[str, Any]]]:
    """Statements by role, of the policies of created roles."""
    found: dict[str, list[dict[str, Any]]] = {}
    for policy in graph.of("RolePolicy"):
        role = policy.inputs["role"].removeprefix("shop-").removesuffix("-role-0000000")
        found.setdefault(role, []).extend(policy.policy()["Statement"])
    return found


@pytest.fixture(scope="module", params=["created", "existing resources", "renamed"])
def variant(request: pytest.FixtureRequest, pipelines: Pipelines) -> dict[str, Any]:
    match request.param:
        case "created":
            return everything(pipelines)
        case "renamed":
            return everything(pipelines, renamed_from=["sales", "store"])
    table = existing_table(name="orders")
    table["orders"]["serverSideEncryption"] = {"enabled": True, "kmsKeyArn": KEY}
    settings = everything(pipelines, lake=LakeArgs(bucket_name="shared", kms_key_arn=KEY))
    return {**settings, "source": SourceArgs(use_existing=True), "tables": table}


def test_the_output_has_the_statements_of_created_roles(
    pipelines: Pipelines, variant: dict[str, Any]
) -> None:
    """Each ARN pattern matches the ARN that the created role's policy has."""
    created = documents(pipelines.build(**variant))
    graph = pipelines.build(**variant, iam=IamArgs(role_arns=EXISTING))
    needed = graph.exports["pipeline"]["role_policies"]
    assert set(needed) == set(created) == set(ROLE_NAMES)
    for role, parts in needed.items():
        statements = json.loads(parts["policy"])["Statement"]
        assert len(statements) == len(created[role])
        for statement, original in zip(statements, created[role], strict=True):
            assert statement["Action"] == original["Action"]
            unmatched = [
                arn
                for arn in original["Resource"]
                if not any(fnmatchcase(arn, pattern) for pattern in statement["Resource"])
            ]
            assert unmatched == [], role
            is_s3 = statement["Action"][0].startswith("s3:")
            own = {"StringEquals": {"s3:ResourceAccount": ACCOUNT_ID}} if is_s3 else {}
            assert statement.get("Condition", {}) == {**original.get("Condition", {}), **own}


def test_the_output_is_known_before_the_resources_exist(
    pipelines: Pipelines, variant: dict[str, Any]
) -> None:
    settings = IamArgs(role_arns=EXISTING)
    preview = pipelines.build(preview=True, **variant, iam=settings)
    update = pipelines.build(**variant, iam=settings)
    needed = preview.exports["pipeline"]["role_policies"]
    assert needed == update.exports["pipeline"]["role_policies"]
    assert UNKNOWN not in json.dumps(needed)
    assert "0000000" not in json.dumps(needed)


def test_a_renamed_pipeline_needs_both_names(pipelines: Pipelines) -> None:
    settings = IamArgs(role_arns={"transform": EXISTING["orders-transform"]})
    graph = pipelines.build(iam=settings, renamed_from="store")
    policy = json.loads(graph.exports["pipeline"]["role_policies"]["transform"]["policy"])
    assert policy["Statement"][1]["Resource"] == [
        f"arn:aws:firehose:ap-northeast-1:{ACCOUNT_ID}:deliverystream/{name}-delivery-stream-???????"
        for name in ("shop", "store")
    ]


def test_the_trust_policy_is_that_of_created_roles(pipelines: Pipelines) -> None:
    created = roles(pipelines.build(**everything(pipelines)))
    graph = pipelines.build(**everything(pipelines, iam=IamArgs(role_arns=EXISTING)))
    needed = graph.exports["pipeline"]["role_policies"]
    assert {role: parts["service"] for role, parts in needed.items()} == ROLE_NAMES
    assert {role: json.loads(parts["trust"]) for role, parts in needed.items()} == {
        role: created[f"shop-{role}-role"].policy("assumeRolePolicy") for role in needed
    }


def test_a_policy_has_room_in_a_role(pipelines: Pipelines) -> None:
    """Inline policies of a role have at most 10,240 characters together."""
    tables = {f"{letter}{'x' * 28}": {} for letter in "abcdefghijklmnopqrst"}
    forwarder = IamArgs(role_arns={"forwarder": EXISTING["forwarder"]})
    graph = pipelines.build(**pipelines.lake_tables(**tables), iam=forwarder)
    policy = graph.exports["pipeline"]["role_policies"]["forwarder"]["policy"]
    assert len(re.sub(r"\s", "", policy)) < 10_240


def test_rejects_a_name_that_is_no_role_and_lists_the_roles(pipelines: Pipelines) -> None:
    arns = {"forwarder": EXISTING["forwarder"], "transform": EXISTING["forwarder"]}
    settings = everything(pipelines, iam=IamArgs(role_arns=arns))
    [problem] = pipelines.problems(**settings)
    assert places([problem]) == [("iam", "role_arns[transform]", "unknown-role")]
    assert sorted(problem.details["names"]) == sorted(ROLE_NAMES)
