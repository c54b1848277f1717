"""Records onto a Firehose stream, for the forwarder and for what the transform puts back."""

import random
import time
from collections.abc import Callable, Sequence
from functools import cache
from itertools import chain
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from streaming_etl.handlers.firehose.batching import groups
from streaming_etl.handlers.pacing import backoff
from streaming_etl.handlers.structured_log import log

if TYPE_CHECKING:
    from mypy_boto3_firehose import FirehoseClient

# A call takes 500 records and 4 MiB; boto3 holds its content four times over, so it gets less.
# https://docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecordBatch.html
MAX_CALL_RECORDS = 500
MAX_CALL_BYTES = 1_048_576

# What the same call would only meet again: errors of its arguments, its permissions or the stream.
# https://docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecordBatch.html#API_PutRecordBatch_Errors
# https://docs.aws.amazon.com/firehose/latest/APIReference/CommonErrors.html
_NEVER_SUCCEEDS = {
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

_CONNECT_SECONDS = 2
_READ_SECONDS = 8
# A call begun just before the deadline still ends, and the handler still answers.
_MARGIN_SECONDS = _CONNECT_SECONDS + _READ_SECONDS + 2


@cache
def firehose() -> "FirehoseClient":
    """The container's Firehose client; botocore does not retry, `put_records` does."""
    return boto3.client(
        "firehose",
        config=Config(
            connect_timeout=_CONNECT_SECONDS,
            read_timeout=_READ_SECONDS,
            retries={"mode": "standard", "total_max_attempts": 1},
        ),
    )


def deadline_of(context: Any) -> float:
    """The last moment, on `time.monotonic`, at which this invocation may begin a call."""
    remaining_ms: int = context.get_remaining_time_in_millis()
    return time.monotonic() + remaining_ms / 1000 - _MARGIN_SECONDS


def put_records(
    client: "FirehoseClient",
    stream: str,
    records: Sequence[bytes],
    deadline: float,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
    jitter: Callable[[], float] = random.random,
    report: Callable[..., None] = log,
) -> list[int]:
    """Put the records, in as few calls as the limits allow; return the indexes not put, ascending.

    What fails is sent again, alone, until `deadline`. Behind records that failed for good no more
    are sent: both handlers have all that follows delivered again, so it would only be written
    twice. `report` is called like `log`, with the number of records and the last error.
    """
    called, error = False, None
    for group in groups(records, MAX_CALL_RECORDS, MAX_CALL_BYTES):
        pending = list(group)
        for pause in chain([0.0], backoff(_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS, jitter)):
            if called and (error in _NEVER_SUCCEEDS or clock() + pause >= deadline):
                pending += range(group.stop, len(records))
                report("ERROR", "put given up", records=len(pending), error=error or "out of time")
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
    """The indexes that this one call did not put, and the error code of the last of them."""
    try:
        response = client.put_record_batch(
            DeliveryStreamName=stream, Records=[{"Data": records[index]} for index in indexes]
        )
    except ClientError as error:
        return indexes, error.response["Error"]["Code"]
    except BotoCoreError as error:
        return indexes, type(error).__name__
    # 200 OK with failed records is normal under throttling; the answers stand in request order.
    answers = zip(indexes, response["RequestResponses"], strict=True)
    failed = {index: answer["ErrorCode"] for index, answer in answers if answer.get("ErrorCode")}
    return list(failed), next(reversed(failed.values()), None)
