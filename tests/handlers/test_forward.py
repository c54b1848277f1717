"""Stage 1 sends every wanted change, and names the first one that did not go."""

import json
import random
import string

import pytest

from handlers import forward as stage
from handlers.change import MAX_RECORD_BYTES, change_line, read_change
from handlers.forward import forward
from tests.handlers.fakes import FakeContext, FakeFirehose, client_error, stream_record

ALL = ["INSERT", "MODIFY", "REMOVE"]
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
    assert forward(stream_batch, ALL, put) == {"batchItemFailures": []}
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
    assert forward(stream_batch, ["INSERT", "MODIFY"], put) == {"batchItemFailures": []}
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
    assert forward(stream_batch, [], Put()) == {"batchItemFailures": []}


def test_only_the_first_change_that_did_not_go_is_named(stream_batch, capsys):
    assert forward(stream_batch, ["MODIFY", "REMOVE"], Put(1, 2)) == failures(stream_batch[2])
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
    assert forward([record], ALL, put) == {"batchItemFailures": []}
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
    assert forward(records, ALL, put) == failures(records[2])
    assert put.records == [change_line(record) for record in records[:2]]
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == [
        {
            "level": "ERROR",
            "message": "change too large",
            "event_id": "event-3",
            "sequence_number": "4421584500000000017450439003",
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


def test_a_failed_put_before_a_change_too_large_is_the_one_named():
    records = [stream_record(1), stream_record(2), stream_record(3, x={"S": NOISE})]
    assert forward(records, ALL, Put(1)) == failures(records[1])


@pytest.fixture
def firehose(monkeypatch):
    """The handler's environment, with Firehose faked."""
    fake = FakeFirehose()
    monkeypatch.setattr(stage, "firehose", lambda: fake)
    monkeypatch.setenv("DELIVERY_STREAM", "orders-delivery-1a2b3c4")
    monkeypatch.setenv("EVENT_NAMES", "INSERT,REMOVE")
    return fake


def test_the_handler_reads_stream_and_events_from_its_environment(firehose, stream_batch):
    assert stage.lambda_handler({"Records": stream_batch}, FakeContext()) == failures()
    assert firehose.streams == {"orders-delivery-1a2b3c4"}
    assert firehose.calls == [[change_line(stream_batch[place]) for place in (0, 2, 3)]]


@pytest.mark.usefixtures("firehose")
def test_the_handler_names_the_first_change_of_a_stream_that_is_gone(stream_batch, monkeypatch):
    gone = FakeFirehose(then=client_error("ResourceNotFoundException"))
    monkeypatch.setattr(stage, "firehose", lambda: gone)
    assert stage.lambda_handler({"Records": stream_batch}, FakeContext()) == failures(
        stream_batch[0]
    )


def test_501_changes_go_in_two_calls(firehose):
    records = [stream_record(number) for number in range(501)]
    assert stage.lambda_handler({"Records": records}, FakeContext()) == failures()
    assert [len(call) for call in firehose.calls] == [500, 1]


def test_more_than_4_mib_of_changes_go_in_two_calls(firehose):
    records = [stream_record(number, x={"S": "x" * 1_000_000}) for number in range(5)]
    assert stage.lambda_handler({"Records": records}, FakeContext()) == failures()
    assert [len(call) for call in firehose.calls] == [4, 1]


def test_no_content_of_a_change_is_logged(capsys):
    records = [stream_record(1, x={"S": "s3cret"}), stream_record(2, x={"S": "s3cret" + NOISE})]
    forward(records, ALL, Put(0))
    captured = capsys.readouterr()
    assert "s3cret" not in captured.out + captured.err
