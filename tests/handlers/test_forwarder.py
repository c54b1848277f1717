"""Forwarder: sends every matching change, and reports the first that failed."""

import json
import random
import string

import pytest

from streaming_etl.handlers import forwarder
from streaming_etl.handlers.forwarder import AggregationLimits, BisectBatchError, forward
from streaming_etl.handlers.wire.change_line import MAX_RECORD_BYTES, change_line
from tests.support.changes import read_change, stream_record
from tests.support.fake_aws import FakeContext, FakeDelivery, FakeFirehose, client_error

ALL = ["INSERT", "MODIFY", "REMOVE"]
SINGLE = AggregationLimits(max_changes=1, max_bytes=262_144, old_image="always")
AGGREGATED = AggregationLimits(max_changes=500, max_bytes=262_144, old_image="always")
NOISE = "".join(random.Random(0).choices(string.printable, k=1_100_000))


def failures(*records):
    return {
        "batchItemFailures": [
            {"itemIdentifier": record["dynamodb"]["SequenceNumber"]} for record in records
        ]
    }


def logged(capsys):
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def counts(capsys):
    """Records sent, and changes received, filtered and failed, as logged."""
    *_, summary = logged(capsys)
    names = ("level", "message", "records", "changes", "filtered", "failed")
    assert tuple(summary) == names
    assert (summary["level"], summary["message"]) == ("INFO", "forwarded")
    return tuple(summary.values())[2:]


def test_sends_each_change_as_a_record_in_order(stream_batch, capsys):
    put = FakeDelivery()
    assert forward(stream_batch, ALL, SINGLE, put) == {"batchItemFailures": []}
    assert put.records == [change_line(record) for record in stream_batch]
    assert counts(capsys) == (4, 4, 0, 0)


def test_filters_other_event_types_and_counts_them(stream_batch, capsys):
    put = FakeDelivery()
    assert forward(stream_batch, ["INSERT", "MODIFY"], SINGLE, put) == {"batchItemFailures": []}
    assert put.records == [change_line(record) for record in stream_batch[:2]]
    assert counts(capsys) == (2, 4, 2, 0)


def test_a_batch_without_matching_changes_succeeds(stream_batch):
    assert forward(stream_batch, [], SINGLE, FakeDelivery()) == {"batchItemFailures": []}


def test_reports_only_the_first_failed_change(stream_batch, capsys):
    assert forward(stream_batch, ["MODIFY", "REMOVE"], SINGLE, FakeDelivery([1, 2])) == failures(
        stream_batch[2]
    )
    assert counts(capsys) == (1, 4, 1, 2)


def test_a_change_larger_than_a_record_is_compressed():
    put, record = FakeDelivery(), stream_record(1, text={"S": "x" * 1_100_000})
    assert forward([record], ALL, SINGLE, put) == {"batchItemFailures": []}
    [line] = put.records
    assert len(line) < MAX_RECORD_BYTES
    assert read_change(line).new == {"id": "o-1", "text": "x" * 1_100_000}


def test_reports_a_change_too_large_for_a_record_after_sending_those_before(capsys):
    put = FakeDelivery()
    records = [
        stream_record(1),
        stream_record(2),
        stream_record(3, x={"S": NOISE}),
        stream_record(4),
    ]
    assert forward(records, ALL, SINGLE, put) == failures(records[2])
    assert put.records == [change_line(record) for record in records[:2]]
    assert logged(capsys)[0] == {
        "level": "ERROR",
        "message": "change too large",
        "event_id": "event-3",
        "sequence_number": "4421584500000000017450439003",
        "error": "ChangeTooLargeError",
    }


@pytest.mark.parametrize("broken", [{"S": NOISE}, {"S": "\ud800"}], ids=["large", "unreadable"])
def test_bisects_a_batch_that_begins_with_a_change_it_can_never_forward(broken):
    put, first = FakeDelivery(), stream_record(1, x=broken)
    batch = [first, stream_record(2), stream_record(3)]
    # Lambda halves until the batch has two changes.
    for size in (3, 2):
        with pytest.raises(BisectBatchError):
            forward(batch[:size], ALL, AGGREGATED, put)
    assert put.records == []
    # Alone, and after a filtered change, which Lambda does not send again.
    assert forward(batch[:1], ALL, AGGREGATED, put) == failures(first)
    removal = stream_record(0) | {"eventName": "REMOVE"}
    assert forward([removal, *batch], {"MODIFY", "INSERT"}, AGGREGATED, put) == failures(first)


