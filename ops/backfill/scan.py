"""Pages of a table's parallel scan, through Firehose and into the checkpoint."""

import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Optional

from botocore.exceptions import BotoCoreError, ClientError

from streaming_etl.handlers.pacing import RateLimiter, backoff
from streaming_etl.handlers.wire.change_line import ChangeTooLargeError, change_line
from streaming_etl.handlers.wire.routing import Route, snapshot_routes
from streaming_etl.handlers.wire.snapshot import snapshot_record
from streaming_etl.ops.backfill.checkpoint import Checkpoint, Key, Segment
from streaming_etl.ops.backfill.source_table import SourceTable, server_time_ms
from streaming_etl.ops.firehose_writer import RoutedWriter
from streaming_etl.stack.errors import CommandError

# An eventually consistent read costs half a unit per 4 KB, rounded up, that a page reads.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html
BYTES_PER_UNIT = 8192
# A page has at most 1 MB.
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Scan.html
MAX_UNITS_PER_PAGE = 128.0
# Firehose bills a record in steps of 5 KB; smaller pages are billed mostly for rounding.
MIN_UNITS_PER_PAGE = 4.0
# For a table whose items DynamoDB has not counted yet.
UNKNOWN_ITEM_BYTES = 1024

# Errors that a retry can resolve.
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
MAX_ATTEMPTS = 15
"""About two and a half minutes; a table throttled for longer lacks the budget's capacity."""


@dataclass(frozen=True)
class Page:
    """One response to a Scan request."""

    items: Sequence[dict[str, Any]]
    """In DynamoDB JSON, binary as bytes."""
    next: Optional[Key]
    """None at the end of the segment."""
    read_units: float
    taken_at_ms: int
    """Time of the response by AWS's clock, in epoch milliseconds."""


@dataclass
class Snapshots:
    """Changes of a page."""

    lines: list[bytes] = field(default_factory=list)
    lake_tables: list[str] = field(default_factory=list)
    """The lake table of each line; an item of several has a line for each."""
    items: int = 0
    too_large: list[str] = field(default_factory=list)
    """Event ids."""
    unmatched: int = 0


class Scan:
    """Reads segments of a table and sends their items as snapshots.

    client: DynamoDB's. routes: to the lake tables, for each of which `writer` has a stream.
    Each segment may be read in its own thread.
    """

    def __init__(
        self,
        client: Any,
        table: SourceTable,
        routes: Sequence[Route],
        writer: RoutedWriter,
        checkpoint: Checkpoint,
        limiter: RateLimiter,
        units_per_page: float,
        *,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._client, self._table = client, table
        self._routes, self._writer = routes, writer
        self._checkpoint, self._limiter = checkpoint, limiter
        self._units_per_page = units_per_page
        self._sleep, self._jitter = sleep, jitter

    def send_page(self, number: int) -> int:
        """Send the next page of a segment and write the checkpoint.

        Returns the page's count of items. Raises CommandError when AWS fails permanently.
        """
        before = self._checkpoint.segments[number]
        page = self._read(number, before)
        snapshots = snapshots_of(page, self._table, self._routes)
        self._writer.write(snapshots.lines, snapshots.lake_tables)
        after = Segment(
            start=page.next,
            done=page.next is None,
            items=before.items + snapshots.items,
            read_units=before.read_units + page.read_units,
            too_large=[*before.too_large, *snapshots.too_large],
            unmatched=before.unmatched + snapshots.unmatched,
            sent=dict(Counter(before.sent) + Counter(snapshots.lake_tables)),
        )
        self._checkpoint.update(number, after)
        return len(page.items)

    def _read(self, number: int, segment: Segment) -> Page:
        estimate = self._units_per_page
        request: dict[str, Any] = {
            "TableName": self._table.name,
            "Segment": number,
            "TotalSegments": len(self._checkpoint.segments),
            "Limit": self._limit(segment),
            "ReturnConsumedCapacity": "TOTAL",
        }
        if segment.start is not None:
            request["ExclusiveStartKey"] = segment.start
        self._limiter.take(estimate)
        response = self._scan(request)
        units = float(response.get("ConsumedCapacity", {}).get("CapacityUnits", estimate))
        self._limiter.correct(units - estimate)
        return Page(
            response["Items"], response.get("LastEvaluatedKey"), units, server_time_ms(response)
        )

    def _limit(self, segment: Segment) -> int:
        """Return how many items cost about as much as a page may."""
        size: float = UNKNOWN_ITEM_BYTES
        if self._table.items and self._table.size:
            size = self._table.size / self._table.items
        units = size / BYTES_PER_UNIT
        if segment.items_read:
            # The cost of this segment's items so far, if higher.
            units = max(units, segment.read_units / segment.items_read)
        return max(1, int(self._units_per_page / units))

    def _scan(self, request: dict[str, Any]) -> dict[str, Any]:
        pauses = backoff(FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, self._jitter)
        for pause in islice(pauses, MAX_ATTEMPTS):
            try:
                response: dict[str, Any] = self._client.scan(**request)
                return response
            except ClientError as error:
                code = error.response["Error"]["Code"]
                if code not in TRANSIENT:
                    message = error.response["Error"].get("Message", "")
                    raise CommandError(
                        f"DynamoDB rejected the scan of {self._table.name}: {code}: {message}",
                        code="scan-rejected",
                        table=self._table.name,
                        error=code,
                    ) from None
            except BotoCoreError as error:
                code = type(error).__name__
            self._sleep(pause)
        message = (
            f"The scan of {self._table.name} failed {MAX_ATTEMPTS} times in a row: {code}. Run the "
            "same command again to continue; use a lower --read-units if the table is throttled."
        )
        raise CommandError(message, code="scan-throttled", table=self._table.name, error=code)


def snapshots_of(page: Page, table: SourceTable, routes: Sequence[Route]) -> Snapshots:
    """Return the changes of a page, for each lake table."""
    result = Snapshots()
    for item in page.items:
        record = snapshot_record(item, table.key_names, page.taken_at_ms, table.stream_arn)
        indexes = snapshot_routes(record, routes)
        try:
            line = change_line(record) if indexes else b""
        except ChangeTooLargeError:
            result.too_large.append(record["eventID"])
            continue
        result.lines += [line] * len(indexes)
        result.lake_tables += [routes[index].name for index in indexes]
        result.items += bool(indexes)
        result.unmatched += not indexes
    return result


def units_per_page(read_units: float, segments: int) -> float:
    """Return a page's cost at about one page per segment and second."""
    return min(max(read_units / segments, MIN_UNITS_PER_PAGE), MAX_UNITS_PER_PAGE)
