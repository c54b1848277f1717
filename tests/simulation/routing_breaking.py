"""Patches of the routes to several lake tables, for mutations."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any
from unittest.mock import patch

from streaming_etl.handlers import forwarder
from streaming_etl.handlers.wire.snapshot import MARKER
from streaming_etl.ops.backfill.scan import Scan
from streaming_etl.ops.firehose_writer import RoutedWriter
from streaming_etl.ops.replay.entries import Entry, Problem
from streaming_etl.stack.errors import CommandError
from tests.simulation.breaking import around

Record = dict[str, Any]


def routed_as(wrapper: Callable[..., Record | None]) -> Any:
    """Route the forwarder's changes by `wrapper`, which receives the original first."""
    return around(forwarder, "routed", wrapper)


def by_new_image(_: Any, record: Record, where: Any) -> Record | None:
    """Route by the new image; by the old one only without it."""
    stream = record["dynamodb"]
    image = stream.get("NewImage") or stream.get("OldImage") or stream["Keys"]
    return record if where.matches(image) else None


def never_leaving(routed: Any, record: Record, where: Any) -> Record | None:
    sent: Record | None = routed(record, where)
    is_leaving = sent is not None and sent["eventName"] == "REMOVE" != record["eventName"]
    return None if is_leaving else sent


def only_unchanged(routed: Any, record: Record, where: Any) -> Record | None:
    sent: Record | None = routed(record, where)
    return sent if sent is record else None


def entering_as_is(routed: Any, record: Record, where: Any) -> Record | None:
    sent: Record | None = routed(record, where)
    return record if sent is not None and sent["eventName"] == "INSERT" else sent


def leaving_as_is(routed: Any, record: Record, where: Any) -> Record | None:
    sent: Record | None = routed(record, where)
    return record if sent is not None and sent["eventName"] == "REMOVE" else sent


def failures_of_the_first_stream() -> Any:
    """Report the records of all streams but the first as accepted."""

    def put_first(put: Any, *arguments: Any, must_call: bool, **options: Any) -> list[int]:
        failed: list[int] = put(*arguments, must_call=must_call, **options)
        return failed if must_call else []

    return around(forwarder, "put_records", put_first)


def forward_with(change: Callable[[Any, Any], tuple[Any, Any]]) -> Any:
    """Change `put` and `count_unmatched` of each batch."""

    def wrapper(forward: Any, records: Any, routing: Any, put: Any, count: Any) -> Any:
        return forward(records, routing, *change(put, count))

    return around(forwarder, "forward", wrapper)


def stop_after_failure() -> Any:
    """Do not call the other streams after one has failed."""

    def change(put: Any, count: Any) -> tuple[Any, Any]:
        has_failed = False

        def put_until_failure(route: Any, records: Any, *others: Any) -> list[int]:
            nonlocal has_failed
            failed: list[int] = range(len(records)) if has_failed else put(route, records, *others)
            has_failed = bool(failed)
            return failed

        return put_until_failure, count

    return forward_with(change)


def count_all_unmatched() -> Any:
    """Count the unmatched changes after a failure, which Lambda sends again."""

    def wrapper(forward: Any, records: Any, routing: Any, put: Any, count: Any) -> Any:
        _, unmatched, _ = forwarder._lines(
            [each for each in records if each["eventName"] in routing.event_names], routing
        )
        return forward(records, routing, put, lambda _: count(len(unmatched)))

    return around(forwarder, "forward", wrapper)


def unmatched_as_filtered(entry_of: Callable[..., Entry], *arguments: Any) -> Entry:
    """Return the entry of an unmatched change as of a filtered one."""
    entry = entry_of(*arguments)
    return replace(entry, problem=None) if entry.problem == Problem("unmatched") else entry


def marker_of_the_first() -> Any:
    """Write markers to the first lake table only."""
    return _lines_to_the_first(lambda line: MARKER.encode() in line)


def pages_of_the_first_stream() -> Any:
    """Ignore the errors of all streams but the first in a backfill."""

    def wrapper(write: Any, lines: Sequence[bytes], names: Sequence[str]) -> None:
        for name in dict.fromkeys(names):
            own = [line for line, each in zip(lines, names, strict=True) if each == name]
            with suppress(*(() if name == names[0] else (CommandError,))):
                write(own, [name] * len(own))

    send_page = Scan.send_page

    def send(scan: Scan, number: int) -> int:
        write = partial(wrapper, scan._writer.write)
        with patch.object(scan._writer, "write", write):
            return send_page(scan, number)

    return patch.object(Scan, "send_page", send)


def replay_to_the_first() -> Any:
    """Write the changes of a replay to the first lake table only."""
    return _lines_to_the_first(lambda line: b'"SNAPSHOT"' not in line and b'"BACKFILL"' not in line)


def _lines_to_the_first(applies_to: Callable[[bytes], bool]) -> Any:
    write = RoutedWriter.write

    def wrapper(writer: RoutedWriter, lines: Sequence[bytes], names: Sequence[str]) -> None:
        [first, *_] = writer._writers
        pairs = zip(lines, names, strict=True)
        kept = [(line, name) for line, name in pairs if name == first or not applies_to(line)]
        write(writer, [line for line, _ in kept], [name for _, name in kept])

    return patch.object(RoutedWriter, "write", wrapper)
