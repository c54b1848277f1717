"""Stage 1: the changes of a stream batch, packed into records for the Firehose stream."""

import os
from collections.abc import Callable, Collection
from functools import partial
from typing import Any, NamedTuple

from streaming_etl.handlers.firehose.batching import groups
from streaming_etl.handlers.firehose.put_records import deadline_of, firehose, put_records
from streaming_etl.handlers.structured_log import log
from streaming_etl.handlers.wire.change_line import (
    MAX_RECORD_BYTES,
    ChangeTooLargeError,
    change_line,
)


class BisectBatchError(Exception):
    """The batch begins with a change that cannot go on, and has others behind it."""


class Packing(NamedTuple):
    """What goes into one Firehose record, which is billed by 5 KB begun."""

    max_changes: int
    """1 sends every change in a record of its own."""
    max_bytes: int
    """A larger change is a record alone."""
    old_image: str
    """Whose old image travels: a key of `line.OLD_IMAGE_KINDS`."""


def forward(
    records: list[dict[str, Any]],
    event_names: Collection[str],
    packing: Packing,
    put: Callable[[list[bytes]], list[int]],
) -> dict[str, Any]:
    """Send the stream records whose event is wanted; tell Lambda the first that did not go.

    `put` takes Firehose records and returns the indexes of those it could not put. Lambda sends
    again everything from the one failure reported, so naming more would add nothing.
    BisectBatchError asks it to halve the batch: reported as the first of many, a change that can
    never go on would take the others along to the failed batches.
    https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
    """
    wanted = [record for record in records if record["eventName"] in event_names]
    lines = _lines(wanted, packing.old_image)
    if wanted and not lines and wanted[0] is records[0] and len(records) > 1:
        raise BisectBatchError("halved, the batch loses its first change alone")
    packs = list(groups(lines, packing.max_changes, packing.max_bytes))
    unsent = put([b"".join(lines[pack.start : pack.stop]) for pack in packs])
    first = min((packs[index].start for index in unsent), default=len(lines))
    sent = len(lines) - sum(len(packs[index]) for index in unsent)
    log(
        "INFO",
        "forwarded",
        records=len(packs) - len(unsent),
        changes=len(records),
        filtered=len(records) - len(wanted),
        failed=len(wanted) - sent,
    )
    if first == len(wanted):
        return {"batchItemFailures": []}
    return {"batchItemFailures": [{"itemIdentifier": _sequence_number(wanted[first])}]}


def _lines(records: list[dict[str, Any]], old_image: str) -> list[bytes]:
    """A line for each record, up to the first that cannot be one."""
    lines: list[bytes] = []
    for record in records:
        try:
            lines.append(change_line(record, old_image))
        except Exception as error:
            # It stops the batch here; what follows comes again, in a batch that begins with it.
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
    """The event source mapping's entry: environment and client around `forward`."""
    packing = Packing(
        max_changes=int(os.environ["MAX_CHANGES_PER_RECORD"]),
        max_bytes=min(int(os.environ["MAX_RECORD_KIB"]) * 1024, MAX_RECORD_BYTES),
        old_image=os.environ["OLD_IMAGE"],
    )
    put = partial(
        put_records, firehose(), os.environ["DELIVERY_STREAM"], deadline=deadline_of(context)
    )
    return forward(event["Records"], os.environ["EVENT_NAMES"].split(","), packing, put)
