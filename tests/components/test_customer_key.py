"""A customer key encrypts everything, and each role may use it.

What these tests do not prove is that AWS's services accept the documented key policy.
"""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from streaming_etl import LakeArgs, MergeArgs, SourceArgs
from streaming_etl.stack.recorder import ACCOUNT_ID, REGION, Graph, Node
from tests.support.pipelines import KEY, Pipelines, every_resource, existing_table
from tests.support.provider_inputs import input_names

ARN = f"{REGION}:{ACCOUNT_ID}"
LAKE_KEY = f"arn:aws:kms:{ARN}:key/lake"
FORMER = [f"arn:aws:kms:{ARN}:key/{name}" for name in ("older", "old")]
SERVICE_INPUTS = {
    "aws:athena/workgroup:Workgroup": "configuration",
    "aws:dynamodb/table:Table": "serverSideEncryption",
    "aws:glue/crawler:Crawler": "securityConfiguration",
    "aws:glue/securityConfiguration:SecurityConfiguration": "encryptionConfiguration",
    "aws:kinesis/firehoseDeliveryStream:FirehoseDeliveryStream": "serverSideEncryption",
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": (
        "rules"
    ),
    "aws:sfn/stateMachine:StateMachine": "encryptionConfiguration",
}
"""The input with the key of each type that has none named after KMS."""
# Lambda keeps no key of an environment without variables, and of a mapping without filters.
OPTIONAL = {"kmsKeyArn": ("environment", "filterCriteria")}


@pytest.fixture(scope="module")
def graph(pipelines: Pipelines) -> Graph:
    return pipelines.build(**every_resource(pipelines))


def key_inputs(node: Node) -> set[str]:
    """The inputs of a resource that take the key."""
    named = {name for name in input_names(node.type) if "kms" in name.lower()}
    for name, needed in OPTIONAL.items():
        owners = input_names(node.type).intersection(needed)
        if owners and not owners.intersection(node.inputs):
            named.discard(name)
    return named | ({SERVICE_INPUTS[node.type]} if node.type in SERVICE_INPUTS else set())


def test_every_resource_that_may_have_a_key_has_it(graph: Graph) -> None:
    offenders = [
        f"{node.name}: {name}"
        for node in graph.custom
        for name in key_inputs(node)
        if KEY not in json.dumps(node.inputs.get(name)) and name != "securityConfiguration"
    ]
    assert offenders == []
    types = {node.type for node in graph.custom if key_inputs(node)}
    assert types == {
        *SERVICE_INPUTS,
        "aws:cloudwatch/logGroup:LogGroup",
        "aws:lambda/eventSourceMapping:EventSourceMapping",
        "aws:lambda/function:Function",
        "aws:scheduler/schedule:Schedule",
        "aws:sns/topic:Topic",
    }
    crawler = graph["shop-crawled-catalog-crawler"].inputs
    assert crawler["securityConfiguration"].startswith("shop-crawled-catalog-crawler-security-")


def test_a_pipeline_without_a_key_has_none(pipelines: Pipelines) -> None:
    graph = pipelines.build(**every_resource(pipelines, kms_key_arn=None))
    assert [node.name for node in graph.custom if "arn:aws:kms" in json.dumps(node.inputs)] == []
    types = {node.type for node in graph.custom}
    assert "aws:glue/securityConfiguration:SecurityConfiguration" not in types


def permissions(graph: Graph) -> dict[str, list[tuple[list[str], list[str], str]]]:
    """By policy: actions on keys, the keys, and what the condition allows."""
    found: dict[str, list[tuple[list[str], list[str], str]]] = {}
    for policy in graph.of("RolePolicy"):
        for statement in policy.policy("policy")["Statement"]:
            if any(action.startswith("kms:") for action in statement["Action"]):
                conditions: Mapping[str, Any] = statement.get("Condition", {})
                allowed = [value for one in conditions.values() for value in one.values()]
                texts = [
                    each for one in allowed for each in ([one] if isinstance(one, str) else one)
                ]
                entry = (statement["Action"], statement["Resource"], " ".join(texts))
                found.setdefault(policy.name.removeprefix("shop-"), []).append(entry)
    return found


