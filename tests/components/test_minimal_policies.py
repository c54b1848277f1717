"""Who may do what: every trust and every policy of a minimal pipeline, whole."""

from collections.abc import Sequence
from typing import Any

import pytest

from streaming_etl.stack.recorder import Graph

LOGS = "arn:aws:logs:ap-northeast-1:123456789012:log-group"
FUNCTION = "arn:aws:lambda:ap-northeast-1:123456789012:function"
BUCKET = "arn:aws:s3:::shop-lake-bucket-0000000"
DELIVERY = (
    "arn:aws:firehose:ap-northeast-1:123456789012:deliverystream/shop-delivery-stream-0000000"
)
STREAM = "arn:aws:dynamodb:ap-northeast-1:123456789012:table/orders/stream/2026-11-23T00:00:00.000"
TOPIC = "arn:aws:sns:ap-northeast-1:123456789012:shop-monitoring-topic-0000000"
WATCH_TOPIC = "arn:aws:sns:ap-northeast-1:123456789012:shop-watch-topic-0000000"
RULES = "arn:aws:events:ap-northeast-1:123456789012:rule"
OWN_BUCKET = {"StringEquals": {"s3:ResourceAccount": "123456789012"}}


def allow(actions: Sequence[str], *resources: str, condition: Any = None) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": list(resources)}
    return statement if condition is None else {**statement, "Condition": condition}


def write_logs(group: str) -> dict[str, Any]:
    return allow(["logs:CreateLogStream", "logs:PutLogEvents"], f"{LOGS}:{group}-0000000:*")


TRUSTS = {
    "shop-forwarder-role": "lambda.amazonaws.com",
    "shop-transform-role": "lambda.amazonaws.com",
    "shop-delivery-role": "firehose.amazonaws.com",
}

# Policy: its role, its statements.
POLICIES = {
    "shop-forwarder-log-policy": ("shop-forwarder-role", [write_logs("shop-forwarder-logs")]),
    "shop-forwarder-policy": (
        "shop-forwarder-role",
        [
            allow(
                ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"],
                STREAM,
            ),
            allow(["dynamodb:ListStreams"], "*"),
            allow(["firehose:PutRecordBatch"], DELIVERY),
            allow(["s3:PutObject"], f"{BUCKET}/aws/lambda/*", condition=OWN_BUCKET),
            allow(["s3:ListBucket"], BUCKET, condition=OWN_BUCKET),
        ],
    ),
    "shop-transform-log-policy": ("shop-transform-role", [write_logs("shop-transform-logs")]),
    "shop-transform-put-back-policy": (
        "shop-transform-role",
        [allow(["firehose:PutRecordBatch"], DELIVERY)],
    ),
    "shop-delivery-policy": (
        "shop-delivery-role",
        [
            allow(
                ["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"], BUCKET
            ),
            allow(
                ["s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"],
                f"{BUCKET}/data/shop_test/orders/*",
                f"{BUCKET}/errors/shop_test/orders/*",
            ),
            allow(
                ["lambda:GetFunctionConfiguration", "lambda:InvokeFunction"],
                f"{FUNCTION}:shop-transform-function-0000000",
                f"{FUNCTION}:shop-transform-function-0000000:$LATEST",
            ),
            allow(["logs:PutLogEvents"], f"{LOGS}:shop-delivery-logs-0000000:*"),
        ],
    ),
}


RESOURCE_POLICIES = (
    *("shop-lake-policy", "shop-monitoring-topic-policy"),
    "shop-watch-topic-policy",
)


def document(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def test_the_roles_are_these(minimal: Graph) -> None:
    assert {node.name for node in minimal.of("Role")} == set(TRUSTS)


@pytest.mark.parametrize("role", TRUSTS)
def test_a_role_is_assumed_by_its_one_service_for_this_account_only(
    minimal: Graph, role: str
) -> None:
    assert minimal[role].policy("assumeRolePolicy") == document(
        {
            "Effect": "Allow",
            "Principal": {"Service": TRUSTS[role]},
            "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"aws:SourceAccount": "123456789012"}},
        }
    )


def test_the_role_policies_are_these(minimal: Graph) -> None:
    assert {node.name for node in minimal.of("RolePolicy")} == set(POLICIES)


@pytest.mark.parametrize("policy", POLICIES)
def test_a_role_may_do_exactly_this(minimal: Graph, policy: str) -> None:
    role, statements = POLICIES[policy]
    assert minimal[policy].inputs["role"] == f"{role}-0000000"
    assert minimal[policy].policy() == document(*statements)


def test_the_bucket_turns_away_whoever_comes_without_tls(minimal: Graph) -> None:
    assert minimal["shop-lake-policy"].inputs["bucket"] == "shop-lake-bucket-0000000"
    assert minimal["shop-lake-policy"].policy() == document(
        {
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": [BUCKET, f"{BUCKET}/*"],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }
    )


def test_only_this_accounts_alarms_may_publish_to_the_topic(minimal: Graph) -> None:
    assert minimal["shop-monitoring-topic-policy"].inputs["arn"] == TOPIC
    assert minimal["shop-monitoring-topic-policy"].policy() == document(
        {
            "Effect": "Allow",
            "Principal": {"Service": "cloudwatch.amazonaws.com"},
            "Action": "sns:Publish",
            "Resource": TOPIC,
            "Condition": {"StringEquals": {"aws:SourceAccount": "123456789012"}},
        }
    )


def test_only_the_pipelines_own_rules_may_publish_what_they_watch(minimal: Graph) -> None:
    assert minimal["shop-watch-topic-policy"].inputs["arn"] == WATCH_TOPIC
    assert minimal["shop-watch-topic-policy"].policy() == document(
        {
            "Effect": "Allow",
            "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sns:Publish",
            "Resource": WATCH_TOPIC,
            "Condition": {
                "ArnEquals": {
                    "aws:SourceArn": [
                        f"{RULES}/shop-watch-failed-batches-0000000",
                        f"{RULES}/shop-watch-error-records-0000000",
                    ]
                }
            },
        }
    )
