"""How much goes together: lines into a Firehose record, records into one call."""

from collections.abc import Iterator, Sequence


def groups(contents: Sequence[bytes], max_count: int, max_bytes: int) -> Iterator[range]:
    """The contents' indexes in order, cut where a group is full; what is larger stands alone."""
    if 0 < len(contents) <= max_count and sum(map(len, contents)) <= max_bytes:
        # All in one, as most batches are: told without a look at each.
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
