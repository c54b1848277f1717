"""Lines of a record as changes, each independent of the others."""

import pytest

from streaming_etl.handlers.change import decode
from streaming_etl.handlers.change.decode import RecordReader, lines_of
from tests.support.changes import line


def read(content):
    """Event id or error type of each line, and the lines."""
    chunks = RecordReader().read(content)
    records = [record for chunk in chunks for record in chunk.records()]
    results = [
        type(record).__name__ if isinstance(record, Exception) else record.eventID
        for record in records
    ]
    return results, lines_of(chunks)


@pytest.fixture(params=[1, 500, 20_480])
def chunk_bytes(request, monkeypatch):
    """Records are decoded in chunks of this size."""
    monkeypatch.setattr(decode, "_CHUNK_BYTES", request.param)


@pytest.mark.usefixtures("chunk_bytes")
def test_reads_every_line_in_order_and_keeps_it_unchanged():
    sent = [line(number, text={"S": "x" * number}) for number in range(40)]
    results, lines = read(b"".join(sent))
    assert results == [f"event-{number}" for number in range(40)]
    assert lines == [each.strip() for each in sent]


@pytest.mark.usefixtures("chunk_bytes")
def test_an_invalid_line_does_not_affect_the_others():
    content = b"".join([line(1), b"junk\n", line(2), b'{"eventID":"e"}\n', line(3), b"\xff\n"])
    results, lines = read(content)
    assert results == [
        "event-1",
        "DecodeError",
        "event-2",
        "ValidationError",
        "event-3",
        "DecodeError",
    ]
    assert lines == content.split(b"\n")[:-1]


@pytest.mark.usefixtures("chunk_bytes")
def test_ignores_blank_lines_and_line_breaks_of_windows():
    results, lines = read(b"\n" + line(1).replace(b"\n", b"\r\n") + b"\n \n" + line(2).strip())
    assert (results, [each.strip() for each in lines]) == (
        ["event-1", "event-2"],
        [line(1).strip(), line(2).strip()],
    )


@pytest.mark.usefixtures("chunk_bytes")
def test_a_record_may_have_compressed_and_plain_lines():
    large = line(2, text={"S": "x" * 1_100_000})
    results, lines = read(line(1) + large + line(3))
    assert (results, lines[1]) == (["event-1", "event-2", "event-3"], large.strip())


def test_an_empty_record_has_no_changes():
    assert read(b"") == read(b"\n") == ([], [])


def test_an_item_is_decoded_from_its_line_before_later_lines_are_read(monkeypatch):
    monkeypatch.setattr(decode, "_CHUNK_BYTES", 1)
    chunks = RecordReader().read(line(1, n={"N": "1"}) + b"junk\n" + line(3, n={"N": "3"}))
    numbers = [
        None if isinstance(record, Exception) else chunk.change(record, index).new["n"]
        for chunk in chunks
        for index, record in enumerate(chunk.records())
    ]
    assert numbers == [1, None, 3]
    lines = [line(1, n={"N": "1"}).strip(), b"junk", line(3, n={"N": "3"}).strip()]
    assert lines_of(chunks) == lines
