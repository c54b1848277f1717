"""Backfill function: items of an export file as SNAPSHOT changes."""

import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
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
from streaming_etl.handlers.export.progress import (
    FileForwarder,
    InvalidLine,
    Progress,
    read_batches,
)
from streaming_etl.handlers.firehose.deadline import deadline_of
from streaming_etl.handlers.firehose.put_records import (
    MAX_CALL_BYTES,
    firehose,
    put_records,
)
from streaming_etl.handlers.pacing import RateLimiter
from streaming_etl.handlers.structured_log import log
from streaming_etl.handlers.wire.change_line import change_line, stream_created
from streaming_etl.handlers.wire.routing import Route, read_config, routes_of, snapshot_routes
from streaming_etl.handlers.wire.snapshot import marker_record, snapshot_record

# A batch has what the rate allows in this time, so a call that begins before the deadline also
# ends before it.
BATCH_SECONDS = 5


@dataclass(frozen=True)
class Settings:
    """Settings from the function's environment and archive."""

    routes: Sequence[Route]
    """To the lake tables, as in the forwarder."""
    key_names: Sequence[str]
    """The table's key attributes."""
    kib_per_second: float
    """This file's part of the backfill's rate."""
    errors_path: str
    """The key prefix of dead-lettered lines."""
    stream_arn: str
    """The stream of the table."""


class OldExportError(Exception):
    """The export lacks changes that were made before the stream."""


class UnknownLakeTableError(Exception):
    """The pipeline has no such lake table, maybe since an update."""


class NoProgressError(Exception):
    """The invocation forwarded nothing; Step Functions counts and retries it."""


def time_of_export(state: dict[str, Any], settings: Settings) -> datetime:
    """Return the export's time.

    Raises OldExportError if the table has another stream since. As changes of this stream, the
    export's items would be newer than their deletion before it, and stay in the current state.
    """
    taken_at = datetime.fromisoformat(state["export_time"])
    created = stream_created(settings.stream_arn)
    if taken_at < created:
        raise OldExportError(f"the export of {taken_at} is older than the stream of {created}")
    return taken_at


def selected_routes(state: dict[str, Any], settings: Settings) -> list[Route]:
    """Return the routes to the lake tables of the backfill.

    state: `lake_tables`, the names; all without it. Raises UnknownLakeTableError.
    """
    names = state.get("lake_tables")
    if names is None:
        return [*settings.routes]
    unknown = set(names) - {route.name for route in settings.routes}
    if unknown or not names:
        raise UnknownLakeTableError(", ".join(sorted(unknown)))
    return [route for route in settings.routes if route.name in names]


def to_change(
    content: bytes,
    routes: Sequence[Route],
    key_names: Sequence[str],
    taken_at_ms: int,
    stream_arn: str,
) -> tuple[bytes, Sequence[int]]:
    """Encode an export line's item like the forwarder encodes a change.

    Returns the line, and the indexes of the routes that have the item.
    Raises ChangeTooLargeError, or any other error for a line without an item.
    """
    item = orjson.loads(content)["Item"]
    record = snapshot_record(item, key_names, taken_at_ms, stream_arn)
    indexes = snapshot_routes(record, routes)
    return (change_line(record) if indexes else b""), indexes


def error_records(
    invalid: Sequence[InvalidLine], now_ms: int, snapshot: Mapping[str, Any]
) -> bytes:
    """Encode invalid lines, complete, in the form of Firehose's error records.

    snapshot: what a replay needs, besides the line, to make the change.
    https://docs.aws.amazon.com/firehose/latest/dev/data-transformation-failure-handling.html
    """
    return b"".join(
        orjson.dumps(
            {
                "attemptsMade": 1,
                "arrivalTimestamp": now_ms,
                "errorCode": each.code,
                "errorMessage": f"{each.error} at line {each.line} of the export file",
                "attemptEndingTimestamp": now_ms,
                "rawData": b64encode_as_string(each.content),
                "snapshot": snapshot,
            },
            option=orjson.OPT_APPEND_NEWLINE,
        )
        for each in invalid
    )


