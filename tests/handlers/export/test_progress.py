"""Batches of an export file, and the position after each change."""

import io
from collections.abc import Mapping, Sequence

import pytest

from streaming_etl.handlers.export import progress
from streaming_etl.handlers.export.progress import (
    FileForwarder,
    InvalidLine,
    Progress,
    read_batches,
)
from streaming_etl.handlers.wire.routing import Route

ONLY = Route("lake-table", "stream", "always", max_changes=1, max_bytes=100)
ORDERS = ONLY._replace(name="orders", stream="orders-stream")
EVENTS = ONLY._replace(name="events", stream="events-stream", max_changes=2)


def to_change(line: bytes) -> tuple[bytes, Sequence[int]]:
    """Convert a line by its first letter; `x` is invalid.

    `e` is an item of events, `b` of both lake tables, `-` of none, and any other of orders.
    """
    if line.startswith(b"x"):
        raise ValueError
    return line.upper(), {b"e": (1,), b"b": (0, 1), b"-": ()}.get(line[:1], (0,))


def test_a_batch_ends_at_its_size_and_has_the_position_after_each_change() -> None:
    content = b"a\ncc\n\nddd\n"
    batches = list(read_batches(io.BytesIO(content), Progress(2, 1), to_change, 5))
    assert [(each.changes, each.offset, each.line) for each in batches] == [
        ([(b"CC\n", (0,), 5, 2), (b"DDD\n", (0,), 10, 4)], 10, 4),
    ]
    cut = list(read_batches(io.BytesIO(content), Progress(), to_change, 2))
    assert [(each.changes, each.offset, each.line) for each in cut] == [
        ([(b"A\n", (0,), 2, 1)], 2, 1),
        ([(b"CC\n", (0,), 5, 2)], 5, 2),
        ([(b"DDD\n", (0,), 10, 4)], 10, 4),
    ]


@pytest.mark.parametrize("lines", [b"a\nc\nd\nf\n", b"x\nx\nx\nx\n"], ids=["changes", "invalid"])
def test_the_size_of_a_batch_is_that_of_all_its_lines(lines: bytes) -> None:
    batches = read_batches(io.BytesIO(lines), Progress(), to_change, 5)
    assert [(each.size, each.line) for each in batches] == [(6, 3), (2, 4)]


def test_the_size_of_a_batch_counts_the_bytes_to_each_delivery_stream() -> None:
    batches = read_batches(io.BytesIO(b"b1\no2\n-3\ne4\n"), Progress(), to_change, 9)
    assert [(each.size, each.line, each.unmatched) for each in batches] == [(9, 2, []), (3, 4, [3])]


def test_a_batch_without_changes_ends_after_the_bytes_that_are_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(progress, "MAX_READ_BYTES", 6)
    batches = read_batches(io.BytesIO(b"-1\n-2\n-3\n"), Progress(), to_change, 100)
    assert [(each.size, each.line, each.unmatched) for each in batches] == [
        (0, 2, [1, 2]),
        (0, 3, [3]),
    ]


class Streams:
    """Accepts records, except those with a failing text for a lake table."""

    def __init__(self, failing: Mapping[str, bytes]) -> None:
        self.failing = failing
        self.calls: list[tuple[str, list[bytes], int]] = []

    def put(self, route: Route, records: list[bytes], left: int) -> list[int]:
        self.calls.append((route.name, records, left))
        text = self.failing.get(route.name)
        return [i for i, each in enumerate(records) if text is not None and text in each][::-1]

    def sent(self, name: str) -> list[list[bytes]]:
        return [records for each, records, _ in self.calls if each == name]


def forward(
    content: bytes, routes: Sequence[Route] = (ONLY,), max_bytes: int = 4, **failing: bytes
) -> tuple[bool, Progress, list[int], Streams]:
    """Forward lines.

    failing: by lake table, a text that its stream does not accept.
    """
    dead_lettered: list[InvalidLine] = []
    streams = Streams({name.replace("_", "-"): text for name, text in failing.items()})
    forwarder = FileForwarder(
        Progress(),
        routes=routes,
        put=streams.put,
        dead_letter=dead_lettered.extend,
        wait_for_capacity=lambda _: True,
    )
    done = forwarder.run(read_batches(io.BytesIO(content), Progress(), to_change, max_bytes))
    return done, forwarder.progress, [each.line for each in dead_lettered], streams


