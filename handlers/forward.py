"""Stage 1: the changes of a stream batch, each as one record on the Firehose stream."""

import os
from collections.abc import Callable, Collection
from functools import partial
from typing import Any

from handlers.change import ChangeTooLargeError, change_line
from handlers.log import log
from handlers.put import deadline_of, firehose, put_records


def forward(
    records: list[dict[str, Any]],
    event_names: Collection[str],
    put: Callable[[list[bytes]], list[int]],
) -> dict[str, Any]:
    """Send the stream records whose event is wanted; tell Lambda the first that did not go.

    `put` takes Firehose records and returns the indexes of those it could not put. Lambda sends
    again everything from the one failure reported, so naming more would add nothing.
    https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
    """
    wanted = [record for record in records if record["eventName"] in event_names]
    lines: list[bytes] = []
    for record in wanted:
        try:
            lines.append(change_line(record))
        except ChangeTooLargeError:
            # It stops the batch here; tried alone in the end, it goes to the failed batches whole.
            sequence_number = record["dynamodb"]["SequenceNumber"]
            log(
                "ERROR",
                "change too large",
                event_id=record["eventID"],
                sequence_number=sequence_number,
            )
            break
    unsent = put(lines)
    sent = len(lines) - len(unsent)
    log(
        "INFO",
        "forwarded",
        records=sent,
        changes=len(records),
        filtered=len(records) - len(wanted),
        failed=len(wanted) - sent,
    )
    if sent == len(wanted):
        return {"batchItemFailures": []}
    first = wanted[min(unsent, default=len(lines))]
    return {"batchItemFailures": [{"itemIdentifier": first["dynamodb"]["SequenceNumber"]}]}


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """The event source mapping's entry: environment and client around `forward`."""
    put = partial(
        put_records, firehose(), os.environ["DELIVERY_STREAM"], deadline=deadline_of(context)
    )
    return forward(event["Records"], os.environ["EVENT_NAMES"].split(","), put)
