"""Large tables: the items in a file of the table's export, as changes of kind SNAPSHOT."""

import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cache, partial
from pathlib import PurePosixPath
from typing import Any

import boto3
import orjson
from botocore.config import Config
from pybase64 import b64encode_as_string

from streaming_etl.handlers.export.file_reader import export_file
from streaming_etl.handlers.export.progress import FileForwarder, Progress, Refused, read_batches
from streaming_etl.handlers.firehose.put_records import (
    MAX_CALL_BYTES,
    deadline_of,
    firehose,
    put_records,
)
from streaming_etl.handlers.pacing import RateLimiter
from streaming_etl.handlers.structured_log import log
from streaming_etl.handlers.wire.change_line import MAX_RECORD_BYTES, change_line
from streaming_etl.handlers.wire.snapshot import snapshot_record

# A call that begins before the deadline ends before it, too.
BATCH_SECONDS = 5


@dataclass(frozen=True)
class Settings:
    """What the function's environment says."""

    stream: str
    """The delivery stream."""
    max_changes: int
    """What goes into one Firehose record, as the forwarder packs."""
    max_bytes: int
    key_names: Sequence[str]
    """The table's key attributes."""
    kib_per_second: float
    """This file's share of what may be put."""
    errors_path: str
    """The key prefix of lines that cannot go on."""


class NoProgressError(Exception):
    """Nothing went on in a whole invocation: Step Functions tries again, and counts."""


def to_change(content: bytes, key_names: Sequence[str], taken_at_ms: int) -> bytes:
    """A line of the export as the forwarder would send its item.

    Raises ChangeTooLargeError, or any error for a line that tells no item.
    """
    item = orjson.loads(content)["Item"]
    return change_line(snapshot_record(item, key_names, taken_at_ms))


def error_lines(refused: Sequence[Refused], now_ms: int) -> bytes:
    """The refused lines, whole, in the form in which Firehose keeps what it refuses.

    https://docs.aws.amazon.com/firehose/latest/dev/data-transformation-failure-handling.html
    """
    return b"".join(
        orjson.dumps(
            {
                "attemptsMade": 1,
                "arrivalTimestamp": now_ms,
                "errorCode": each.code,
                "errorMessage": f"{each.error} at line {each.line} of the export's file",
                "attemptEndingTimestamp": now_ms,
                "rawData": b64encode_as_string(each.content),
            },
            option=orjson.OPT_APPEND_NEWLINE,
        )
        for each in refused
    )


def pass_file(
    state: dict[str, Any],
    settings: Settings,
    bucket_client: Any,
    firehose_client: Any,
    deadline: float,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> dict[str, Any]:
    """Pass a file on from where `state` stands, until it ends or time does.

    state: `bucket`, `key`, `export_time` (ISO 8601, from DescribeExport) and what Progress holds.
    Returns it with how far the file is passed on, and whether that is `done`.
    What gets further returns, whatever stops it; what does not raises. So the state machine's loop
    ends, and a retry begins where the last success ended.
    """
    if not settings.key_names:
        raise ValueError("KEY_NAMES is empty: all items would be one")
    start = Progress(*(state[name] for name in Progress.__dataclass_fields__))
    taken_at = datetime.fromisoformat(state["export_time"])
    limiter = RateLimiter(settings.kib_per_second * 1024, clock=clock, sleep=sleep)
    put = partial(put_records, firehose_client, settings.stream, deadline=deadline)
    passage = FileForwarder(
        start,
        max_changes=settings.max_changes,
        max_bytes=settings.max_bytes,
        put=partial(put, clock=clock, sleep=sleep),
        dead_letter=partial(dead_letter, bucket_client, settings.errors_path, state, taken_at),
        turn=partial(limiter.take, deadline=deadline),
    )
    taken_at_ms = int(taken_at.timestamp() * 1000)
    to_line = partial(to_change, key_names=settings.key_names, taken_at_ms=taken_at_ms)
    done, error = False, None
    try:
        file = export_file(bucket_client, state["bucket"], state["key"])
        done = passage.run(read_batches(file, start, to_line, batch_bytes(settings.kib_per_second)))
    except Exception as failure:
        if passage.reached == start:
            raise
        error = type(failure).__name__
    reached = asdict(passage.reached)
    log("ERROR" if error else "INFO", "backfilled", done=done, error=error, **reached)
    if not done and passage.reached == start:
        raise NoProgressError("Firehose took nothing, or the time was up before anything went")
    return {**state, **reached, "done": done}


def batch_bytes(kib_per_second: float) -> int:
    """Return how much of a file is put at a time, at most what the rate allows in BATCH_SECONDS."""
    return min(MAX_CALL_BYTES, int(kib_per_second * 1024 * BATCH_SECONDS))


def dead_letter(
    client: Any,
    errors_path: str,
    state: dict[str, Any],
    taken_at: datetime,
    refused: Sequence[Refused],
) -> None:
    """Write them below the error prefix, by the file's name and the first one's line.

    The same lines again have the same key.
    """
    file = PurePosixPath(state["key"]).name.partition(".")[0]
    client.put_object(
        Bucket=state["bucket"],
        Key=f"{errors_path}{taken_at:%Y/%m/%d}/{file}-{refused[0].line}.json",
        Body=error_lines(refused, time.time_ns() // 1_000_000),
    )
    for each in refused:
        log(
            "ERROR",
            "item dead-lettered",
            file=file,
            line=each.line,
            code=each.code,
            error=each.error,
        )


@cache
def s3() -> Any:
    """The container's S3 client."""
    config = Config(connect_timeout=2, read_timeout=20, retries={"mode": "standard"})
    return boto3.client("s3", config=config)


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Step Functions' entry: environment and clients around `pass_file`."""
    settings = Settings(
        stream=os.environ["DELIVERY_STREAM"],
        max_changes=int(os.environ["MAX_CHANGES_PER_RECORD"]),
        max_bytes=min(int(os.environ["MAX_RECORD_KIB"]) * 1024, MAX_RECORD_BYTES),
        key_names=json.loads(os.environ["KEY_NAMES"]),
        kib_per_second=float(os.environ["KIB_PER_SECOND"]),
        errors_path=os.environ["ERRORS_PATH"],
    )
    return pass_file(event, settings, s3(), firehose(), deadline_of(context))