def outcome(content: bytes, max_bytes: int = 4, **failing: bytes) -> tuple[object, ...]:
    """Forward lines to one lake table; return progress and dead-lettered lines."""
    done, reached, dead_lettered, _ = forward(content, max_bytes=max_bytes, **failing)
    assert sum(reached.sent.values()) == reached.changes
    counts = (reached.offset, reached.line, reached.changes, reached.dead_lettered)
    return done, counts, dead_lettered


def test_progress_includes_a_trailing_batch_of_invalid_lines() -> None:
    assert outcome(b"aaa\nx1\nx2\n") == (True, (10, 3, 1, 2), [2, 3])
    assert outcome(b"aaa\nx\n") == (True, (6, 2, 1, 1), [2])


def test_progress_excludes_a_trailing_batch_whose_changes_are_rejected() -> None:
    assert outcome(b"aaa\nlast\n", lake_table=b"LAST") == (False, (4, 1, 1, 0), [])
    assert outcome(b"last\na\n", 7, lake_table=b"LAST") == (False, (0, 0, 0, 0), [])


def test_lines_after_the_progress_are_not_dead_lettered_yet() -> None:
    assert outcome(b"aaa\nx1\nlast\n", lake_table=b"LAST") == (False, (4, 1, 1, 0), [])
    assert outcome(b"a\nx\nlast\nx\n", 99, lake_table=b"LAST") == (False, (2, 1, 1, 0), [])
    assert outcome(b"a\nx\nc\nlast\nx\n", 99, lake_table=b"LAST") == (False, (6, 3, 2, 1), [2])


def test_progress_ends_before_the_first_rejected_change() -> None:
    content = b"a\nx\nd\nc1\nd\nc2\n"
    assert outcome(content, 99, lake_table=b"C") == (False, (6, 3, 2, 1), [2])


def test_each_lake_table_gets_its_items_with_its_own_record_limits() -> None:
    done, reached, _, streams = forward(b"o1\ne2\nb3\n-4\ne5\n", (ORDERS, EVENTS), 99)
    assert done
    assert reached == Progress(15, 5, 4, 0, 1, {"orders": 2, "events": 3})
    assert streams.calls == [
        ("orders", [b"O1\n", b"B3\n"], 2),
        ("events", [b"E2\nB3\n", b"E5\n"], 1),
    ]


def test_a_lake_table_without_items_is_not_called() -> None:
    assert forward(b"e1\n-2\n", (ORDERS, EVENTS))[3].calls == [("events", [b"E1\n"], 1)]


def test_progress_counts_items_without_a_lake_table() -> None:
    done, reached, *_ = forward(b"-1\n-2\n-3\n", (ORDERS, EVENTS))
    assert (done, reached) == (True, Progress(9, 3, 0, 0, 3, {}))


@pytest.mark.parametrize(
    ("failing", "line", "sent", "orders", "events"),
    [
        # The stream of events gets nothing that is sent again.
        ({"orders": b"3"}, 2, {"orders": 1, "events": 1}, [b"O1\n", b"B3\n", b"O4\n"], [b"E2\n"]),
        # Orders gets its changes after the failure again.
        (
            {"events": b"B3"},
            1,
            {"orders": 1},
            [b"O1\n", b"B3\n", b"O4\n"],
            [b"E2\nB3\n", b"E5\n"],
        ),
        (
            {"events": b"5"},
            4,
            {"orders": 3, "events": 2},
            [b"O1\n", b"B3\n", b"O4\n"],
            [b"E2\nB3\n", b"E5\n"],
        ),
        ({"orders": b"3", "events": b"2"}, 1, {"orders": 1}, None, [b"E2\n"]),
        ({"orders": b"1"}, 0, {}, None, None),
    ],
)
def test_progress_is_only_past_what_every_lake_table_accepted(
    failing: dict[str, bytes],
    line: int,
    sent: dict[str, int],
    orders: list[bytes] | None,
    events: list[bytes] | None,
) -> None:
    content = b"o1\ne2\nb3\no4\ne5\n"
    done, reached, _, streams = forward(content, (ORDERS, EVENTS), 99, **failing)
    assert (done, reached.line, reached.offset) == (False, line, 3 * line)
    assert (reached.sent, reached.changes) == (sent, line)
    assert orders is None or streams.sent("orders") == [orders]
    assert streams.sent("events") == ([] if events is None else [events])
