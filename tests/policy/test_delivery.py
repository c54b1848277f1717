"""Rules for delivery streams, and for the topics of alarms."""

from typing import Any

import pytest

from policy.rules.resources import UNKNOWN, Resource
from tests.policy.resources import resource, urn, violations

STREAM = "kinesis/firehoseDeliveryStream:FirehoseDeliveryStream"
FUNCTION = "lambda/function:Function"
FUNCTION_ARN = "arn:aws:lambda:ap-northeast-1:123456789012:function:reshape"
LATEST = f"{FUNCTION_ARN}:$LATEST"
S3 = "extendedS3Configuration"
ERROR_PREFIX = f"{S3}.errorOutputPrefix"
ERRORS = "errors/!{firehose:error-output-type}/"


def calling(arn: Any, destination: str = S3) -> Resource:
    """A delivery stream with a Lambda processor behind another processor."""
    processors = [
        {"type": "RecordDeAggregation", "parameters": [{"parameterName": "SubRecordType"}]},
        {
            "type": "Lambda",
            "parameters": [
                {"parameterName": "NumberOfRetries", "parameterValue": "1"},
                {"parameterName": "LambdaArn", "parameterValue": arn},
            ],
        },
    ]
    props = {destination: {"processingConfiguration": {"processors": processors}}}
    return resource(STREAM, "stream", props, **{destination: urn(FUNCTION, "reshape")})


def reshape(timeout: Any, arn: Any = FUNCTION_ARN) -> Resource:
    return resource(FUNCTION, "reshape", {"timeout": timeout, "arn": arn})


@pytest.mark.parametrize(
    "resources",
    [
        [calling(LATEST), reshape(60), reshape(300)],
        [calling(f"{FUNCTION_ARN}-theirs:1"), reshape(3)],
        [calling(UNKNOWN), reshape(120, UNKNOWN)],
        [resource(STREAM, "stream", {S3: {"processingConfiguration": UNKNOWN}}), reshape(3)],
    ],
)
def test_accepts_a_transform_with_time_and_other_functions(resources: list[Resource]) -> None:
    assert violations("transform-timeout", *resources) == []


@pytest.mark.parametrize("seconds", [None, 3, 59, 301])
@pytest.mark.parametrize(
    ("arn", "known", "destination"),
    [
        (LATEST, FUNCTION_ARN, S3),
        (UNKNOWN, UNKNOWN, S3),
        (LATEST, FUNCTION_ARN, "httpEndpointConfiguration"),
    ],
)
def test_rejects_a_transform_outside_firehoses_limits(
    arn: Any, known: Any, destination: str, seconds: Any
) -> None:
    bad = violations("transform-timeout", calling(arn, destination), reshape(seconds, known))
    assert bad == [("reshape", "timeout", seconds)]


BUCKET = resource("s3/bucket:Bucket", "lake", {"bucket": "lake-1234567"})


def delivering(errors: Any, prefix: Any = "data/!{timestamp:yyyy}/", **changes: Any) -> Resource:
    destination = {
        "bucketArn": "arn:aws:s3:::lake-1234567",
        "errorOutputPrefix": errors,
        "prefix": prefix,
        **changes,
    }
    return resource(STREAM, "stream", {S3: destination}, **{S3: urn("s3/bucket:Bucket", "lake")})


def table(location: Any) -> Resource:
    kind = "glue/catalogTable:CatalogTable"
    return resource(kind, "table", {"storageDescriptor": {"location": location}})


@pytest.mark.parametrize(
    "resources",
    [
        [BUCKET, delivering(ERRORS), table("s3://lake-1234567/data/")],
        [BUCKET, delivering("data-errors/"), table("s3://lake-1234567/data")],
        [BUCKET, delivering(ERRORS), table("s3://other/errors/")],
        [BUCKET, delivering(ERRORS), resource("glue/catalogTable:CatalogTable", "view", {})],
        [delivering(UNKNOWN), delivering(ERRORS, UNKNOWN, bucketArn=UNKNOWN), table(UNKNOWN)],
        [delivering(None, None)],
    ],
)
def test_accepts_errors_outside_the_table(resources: list[Resource]) -> None:
    assert violations("errors-outside-table", *resources) == []


@pytest.mark.parametrize(
    ("resources", "value"),
    [
        ([delivering(None)], None),
        ([delivering(f"data/{ERRORS}")], f"data/{ERRORS}"),
        ([BUCKET, delivering(ERRORS), table("s3://lake-1234567/errors")], ERRORS),
        ([BUCKET, delivering(ERRORS), table("s3://lake-1234567/")], ERRORS),
        (
            [BUCKET, delivering(ERRORS, bucketArn=UNKNOWN), table("s3://lake-1234567/errors/")],
            ERRORS,
        ),
    ],
)
def test_rejects_errors_among_rows(resources: list[Resource], value: Any) -> None:
    assert violations("errors-outside-table", *resources) == [("stream", ERROR_PREFIX, value)]


TOPIC = "sns/topic:Topic"
TOPIC_ARN = "arn:aws:sns:ap-northeast-1:123456789012:alarms"
MANAGED_KEY = "arn:aws:kms:ap-northeast-1:123456789012:alias/aws/sns"


def topic(key: Any, arn: Any = TOPIC_ARN) -> Resource:
    return resource(TOPIC, "alarms", {"kmsMasterKeyId": key, "arn": arn})


def alarm(references: dict[str, str] | None = None, **props: Any) -> Resource:
    return resource("cloudwatch/metricAlarm:MetricAlarm", "late", props, **(references or {}))


@pytest.mark.parametrize(
    ("key", "target"),
    [
        (None, TOPIC_ARN),
        ("alias/ours", TOPIC_ARN),
        (UNKNOWN, TOPIC_ARN),
        ("alias/aws/sns", "other"),
    ],
)
def test_accepts_a_topic_that_alarms_can_publish_to(key: Any, target: str) -> None:
    assert violations("alarms-reach-topic", topic(key), alarm(alarmActions=[target])) == []


@pytest.mark.parametrize("key", ["alias/aws/sns", MANAGED_KEY])
@pytest.mark.parametrize(
    ("arn", "publisher"),
    [
        (TOPIC_ARN, alarm(alarmActions=[TOPIC_ARN])),
        (TOPIC_ARN, alarm(okActions=[TOPIC_ARN])),
        (
            TOPIC_ARN,
            resource(
                "cloudwatch/compositeAlarm:CompositeAlarm",
                "both",
                {"insufficientDataActions": [TOPIC_ARN]},
            ),
        ),
        (TOPIC_ARN, resource("cloudwatch/eventTarget:EventTarget", "event", {"arn": TOPIC_ARN})),
        (UNKNOWN, alarm({"alarmActions": urn(TOPIC, "alarms")}, alarmActions=[UNKNOWN])),
    ],
)
def test_rejects_the_managed_key_for_a_topic_of_alarms(
    key: str, arn: Any, publisher: Resource
) -> None:
    bad = violations("alarms-reach-topic", topic(key, arn), publisher)
    assert bad == [("alarms", "kmsMasterKeyId", key)]
