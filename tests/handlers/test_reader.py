"""A record's lines become changes, each by itself, however many share the record."""

import pytest

from streaming_etl.handlers.change import decode as module
from streaming_etl.handlers.change.decode import RecordReader, lines_of
from tests.handlers.fakes import line


def read(content):
    parts = RecordReader().read(content)
    found = [
        type(record).__name__ if isinstance(record, Exception) else record.eventID
        for part in parts
        for record in part.records()
    ]
    return found, lines_of(parts)


@pytest.fixture(params=[1, 500, 20_480])
def part_bytes(request, monkeypatch):
    """Records are decoded in parts of this size."""
    monkeypatch.setattr(module, "_PART_BYTES", request.param)


@pytest.mark.usefixtures("part_bytes")
def test_every_line_is_a_change_in_order_and_stays_as_it_came():
    lines = [line(number, text={"S": "x" * number}) for number in range(40)]
    found, kept = read(b"".join(lines))
    assert found == [f"event-{number}" for number in range(40)]
    assert kept == [each.strip() for each in lines]


@pytest.mark.usefixtures("part_bytes")
def test_a_line_that_is_no_change_costs_no_other_its_place():
    content = b"".join([line(1), b"junk\n", line(2), b'{"eventID":"e"}\n', line(3), b"\xff\n"])
    found, kept = read(content)
    assert found == [
        "event-1",
        "DecodeError",
        "event-2",
        "ValidationError",
        "event-3",
        "DecodeError",
    ]
    assert kept == content.split(b"\n")[:-1]


@pytest.mark.usefixtures("part_bytes")
def test_blank_lines_and_line_breaks_of_windows_do_not_count():
    found, kept = read(b"\n" + line(1).replace(b"\n", b"\r\n") + b"\n \n" + line(2).strip())
    assert (found, [each.strip() for each in kept]) == (
        ["event-1", "event-2"],
        [line(1).strip(), line(2).strip()],
    )


@pytest.mark.usefixtures("part_bytes")
def test_compressed_and_plain_lines_share_a_record():
    large = line(2, text={"S": "x" * 1_100_000})
    found, kept = read(line(1) + large + line(3))
    assert (found, kept[1]) == (["event-1", "event-2", "event-3"], large.strip())


def test_an_empty_record_has_no_change():
    assert read(b"") == read(b"\n") == ([], [])


def test_an_image_fetches_from_its_own_line_while_later_lines_are_not_yet_read(monkeypatch):
    monkeypatch.setattr(module, "_PART_BYTES", 1)
    parts = RecordReader().read(line(1, n={"N": "1"}) + b"junk\n" + line(3, n={"N": "3"}))
    numbers = [
        None if isinstance(record, Exception) else part.change(record, index).new["n"]
        for part in parts
        for index, record in enumerate(part.records())
    ]
    assert numbers == [1, None, 3]
    whole = [line(1, n={"N": "1"}).strip(), b"junk", line(3, n={"N": "3"}).strip()]
    assert lines_of(parts) == whole
