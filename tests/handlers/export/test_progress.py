"""Batches of an export file, and the position after each change."""

import io

import pytest

from streaming_etl.handlers.export.progress import (
    FileForwarder,
    InvalidLine,
    Progress,
    read_batches,
)


def test_a_batch_ends_at_its_size_and_has_the_position_after_each_change() -> None:
    content = b"a\nbb\n\nccc\n"
    batches = list(read_batches(io.BytesIO(content), Progress(2, 1, 0, 0), bytes.upper, 5))
    assert [(each.changes, each.ends, each.offset, each.line) for each in batches] == [
        ([b"BB\n", b"CCC\n"], [(5, 2), (10, 4)], 10, 4),
    ]
    cut = list(read_batches(io.BytesIO(content), Progress(0, 0, 0, 0), bytes.upper, 2))
    assert [(each.changes, each.offset, each.line) for each in cut] == [
        ([b"A\n"], 2, 1),
        ([b"BB\n"], 5, 2),
        ([b"CCC\n"], 10, 4),
    ]


@pytest.mark.parametrize("lines", [b"a\nb\nc\nd\n", b"x\nx\nx\nx\n"], ids=["changes", "invalid"])
def test_the_size_of_a_batch_is_that_of_all_its_lines(lines: bytes) -> None:
    def to_change(line: bytes) -> bytes:
        if line.startswith(b"x"):
            raise ValueError
        return line

    batches = read_batches(io.BytesIO(lines), Progress(0, 0, 0, 0), to_change, 5)
    assert [(each.size, each.line) for each in batches] == [(6, 3), (2, 4)]


def forward(content: bytes, failing: list[int], max_bytes: int = 4) -> tuple[object, ...]:
    """Forward lines, of which those with an `x` are invalid.

    failing: the indexes of the records that Firehose rejects in a call with the line `last`.
    """
    dead_lettered: list[InvalidLine] = []
    calls: list[list[bytes]] = []

    def put(records: list[bytes]) -> list[int]:
        calls.append(records)
        return failing if b"LAST\n" in records else []

    def to_change(line: bytes) -> bytes:
        if line.startswith(b"x"):
            raise ValueError
        return line.upper()

    start = Progress(0, 0, 0, 0)
    forwarder = FileForwarder(
        start,
        max_changes=1,
        max_bytes=100,
        put=put,
        dead_letter=dead_lettered.extend,
        wait_for_capacity=lambda _: True,
    )
    done = forwarder.run(read_batches(io.BytesIO(content), start, to_change, max_bytes))
    return done, forwarder.progress, [each.line for each in dead_lettered]


def test_progress_includes_a_trailing_batch_of_invalid_lines() -> None:
    assert forward(b"aaa\nx1\nx2\n", []) == (True, Progress(10, 3, 1, 2), [2, 3])
    assert forward(b"aaa\nx\n", []) == (True, Progress(6, 2, 1, 1), [2])


def test_progress_excludes_a_trailing_batch_whose_changes_are_rejected() -> None:
    assert forward(b"aaa\nlast\n", [0]) == (False, Progress(4, 1, 1, 0), [])
    assert forward(b"aaa\nx1\nlast\n", [0], 4) == (False, Progress(4, 1, 1, 0), [2])
    assert forward(b"last\nb\n", [0, 1], 7) == (False, Progress(0, 0, 0, 0), [])


def test_progress_ends_before_the_first_rejected_change() -> None:
    content = b"last\nx\nb\nc\nd\n"
    assert forward(content, [3, 1], 14) == (False, Progress(5, 1, 1, 0), [2])
    assert forward(content, [3, 2], 14) == (False, Progress(9, 3, 2, 1), [2])
