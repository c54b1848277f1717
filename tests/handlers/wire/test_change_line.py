"""Change lines: trimmed, and compressed if they exceed one Firehose record."""

import json
import random
import string

import pytest

from streaming_etl.handlers.wire.change_line import (
    MAX_RECORD_BYTES,
    ChangeTooLargeError,
    change_line,
    replayed_line,
)
from tests.support.changes import line, read_change, stream_record


def test_a_line_has_only_the_used_fields_under_their_aws_names(stream_batch):
    assert change_line(stream_batch[3]) == (
        b'{"eventID":"a87ff679a2f3e71d9181a67b7542122c","eventName":"REMOVE",'
        b'"dynamodb":{"ApproximateCreationDateTime":1795426203,"Keys":{"id":{"S":"o-2"}},'
        b'"SequenceNumber":"4421584700000000017450439094",'
        b'"OldImage":{"id":{"S":"o-2"},"expires":{"N":"1795400000"}}},'
        b'"streamLabel":"2026-11-01T00:00:00.000",'
        b'"userIdentity":{"principalId":"dynamodb.amazonaws.com","type":"Service"}}\n'
    )


def test_a_line_without_an_epoch_is_that_of_an_earlier_version(stream_batch):
    record = {**stream_batch[0], "eventSourceARN": ""}
    assert "streamLabel" not in json.loads(change_line(record))


@pytest.mark.parametrize(
    ("old_image", "event_names"),
    [
        ("always", ["MODIFY", "REMOVE", "REMOVE"]),
        ("on_remove", ["REMOVE", "REMOVE"]),
        ("never", []),
    ],
)
def test_only_these_event_types_include_the_old_image(stream_batch, old_image, event_names):
    lines = [json.loads(change_line(record, old_image)) for record in stream_batch]
    with_old = [line["eventName"] for line in lines if "OldImage" in line["dynamodb"]]
    assert with_old == event_names


def record_of_line_bytes(size):
    padding = size - len(line(1, text={"S": ""}))
    return stream_record(1, text={"S": "x" * padding})


def test_a_line_of_exactly_one_firehose_record_is_not_compressed():
    plain = change_line(record_of_line_bytes(MAX_RECORD_BYTES))
    assert (len(plain), plain[:11]) == (1_024_000, b'{"eventID":')


def test_a_line_one_byte_longer_is_compressed_and_reads_the_same():
    record = record_of_line_bytes(MAX_RECORD_BYTES + 1)
    compressed = change_line(record)
    assert len(compressed) < 10_000
    assert (list(json.loads(compressed)), compressed[-1:]) == (["gzip"], b"\n")
    change = read_change(compressed)
    assert (change.event_id, change.new) == (
        "event-1",
        {"id": "o-1", "text": record["dynamodb"]["NewImage"]["text"]["S"]},
    )


def test_a_replayed_line_is_marked_once_and_reads_the_same():
    plain = line(1)
    marked = replayed_line(plain)
    assert json.loads(marked) == {"replayed": True, **json.loads(plain)}
    assert replayed_line(marked) == marked
    assert read_change(marked).new == read_change(plain).new


def test_a_line_without_space_for_the_mark_is_not_marked():
    compressed = change_line(record_of_line_bytes(MAX_RECORD_BYTES + 1))
    longest = change_line(record_of_line_bytes(MAX_RECORD_BYTES - 16))
    assert len(replayed_line(longest)) == MAX_RECORD_BYTES
    too_long = change_line(record_of_line_bytes(MAX_RECORD_BYTES - 15))
    assert [replayed_line(each) for each in (compressed, too_long)] == [compressed, too_long]


def test_rejects_a_change_that_is_too_large_even_compressed():
    noise = "".join(random.Random(0).choices(string.printable, k=1_100_000))
    with pytest.raises(ChangeTooLargeError):
        line(1, noise={"S": noise})


def test_a_compressed_line_may_have_exactly_the_bytes_of_a_record(monkeypatch):
    module = "streaming_etl.handlers.wire.change_line"
    record = stream_record(1, text={"S": "x" * 3000})
    monkeypatch.setattr(f"{module}.MAX_RECORD_BYTES", 1000)
    compressed = change_line(record)
    monkeypatch.setattr(f"{module}.MAX_RECORD_BYTES", len(compressed))
    assert change_line(record) == compressed
    monkeypatch.setattr(f"{module}.MAX_RECORD_BYTES", len(compressed) - 1)
    with pytest.raises(ChangeTooLargeError):
        change_line(record)
