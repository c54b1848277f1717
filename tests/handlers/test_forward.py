"""Stage 1 sends every wanted change, and names the first one that did not go."""

import json
import random
import string

import pytest

from streaming_etl.handlers import forwarder as stage
from streaming_etl.handlers.forwarder import BisectBatchError, Packing, forward
from streaming_etl.handlers.wire.change_line import MAX_RECORD_BYTES, change_line
from tests.handlers.fakes import (
    FakeContext,
    FakeFirehose,
    client_error,
    read_change,
    stream_record,
)

ALL = ["INSERT", "MODIFY", "REMOVE"]
SINGLE = Packing(max_changes=1, max_bytes=262_144, old_image="always")
PACKED = Packing(max_changes=500, max_bytes=262_144, old_image="always")
NOISE = "".join(random.Random(0).choices(string.printable, k=1_100_000))


class Put:
    """Takes records as `put_records` does; the indexes in `failing` do not go."""

    def __init__(self, *failing):
        self.records, self.failing = [], list(failing)

    def __call__(self, records):
        self.records += records
        return self.failing


def failures(*records):
    return {
        "batchItemFailures": [
            {"itemIdentifier": record["dynamodb"]["SequenceNumber"]} for record in records
        ]
    }


def summary(capsys):
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def test_a_batch_goes_as_one_line_a_record_in_order(stream_batch, capsys):
    put = Put()
    assert forward(stream_batch, ALL, SINGLE, put) == {"batchItemFailures": []}
    assert put.records == [change_line(record) for record in stream_batch]
    assert summary(capsys) == {
        "level": "INFO",
        "message": "forwarded",
        "records": 4,
        "changes": 4,
        "filtered": 0,
        "failed": 0,
    }


def test_events_that_are_not_wanted_are_left_out_and_counted(stream_batch, capsys):
    put = Put()
    assert forward(stream_batch, ["INSERT", "MODIFY"], SINGLE, put) == {"batchItemFailures": []}
    assert put.records == [change_line(record) for record in stream_batch[:2]]
    assert summary(capsys) == {
        "level": "INFO",
        "message": "forwarded",
        "records": 2,
        "changes": 4,
        "filtered": 2,
        "failed": 0,
    }


def test_a_batch_with_nothing_wanted_succeeds(stream_batch):
    assert forward(stream_batch, [], SINGLE, Put()) == {"batchItemFailures": []}


def test_only_the_first_change_that_did_not_go_is_named(stream_batch, capsys):
    assert forward(stream_batch, ["MODIFY", "REMOVE"], SINGLE, Put(1, 2)) == failures(
        stream_batch[2]
    )
    assert summary(capsys) == {
        "level": "INFO",
        "message": "forwarded",
        "records": 1,
        "changes": 4,
        "filtered": 1,
        "failed": 2,
    }


def test_a_change_over_one_record_goes_compressed():
    put, record = Put(), stream_record(1, text={"S": "x" * 1_100_000})
    assert forward([record], ALL, SINGLE, put) == {"batchItemFailures": []}
    [line] = put.records
    assert len(line) < MAX_RECORD_BYTES
    assert read_change(line).new == {"id": "o-1", "text": "x" * 1_100_000}


def test_a_change_too_large_for_any_record_is_named_after_all_before_it_went(capsys):
    put = Put()
    records = [
        stream_record(1),
        stream_record(2),
        stream_record(3, x={"S": NOISE}),
        stream_record(4),
    ]
    assert forward(records, ALL, SINGLE, put) == failures(records[2])
    assert put.records == [change_line(record) for record in records[:2]]
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == [
        {
            "level": "ERROR",
            "message": "change too large",
            "event_id": "event-3",
            "sequence_number": "4421584500000000017450439003",
            "error": "ChangeTooLargeError",
        },
        {
            "level": "INFO",
            "message": "forwarded",
            "records": 2,
            "changes": 4,
            "filtered": 0,
            "failed": 2,
        },
    ]


@pytest.mark.parametrize("broken", [{"S": NOISE}, {"S": "\ud800"}], ids=["large", "unreadable"])
def test_a_change_that_can_never_go_on_has_the_batch_halved_until_it_is_alone(broken):
    put, first = Put(), stream_record(1, x=broken)
    batch = [first, stream_record(2), stream_record(3)]
    with pytest.raises(BisectBatchError) as asked:
        forward(batch, ALL, PACKED, put)
    assert str(asked.value) == "halved, the batch loses its first change alone"
    assert put.records == []
    # Alone, and behind a change that is not wanted, which Lambda takes off with the report.
    assert forward(batch[:1], ALL, PACKED, put) == failures(first)
    removal = stream_record(0) | {"eventName": "REMOVE"}
    assert forward([removal, *batch], {"MODIFY", "INSERT"}, PACKED, put) == failures(first)


def test_a_failed_put_before_a_change_too_large_is_the_one_named():
    records = [stream_record(1), stream_record(2), stream_record(3, x={"S": NOISE})]
    assert forward(records, ALL, SINGLE, Put(1)) == failures(records[1])


@pytest.fixture
def firehose(monkeypatch):
    """The handler's environment, with Firehose faked."""
    fake = FakeFirehose()
    monkeypatch.setattr(stage, "firehose", lambda: fake)
    monkeypatch.setenv("DELIVERY_STREAM", "orders-delivery-1a2b3c4")
    monkeypatch.setenv("EVENT_NAMES", "INSERT,REMOVE")
    monkeypatch.setenv("MAX_CHANGES_PER_RECORD", "2")
    monkeypatch.setenv("MAX_RECORD_KIB", "1")
    monkeypatch.setenv("OLD_IMAGE", "never")
    return fake


