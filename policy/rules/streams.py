"""Event source mappings of streams, and the functions that they call."""

from collections.abc import Iterator, Mapping
from typing import Any

from .resources import UNKNOWN, Resource, Stack, outside
from .rule import ResourceRule, Rule, StackRule, Violation

MAPPING = "aws:lambda/eventSourceMapping:EventSourceMapping"
FUNCTION = "aws:lambda/function:Function"

# Properties of sources that have a starting position and are not DynamoDB or Kinesis streams.
OTHER_SOURCES = (
    "amazonManagedKafkaEventSourceConfig",
    "documentDbEventSourceConfig",
    "queues",
    "selfManagedEventSource",
    "topics",
)

# A failing batch blocks its shard during its retries; the pipeline's setting has this limit too.
MAX_RETRIES = 100
# https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-params.html
MIN_AGE_SECONDS, MAX_AGE_SECONDS = 60, 604_800
# A change in a DynamoDB stream expires after 24 hours.
DYNAMODB_MAX_AGE_SECONDS = 86_400

# A slow Firehose call takes up to 30 s; Lambda's maximum is 900 s.
READER_SECONDS = (30, 900)

# They receive the position of the batch, not its data.
# https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
METADATA_ONLY = ("aws:sqs/queue:Queue", "aws:sns/topic:Topic")
DESTINATION = "destinationConfig.onFailure.destinationArn"
TO_S3 = "Set it to the ARN of an S3 bucket, which receives the complete batch."


def reads_stream(mapping: Resource) -> bool:
    """Whether a mapping reads a stream of DynamoDB or Kinesis."""
    if mapping.type != MAPPING:
        return False
    arn = mapping.get("eventSourceArn")
    if isinstance(arn, str):
        return service(arn) in ("dynamodb", "kinesis")
    others = [mapping.get(key) for key in OTHER_SOURCES]
    started = mapping.get("startingPosition") is not None
    return started and all(value is None or value is UNKNOWN for value in others)


def service(arn: str) -> str:
    return [*arn.split(":"), "", ""][2]


def retries_limited(mapping: Resource, _: Mapping[str, Any]) -> Iterator[Violation]:
    if not reads_stream(mapping):
        return
    arn = mapping.get("eventSourceArn")
    dynamodb = isinstance(arn, str) and service(arn) == "dynamodb"
    max_age = DYNAMODB_MAX_AGE_SECONDS if dynamodb else MAX_AGE_SECONDS
    attempts = mapping.get("maximumRetryAttempts")
    if outside(attempts, 0, MAX_RETRIES):
        fix = "A failing batch blocks its shard until its retries end."
        yield Violation(mapping, "maximumRetryAttempts", attempts, f"be 0 to {MAX_RETRIES}", fix)
    age = mapping.get("maximumRecordAgeInSeconds")
    if outside(age, MIN_AGE_SECONDS, max_age):
        must = f"be {MIN_AGE_SECONDS:,} to {max_age:,}"
        fix = "Throttling does not count as a retry; only the age ends it."
        yield Violation(mapping, "maximumRecordAgeInSeconds", age, must, fix)
    bisect = mapping.get("bisectBatchOnFunctionError")
    if bisect not in (True, UNKNOWN):
        fix = "Otherwise one bad change fails its complete batch."
        yield Violation(mapping, "bisectBatchOnFunctionError", bisect, "be true", fix)


def failures_to_s3(stack: Stack) -> Iterator[Violation]:
    for mapping in filter(reads_stream, stack.of(MAPPING)):
        arn = mapping.get("destinationConfig", "onFailure", "destinationArn")
        types = {other.type for other in stack.referenced(mapping, "destinationConfig")}
        metadata_only = arn is UNKNOWN and types and types <= set(METADATA_ONLY)
        if arn is None or metadata_only or (isinstance(arn, str) and service(arn) != "s3"):
            value = sorted(types) if metadata_only else arn
            yield Violation(mapping, DESTINATION, value, "be an S3 bucket", TO_S3)


def functions_called(stack: Stack, caller: Resource, key: str, name: Any) -> Iterator[Resource]:
    """The functions that `name` identifies, or that the caller's `key` depends on."""
    for function in stack.of(FUNCTION):
        known = [function.get(identity) for identity in ("arn", "name")]
        known = [identity for identity in known if isinstance(identity, str)]
        if isinstance(name, str) and known:
            if unqualified(name) in known:
                yield function
        elif function.urn in caller.references.get(key, ()):
            yield function


def unqualified(name: str) -> str:
    """A function's ARN without version or alias; the name of `ACCOUNT:function:NAME`."""
    if name.startswith("arn:"):
        return ":".join(name.split(":")[:7])
    return name.split("function:")[-1].split(":")[0]


def timeout_violations(function: Resource, limits: tuple[int, int]) -> Iterator[Violation]:
    low, high = limits
    seconds = function.get("timeout")
    if outside(seconds, low, high):
        fix = "Set it; Lambda's default is 3 s."
        yield Violation(function, "timeout", seconds, f"be {low} to {high}", fix)


def reader_timeout(stack: Stack) -> Iterator[Violation]:
    for mapping in filter(reads_stream, stack.of(MAPPING)):
        name = mapping.get("functionName")
        for function in functions_called(stack, mapping, "functionName", name):
            yield from timeout_violations(function, READER_SECONDS)


RULES: list[Rule] = [
    ResourceRule(
        name="stream-retries-limited",
        requires="A stream's event source mapping limits retries and record age, and bisects.",
        reason="By default a failing batch is retried until its changes expire and blocks its"
        " shard.",
        fix="Set few retries, a maximum record age and bisecting.",
        check=retries_limited,
    ),
    StackRule(
        name="stream-failures-to-s3",
        requires="A stream's event source mapping sends failed batches to S3.",
        reason="SQS and SNS receive sequence numbers only, and the changes expire after 24 hours.",
        fix=TO_S3,
        check=failures_to_s3,
    ),
    StackRule(
        name="stream-reader-timeout",
        requires=f"A function that reads a stream has a timeout of {READER_SECONDS[0]} s or more.",
        reason="Lambda's default of 3 s ends the function during a slow call, and the batch fails.",
        fix="Set `timeout`; the pipeline's setting is `forwarder.timeout_seconds`.",
        check=reader_timeout,
    ),
]