READ, WRITE, READ_WRITE = (
    ["kms:Decrypt"],
    ["kms:GenerateDataKey"],
    ["kms:Decrypt", "kms:GenerateDataKey"],
)
TABLE = ["kms:Decrypt", "kms:DescribeKey"]
S3 = f"s3.{REGION}.amazonaws.com"
FUNCTIONS = f"arn:aws:lambda:{ARN}:function:*"


def test_each_role_uses_the_key_for_its_purpose_only(graph: Graph) -> None:
    backfill, merge = (
        f"arn:aws:states:{ARN}:stateMachine:shop-{name}-state-machine-0000000"
        for name in ("backfill", "merged-merge")
    )
    assert permissions(graph) == {
        "backfill-policy": [(READ_WRITE, [KEY], S3), (READ, [KEY], FUNCTIONS)],
        "backfill-states-policy": [(READ_WRITE, [KEY], S3), (TABLE, [KEY], "")],
        "backfill-children-policy": [(READ_WRITE, [KEY], f"{backfill} {backfill}/files")],
        "backfill-start-policy": [(READ, [KEY], f"arn:aws:scheduler:{ARN}:schedule/default/*")],
        "crawled-catalog-crawler-policy": [(READ, [KEY], S3)],
        "crawled-delivery-policy": [(READ_WRITE, [KEY], S3)],
        "forwarder-policy": [(WRITE, [KEY], S3), (TABLE, [KEY], ""), (READ, [KEY], FUNCTIONS)],
        "merged-delivery-policy": [(READ_WRITE, [KEY], S3)],
        "merged-merge-own-policy": [(READ_WRITE, [KEY], merge)],
        "merged-merge-schedule-policy": [
            (READ, [KEY], f"arn:aws:scheduler:{ARN}:schedule/default/*")
        ],
        "merged-merge-states-policy": [(READ_WRITE, [KEY], S3)],
    }


def test_a_key_of_the_bucket_encrypts_objects_and_query_results_only(pipelines: Pipelines) -> None:
    settings = every_resource(pipelines, lake=LakeArgs(kms_key_arn=LAKE_KEY))
    graph = pipelines.build(**settings)
    with_lake_key = {node.type for node in graph.custom if LAKE_KEY in json.dumps(node.inputs)}
    assert with_lake_key == {
        "aws:athena/workgroup:Workgroup",
        "aws:iam/rolePolicy:RolePolicy",
        "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
        # The export of the table.
        "aws:sfn/stateMachine:StateMachine",
    }
    through_s3 = [
        keys
        for statements in permissions(graph).values()
        for _, keys, condition in statements
        if condition == S3
    ]
    assert {tuple(keys) for keys in through_s3} == {(LAKE_KEY,)}
    rules = graph["shop-lake-encryption"].inputs["rules"]
    assert rules[0]["applyServerSideEncryptionByDefault"]["kmsMasterKeyId"] == LAKE_KEY


def test_former_keys_only_decrypt(pipelines: Pipelines) -> None:
    settings = every_resource(pipelines, former_kms_key_arns=FORMER)
    found = permissions(pipelines.build(**settings))
    former = {
        name: [entry for entry in statements if set(FORMER) & set(entry[1])]
        for name, statements in found.items()
    }
    read = [(READ, FORMER, S3)]
    table = (TABLE, [KEY, *FORMER], "")
    assert {name: entries for name, entries in former.items() if entries} == {
        "backfill-policy": read,
        "backfill-states-policy": [*read, table],
        "crawled-catalog-crawler-policy": read,
        "crawled-delivery-policy": read,
        # Which reads no object.
        "forwarder-policy": [table],
        "merged-delivery-policy": read,
        "merged-merge-states-policy": read,
    }


def test_a_removed_key_still_decrypts_as_a_former_one(pipelines: Pipelines) -> None:
    graph = pipelines.build(former_kms_key_arns=FORMER, merge=MergeArgs(enabled=True))
    assert permissions(graph)["merge-states-policy"] == [(READ, FORMER, S3)]
    assert "shop-lake-encryption" not in {node.name for node in graph.nodes}


def test_the_owner_of_an_existing_table_decides_about_its_key(pipelines: Pipelines) -> None:
    graph = pipelines.build(
        kms_key_arn=KEY,
        former_kms_key_arns=FORMER,
        source=SourceArgs(use_existing=True),
        tables=existing_table(),
    )
    assert permissions(graph)["forwarder-policy"] == [
        (WRITE, [KEY], S3),
        (READ, [KEY], FUNCTIONS),
    ]
