"""Every input of a minimal pipeline's table, bucket, Glue table and workgroup, whole."""

from typing import Any

import pytest

from streaming_etl.stack.recorder import Graph
from tests.components.differences import state

TAGS = {"streaming-etl:pipeline": "shop"}
BUCKET = "shop-lake-bucket-0000000"

INPUTS: dict[str, dict[str, Any]] = {
    "shop-source-table": {
        "name": "orders",
        "attributes": [{"name": "id", "type": "S"}],
        "hashKey": "id",
        "billingMode": "PAY_PER_REQUEST",
        "streamEnabled": True,
        "streamViewType": "NEW_AND_OLD_IMAGES",
        "pointInTimeRecovery": {"enabled": True},
        "deletionProtectionEnabled": True,
        "tags": TAGS,
    },
    "shop-lake-bucket": {"forceDestroy": False, "tags": TAGS},
    "shop-lake-public-access": {
        "bucket": BUCKET,
        "blockPublicAcls": True,
        "blockPublicPolicy": True,
        "ignorePublicAcls": True,
        "restrictPublicBuckets": True,
    },
    "shop-lake-ownership": {
        "bucket": BUCKET,
        "rule": {"objectOwnership": "BucketOwnerEnforced"},
    },
    "shop-lake-encryption": {
        "bucket": BUCKET,
        "rules": [
            {
                "applyServerSideEncryptionByDefault": {"sseAlgorithm": "AES256"},
                "bucketKeyEnabled": False,
            }
        ],
    },
    "shop-lake-versioning": {
        "bucket": BUCKET,
        "versioningConfiguration": {"status": "Enabled"},
    },
    "shop-lake-lifecycle": {
        "bucket": BUCKET,
        "rules": [
            {
                "id": "whole-bucket",
                "status": "Enabled",
                "filter": {"prefix": ""},
                "abortIncompleteMultipartUpload": {"daysAfterInitiation": 7},
                "noncurrentVersionExpiration": {"noncurrentDays": 30},
            },
            {
                "id": "query-results",
                "status": "Enabled",
                "filter": {"prefix": "athena-results/"},
                "expiration": {"days": 30},
            },
        ],
    },
    "shop-lake-events": {"bucket": BUCKET, "eventbridge": True},
    "shop-catalog-database": {"name": "shop_test", "tags": TAGS},
    "shop-catalog-table": {
        "name": "orders",
        "databaseName": "shop_test",
        "tableType": "EXTERNAL_TABLE",
        "parameters": {
            "EXTERNAL": "TRUE",
            "classification": "json",
            "projection.enabled": "true",
            "projection.year.type": "date",
            "projection.year.format": "yyyy",
            "projection.year.range": "2026,NOW+1DAY",
            "projection.year.interval": "1",
            "projection.year.interval.unit": "YEARS",
            "projection.month.type": "integer",
            "projection.month.range": "1,12",
            "projection.month.digits": "2",
            "projection.day.type": "integer",
            "projection.day.range": "1,31",
            "projection.day.digits": "2",
            "storage.location.template": (
                f"s3://{BUCKET}/data/shop_test/orders/year=${{year}}/month=${{month}}/day=${{day}}/"
            ),
        },
        "partitionKeys": [
            {"name": "year", "type": "string"},
            {"name": "month", "type": "string"},
            {"name": "day", "type": "string"},
        ],
        "storageDescriptor": {
            "location": f"s3://{BUCKET}/data/shop_test/orders/",
            "inputFormat": "org.apache.hadoop.mapred.TextInputFormat",
            "outputFormat": "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
            "serDeInfo": {
                "serializationLibrary": "org.openx.data.jsonserde.JsonSerDe",
                "parameters": {"ignore.malformed.json": "false"},
            },
            "columns": [
                {"name": "id", "type": "string"},
                {"name": "total", "type": "decimal(10,2)"},
                {"name": "created", "type": "timestamp"},
                {"name": "_op", "type": "string"},
                {"name": "_key", "type": "string"},
                {"name": "_row", "type": "int"},
                {"name": "_event_id", "type": "string"},
                {"name": "_sequence_number", "type": "string"},
                {"name": "_changed_at", "type": "timestamp"},
            ],
        },
    },
    "shop-query-workgroup": {
        "name": "shop-test",
        "forceDestroy": False,
        "configuration": {
            "enforceWorkgroupConfiguration": True,
            "publishCloudwatchMetricsEnabled": True,
            "bytesScannedCutoffPerQuery": 107_374_182_400,
            "resultConfiguration": {
                "outputLocation": f"s3://{BUCKET}/athena-results/shop-test/",
                "encryptionConfiguration": {"encryptionOption": "SSE_S3"},
            },
        },
        "tags": TAGS,
    },
}


@pytest.mark.parametrize("name", INPUTS)
def test_a_resource_is_asked_for_with_exactly_these_inputs(minimal: Graph, name: str) -> None:
    assert state(minimal)[name] == INPUTS[name]
