"""One page at a time of a table's parallel scan, through Firehose and into the checkpoint."""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Optional

from botocore.exceptions import BotoCoreError, ClientError

from streaming_etl.handlers.wire.change_line import ChangeTooLargeError, change_line
from streaming_etl.handlers.wire.snapshot import snapshot_record
from streaming_etl.ops.backfill.checkpoint import Checkpoint, Key, Segment
from streaming_etl.ops.backfill.pace import Pace
from streaming_etl.ops.backfill.table import SourceTable
from streaming_etl.ops.firehose_writer import Feed
from streaming_etl.stack.errors import CommandError

# An eventually consistent read costs half a unit for each 4 KB begun of what a page reads.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html
BYTES_PER_UNIT = 8192
# A page ends at 1 MB. https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Scan.html
MOST_UNITS_PER_PAGE = 128.0
# Firehose bills a record as whole 5 KB: the records of smaller pages would mostly be rounding.
LEAST_UNITS_PER_PAGE = 4.0
# Of a table of which DynamoDB has not yet counted the items.
UNKNOWN_ITEM_BYTES = 1024

# What waiting mends; all else, such as a missing permission, comes again.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
TRANSIENT = {
    "InternalServerError",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ServiceUnavailable",
    "ThrottlingException",
}
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 20.0
PAUSES = 15
"""About two and a half minutes in a row; beyond that the budget does not fit the table."""


@dataclass(frozen=True)
class Page:
    """One answer to a Scan request."""

    items: Sequence[dict[str, Any]]
    """In DynamoDB JSON, binary as bytes."""
    next: Optional[Key]
    """None at the segment's end."""
    read_units: float
    taken_at_ms: int
    """Epoch milliseconds, not after the read."""


class Scan:
    """Reads the segments of a table and feeds their items, each as a change of kind SNAPSHOT.

    client: DynamoDB's. Segments may run in threads, each in one.
    """

    def __init__(
        self,
        client: Any,
        table: SourceTable,
        feed: Feed,
        checkpoint: Checkpoint,
        pace: Pace,
        units_per_page: float,
        *,
        time_ns: Callable[[], int] = time.time_ns,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._client, self._table, self._feed = client, table, feed
        self._checkpoint, self._pace = checkpoint, pace
        self._units_per_page = units_per_page
        self._time_ns, self._sleep, self._jitter = time_ns, sleep, jitter

    def pass_page(self, number: int) -> int:
        """Read the next page of a segment, and return once it is in Firehose and in the checkpoint.

        Returns how many items it held. Raises CommandError when DynamoDB or Firehose refuses for good.
        """
        before = self._checkpoint.segments[number]
        page = self._read(number, before)
        lines, too_large = snapshot_lines(page, self._table.key_names)
        if lines:
            self._feed.put(lines)
        after = Segment(
            start=page.next,
            done=page.next is None,
            items=before.items + len(lines),
            read_units=before.read_units + page.read_units,
            too_large=[*before.too_large, *too_large],
        )
        self._checkpoint.passed(number, after)
        return len(page.items)

    def _read(self, number: int, segment: Segment) -> Page:
        guess = self._units_per_page
        request: dict[str, Any] = {
            "TableName": self._table.name,
            "Segment": number,
            "TotalSegments": len(self._checkpoint.segments),
            "Limit": self._limit(segment),
            "ReturnConsumedCapacity": "TOTAL",
        }
        if segment.start is not None:
            request["ExclusiveStartKey"] = segment.start
        self._pace.take(guess)
        taken_at_ms, answer = self._answer(request)
        units = float(answer.get("ConsumedCapacity", {}).get("CapacityUnits", guess))
        self._pace.settle(guess, units)
        return Page(answer["Items"], answer.get("LastEvaluatedKey"), units, taken_at_ms)

    def _limit(self, segment: Segment) -> int:
        """How many items cost at most about as much as a page may."""
        size: float = UNKNOWN_ITEM_BYTES
        if self._table.items and self._table.size:
            size = self._table.size / self._table.items
        units = size / BYTES_PER_UNIT
        if segment.items:
            # What this segment's items did cost, where that is more.
            units = max(units, segment.read_units / segment.items)
        return max(1, int(self._units_per_page / units))

    def _answer(self, request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """The answer, and a moment before it was made; throttled requests are made again."""
        for pause in self._pauses():
            taken_at_ms = self._time_ns() // 1_000_000
            try:
                return taken_at_ms, self._client.scan(**request)
            except ClientError as error:
                code = error.response["Error"]["Code"]
                if code not in TRANSIENT:
                    message = error.response["Error"].get("Message", "")
                    raise CommandError(f"DynamoDB refuses the scan: {code}: {message}") from None
            except BotoCoreError as error:
                code = type(error).__name__
            self._sleep(pause)
        raise CommandError(
            f"DynamoDB does not answer the scan of {self._table.name}: {code}, {PAUSES} times in a "
            "row. Run the same command again to go on; with a lower --read-units if the table is "
            "short of read capacity."
        )

    def _pauses(self) -> Iterator[float]:
        """Exponential back-off with full jitter."""
        longest = FIRST_PAUSE_SECONDS
        for _ in range(PAUSES):
            yield self._jitter() * longest
            longest = min(2 * longest, LONGEST_PAUSE_SECONDS)


def snapshot_lines(page: Page, key_names: Sequence[str]) -> tuple[list[bytes], list[str]]:
    """A line for each item, and the event ids of those that fit into no Firehose record."""
    lines, too_large = [], []
    for item in page.items:
        record = snapshot_record(item, key_names, page.taken_at_ms)
        try:
            lines.append(change_line(record))
        except ChangeTooLargeError:
            too_large.append(record["eventID"])
    return lines, too_large


def units_per_page(read_units: float, segments: int) -> float:
    """What a page may cost, so that all segments have a page in about a second."""
    return min(max(read_units / segments, LEAST_UNITS_PER_PAGE), MOST_UNITS_PER_PAGE)