def test_the_handler_reads_its_settings_from_its_environment(firehose, stream_batch):
    large = stream_record(5, text={"S": "x" * 800})
    assert stage.lambda_handler({"Records": [*stream_batch, large]}, FakeContext()) == failures()
    assert firehose.streams == {"orders-delivery-1a2b3c4"}
    inserted, _, removed, expired = [change_line(record, "never") for record in stream_batch]
    assert b"OldImage" not in removed
    assert firehose.calls == [[inserted + removed, expired, change_line(large)]]


@pytest.mark.usefixtures("firehose")
def test_the_handler_names_the_first_change_of_a_stream_that_is_gone(stream_batch, monkeypatch):
    gone = FakeFirehose(then=client_error("ResourceNotFoundException"))
    monkeypatch.setattr(stage, "firehose", lambda: gone)
    assert stage.lambda_handler({"Records": stream_batch}, FakeContext()) == failures(
        stream_batch[0]
    )


def test_501_records_go_in_two_calls(firehose, monkeypatch):
    monkeypatch.setenv("MAX_CHANGES_PER_RECORD", "1")
    records = [stream_record(number) for number in range(501)]
    assert stage.lambda_handler({"Records": records}, FakeContext()) == failures()
    assert [len(call) for call in firehose.calls] == [500, 1]


def test_more_than_a_mib_of_changes_goes_in_two_calls(firehose):
    records = [stream_record(number, x={"S": "x" * 250_000}) for number in range(5)]
    assert stage.lambda_handler({"Records": records}, FakeContext()) == failures()
    assert [len(call) for call in firehose.calls] == [4, 1]


def test_many_changes_share_a_record_up_to_its_number_of_changes(capsys):
    put, records = Put(), [stream_record(number) for number in range(7)]
    assert forward(records, ALL, PACKED._replace(max_changes=3), put) == failures()
    lines = [change_line(record) for record in records]
    assert put.records == [b"".join(lines[:3]), b"".join(lines[3:6]), lines[6]]
    assert summary(capsys) == {
        "level": "INFO",
        "message": "forwarded",
        "records": 3,
        "changes": 7,
        "filtered": 0,
        "failed": 0,
    }


def test_a_record_ends_before_its_bytes_are_exceeded():
    put, records = Put(), [stream_record(number, x={"S": "x" * 100}) for number in range(4)]
    size = len(change_line(records[0]))
    assert forward(records, ALL, PACKED._replace(max_bytes=2 * size), put) == failures()
    assert [len(record) for record in put.records] == [2 * size, 2 * size]
    put = Put()
    assert forward(records, ALL, PACKED._replace(max_bytes=2 * size - 1), put) == failures()
    assert [len(record) for record in put.records] == [size] * 4


def test_a_change_larger_than_a_pack_is_a_record_alone():
    put = Put()
    records = [
        stream_record(1),
        stream_record(2, x={"S": "x" * 300_000}),
        stream_record(3),
        stream_record(4),
    ]
    assert forward(records, ALL, PACKED, put) == failures()
    lines = [change_line(record) for record in records]
    assert put.records == [lines[0], lines[1], lines[2] + lines[3]]


def test_of_packs_that_did_not_go_the_first_change_of_the_first_is_named(capsys):
    records = [stream_record(number) for number in range(7)]
    packing = PACKED._replace(max_changes=2)
    assert forward(records, ALL, packing, Put(1, 3)) == failures(records[2])
    assert summary(capsys) == {
        "level": "INFO",
        "message": "forwarded",
        "records": 2,
        "changes": 7,
        "filtered": 0,
        "failed": 3,
    }


def test_a_change_that_cannot_be_a_line_costs_only_itself(capsys):
    put, broken = Put(), stream_record(2, text={"S": "\ud800"})
    records = [stream_record(1), broken, stream_record(3)]
    assert forward(records, ALL, PACKED, put) == failures(broken)
    assert put.records == [change_line(records[0])]
    assert json.loads(capsys.readouterr().out.splitlines()[0]) == {
        "level": "ERROR",
        "message": "change unreadable",
        "event_id": "event-2",
        "sequence_number": "4421584500000000017450439002",
        "error": "UnicodeEncodeError",
    }


@pytest.mark.parametrize(
    ("old_image", "kinds"),
    [
        ("always", ["MODIFY", "REMOVE", "REMOVE"]),
        ("on_remove", ["REMOVE", "REMOVE"]),
        ("never", []),
    ],
)
def test_the_old_image_travels_with_these_kinds_only(stream_batch, old_image, kinds):
    put = Put()
    forward(stream_batch, ALL, SINGLE._replace(old_image=old_image), put)
    travelled = [json.loads(record) for record in put.records]
    with_old = [line["eventName"] for line in travelled if "OldImage" in line["dynamodb"]]
    assert with_old == kinds


def test_no_content_of_a_change_is_logged(capsys):
    records = [stream_record(1, x={"S": "s3cret"}), stream_record(2, x={"S": "s3cret" + NOISE})]
    forward(records, ALL, SINGLE, Put(0))
    captured = capsys.readouterr()
    assert "s3cret" not in captured.out + captured.err
