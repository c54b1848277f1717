"""What each setting of a stage changes."""

from functools import partial
from pathlib import Path
from typing import Any

from streaming_etl import (
    DeliveryArgs,
    ForwarderArgs,
    LakeArgs,
    QueryArgs,
    SourceArgs,
    TransformArgs,
)
from tests.components.alarm_cases import WIDGETS, rings, slow
from tests.components.pipelines import existing_table
from tests.components.setting_cases import PARAMETERS, S3, STORAGE, Case

TABLE = "shop-source-table"
MAPPING = "shop-forwarder-mapping"
STREAM = "arn:aws:dynamodb:ap-northeast-1:123456789012:table/orders/stream/2020-02-02T02:02:02.000"
LAMBDA_ARN = {
    "parameterName": "LambdaArn",
    "parameterValue": (
        "arn:aws:lambda:ap-northeast-1:123456789012:function:shop-transform-function-0000000:$LATEST"
    ),
}


GROUPS = {
    "source": SourceArgs,
    "forwarder": ForwarderArgs,
    "transform": TransformArgs,
    "delivery": DeliveryArgs,
    "lake": LakeArgs,
    "query": QueryArgs,
}


def of(group: str, changes: dict[str, Any], **given: Any) -> Case:
    """A case of the first setting in `given`."""
    setting = f"{group}.{next(iter(given))}"
    return Case(setting=setting, given={group: GROUPS[group](**given)}, changes=changes)


forwarder, transform = partial(of, "forwarder"), partial(of, "transform")
delivery, lake = partial(of, "delivery"), partial(of, "lake")


def source(changes: dict[str, Any], **given: Any) -> Case:
    return of("source", {f"{TABLE}.{path}": value for path, value in changes.items()}, **given)


def query(changes: dict[str, Any], **given: Any) -> Case:
    changes = {f"shop-query-workgroup.{path}": value for path, value in changes.items()}
    return of("query", changes, **given)


def processor(name: str, value: str) -> dict[str, Any]:
    """A parameter of Firehose's that differs from its own default."""
    path = f"{S3}.processingConfiguration.processors.0.parameters"
    return {path: [LAMBDA_ARN, {"parameterName": name, "parameterValue": value}]}


def forwarding(**variables: str) -> dict[str, Any]:
    """Variables of the forwarder's environment."""
    path = "shop-forwarder-function.environment.variables"
    return {f"{path}.{name}": value for name, value in variables.items()}


def rules(*ends: tuple[str, str, int]) -> dict[str, Any]:
    """The lifecycle rules: of the whole bucket, and one per (id, prefix, days)."""
    whole = {
        "id": "whole-bucket",
        "status": "Enabled",
        "filter": {"prefix": ""},
        "abortIncompleteMultipartUpload": {"daysAfterInitiation": 7},
        "noncurrentVersionExpiration": {"noncurrentDays": 30},
    }
    ending = [
        {
            "id": rule,
            "status": "Enabled",
            "filter": {"prefix": prefix},
            "expiration": {"days": days},
        }
        for rule, prefix, days in ends
    ]
    return {"shop-lake-lifecycle.rules": [whole, *ending]}


SOURCE = [
    Case(
        setting="source.use_existing",
        given={"source": SourceArgs(use_existing=True)},
        tables=existing_table(),
        changes={
            f"-{TABLE}": None,
            f"{MAPPING}.eventSourceArn": STREAM,
            "shop-forwarder-policy.policy.Statement.0.Resource.0": STREAM,
        },
    ),
    source({"hashKey": "pk", "attributes.0.name": "pk"}, hash_key="pk"),
    source({"attributes.0.type": "N"}, hash_key_type="N"),
    source(
        {
            "rangeKey": "at",
            "attributes": [{"name": "id", "type": "S"}, {"name": "at", "type": "S"}],
        },
        range_key="at",
    ),
    source(
        {
            "rangeKey": "at",
            "attributes": [{"name": "id", "type": "S"}, {"name": "at", "type": "B"}],
        },
        range_key_type="B",
        range_key="at",
    ),
    source(
        {"billingMode": "PROVISIONED", "readCapacity": 5, "writeCapacity": 6},
        read_capacity=5,
        write_capacity=6,
    ),
    source(
        {"billingMode": "PROVISIONED", "readCapacity": 1, "writeCapacity": 40_000},
        write_capacity=40_000,
        read_capacity=1,
    ),
    source({"pointInTimeRecovery.enabled": False}, point_in_time_recovery=False),
    source({"deletionProtectionEnabled": False}, deletion_protection=False),
    source({"ttl": {"attributeName": "gone_at", "enabled": True}}, ttl_attribute="gone_at"),
]

