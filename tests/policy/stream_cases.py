"""Cases of the rules for event source mappings on streams, and the functions behind them."""

from typing import Any

from policy.rules.resources import UNKNOWN, Resource
from tests.policy.cases import Case, made, urn

DYNAMODB = "arn:aws:dynamodb:ap-northeast-1:123456789012:table/orders/stream/2026"
KINESIS = "arn:aws:kinesis:ap-northeast-1:123456789012:stream/clicks"
QUEUE = "arn:aws:sqs:ap-northeast-1:123456789012:work"
MAPPING = "lambda/eventSourceMapping:EventSourceMapping"
FUNCTION = "lambda/function:Function"
FUNCTION_ARN = "arn:aws:lambda:ap-northeast-1:123456789012:function:read"

GOOD = {
    "eventSourceArn": DYNAMODB,
    "startingPosition": "TRIM_HORIZON",
    "maximumRetryAttempts": 3,
    "maximumRecordAgeInSeconds": 43_200,
    "bisectBatchOnFunctionError": True,
    "destinationConfig": {"onFailure": {"destinationArn": "arn:aws:s3:::failed"}},
    "functionName": FUNCTION_ARN,
}
TRIES = ("maximumRetryAttempts", "maximumRecordAgeInSeconds", "bisectBatchOnFunctionError")


def mapping(*left_out: str, **changed: Any) -> Resource:
    props = {key: value for key, value in GOOD.items() if key not in left_out}
    return made(MAPPING, "mapping", {**props, **changed})


def blocks(told: str) -> str:
    return f"{told}: a batch that fails blocks its shard until the tries end; set 0 to 100."


def ages(told: str, most: str = "86,400") -> str:
    return f"{told}: throttled calls count as no tries, so only an age ends them; set 60 to {most}."


def takes_all(told: str) -> str:
    return f"{told}: one bad change then takes its whole batch with it; set it to true."


ENDS = [
    Case("a mapping that gives up", "stream-mapping-ends", [mapping()]),
    Case("no retry at all", "stream-mapping-ends", [mapping(maximumRetryAttempts=0)]),
    Case(
        "what is unknown as yet",
        "stream-mapping-ends",
        [mapping(**dict.fromkeys(TRIES, UNKNOWN), eventSourceArn=UNKNOWN)],
    ),
    Case(
        "a mapping of a queue",
        "stream-mapping-ends",
        [mapping("startingPosition", *TRIES, eventSourceArn=QUEUE)],
    ),
    Case(
        "a mapping of a queue that is not made as yet",
        "stream-mapping-ends",
        [mapping("startingPosition", *TRIES, eventSourceArn=UNKNOWN)],
    ),
    Case(
        "a mapping of Kafka",
        "stream-mapping-ends",
        [mapping(*TRIES, eventSourceArn=UNKNOWN, topics=["clicks"])],
    ),
    Case(
        "a mapping of Kinesis with an age that DynamoDB does not reach",
        "stream-mapping-ends",
        [mapping(eventSourceArn=KINESIS, maximumRecordAgeInSeconds=604_800)],
    ),
    *(
        Case(
            f"Lambda's defaults for {source}",
            "stream-mapping-ends",
            [mapping(*TRIES, eventSourceArn=arn)],
            [
                ("mapping", blocks("maximumRetryAttempts is not set")),
                ("mapping", ages("maximumRecordAgeInSeconds is not set", most)),
                ("mapping", takes_all("bisectBatchOnFunctionError is not set")),
            ],
        )
        for source, arn, most in (
            ("DynamoDB", DYNAMODB, "86,400"),
            ("Kinesis", KINESIS, "604,800"),
            ("a stream that is not made as yet", UNKNOWN, "604,800"),
        )
    ),
    Case(
        "no end by choice",
        "stream-mapping-ends",
        [
            mapping(
                maximumRetryAttempts=-1,
                maximumRecordAgeInSeconds=-1,
                bisectBatchOnFunctionError=False,
            )
        ],
        [
            ("mapping", blocks("maximumRetryAttempts=-1")),
            ("mapping", ages("maximumRecordAgeInSeconds=-1")),
            ("mapping", takes_all("bisectBatchOnFunctionError=false")),
        ],
    ),
    Case(
        "an end that comes after the changes are gone",
        "stream-mapping-ends",
        [mapping(maximumRetryAttempts=10_000, maximumRecordAgeInSeconds=86_401)],
        [
            ("mapping", blocks("maximumRetryAttempts=10000")),
            ("mapping", ages("maximumRecordAgeInSeconds=86401")),
        ],
    ),
]