def forward_file(
    state: dict[str, Any],
    settings: Settings,
    bucket_client: Any,
    firehose_client: Any,
    deadline: float,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> dict[str, Any]:
    """Forward the rest of an export file, until the deadline.

    state: `bucket`, `key`, `export_time` (ISO 8601, from DescribeExport), Progress's fields, and
    `lake_tables` unless the items of all are sent. The state of an execution that began before an
    update may lack fields.
    Returns the state with the new progress, and with `done` at the end of the file.
    An invocation that made progress returns even after an error; an invocation without progress
    raises. The state machine's loop therefore ends, and a retry begins after the last progress.
    Raises OldExportError and UnknownLakeTableError before the first item.
    """
    if not settings.key_names:
        raise ValueError("KEY_NAMES is empty: all items would have the same key")
    fields = Progress.__dataclass_fields__
    start = Progress(**{name: state[name] for name in fields if name in state})
    taken_at = time_of_export(state, settings)
    routes = selected_routes(state, settings)
    limiter = RateLimiter(settings.kib_per_second * 1024, clock=clock, sleep=sleep)
    put = partial(put_to_route, firehose_client, deadline, clock=clock, sleep=sleep)
    forwarder = FileForwarder(
        start,
        routes=routes,
        put=put,
        dead_letter=partial(dead_letter, bucket_client, settings, state, taken_at, routes),
        wait_for_capacity=partial(limiter.take, deadline=deadline),
    )
    taken_at_ms = int(taken_at.timestamp() * 1000)
    to_line = partial(
        to_change,
        routes=routes,
        key_names=settings.key_names,
        taken_at_ms=taken_at_ms,
        stream_arn=settings.stream_arn,
    )
    done, error = False, None
    try:
        file = export_file(bucket_client, state["bucket"], state["key"])
        max_bytes = batch_bytes(settings.kib_per_second)
        done = forwarder.run(read_batches(file, start, to_line, max_bytes))
    except Exception as failure:
        if forwarder.progress == start:
            raise
        error = type(failure).__name__
    progress = asdict(forwarder.progress)
    log("ERROR" if error else "INFO", "export file forwarded", done=done, error=error, **progress)
    if not done and forwarder.progress == start:
        raise NoProgressError("Firehose accepted no record before the deadline")
    return {**state, **progress, "done": done}


def forward_marker(
    state: dict[str, Any], settings: Settings, firehose_client: Any, deadline: float
) -> dict[str, Any]:
    """Forward the marker of a completed backfill to its lake tables.

    state: `export_time` and `lake_tables` of the backfill. Raises NoProgressError if Firehose
    rejects a marker, OldExportError and UnknownLakeTableError. A retry sends all markers again.
    """
    taken_at = time_of_export(state, settings)
    marker = change_line(marker_record(int(taken_at.timestamp() * 1000), settings.stream_arn))
    routes = selected_routes(state, settings)
    for index, route in enumerate(routes):
        if put_to_route(firehose_client, deadline, route, [marker], len(routes) - index):
            raise NoProgressError("Firehose did not accept the marker before the deadline")
    log("INFO", "backfill completed", lake_tables=[route.name for route in routes])
    return state


def put_to_route(
    client: Any,
    deadline: float,
    route: Route,
    records: Sequence[bytes],
    left: int,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> list[int]:
    """Send records of a route; return the indexes of those not accepted.

    left: the number of routes left, which have equal parts of the time until the deadline, so that
    each is called at least once before it.
    """
    now = clock()
    share = now + (deadline - now) / left
    report = partial(log, lake_table=route.name)
    return put_records(
        client,
        route.stream,
        records,
        share,
        must_call=False,
        clock=clock,
        sleep=sleep,
        report=report,
    )


def batch_bytes(kib_per_second: float) -> int:
    """Return the bytes of a batch: what BATCH_SECONDS and one call allow."""
    return min(MAX_CALL_BYTES, int(kib_per_second * 1024 * BATCH_SECONDS))


def dead_letter(
    client: Any,
    settings: Settings,
    state: dict[str, Any],
    taken_at: datetime,
    routes: Sequence[Route],
    invalid: Sequence[InvalidLine],
) -> None:
    """Write invalid lines to the error prefix.

    A retry writes the same lines under the same key.
    """
    file = PurePosixPath(state["key"]).name.partition(".")[0]
    snapshot = {
        "takenAt": int(taken_at.timestamp() * 1000),
        "streamArn": settings.stream_arn,
        "keyNames": settings.key_names,
        "lakeTables": [route.name for route in routes],
    }
    client.put_object(
        Bucket=state["bucket"],
        Key=f"{settings.errors_path}{taken_at:%Y/%m/%d}/{file}-{invalid[0].line}.json",
        Body=error_records(invalid, time.time_ns() // 1_000_000, snapshot),
    )
    for each in invalid:
        fields = {"line": each.line, "code": each.code, "error": each.error}
        log("ERROR", "item dead-lettered", file=file, **fields)


@cache
def s3() -> Any:
    """Return the container's S3 client."""
    config = Config(connect_timeout=2, read_timeout=20, retries={"mode": "standard"})
    return boto3.client("s3", config=config)


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Forward the file of a Step Functions event, or the marker."""
    settings = Settings(
        routes=routes_of(read_config(), json.loads(os.environ["DELIVERY_STREAMS"])),
        key_names=json.loads(os.environ["KEY_NAMES"]),
        kib_per_second=float(os.environ["KIB_PER_SECOND"]),
        errors_path=os.environ["ERRORS_PATH"],
        stream_arn=os.environ["STREAM_ARN"],
    )
    if event.get("completed"):
        return forward_marker(event, settings, firehose(), deadline_of(context))
    return forward_file(event, settings, s3(), firehose(), deadline_of(context))
