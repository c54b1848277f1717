"""Forwarder function: the changes of a stream batch as aggregated Firehose records."""

import os
from collections.abc import Callable, Collection
from functools import partial
from typing import Any, NamedTuple

from streaming_etl.handlers.firehose.batching import groups
from streaming_etl.handlers.firehose.deadline import deadline_of
from streaming_etl.handlers.firehose.put_records import firehose, put_records
from streaming_etl.handlers.structured_log import log
from streaming_etl.handlers.wire.change_line import (
    MAX_RECORD_BYTES,
    ChangeTooLargeError,
    change_line,
)


class BisectBatchError(Exception):
    """Lambda must bisect the batch: its first change can never be forwarded."""


class AggregationLimits(NamedTuple):
    """Content of one Firehose record; Firehose bills every 5 KB, rounded up."""

    max_changes: int
    """1 sends every change as a single-change record."""
    max_bytes: int
    """A larger change is a single-change record."""
    old_image: str
    """The changes that include the old image: a key of OLD_IMAGE_KINDS."""


def forward(
    records: list[dict[str, Any]],
    event_names: Collection[str],
    limits: AggregationLimits,
    put: Callable[[list[bytes]], list[int]],
) -> dict[str, Any]:
    """Forward matching records; report the first failure to Lambda.

    put: sends Firehose records and returns the indexes of those that it did not accept.
    Lambda sends all records from the first reported failure again, so one failure is enough.
    Raises BisectBatchError when the first of several changes can never be forwarded: reported as
    a failure, it would take the other changes to the failed batches.
    https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
    """
    matching = [record for record in records if record["eventName"] in event_names]
    lines = _lines(matching, limits.old_image)
    if matching and not lines and matching[0] is records[0] and len(records) > 1:
        raise BisectBatchError("the first change of the batch can never be forwarded")
    ranges = list(groups(lines, limits.max_changes, limits.max_bytes))
    failed = put([b"".join(lines[part.start : part.stop]) for part in ranges])
    first = min((ranges[index].start for index in failed), default=len(lines))
    forwarded = len(lines) - sum(len(ranges[index]) for index in failed)
    log(
        "INFO",
        "forwarded",
        records=len(ranges) - len(failed),
        changes=len(records),
        filtered=len(records) - len(matching),
        failed=len(matching) - forwarded,
    )
    if first == len(matching):
        return {"batchItemFailures": []}
    return {"batchItemFailures": [{"itemIdentifier": _sequence_number(matching[first])}]}


def _lines(records: list[dict[str, Any]], old_image: str) -> list[bytes]:
    """Return a line per record, up to the first that fails."""
    lines: list[bytes] = []
    for record in records:
        try:
            lines.append(change_line(record, old_image))
        except Exception as error:
            # Lambda sends this change and those after it again, in a batch that begins with it.
            large = isinstance(error, ChangeTooLargeError)
            log(
                "ERROR",
                "change too large" if large else "change unreadable",
                event_id=record.get("eventID"),
                sequence_number=_sequence_number(record),
                error=type(error).__name__,
            )
            break
    return lines


def _sequence_number(record: dict[str, Any]) -> str:
    number: str = record["dynamodb"]["SequenceNumber"]
    return number


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Forward the batch of an event source mapping."""
    limits = AggregationLimits(
        max_changes=int(os.environ["MAX_CHANGES_PER_RECORD"]),
        max_bytes=min(int(os.environ["MAX_RECORD_KIB"]) * 1024, MAX_RECORD_BYTES),
        old_image=os.environ["OLD_IMAGE"],
    )
    put = partial(
        put_records, firehose(), os.environ["DELIVERY_STREAM"], deadline=deadline_of(context)
    )
    return forward(event["Records"], os.environ["EVENT_NAMES"].split(","), limits, put)
