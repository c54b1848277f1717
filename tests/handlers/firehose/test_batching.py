"""Groups of lines are never empty or over their limits."""

import pytest

from streaming_etl.handlers.firehose.batching import groups


@pytest.mark.parametrize(
    ("contents", "sizes"),
    [
        ([], []),
        ([b"four"], [1]),
        # A content over the limit is alone, also as the first or last one.
        ([b"four", b"a"], [1, 1]),
        ([b"a", b"four"], [1, 1]),
        ([b"four", b"four", b"a", b"b", b"four"], [1, 1, 2, 1]),
        ([b"aa", b"b", b"c"], [2, 1]),
        ([b"", b"", b"", b""], [3, 1]),
    ],
)
def test_groups_have_at_most_three_contents_and_three_bytes(
    contents: list[bytes], sizes: list[int]
) -> None:
    ranges = list(groups(contents, 3, 3))
    assert [len(part) for part in ranges] == sizes
    assert [index for part in ranges for index in part] == [*range(len(contents))]
