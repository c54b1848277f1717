"""Every input of a minimal pipeline's functions, mapping, delivery stream and alarms, whole."""

from typing import Any

import pytest

from streaming_etl.stack.recorder import Graph
from tests.components import (
    test_current_state,
    test_dashboard,
    test_minimal_policies,
    test_minimal_storage,
    test_watch,
)
from tests.components.alarm_cases import MINIMAL, asked
from tests.components.differences import state
from tests.components.pipelines import TYPED
from tests.support.wheelhouse import CARRIED

TAGS = {"streaming-etl:pipeline": "shop"}
BUCKET = "shop-lake-bucket-0000000"
FUNCTION = "arn:aws:lambda:ap-northeast-1:123456789012:function"
STREAM = "arn:aws:dynamodb:ap-northeast-1:123456789012:table/orders/stream/2026-11-23T00:00:00.000"
WHEELS = {"wheels": dict.fromkeys(CARRIED, "cp313 aarch64")}

INPUTS: dict[str, dict[str, Any]] = {
    "shop-transform-logs": {"retentionInDays": 30, "tags": TAGS},
    "shop-forwarder-logs": {"retentionInDays": 30, "tags": TAGS},
    "shop-delivery-logs": {"retentionInDays": 30, "tags": TAGS},
    "shop-delivery-log-stream": {
        "name": "delivery",
        "logGroupName": "shop-delivery-logs-0000000",
    },
    "shop-transform-function": {
        "code": {
            **WHEELS,
            "transform_module.py": TYPED,
            "transform.json": {
                "format": "json",
                "columns": [
                    {"name": "id", "type": "string"},
                    {"name": "total", "type": {"decimal": [10, 2]}},
                    {"name": "created", "type": "timestamp"},
                ],
                "dynamic_partition_keys": {},
                "time_keys": [],
                "time_zone": "UTC",
                "lazy_items": True,
            },
        },
        "handler": "streaming_etl.handlers.transform.lambda_handler",
        "runtime": "python3.13",
        "architectures": ["arm64"],
        "role": "arn:aws:iam::123456789012:role/shop-transform-role-0000000",
        "timeout": 120,
        "memorySize": 512,
        "loggingConfig": {"logFormat": "Text", "logGroup": "shop-transform-logs-0000000"},
        "tags": TAGS,
    },
    "shop-delivery-stream": {
        "destination": "extended_s3",
        "extendedS3Configuration": {
            "bucketArn": f"arn:aws:s3:::{BUCKET}",
            "roleArn": "arn:aws:iam::123456789012:role/shop-delivery-role-0000000",
            "prefix": (
                "data/shop_test/orders/"
                "year=!{timestamp:yyyy}/month=!{timestamp:MM}/day=!{timestamp:dd}/"
            ),
            "errorOutputPrefix": (
                "errors/shop_test/orders/!{firehose:error-output-type}/!{timestamp:yyyy/MM/dd}/"
            ),
            "customTimeZone": "UTC",
            "bufferingSize": 64,
            "bufferingInterval": 120,
            "compressionFormat": "GZIP",
            "fileExtension": ".json.gz",
            "processingConfiguration": {
                "enabled": True,
                "processors": [
                    {
                        "type": "Lambda",
                        # Firehose's own values are not written out: they would show as a
                        # difference at every preview.
                        "parameters": [
                            {
                                "parameterName": "LambdaArn",
                                "parameterValue": (
                                    f"{FUNCTION}:shop-transform-function-0000000:$LATEST"
                                ),
                            }
                        ],
                    }
                ],
            },
            "cloudwatchLoggingOptions": {
                "enabled": True,
                "logGroupName": "shop-delivery-logs-0000000",
                "logStreamName": "delivery",
            },
        },
        "serverSideEncryption": {"enabled": True, "keyType": "AWS_OWNED_CMK"},
        "tags": TAGS,
    },
    "shop-forwarder-function": {
        "code": WHEELS,
        "handler": "streaming_etl.handlers.forwarder.lambda_handler",
        "runtime": "python3.13",
        "architectures": ["arm64"],
        "role": "arn:aws:iam::123456789012:role/shop-forwarder-role-0000000",
        "timeout": 60,
        "memorySize": 256,
        "environment": {
            "variables": {
                "DELIVERY_STREAM": "shop-delivery-stream-0000000",
                "EVENT_NAMES": "INSERT,MODIFY,REMOVE",
                "OLD_IMAGE": "on_remove",
                "MAX_CHANGES_PER_RECORD": "500",
                "MAX_RECORD_KIB": "256",
            }
        },
        "loggingConfig": {"logFormat": "Text", "logGroup": "shop-forwarder-logs-0000000"},
        "tags": TAGS,
    },
    "shop-forwarder-mapping": {
        "eventSourceArn": STREAM,
        "functionName": f"{FUNCTION}:shop-forwarder-function-0000000",
        "startingPosition": "TRIM_HORIZON",
        "batchSize": 500,
        "maximumBatchingWindowInSeconds": 5,
        "parallelizationFactor": 2,
        "maximumRetryAttempts": 3,
        "maximumRecordAgeInSeconds": 43_200,
        "bisectBatchOnFunctionError": True,
        "functionResponseTypes": ["ReportBatchItemFailures"],
        "destinationConfig": {"onFailure": {"destinationArn": f"arn:aws:s3:::{BUCKET}"}},
        "metricsConfig": {"metrics": ["EventCount"]},
        "tags": TAGS,
    },
    "shop-monitoring-topic": {"tags": TAGS},
    "shop-monitoring-refused-metric": {
        "logGroupName": "shop-transform-logs-0000000",
        "pattern": '{ $.message = "change failed" }',
        "metricTransformation": {
            "name": "changes-refused/shop/test",
            "namespace": "StreamingEtl",
            "value": "1",
        },
    },
    **{f"shop-monitoring-{kind}": asked(kind) for kind in MINIMAL},
}


@pytest.mark.parametrize("name", INPUTS)
def test_a_resource_is_asked_for_with_exactly_these_inputs(minimal: Graph, name: str) -> None:
    assert state(minimal)[name] == INPUTS[name]


def test_no_resource_of_the_minimal_pipeline_goes_unread(minimal: Graph) -> None:
    read = [
        *INPUTS,
        *test_minimal_storage.INPUTS,
        *test_minimal_policies.TRUSTS,
        *test_minimal_policies.POLICIES,
        *test_minimal_policies.RESOURCE_POLICIES,
        *test_current_state.QUERIES,
        *test_watch.INPUTS,
        test_dashboard.NAME,
    ]
    assert sorted(read) == sorted(node.name for node in minimal.custom)
