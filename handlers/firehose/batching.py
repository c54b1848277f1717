"""Grouping of lines into Firehose records, and of records into calls."""

from collections.abc import Iterator, Sequence


def groups(contents: Sequence[bytes], max_count: int, max_bytes: int) -> Iterator[range]:
    """Yield the indexes of each group; a larger content is alone."""
    if 0 < len(contents) <= max_count and sum(map(len, contents)) <= max_bytes:
        # Most batches are one group, which needs no loop.
        yield range(len(contents))
        return
    start = size = 0
    for index, content in enumerate(contents):
        full = index - start == max_count or size + len(content) > max_bytes
        if full and index > start:
            yield range(start, index)
            start, size = index, 0
        size += len(content)
    if contents:
        yield range(start, len(contents))