REMEDY = "set it to the ARN of an S3 bucket, which receives the changes themselves."
PATH = "destinationConfig.onFailure.destinationArn"


def to(arn: Any) -> dict[str, Any]:
    return {**GOOD, "destinationConfig": {"onFailure": {"destinationArn": arn}}}


FAILED = made("s3/bucket:Bucket", "failed", {})
WORK = made("sqs/queue:Queue", "work", {})
SETS_ASIDE = [
    Case("a mapping that sets aside in S3", "stream-mapping-sets-aside", [mapping()]),
    Case(
        "a bucket that is not made as yet",
        "stream-mapping-sets-aside",
        [FAILED, made(MAPPING, "mapping", to(UNKNOWN), destinationConfig=FAILED.urn)],
    ),
    Case(
        "a destination of which nothing is known",
        "stream-mapping-sets-aside",
        [made(MAPPING, "mapping", to(UNKNOWN))],
    ),
    Case(
        "a mapping of a queue",
        "stream-mapping-sets-aside",
        [mapping("destinationConfig", eventSourceArn=QUEUE)],
    ),
    Case(
        "no destination",
        "stream-mapping-sets-aside",
        [mapping("destinationConfig")],
        [("mapping", f"{PATH} is not set: what is given up is lost; {REMEDY}")],
    ),
    Case(
        "a queue",
        "stream-mapping-sets-aside",
        [made(MAPPING, "mapping", to(QUEUE))],
        [("mapping", f'{PATH}="{QUEUE}" receives no data, only where it was; {REMEDY}')],
    ),
    Case(
        "a queue that is not made as yet",
        "stream-mapping-sets-aside",
        [WORK, made(MAPPING, "mapping", to(UNKNOWN), destinationConfig=WORK.urn)],
        [("mapping", f"{PATH} is a Queue, which receives no data; {REMEDY}")],
    ),
]


def function(timeout: Any, **known: Any) -> Resource:
    return made(FUNCTION, "read", {"timeout": timeout, **known})


OUTLAST = "a function that reads a stream must outlast a slow call of its own; set 30 to 900 s."
READER = [
    Case(
        "a function with time",
        "stream-reader-time-out",
        [mapping(), function(30, arn=FUNCTION_ARN), function(900, arn=FUNCTION_ARN)],
    ),
    Case(
        "a time-out that is unknown as yet",
        "stream-reader-time-out",
        [mapping(), function(UNKNOWN, arn=FUNCTION_ARN)],
    ),
    Case(
        "another function",
        "stream-reader-time-out",
        [mapping(), function(3, arn=f"{FUNCTION_ARN}-other", name="read-other")],
    ),
    Case(
        "a function that reads a queue",
        "stream-reader-time-out",
        [mapping(eventSourceArn=QUEUE), function(3, arn=FUNCTION_ARN)],
    ),
    *(
        Case(
            f"a function told by {says}",
            "stream-reader-time-out",
            [
                made(MAPPING, "mapping", {**GOOD, "functionName": told}, **made_from),
                function(29, **known),
            ],
            [("read", f"timeout=29: {OUTLAST}")],
        )
        for says, told, known, made_from in (
            ("its ARN", FUNCTION_ARN, {"arn": FUNCTION_ARN}, {}),
            ("its ARN with an alias", f"{FUNCTION_ARN}:live", {"arn": FUNCTION_ARN}, {}),
            ("its name", "read", {"arn": UNKNOWN, "name": "read"}, {}),
            ("its name with an alias", "read:live", {"name": "read"}, {}),
            ("account and name", "123456789012:function:read", {"name": "read"}, {}),
            ("account, name and version", "123456789012:function:read:7", {"name": "read"}, {}),
            ("what the name is made from", UNKNOWN, {}, {"functionName": urn(FUNCTION, "read")}),
        )
    ),
    Case(
        "Lambda's default",
        "stream-reader-time-out",
        [mapping(), function(None, arn=FUNCTION_ARN)],
        [("read", f"timeout is not set and so 3 s: {OUTLAST}")],
    ),
]

CASES = [*ENDS, *SETS_ASIDE, *READER]
