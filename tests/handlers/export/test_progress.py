"""Batches of an export file, and the position after each change."""

import io

from streaming_etl.handlers.export.progress import Progress, read_batches


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
