"""Forwarder function: the changes of a stream batch as aggregated Firehose records."""

import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from typing import Any, NamedTuple

from streaming_etl.handlers.firehose.batching import groups
from streaming_etl.handlers.firehose.deadline import deadline_of
from streaming_etl.handlers.firehose.put_records import firehose, put_records
from streaming_etl.handlers.structured_log import count, log
from streaming_etl.handlers.wire.change_line import ChangeTooLargeError, change_line
from streaming_etl.handlers.wire.routing import Route, read_config, routed, routes_of


class BisectBatchError(Exception):
    """Lambda must bisect the batch: its first change can never be forwarded."""


class UnmatchedError(Exception):
    """No lake table has the items of the change."""


class Routing(NamedTuple):
    """Settings of the forwarder, loaded at cold start."""

    event_names: frozenset[str]
    """The event types to forward, as the stream reports them, before a route changes them: then a
    lake table gets every item that begins to match or no longer matches."""
    unmatched_fails: bool
    """Whether a change without a route is a failed change instead of being counted."""
    routes: Sequence[Route]


class Outgoing(NamedTuple):
    """Lines for one route."""

    route: Route
    lines: list[bytes]
    positions: Sequence[int]
    """The position of each line's change in the batch."""


def forward(
    records: list[dict[str, Any]],
    routing: Routing,
    put: Callable[[Route, list[bytes], int, bool], list[int]],
    count_unmatched: Callable[[int], None],
) -> dict[str, Any]:
    """Forward matching records; report the first failure to Lambda.

    put: sends Firehose records of a route and returns the indexes of those that it did not accept.
    It also receives the number of routes left, this one included, and whether this is the first.
    count_unmatched: receives the number of changes that no route sends, if there are any.
    Lambda sends all records from the first reported failure again, so one failure is enough. The
    other routes then get changes twice, and none misses a change.
    Raises BisectBatchError when the first of several changes can never be forwarded: reported as
    a failure, it would take the other changes to the failed batches.
    https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
    """
    matching = [record for record in records if record["eventName"] in routing.event_names]
    outgoing, unmatched, end = _lines(matching, routing)
    if matching and end == 0 and matching[0] is records[0] and len(records) > 1:
        raise BisectBatchError("the first change of the batch can never be forwarded")
    waiting = [each for each in outgoing if each.lines]
    accepted, failed = 0, set(range(end, len(matching)))
    for index, (route, lines, positions) in enumerate(waiting):
        ranges = list(groups(lines, route.max_changes, route.max_bytes))
        contents = [b"".join(lines[part.start : part.stop]) for part in ranges]
        rejected = put(route, contents, len(waiting) - index, index == 0)
        accepted += len(ranges) - len(rejected)
        for part in rejected:
            failed.update(positions[ranges[part].start : ranges[part].stop])
    first = min(failed, default=len(matching))
    # Lambda sends those after the first failure again.
    passed = sum(position < first for position in unmatched)
    if passed:
        count_unmatched(passed)
    log(
        "INFO",
        "forwarded",
        records=accepted,
        changes=len(records),
        filtered=len(records) - len(matching),
        unmatched=passed,
        failed=len(failed),
    )
    if first == len(matching):
        return {"batchItemFailures": []}
    return {"batchItemFailures": [{"itemIdentifier": _sequence_number(matching[first])}]}


def _lines(
    records: list[dict[str, Any]], routing: Routing
) -> tuple[list[Outgoing], list[int], int]:
    """Return lines by route, unmatched positions, and the end.

    The end is the position of the first change that fails, or the number of records.
    """
    routes = routing.routes
    if len(routes) == 1 and routes[0].where is None:
        return _all_lines(records, routes[0])
    lines: list[list[bytes]] = [[] for _ in routes]
    positions: list[list[int]] = [[] for _ in routes]
    unmatched: list[int] = []
    end = len(records)
    for position, record in enumerate(records):
        try:
            parts = _lines_by_route(record, routes)
            if not parts and routing.unmatched_fails:
                raise UnmatchedError
        except Exception as error:
            _log_failure(record, error)
            end = position
            break
        for index, line in parts:
            lines[index].append(line)
            positions[index].append(position)
        if not parts:
            unmatched.append(position)
    return [*map(Outgoing, routes, lines, positions)], unmatched, end


def _all_lines(
    records: list[dict[str, Any]], route: Route
) -> tuple[list[Outgoing], list[int], int]:
    """Return the result of `_lines` for a route of all items.

    Measured: 80 % of the time of `_lines`.
    """
    lines: list[bytes] = []
    for record in records:
        try:
            lines.append(change_line(record, route.old_image))
        except Exception as error:
            _log_failure(record, error)
            break
    return [Outgoing(route, lines, range(len(lines)))], [], len(lines)


def _lines_by_route(record: dict[str, Any], routes: Sequence[Route]) -> list[tuple[int, bytes]]:
    """Return the change's line by the index of each matching route.

    An error fails the change for all routes, as a failed batch has it once and complete.
    """
    lines: list[tuple[int, bytes]] = []
    # By what distinguishes the lines of one change, so that routes with the same line share it:
    # copies of a batch of 6 MB for twenty routes would need 120 MB.
    encoded: dict[tuple[str, str], bytes] = {}
    for index, route in enumerate(routes):
        sent = record if route.where is None else routed(record, route.where)
        if sent is not None:
            form = sent["eventName"], route.old_image
            if form not in encoded:
                encoded[form] = change_line(sent, route.old_image)
            lines.append((index, encoded[form]))
    return lines


def _log_failure(record: dict[str, Any], error: Exception) -> None:
    """Log a change with which Lambda begins the next batch."""
    messages = {ChangeTooLargeError: "change too large", UnmatchedError: "change unmatched"}
    log(
        "ERROR",
        messages.get(type(error), "change unreadable"),
        event_id=record.get("eventID"),
        sequence_number=_sequence_number(record),
        error=type(error).__name__,
    )


def _sequence_number(record: dict[str, Any]) -> str:
    number: str = record["dynamodb"]["SequenceNumber"]
    return number


def routing_of(config: Mapping[str, Any], streams: Mapping[str, str]) -> Routing:
    """Return the routing; config: forwarder.json; streams: by the routes' names."""
    return Routing(
        event_names=frozenset(config["event_names"]),
        unmatched_fails=config["unmatched"] == "fail",
        routes=routes_of(config, streams),
    )


@cache
def load_routing() -> Routing:
    """Load forwarder.json and the delivery streams, once per container."""
    return routing_of(read_config(), json.loads(os.environ["DELIVERY_STREAMS"]))


def handle(event: dict[str, Any], context: Any, routing: Routing) -> dict[str, Any]:
    """Forward a batch until shortly before the timeout."""
    deadline = deadline_of(context)

    def put(route: Route, records: list[bytes], left: int, is_first: bool) -> list[int]:
        # Streams have equal parts of the time that is left, so that no throttled or slow stream
        # takes the time of the others.
        now = time.monotonic()
        share = now + (deadline - now) / left
        report = partial(log, lake_table=route.name)
        return put_records(
            firehose(), route.stream, records, share, must_call=is_first, report=report
        )

    def count_unmatched(changes: int) -> None:
        count("unmatched", context.function_name, ChangesUnmatched=changes)

    return forward(event["Records"], routing, put, count_unmatched)


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Forward the batch of an event source mapping."""
    return handle(event, context, load_routing())
