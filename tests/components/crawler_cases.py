"""What a crawler and a customer key bring: both add to who may do what."""

from typing import Any

from streaming_etl import LakeArgs
from tests.components.alarm_cases import DELIVERED, DELIVERY_FAILURES, NOT_CRAWLED, added
from tests.components.pipelines import TRANSFORM
from tests.components.setting_cases import ENTRY, NO_PROJECTION, SETTINGS, Case
from tests.support.expected_sql import CURRENT
from tests.components.test_minimal_policies import BUCKET, POLICIES, allow, document

TAGS = {"streaming-etl:pipeline": "shop"}
KEY = "arn:aws:kms:ap-northeast-1:123456789012:key/k"
VIA_S3 = {"StringEquals": {"kms:ViaService": "s3.ap-northeast-1.amazonaws.com"}}

RULES = "arn:aws:events:ap-northeast-1:123456789012:rule"
# What tells that the crawler failed.
WATCHED = {
    **added("crawler-failed"),
    DELIVERY_FAILURES: [*DELIVERED, NOT_CRAWLED],
    "+shop-watch-crawler-failed": {
        "eventPattern": {
            "source": ["aws.glue"],
            "detail-type": ["Glue Crawler State Change"],
            "detail": {"crawlerName": ["shop-catalog-crawler-0000000"], "state": ["Failed"]},
        },
        "tags": TAGS,
    },
    "+shop-watch-crawler-failed-target": {
        "rule": "shop-watch-crawler-failed-0000000",
        "arn": "arn:aws:sns:ap-northeast-1:123456789012:shop-watch-topic-0000000",
        "inputTransformer": {
            "inputPaths": {"crawler": "$.detail.crawlerName"},
            "inputTemplate": '"shop: the crawler <crawler> failed"',
        },
        "retryPolicy": {"maximumEventAgeInSeconds": 3600, "maximumRetryAttempts": 10},
    },
    "shop-watch-topic-policy.policy.Statement.0.Condition.ArnEquals.aws:SourceArn": [
        f"{RULES}/shop-watch-{kind}-0000000"
        for kind in ("failed-batches", "error-records", "crawler-failed")
    ],
}

PARTITION_ACTIONS = (
    *("glue:BatchCreatePartition", "glue:BatchGetPartition", "glue:BatchUpdatePartition"),
    *("glue:CreatePartition", "glue:GetDatabase", "glue:GetPartition", "glue:GetPartitions"),
    *("glue:GetTable", "glue:GetTables", "glue:UpdatePartition", "glue:UpdateTable"),
)


def crawler(*actions: str, key: str | None = None, **inputs: Any) -> dict[str, Any]:
    """A crawler with its role and policy."""
    statements = [
        allow(
            ["s3:ListBucket"],
            BUCKET,
            condition={"StringLike": {"s3:prefix": ["data/shop_test/orders/*"]}},
        ),
        allow(["s3:GetBucketLocation"], BUCKET),
        allow(["s3:GetObject"], f"{BUCKET}/data/shop_test/orders/*"),
        allow(actions, *ENTRY),
        allow(
            ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"],
            "arn:aws:logs:ap-northeast-1:123456789012:log-group:/aws-glue/crawlers*",
        ),
    ]
    if key is not None:
        statements.append(allow(["kms:Decrypt"], key, condition=VIA_S3))
    trust = {
        "Effect": "Allow",
        "Principal": {"Service": "glue.amazonaws.com"},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"aws:SourceAccount": "123456789012"}},
    }
    return {
        **WATCHED,
        "+shop-catalog-crawler": {
            "databaseName": "shop_test",
            "role": "arn:aws:iam::123456789012:role/shop-catalog-crawler-role-0000000",
            "schedule": "cron(10 * * * ? *)",
            "configuration": {
                "Version": 1,
                "CrawlerOutput": {"Partitions": {"AddOrUpdateBehavior": "InheritFromTable"}},
                "Grouping": {"TableGroupingPolicy": "CombineCompatibleSchemas"},
            },
            "schemaChangePolicy": {"deleteBehavior": "LOG", "updateBehavior": "LOG"},
            "tags": TAGS,
            **inputs,
        },
        "+shop-catalog-crawler-role": {"assumeRolePolicy": document(trust), "tags": TAGS},
        "+shop-catalog-crawler-policy": {
            "role": "shop-catalog-crawler-role-0000000",
            "policy": document(*statements),
        },
    }


BY_TABLE = {"catalogTargets": [{"databaseName": "shop_test", "tables": ["orders"]}]}

ENCRYPTED = {
    f"{rule}.{name}": value
    for rule, given in {
        "shop-lake-encryption.rules.0.applyServerSideEncryptionByDefault": {
            "sseAlgorithm": "aws:kms",
            "kmsMasterKeyId": KEY,
        },
        "shop-lake-encryption.rules.0": {"bucketKeyEnabled": True},
        "shop-query-workgroup.configuration.resultConfiguration.encryptionConfiguration": {
            "encryptionOption": "SSE_KMS",
            "kmsKeyArn": KEY,
        },
        "shop-delivery-policy.policy": {
            "Statement": [
                *POLICIES["shop-delivery-policy"][1],
                allow(["kms:Decrypt", "kms:GenerateDataKey"], KEY, condition=VIA_S3),
            ]
        },
        "shop-forwarder-policy.policy": {
            "Statement": [
                *POLICIES["shop-forwarder-policy"][1],
                allow(["kms:GenerateDataKey"], KEY, condition=VIA_S3),
            ]
        },
    }.items()
    for name, value in given.items()
}

CASES = [
    Case(
        setting="catalog",
        note="with COLUMNS the crawler only adds partitions",
        given={"catalog": "crawler"},
        changes={**NO_PROJECTION, **crawler(*PARTITION_ACTIONS, **BY_TABLE)},
    ),
    Case(
        setting="catalog",
        note="without COLUMNS the crawler finds the table",
        given={"catalog": "crawler"},
        module=TRANSFORM,
        changes={
            "-shop-catalog-table": None,
            "-shop-query-view": None,
            f"{SETTINGS}.columns": None,
            "shop-transform-function.code.transform_module.py": TRANSFORM,
            "shop-query-current-state.query": "\n".join(["SELECT *", *CURRENT.splitlines()[1:]]),
            **crawler(
                *PARTITION_ACTIONS,
                "glue:CreateTable",
                s3Targets=[{"path": "s3://shop-lake-bucket-0000000/data/shop_test/orders/"}],
                schemaChangePolicy={
                    "deleteBehavior": "LOG",
                    "updateBehavior": "UPDATE_IN_DATABASE",
                },
            ),
        },
    ),
    Case(
        setting="crawler_schedule",
        given={"catalog": "crawler", "crawler_schedule": "cron(0 3 * * ? *)"},
        changes={
            **NO_PROJECTION,
            **crawler(*PARTITION_ACTIONS, **BY_TABLE, schedule="cron(0 3 * * ? *)"),
        },
    ),
    Case(
        setting="lake.kms_key_arn",
        given={"lake": LakeArgs(kms_key_arn=KEY)},
        changes=ENCRYPTED,
    ),
    Case(
        setting="lake.kms_key_arn",
        note="with a crawler, which reads what it encrypts",
        given={"lake": LakeArgs(kms_key_arn=KEY), "catalog": "crawler"},
        changes={
            **ENCRYPTED,
            **NO_PROJECTION,
            **crawler(*PARTITION_ACTIONS, key=KEY, **BY_TABLE),
        },
    ),
]
