"""PutRecordBatch within its limits, with retries until a deadline."""

import random
import time
from collections.abc import Callable, Sequence
from functools import cache
from itertools import chain
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from streaming_etl.handlers.firehose.batching import groups
from streaming_etl.handlers.firehose.deadline import CONNECT_SECONDS, READ_SECONDS
from streaming_etl.handlers.pacing import backoff
from streaming_etl.handlers.structured_log import log

if TYPE_CHECKING:
    from mypy_boto3_firehose import FirehoseClient

# A call may have 500 records and 4 MiB. It gets less, as boto3 holds its content four times.
# https://docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecordBatch.html
MAX_CALL_RECORDS = 500
MAX_CALL_BYTES = 1_048_576

# Errors that a retry cannot fix: of the call's arguments, its permissions or the stream.
# https://docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecordBatch.html#API_PutRecordBatch_Errors
# https://docs.aws.amazon.com/firehose/latest/APIReference/CommonErrors.html
_NOT_RETRYABLE = {
    "AccessDeniedException",
    "ExpiredTokenException",
    "InvalidArgumentException",
    "InvalidKMSResourceException",
    "InvalidSignatureException",
    "InvalidSourceException",
    "ResourceNotFoundException",
    "UnrecognizedClientException",
    "ValidationException",
}

_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 5.0


@cache
def firehose() -> "FirehoseClient":
    """Return the container's Firehose client, without botocore's retries."""
    return boto3.client(
        "firehose",
        config=Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            retries={"mode": "standard", "total_max_attempts": 1},
        ),
    )


def put_records(
    client: "FirehoseClient",
    stream: str,
    records: Sequence[bytes],
    deadline: float,
    *,
    must_call: bool = True,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
    jitter: Callable[[], float] = random.random,
    report: Callable[..., None] = log,
) -> list[int]:
    """Send the records; return the indexes of those not accepted, ascending.

    Rejected records are sent again, without the others, until `deadline`. After a record that
    Firehose does not accept, no later call follows: both handlers receive all later changes
    again, so they would be written twice.
    must_call: make the first call even after the deadline, so that an invocation makes progress.
    report: called like `log`, with the number of records not accepted and the last error.
    """
    called, error = not must_call, None
    for group in groups(records, MAX_CALL_RECORDS, MAX_CALL_BYTES):
        pending = list(group)
        for pause in chain([0.0], backoff(_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS, jitter)):
            if called and (error in _NOT_RETRYABLE or clock() + pause >= deadline):
                pending += range(group.stop, len(records))
                error = error or "out of time"
                report("ERROR", "records not accepted", records=len(pending), error=error)
                return pending
            if pause:
                sleep(pause)
            pending, error = _call(client, stream, records, pending)
            called = True
            if not pending:
                break
    return []


def _call(
    client: "FirehoseClient", stream: str, records: Sequence[bytes], indexes: list[int]
) -> tuple[list[int], str | None]:
    """Make one call; return the indexes not accepted and the last error."""
    try:
        response = client.put_record_batch(
            DeliveryStreamName=stream, Records=[{"Data": records[index]} for index in indexes]
        )
    except ClientError as error:
        return indexes, error.response["Error"]["Code"]
    except BotoCoreError as error:
        return indexes, type(error).__name__
    # Under throttling a call succeeds with failed records. The results have the request's order.
    results = zip(indexes, response["RequestResponses"], strict=True)
    failed = {index: result["ErrorCode"] for index, result in results if result.get("ErrorCode")}
    return list(failed), next(reversed(failed.values()), None)