def test_reports_a_rejected_record_before_a_change_too_large():
    records = [stream_record(1), stream_record(2), stream_record(3, x={"S": NOISE})]
    assert forward(records, ALL, SINGLE, FakeDelivery([1])) == failures(records[1])


@pytest.fixture
def firehose(monkeypatch):
    """Fake Firehose and the handler's environment."""
    fake = FakeFirehose()
    monkeypatch.setattr(forwarder, "firehose", lambda: fake)
    monkeypatch.setenv("DELIVERY_STREAM", "orders-delivery-1a2b3c4")
    monkeypatch.setenv("EVENT_NAMES", "INSERT,REMOVE")
    monkeypatch.setenv("MAX_CHANGES_PER_RECORD", "2")
    monkeypatch.setenv("MAX_RECORD_KIB", "1")
    monkeypatch.setenv("OLD_IMAGE", "never")
    return fake


def test_the_handler_uses_the_settings_of_its_environment(firehose, stream_batch):
    large = stream_record(5, text={"S": "x" * 800})
    assert (
        forwarder.lambda_handler({"Records": [*stream_batch, large]}, FakeContext()) == failures()
    )
    assert firehose.streams == {"orders-delivery-1a2b3c4"}
    inserted, _, removed, expired = [change_line(record, "never") for record in stream_batch]
    assert b"OldImage" not in removed
    assert firehose.calls == [[inserted + removed, expired, change_line(large)]]


@pytest.mark.usefixtures("firehose")
def test_the_handler_reports_the_first_change_if_the_stream_does_not_exist(
    stream_batch, monkeypatch
):
    gone = FakeFirehose(then=client_error("ResourceNotFoundException"))
    monkeypatch.setattr(forwarder, "firehose", lambda: gone)
    assert forwarder.lambda_handler({"Records": stream_batch}, FakeContext()) == failures(
        stream_batch[0]
    )


def test_a_record_has_at_most_its_number_of_changes(capsys):
    put, records = FakeDelivery(), [stream_record(number) for number in range(7)]
    assert forward(records, ALL, AGGREGATED._replace(max_changes=3), put) == failures()
    lines = [change_line(record) for record in records]
    assert put.records == [b"".join(lines[:3]), b"".join(lines[3:6]), lines[6]]
    assert counts(capsys) == (3, 7, 0, 0)


def test_a_record_has_at_most_its_bytes():
    put, records = (
        FakeDelivery(),
        [stream_record(number, x={"S": "x" * 100}) for number in range(4)],
    )
    size = len(change_line(records[0]))
    assert forward(records, ALL, AGGREGATED._replace(max_bytes=2 * size), put) == failures()
    assert [len(record) for record in put.records] == [2 * size, 2 * size]
    put = FakeDelivery()
    assert forward(records, ALL, AGGREGATED._replace(max_bytes=2 * size - 1), put) == failures()
    assert [len(record) for record in put.records] == [size] * 4


def test_a_larger_change_is_a_single_change_record():
    put = FakeDelivery()
    records = [
        stream_record(1),
        stream_record(2, x={"S": "x" * 300_000}),
        stream_record(3),
        stream_record(4),
    ]
    assert forward(records, ALL, AGGREGATED, put) == failures()
    lines = [change_line(record) for record in records]
    assert put.records == [lines[0], lines[1], lines[2] + lines[3]]


def test_reports_the_first_change_of_the_first_rejected_record(capsys):
    records = [stream_record(number) for number in range(7)]
    limits = AGGREGATED._replace(max_changes=2)
    assert forward(records, ALL, limits, FakeDelivery([1, 3])) == failures(records[2])
    assert counts(capsys) == (2, 7, 0, 3)


def test_an_unreadable_change_is_the_only_one_that_fails(capsys):
    put, broken = FakeDelivery(), stream_record(2, text={"S": "\ud800"})
    records = [stream_record(1), broken, stream_record(3)]
    assert forward(records, ALL, AGGREGATED, put) == failures(broken)
    assert put.records == [change_line(records[0])]
    assert logged(capsys)[0] == {
        "level": "ERROR",
        "message": "change unreadable",
        "event_id": "event-2",
        "sequence_number": "4421584500000000017450439002",
        "error": "UnicodeEncodeError",
    }


def test_logs_no_content_of_a_change(capsys):
    records = [stream_record(1, x={"S": "s3cret"}), stream_record(2, x={"S": "s3cret" + NOISE})]
    forward(records, ALL, SINGLE, FakeDelivery([0]))
    captured = capsys.readouterr()
    assert "s3cret" not in captured.out + captured.err