FORWARDER = [
    forwarder({f"{MAPPING}.batchSize": 1}, batch_size=1),
    forwarder({f"{MAPPING}.maximumBatchingWindowInSeconds": 0}, batching_window_seconds=0),
    forwarder({f"{MAPPING}.parallelizationFactor": 10}, parallelization_factor=10),
    forwarder({f"{MAPPING}.maximumRetryAttempts": 0}, maximum_retry_attempts=0),
    forwarder(
        # What is set aside after a minute is late after half of it.
        {
            f"{MAPPING}.maximumRecordAgeInSeconds": 60,
            **rings("late-forwarding", 6, 30_000),
        },
        maximum_record_age_seconds=60,
    ),
    forwarder(
        {
            **forwarding(EVENT_NAMES="INSERT,REMOVE"),
            f"{MAPPING}.filterCriteria": {
                "filters": [{"pattern": {"eventName": ["INSERT", "REMOVE"]}}]
            },
        },
        event_names=["INSERT", "REMOVE"],
    ),
    forwarder(
        {
            **forwarding(EVENT_NAMES="INSERT"),
            f"{MAPPING}.filterCriteria": {
                "filters": [
                    {"pattern": {"dynamodb": {"Keys": {"id": {"S": ["a"]}}}}},
                    {"pattern": {"dynamodb": {"Keys": {"id": {"S": ["b"]}}}}},
                ]
            },
        },
        filter_patterns=[
            '{"dynamodb": {"Keys": {"id": {"S": ["a"]}}}}',
            '{"dynamodb": {"Keys": {"id": {"S": ["b"]}}}}',
        ],
        event_names=["INSERT"],
    ),
    forwarder(forwarding(OLD_IMAGE="always"), old_image="always"),
    forwarder(forwarding(OLD_IMAGE="never"), old_image="never"),
    forwarder(forwarding(MAX_CHANGES_PER_RECORD="1"), max_changes_per_record=1),
    forwarder(forwarding(MAX_RECORD_KIB="1000"), max_record_kib=1000),
    forwarder({"shop-forwarder-function.timeout": 900}, timeout_seconds=900),
    forwarder(
        {
            "shop-forwarder-function.memorySize": 128,
            f"{WIDGETS}.15.properties.metrics.1.0.expression": "forwarder_ms / 1000 * 128 / 1024",
        },
        memory_mib=128,
    ),
]

TRANSFORM = [
    transform(
        {
            "shop-transform-function.timeout": 300,
            **rings("transform-slow", 8, 240_000),
            "shop-monitoring-transform-slow.alarmDescription": slow(80, 300),
        },
        timeout_seconds=300,
    ),
    transform(
        {
            "shop-transform-function.memorySize": 10_240,
            f"{WIDGETS}.15.properties.metrics.3.0.expression": "transform_ms / 1000 * 10240 / 1024",
        },
        memory_mib=10_240,
    ),
    transform(processor("BufferSizeInMBs", "0.25"), buffer_mib=0.25),
    transform(processor("BufferSizeInMBs", "3"), buffer_mib=3),
    transform(
        # The alarm on late delivery waits for this buffer too.
        {
            **processor("BufferIntervalInSeconds", "0"),
            **rings("late-delivery", 9, 1020),
        },
        buffer_seconds=0,
    ),
    transform(processor("NumberOfRetries", "0"), maximum_retry_attempts=0),
    transform(
        {"shop-transform-function.code.wheels.iniconfig": "py3 any"},
        requirements=str(Path(__file__).with_name("iniconfig.txt")),
    ),
]

DELIVERY = [
    delivery({f"{S3}.bufferingSize": 1}, buffer_mib=1),
    delivery(
        {f"{S3}.bufferingInterval": 900, **rings("late-delivery", 9, 1860)},
        buffer_seconds=900,
    ),
    delivery(
        {f"{S3}.compressionFormat": "UNCOMPRESSED", f"{S3}.fileExtension": ".json"},
        compression="UNCOMPRESSED",
    ),
]

RESULTS = ("query-results", "athena-results/", 30)
THEIRS = "arn:aws:s3:::their-lake"

LAKE = [
    lake(
        {
            **{
                f"-shop-lake-{part}": None
                for part in (
                    *("bucket", "public-access", "ownership", "policy"),
                    *("encryption", "versioning", "lifecycle", "events"),
                )
            },
            f"{STORAGE}.location": "s3://their-lake/data/shop_test/orders/",
            f"{PARAMETERS}.storage.location.template": (
                "s3://their-lake/data/shop_test/orders/year=${year}/month=${month}/day=${day}/"
            ),
            "shop-delivery-policy.policy.Statement.0.Resource.0": THEIRS,
            "shop-delivery-policy.policy.Statement.1.Resource.0": (
                f"{THEIRS}/data/shop_test/orders/*"
            ),
            "shop-delivery-policy.policy.Statement.1.Resource.1": (
                f"{THEIRS}/errors/shop_test/orders/*"
            ),
            f"{S3}.bucketArn": THEIRS,
            f"{MAPPING}.destinationConfig.onFailure.destinationArn": THEIRS,
            "shop-forwarder-policy.policy.Statement.3.Resource.0": f"{THEIRS}/aws/lambda/*",
            "shop-forwarder-policy.policy.Statement.4.Resource.0": THEIRS,
            "shop-query-workgroup.configuration.resultConfiguration.outputLocation": (
                "s3://their-lake/athena-results/shop-test/"
            ),
            **{
                f"shop-watch-{kind}.eventPattern.detail.bucket.name.0": "their-lake"
                for kind in ("failed-batches", "error-records")
            },
        },
        bucket_name="their-lake",
    ),
    lake({"shop-lake-versioning.versioningConfiguration.status": "Suspended"}, versioning=False),
    lake({"shop-lake-bucket.forceDestroy": True}, force_destroy=True),
    lake(rules(("data", "data/", 1), RESULTS), data_retention_days=1),
    lake(
        rules(
            ("errors", "errors/", 2),
            ("failed-batches", "aws/lambda/", 2),
            ("replayed", "replayed/", 2),
            RESULTS,
        ),
        failures_retention_days=2,
    ),
    lake({"shop-lake-lifecycle.rules.1.expiration.days": 3}, query_results_retention_days=3),
]

QUERY = [
    query({"configuration.bytesScannedCutoffPerQuery": 10_485_760}, bytes_scanned_cutoff_mib=10),
    query({"forceDestroy": True}, force_destroy=True),
]

CASES = [*SOURCE, *FORWARDER, *TRANSFORM, *DELIVERY, *LAKE, *QUERY]
