"""Export files are read in ranges, decompressed."""

import gzip

import pytest

from streaming_etl.handlers.export.file_reader import export_file
from tests.handlers.export.fake_bucket import BUCKET, KEY, FakeBucket


def test_reads_a_file_of_several_gzip_members() -> None:
    parts = [b"line %d\n" % number for number in range(40)]
    bucket = FakeBucket(b"".join(map(gzip.compress, parts)))
    assert export_file(bucket, BUCKET, KEY).read() == b"".join(parts)
    # One request returns all of a small file.
    assert bucket.ranges == [f"bytes=0-{len(bucket.content) - 1}"]


def test_reads_a_large_file_in_ranges(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streaming_etl.handlers.export.file_reader.RANGE_BYTES", 10_000)
    lines = [b"line %d\n" % number for number in range(3000)]
    bucket = FakeBucket(gzip.compress(b"".join(lines), compresslevel=0))
    assert list(export_file(bucket, BUCKET, KEY)) == lines
    assert bucket.ranges[:2] == ["bytes=0-9999", "bytes=10000-19999"]
