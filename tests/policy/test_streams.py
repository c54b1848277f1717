"""Rules for event source mappings of streams and their functions."""

from typing import Any

import pytest

from policy.rules.resources import UNKNOWN, Resource
from tests.policy.resources import resource, urn, violations

DYNAMODB = "arn:aws:dynamodb:ap-northeast-1:123456789012:table/orders/stream/2026"
KINESIS = "arn:aws:kinesis:ap-northeast-1:123456789012:stream/clicks"
QUEUE = "arn:aws:sqs:ap-northeast-1:123456789012:work"
MAPPING = "lambda/eventSourceMapping:EventSourceMapping"
FUNCTION = "lambda/function:Function"
FUNCTION_ARN = "arn:aws:lambda:ap-northeast-1:123456789012:function:read"
DESTINATION = "destinationConfig.onFailure.destinationArn"
RETRIES, AGE = "maximumRetryAttempts", "maximumRecordAgeInSeconds"
BISECT = "bisectBatchOnFunctionError"
LIMITS = (RETRIES, AGE, BISECT)
GOOD = {
    "eventSourceArn": DYNAMODB,
    "startingPosition": "TRIM_HORIZON",
    RETRIES: 3,
    AGE: 43_200,
    BISECT: True,
    "destinationConfig": {"onFailure": {"destinationArn": "arn:aws:s3:::failed"}},
    "functionName": FUNCTION_ARN,
}


def mapping(*without: str, references: dict[str, str] | None = None, **changes: Any) -> Resource:
    props = {key: value for key, value in GOOD.items() if key not in without}
    return resource(MAPPING, "mapping", {**props, **changes}, **(references or {}))


@pytest.mark.parametrize(
    "good",
    [
        mapping(),
        mapping(**{RETRIES: 0}),
        mapping(**dict.fromkeys(LIMITS, UNKNOWN), eventSourceArn=UNKNOWN),
        mapping("startingPosition", *LIMITS, eventSourceArn=QUEUE),
        mapping("startingPosition", *LIMITS, eventSourceArn=UNKNOWN),
        mapping(*LIMITS, eventSourceArn=UNKNOWN, topics=["clicks"]),
        mapping(eventSourceArn=KINESIS, **{AGE: 604_800}),
    ],
)
def test_accepts_limited_retries_and_other_sources(good: Resource) -> None:
    assert violations("stream-retries-limited", good) == []


@pytest.mark.parametrize("source", [DYNAMODB, KINESIS, UNKNOWN])
def test_rejects_lambdas_defaults(source: Any) -> None:
    bad = mapping(*LIMITS, eventSourceArn=source)
    assert violations("stream-retries-limited", bad) == [
        ("mapping", RETRIES, None),
        ("mapping", AGE, None),
        ("mapping", BISECT, None),
    ]


@pytest.mark.parametrize(
    ("key", "value"),
    [(RETRIES, -1), (RETRIES, 101), (AGE, -1), (AGE, 59), (AGE, 86_401), (BISECT, False)],
)
def test_rejects_a_value_outside_its_limits(key: str, value: Any) -> None:
    assert violations("stream-retries-limited", mapping(**{key: value})) == [
        ("mapping", key, value)
    ]


def to(arn: Any, references: dict[str, str] | None = None) -> Resource:
    destination = {"onFailure": {"destinationArn": arn}}
    return mapping(destinationConfig=destination, references=references)


BUCKET = resource("s3/bucket:Bucket", "failed", {})
WORK = resource("sqs/queue:Queue", "work", {})


@pytest.mark.parametrize(
    "resources",
    [
        [mapping()],
        [BUCKET, to(UNKNOWN, {"destinationConfig": BUCKET.urn})],
        [to(UNKNOWN)],
        [mapping("destinationConfig", eventSourceArn=QUEUE)],
    ],
)
def test_accepts_failures_to_s3(resources: list[Resource]) -> None:
    assert violations("stream-failures-to-s3", *resources) == []


@pytest.mark.parametrize(
    ("resources", "value"),
    [
        ([mapping("destinationConfig")], None),
        ([to(QUEUE)], QUEUE),
        ([WORK, to(UNKNOWN, {"destinationConfig": WORK.urn})], ["aws:sqs/queue:Queue"]),
    ],
)
def test_rejects_failures_to_nowhere_or_to_a_queue(resources: list[Resource], value: Any) -> None:
    assert violations("stream-failures-to-s3", *resources) == [("mapping", DESTINATION, value)]


def function(timeout: Any, **known: Any) -> Resource:
    return resource(FUNCTION, "read", {"timeout": timeout, **known})


@pytest.mark.parametrize(
    "resources",
    [
        [mapping(), function(30, arn=FUNCTION_ARN), function(900, arn=FUNCTION_ARN)],
        [mapping(), function(UNKNOWN, arn=FUNCTION_ARN)],
        [mapping(), function(3, arn=f"{FUNCTION_ARN}-other", name="read-other")],
        [mapping(eventSourceArn=QUEUE), function(3, arn=FUNCTION_ARN)],
    ],
)
def test_accepts_a_reader_with_time_and_other_functions(resources: list[Resource]) -> None:
    assert violations("stream-reader-timeout", *resources) == []


@pytest.mark.parametrize(
    ("name", "known", "references"),
    [
        (FUNCTION_ARN, {"arn": FUNCTION_ARN}, {}),
        (f"{FUNCTION_ARN}:live", {"arn": FUNCTION_ARN}, {}),
        ("read", {"arn": UNKNOWN, "name": "read"}, {}),
        ("read:live", {"name": "read"}, {}),
        ("123456789012:function:read:7", {"name": "read"}, {}),
        (UNKNOWN, {}, {"functionName": urn(FUNCTION, "read")}),
    ],
)
@pytest.mark.parametrize("seconds", [29, None, 901])
def test_rejects_a_reader_without_time(
    name: Any, known: dict[str, Any], references: dict[str, str], seconds: Any
) -> None:
    reader = mapping(functionName=name, references=references)
    bad = violations("stream-reader-timeout", reader, function(seconds, **known))
    assert bad == [("read", "timeout", seconds)]
