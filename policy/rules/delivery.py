"""Delivery streams: time for the transform, errors outside the table."""

from collections.abc import Iterator
from typing import Any, Optional

from .buckets import BUCKETS
from .resources import Resource, Stack, as_list
from .rule import Rule, StackRule, Violation
from .streams import functions_called, timeout_violations

DELIVERY_STREAM = "aws:kinesis/firehoseDeliveryStream:FirehoseDeliveryStream"
GLUE_TABLE = "aws:glue/catalogTable:CatalogTable"
S3 = "extendedS3Configuration"
ERROR_PREFIX = f"{S3}.errorOutputPrefix"
FIX = 'Use a separate prefix, such as "errors/".'

# https://docs.aws.amazon.com/firehose/latest/dev/data-transformation.html
TRANSFORM_SECONDS = (60, 300)


def transform_timeout(stack: Stack) -> Iterator[Violation]:
    for stream in stack.of(DELIVERY_STREAM):
        for key, arn in transforms(stream):
            for function in functions_called(stack, stream, key, arn):
                yield from timeout_violations(function, TRANSFORM_SECONDS)


def transforms(stream: Resource) -> Iterator[tuple[str, Any]]:
    """Destination property and function ARN of each Lambda processor."""
    for key in stream.props:
        for processor in as_list(stream.get(key, "processingConfiguration", "processors")):
            for parameter in as_list(processor.get("parameters")):
                if parameter.get("parameterName") == "LambdaArn":
                    yield key, parameter.get("parameterValue")


def errors_outside(stack: Stack) -> Iterator[Violation]:
    for stream in stack.of(DELIVERY_STREAM):
        errors, prefix = stream.get(S3, "errorOutputPrefix"), stream.get(S3, "prefix")
        if not errors and prefix:
            yield Violation(stream, ERROR_PREFIX, errors or None, "be set", FIX)
        if not isinstance(errors, str):
            continue
        literal = errors.split("!{")[0]
        data = folder(prefix) if isinstance(prefix, str) else ""
        if data and literal.startswith(data):
            yield Violation(stream, ERROR_PREFIX, errors, f"not be below the rows in {data}", FIX)
        bucket = bucket_name(stack, stream)
        for table in stack.of(GLUE_TABLE):
            location = table.get("storageDescriptor", "location")
            if (
                bucket
                and isinstance(location, str)
                and is_below(f"s3://{bucket}/{literal}", location)
            ):
                must = f"not be below the table at {location}, where Athena reads every object"
                yield Violation(stream, ERROR_PREFIX, errors, must, FIX)


def folder(prefix: str) -> str:
    """The literal folder of a prefix, before its first expression."""
    literal = prefix.split("!{")[0]
    return literal[: literal.rfind("/") + 1]


def is_below(place: str, location: str) -> bool:
    return place.startswith(f"{location.rstrip('/')}/")


def bucket_name(stack: Stack, stream: Resource) -> Optional[str]:
    """Name of the delivery stream's bucket; None if it is unknown."""
    arn = stream.get(S3, "bucketArn")
    if isinstance(arn, str):
        return arn.split(":")[-1]
    buckets = [other for other in stack.referenced(stream, S3) if other.type in BUCKETS]
    names = [bucket.get("bucket") for bucket in buckets]
    return names[0] if len(names) == 1 and isinstance(names[0], str) else None


RULES: list[Rule] = [
    StackRule(
        name="transform-timeout",
        requires=f"A transform's timeout is {TRANSFORM_SECONDS[0]} to {TRANSFORM_SECONDS[1]} s.",
        reason="Firehose waits at most 5 minutes, and Lambda's default of 3 s fails good batches.",
        fix="Set `timeout`; the pipeline's setting is `transform.timeout_seconds`.",
        check=transform_timeout,
    ),
    StackRule(
        name="errors-outside-table",
        requires="A delivery stream writes errors outside the table's location.",
        reason="Athena reads every object below it, so error records would appear as rows.",
        fix=FIX,
        check=errors_outside,
    ),
]
