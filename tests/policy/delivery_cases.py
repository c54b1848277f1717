"""Cases of the rules for delivery streams."""

from typing import Any

from policy.rules.resources import UNKNOWN, Resource
from tests.policy.cases import Case, made, urn

STREAM = "kinesis/firehoseDeliveryStream:FirehoseDeliveryStream"
FUNCTION = "lambda/function:Function"
FUNCTION_ARN = "arn:aws:lambda:ap-northeast-1:123456789012:function:reshape"
S3 = "extendedS3Configuration"


def stream(**props: Any) -> Resource:
    return made(STREAM, "stream", props)


def clear(told: str) -> str:
    return (
        f"serverSideEncryption.enabled{told}: records wait in Firehose in the clear; set it to"
        ' true, with keyType "AWS_OWNED_CMK" or a key of yours.'
    )


ENCRYPTED = [
    Case(
        "an encrypted stream",
        "delivery-stream-encrypted",
        [stream(serverSideEncryption={"enabled": True})],
    ),
    Case(
        "what is unknown as yet",
        "delivery-stream-encrypted",
        [stream(serverSideEncryption=UNKNOWN)],
    ),
    Case(
        "a stream that reads another, which has its own",
        "delivery-stream-encrypted",
        [stream(kinesisSourceConfiguration={"kinesisStreamArn": UNKNOWN})],
    ),
    Case(
        "Firehose's default",
        "delivery-stream-encrypted",
        [stream()],
        [("stream", clear(" is not set"))],
    ),
    Case(
        "encryption that is off",
        "delivery-stream-encrypted",
        [stream(serverSideEncryption={"enabled": False})],
        [("stream", clear("=false"))],
    ),
]


def calling(arn: Any, destination: str = S3) -> Resource:
    """A delivery stream that calls a function, after a processor that calls none."""
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
    return made(STREAM, "stream", props, **{destination: urn(FUNCTION, "reshape")})


def reshape(timeout: Any, arn: Any = FUNCTION_ARN) -> Resource:
    return made(FUNCTION, "reshape", {"timeout": timeout, "arn": arn})


WAITS = "Firehose waits 1 to 5 minutes for a transform; set 60 to 300 s."
LATEST = f"{FUNCTION_ARN}:$LATEST"
TRANSFORM = [
    Case(
        "a transform with time",
        "transform-time-out",
        [calling(LATEST), reshape(60), reshape(300)],
    ),
    Case("a function from outside", "transform-time-out", [calling(f"{FUNCTION_ARN}-theirs")]),
    Case(
        "another function",
        "transform-time-out",
        [calling(f"{FUNCTION_ARN}-theirs:1"), reshape(3)],
    ),
    Case(
        "a function in a preview with time",
        "transform-time-out",
        [calling(UNKNOWN), reshape(120, UNKNOWN)],
    ),
    Case(
        "processors that are unknown as yet",
        "transform-time-out",
        [stream(**{S3: {"processingConfiguration": UNKNOWN}}), reshape(3)],
    ),
    Case(
        "a transform with too little time",
        "transform-time-out",
        [calling(LATEST), reshape(59)],
        [("reshape", f"timeout=59: {WAITS}")],
    ),
    Case(
        "a transform with more time than Firehose gives it",
        "transform-time-out",
        [calling(LATEST), reshape(301)],
        [("reshape", f"timeout=301: {WAITS}")],
    ),
    Case(
        "Lambda's default, in a preview",
        "transform-time-out",
        [calling(UNKNOWN), reshape(None, UNKNOWN)],
        [("reshape", f"timeout is not set and so 3 s: {WAITS}")],
    ),
    Case(
        "a transform on the way to another destination",
        "transform-time-out",
        [calling(LATEST, "httpEndpointConfiguration"), reshape(3)],
        [("reshape", f"timeout=3: {WAITS}")],
    ),
]

ERRORS = "errors/!{firehose:error-output-type}/"
LAKE = made("s3/bucket:Bucket", "lake", {"bucket": "lake-1234567"})


def delivering(errors: Any, prefix: Any = "data/!{timestamp:yyyy}/", **changed: Any) -> Resource:
    destination = {
        "bucketArn": "arn:aws:s3:::lake-1234567",
        "errorOutputPrefix": errors,
        "prefix": prefix,
        **changed,
    }
    return made(STREAM, "stream", {S3: destination}, **{S3: urn("s3/bucket:Bucket", "lake")})


def table(location: Any) -> Resource:
    kind = "glue/catalogTable:CatalogTable"
    return made(kind, "table", {"storageDescriptor": {"location": location}})


REMEDY = 'give errors a folder of their own, such as "errors/".'
OUTSIDE = [
    Case(
        "errors in a folder of their own",
        "errors-outside-table",
        [LAKE, delivering(ERRORS), table("s3://lake-1234567/data/")],
    ),
    Case(
        "a folder whose name begins alike",
        "errors-outside-table",
        [LAKE, delivering("data-errors/"), table("s3://lake-1234567/data")],
    ),
    Case(
        "a table in another bucket",
        "errors-outside-table",
        [LAKE, delivering(ERRORS), table("s3://other/errors/")],
    ),
    Case(
        "a view, which has no location",
        "errors-outside-table",
        [LAKE, delivering(ERRORS), made("glue/catalogTable:CatalogTable", "view", {})],
    ),
    Case(
        "what is unknown as yet",
        "errors-outside-table",
        [delivering(UNKNOWN), delivering(ERRORS, UNKNOWN, bucketArn=UNKNOWN), table(UNKNOWN)],
    ),
    Case(
        "a stream without folders and without tables",
        "errors-outside-table",
        [delivering(None, None)],
    ),
    Case(
        "no error prefix",
        "errors-outside-table",
        [delivering(None)],
        [
            (
                "stream",
                f"{S3}.errorOutputPrefix is not set: errors must not lie among rows; {REMEDY}",
            )
        ],
    ),
    Case(
        "errors among the rows",
        "errors-outside-table",
        [delivering(f"data/{ERRORS}")],
        [
            (
                "stream",
                f'{S3}.errorOutputPrefix="data/{ERRORS}" lies below the rows\' folder data/;'
                f" {REMEDY}",
            )
        ],
    ),
    *(
        Case(
            f"errors in a table{says}",
            "errors-outside-table",
            [LAKE, delivering(ERRORS, **changed), table(location)],
            [
                (
                    "stream",
                    f'{S3}.errorOutputPrefix="{ERRORS}" lies in the table at {location}, where'
                    f" Athena reads everything; {REMEDY}",
                )
            ],
        )
        for says, location, changed in (
            ("", "s3://lake-1234567/errors", {}),
            (" that is the whole bucket", "s3://lake-1234567/", {}),
            (
                " of a bucket whose ARN is unknown as yet",
                "s3://lake-1234567/errors/",
                {"bucketArn": UNKNOWN},
            ),
        )
    ),
]

CASES = [*ENCRYPTED, *TRANSFORM, *OUTSIDE]
