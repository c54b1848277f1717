"""Delivery streams: encrypted, with time for the transform, errors outside the table."""

from collections.abc import Iterator, Mapping
from typing import Any, Optional

from .buckets import BUCKETS
from .resources import UNKNOWN, Found, Resource, Stack, listed, told
from .rule import ResourceRule, Rule, StackRule
from .streams import called, too_short

DELIVERY_STREAM = "aws:kinesis/firehoseDeliveryStream:FirehoseDeliveryStream"
GLUE_TABLE = "aws:glue/catalogTable:CatalogTable"
S3 = "extendedS3Configuration"

# https://docs.aws.amazon.com/firehose/latest/dev/data-transformation.html
TRANSFORM_SECONDS = (60, 300)

# Firehose refuses the setting where another stream is the source, which has its own.
OTHER_SOURCES = ("kinesisSourceConfiguration", "mskSourceConfiguration")


def encrypted(stream: Resource, _: Mapping[str, Any]) -> Iterator[str]:
    if stream.type != DELIVERY_STREAM or any(stream.get(key) for key in OTHER_SOURCES):
        return
    enabled = stream.get("serverSideEncryption", "enabled")
    if enabled not in (True, UNKNOWN):
        yield (
            f"{told('serverSideEncryption.enabled', enabled)}: records wait in Firehose in the"
            ' clear; set it to true, with keyType "AWS_OWNED_CMK" or a key of yours.'
        )


def transform_time(stack: Stack) -> Found:
    for stream in stack.of(DELIVERY_STREAM):
        for key, arn in transforms(stream):
            for function in called(stack, stream, key, arn):
                meaning = "Firehose waits 1 to 5 minutes for a transform"
                for message in too_short(function, TRANSFORM_SECONDS, meaning):
                    yield function, message


def transforms(stream: Resource) -> Iterator[tuple[str, Any]]:
    """The functions that a delivery stream calls, by the property they stand in."""
    for key in stream.props:
        for processor in listed(stream.get(key, "processingConfiguration", "processors")):
            for parameter in listed(processor.get("parameters")):
                if parameter.get("parameterName") == "LambdaArn":
                    yield key, parameter.get("parameterValue")


def errors_outside(stack: Stack) -> Found:
    for stream in stack.of(DELIVERY_STREAM):
        errors, prefix = stream.get(S3, "errorOutputPrefix"), stream.get(S3, "prefix")
        path = f"{S3}.errorOutputPrefix"
        remedy = 'give errors a folder of their own, such as "errors/".'
        if not errors and prefix:
            yield stream, f"{told(path, errors or None)}: errors must not lie among rows; {remedy}"
        if not isinstance(errors, str):
            continue
        begin = errors.split("!{")[0]
        data = folder(prefix) if isinstance(prefix, str) else ""
        if data and begin.startswith(data):
            yield stream, f"{told(path, errors)} lies below the rows' folder {data}; {remedy}"
        bucket = bucket_name(stack, stream)
        for table in stack.of(GLUE_TABLE):
            location = table.get("storageDescriptor", "location")
            if bucket and isinstance(location, str) and below(f"s3://{bucket}/{begin}", location):
                yield (
                    stream,
                    f"{told(path, errors)} lies in the table at {location}, where Athena reads"
                    f" everything; {remedy}",
                )


def folder(prefix: str) -> str:
    """The folder that all objects of a prefix lie in, before its first expression."""
    literal = prefix.split("!{")[0]
    return literal[: literal.rfind("/") + 1]


def below(place: str, location: str) -> bool:
    return place.startswith(f"{location.rstrip('/')}/")


def bucket_name(stack: Stack, stream: Resource) -> Optional[str]:
    """The bucket that a delivery stream writes to; None when that cannot be told as yet."""
    arn = stream.get(S3, "bucketArn")
    if isinstance(arn, str):
        return arn.split(":")[-1]
    buckets = [other for other in stack.referenced(stream, S3) if other.type in BUCKETS]
    names = [bucket.get("bucket") for bucket in buckets]
    return names[0] if len(names) == 1 and isinstance(names[0], str) else None


RULES: list[Rule] = [
    ResourceRule(
        name="delivery-stream-encrypted",
        guards="A delivery stream encrypts what waits in it.",
        reason="It is off by default, and the bucket's encryption begins only at the bucket.",
        remedy="Switch `serverSideEncryption` on.",
        check=encrypted,
    ),
    StackRule(
        name="transform-time-out",
        guards=f"A transform has {TRANSFORM_SECONDS[0]} to {TRANSFORM_SECONDS[1]} s.",
        reason="Firehose waits no longer than 5 minutes, and Lambda's default of 3 s fails whole"
        " batches of good records.",
        remedy="Set `timeout`; the pipeline's own is `transform.timeout_seconds`.",
        check=transform_time,
    ),
    StackRule(
        name="errors-outside-table",
        guards="A delivery stream writes errors outside the table's location.",
        reason="Athena reads everything below it: error records would show up as rows.",
        remedy="Give errors a folder of their own, such as `errors/`.",
        check=errors_outside,
    ),
]
