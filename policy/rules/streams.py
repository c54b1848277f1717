"""From a stream to a function: tries that end, nothing lost when they do, time to work."""

from collections.abc import Iterator, Mapping
from typing import Any

from .logs import FUNCTION
from .resources import UNKNOWN, Found, Resource, Stack, out_of, told
from .rule import ResourceRule, Rule, StackRule

MAPPING = "aws:lambda/eventSourceMapping:EventSourceMapping"

# A source that has a starting position too and is no stream of DynamoDB or Kinesis says so here.
OTHER_SOURCES = (
    "amazonManagedKafkaEventSourceConfig",
    "documentDbEventSourceConfig",
    "queues",
    "selfManagedEventSource",
    "topics",
)

# Batches block their shard while they are tried again; the pipeline's own setting ends here too.
MAX_RETRIES = 100
# https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-params.html
LEAST_AGE_SECONDS = 60
MAX_AGE_SECONDS = 604_800
# A DynamoDB stream has forgotten an older change before the mapping gives it up.
DYNAMODB_MAX_AGE_SECONDS = 86_400

LAMBDA_DEFAULT_SECONDS = 3
# A slow Firehose needs that much; Lambda ends a call at 900 s.
READER_SECONDS = (30, 900)

# They are told where the batch was, not what was in it.
# https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
LOSSY = ("aws:sqs/queue:Queue", "aws:sns/topic:Topic")


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


def ends(mapping: Resource, _: Mapping[str, Any]) -> Iterator[str]:
    if not reads_stream(mapping):
        return
    attempts = mapping.get("maximumRetryAttempts")
    if out_of(attempts, 0, MAX_RETRIES):
        yield (
            f"{told('maximumRetryAttempts', attempts)}: a batch that fails blocks its shard until"
            f" the tries end; set 0 to {MAX_RETRIES}."
        )
    arn, age = mapping.get("eventSourceArn"), mapping.get("maximumRecordAgeInSeconds")
    dynamodb = isinstance(arn, str) and service(arn) == "dynamodb"
    most = DYNAMODB_MAX_AGE_SECONDS if dynamodb else MAX_AGE_SECONDS
    if out_of(age, LEAST_AGE_SECONDS, most):
        yield (
            f"{told('maximumRecordAgeInSeconds', age)}: throttled calls count as no tries, so only"
            f" an age ends them; set {LEAST_AGE_SECONDS:,} to {most:,}."
        )
    bisect = mapping.get("bisectBatchOnFunctionError")
    if bisect not in (True, UNKNOWN):
        yield (
            f"{told('bisectBatchOnFunctionError', bisect)}: one bad change then takes its whole"
            " batch with it; set it to true."
        )


def sets_aside(stack: Stack) -> Found:
    key = "destinationConfig"
    for mapping in filter(reads_stream, stack.of(MAPPING)):
        arn = mapping.get(key, "onFailure", "destinationArn")
        kinds = [other.type for other in stack.referenced(mapping, key)]
        remedy = "set it to the ARN of an S3 bucket, which receives the changes themselves."
        path = f"{key}.onFailure.destinationArn"
        if arn is None:
            yield mapping, f"{told(path, arn)}: what is given up is lost; {remedy}"
        elif isinstance(arn, str) and service(arn) != "s3":
            yield mapping, f"{told(path, arn)} receives no data, only where it was; {remedy}"
        elif arn is UNKNOWN and kinds and set(kinds) <= set(LOSSY):
            yield (
                mapping,
                f"{path} is a {kinds[0].split(':')[-1]}, which receives no data; {remedy}",
            )


def called(stack: Stack, caller: Resource, key: str, name: Any) -> Iterator[Resource]:
    """The functions of the stack that `name`, which stands below `key`, tells.

    While it is unknown, those that the property is made from.
    """
    for function in stack.of(FUNCTION):
        known = [function.get(identity) for identity in ("arn", "name")]
        known = [identity for identity in known if isinstance(identity, str)]
        if isinstance(name, str) and known:
            if unqualified(name) in known:
                yield function
        elif function.urn in caller.references.get(key, ()):
            yield function


def unqualified(name: str) -> str:
    """A function's ARN or name, without version or alias; of `ACCOUNT:function:NAME` the name."""
    if name.startswith("arn:"):
        return ":".join(name.split(":")[:7])
    return name.split("function:")[-1].split(":")[0]


def too_short(function: Resource, limits: tuple[int, int], meaning: str) -> Iterator[str]:
    """The message for a function whose time-out is out of the limits, if it is."""
    low, high = limits
    seconds = function.get("timeout")
    if out_of(seconds, low, high):
        default = f" and so {LAMBDA_DEFAULT_SECONDS} s" if seconds is None else ""
        yield f"{told('timeout', seconds)}{default}: {meaning}; set {low} to {high} s."


def reader_time(stack: Stack) -> Found:
    for mapping in filter(reads_stream, stack.of(MAPPING)):
        for function in called(stack, mapping, "functionName", mapping.get("functionName")):
            meaning = "a function that reads a stream must outlast a slow call of its own"
            for message in too_short(function, READER_SECONDS, meaning):
                yield function, message


RULES: list[Rule] = [
    ResourceRule(
        name="stream-mapping-ends",
        guards="A stream's event source mapping gives up in the end.",
        reason="By default a batch that fails is tried until its changes expire, and nothing"
        " behind it moves.",
        remedy="Set few retries, a greatest age and the halving of batches.",
        check=ends,
    ),
    StackRule(
        name="stream-mapping-sets-aside",
        guards="What a stream's event source mapping gives up goes to S3.",
        reason="SQS and SNS are told sequence numbers only, and the stream forgets the changes"
        " after a day.",
        remedy="Name a bucket as the destination on failure.",
        check=sets_aside,
    ),
    StackRule(
        name="stream-reader-time-out",
        guards=f"A function that reads a stream has {READER_SECONDS[0]} s or more.",
        reason="Lambda's default of 3 s ends it in the midst of a slow call, and the batch fails.",
        remedy="Set `timeout`; the forwarder's is `forwarder.timeout_seconds`.",
        check=reader_time,
    ),
]
