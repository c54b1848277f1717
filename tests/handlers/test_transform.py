"""Stage 2 answers every record once, and a bad change costs no other change anything."""

import base64
import json
import random

import pytest

from streaming_etl.handlers import transform
from streaming_etl.handlers.firehose import put_records as put
from streaming_etl.handlers.firehose.response import MAX_RESPONSE_BYTES
from streaming_etl.handlers.transform import RequeueError, transform_records
from streaming_etl.handlers.wire.change_line import change_line
from tests.handlers.fakes import (
    FakeContext,
    FakeFirehose,
    FakeStream,
    client_error,
    firehose_records,
    line,
    obey,
    order,
    pipeline,
    rows_of,
    wide,
)

OBEY = pipeline(obey)


def run(*contents, using=OBEY, **options):
    """The records answered, and what went back on the stream."""
    stream = FakeStream()
    response = transform_records(firehose_records(*contents), using, stream, **options)
    assert len(json.dumps(response)) <= options.get("max_bytes", MAX_RESPONSE_BYTES)
    return response["records"], stream.records


def shape(answers):
    """Each answer's result, with the ids of its rows where it has data."""
    return [
        (answer["result"], [row["id"] for row in rows_of(answer)])
        if "data" in answer
        else answer["result"]
        for answer in answers
    ]


def logged(capsys):
    return [json.loads(text) for text in capsys.readouterr().out.splitlines()]


def test_a_record_of_good_changes_is_ok_with_the_joined_rows():
    [record] = firehose_records(line(1) + line(2))
    [answer], put_back = run(line(1) + line(2))
    assert answer == {
        "recordId": record["recordId"],
        "result": "Ok",
        "data": base64.b64encode(
            b"".join(
                b'{"id":"o-%d","_op":"INSERT","_key":"{\\"id\\":{\\"S\\":\\"o-%d\\"}}","_row":0,'
                b'"_event_id":"event-%d","_sequence_number":"442158450000000001745043900%d",'
                b'"_changed_at":"2026-11-23 09:30:00"}\n' % (number, number, number, number)
                for number in (1, 2)
            )
        ).decode(),
    }
    assert put_back == []


def test_the_last_line_break_and_blank_lines_do_not_matter():
    answers, _ = run(line(1).strip(), b"\n" + line(1) + b"\n\r\n" + line(2).strip())
    assert shape(answers) == [("Ok", ["o-1"]), ("Ok", ["o-1", "o-2"])]


def test_a_record_without_any_row_is_dropped():
    answers, put_back = run(order(1, "leave out") + order(2, "leave out"), b"", b"\n")
    assert [set(answer) for answer in answers] == [{"recordId", "result"}] * 3
    assert (shape(answers), put_back) == (["Dropped"] * 3, [])


def test_the_only_change_of_a_record_fails_in_place_without_data():
    answers, put_back = run(line(1), order(2, "fail"), line(3))
    assert [set(answer) for answer in answers][1] == {"recordId", "result"}
    assert shape(answers) == [("Ok", ["o-1"]), "ProcessingFailed", ("Ok", ["o-3"])]
    assert put_back == []


@pytest.mark.parametrize("garbage", [b"\xff\xfe", b"{}", b"null", b"[1]", b'{"gzip":"AAAA"}'])
def test_a_line_that_is_no_change_is_a_bad_change(garbage):
    answers, put_back = run(garbage, line(1) + garbage + b"\n" + line(2))
    assert shape(answers) == ["ProcessingFailed", ("Ok", ["o-1", "o-2"])]
    assert put_back == [garbage]


@pytest.mark.parametrize("data", ["no base64", "AAA", "é"])
def test_data_that_is_not_base64_fails_alone(data, capsys):
    records = firehose_records(line(1), line(2))
    records[0]["data"] = data
    stream = FakeStream()
    answers = transform_records(records, OBEY, stream)["records"]
    assert (shape(answers), stream.records) == (["ProcessingFailed", ("Ok", ["o-2"])], [])
    assert logged(capsys)[0] == {
        "level": "ERROR",
        "message": "change failed",
        "event_id": None,
        "sequence_number": None,
        "error": "the record's data is not base64",
    }


def test_bad_changes_of_a_pack_go_back_each_alone_and_the_good_ones_stay():
    pack = line(1) + order(2, "fail") + order(3, "leave out") + order(4, "fail") + line(5)
    answers, put_back = run(pack)
    assert shape(answers) == [("Ok", ["o-1", "o-5"])]
    assert put_back == [order(2, "fail").strip(), order(4, "fail").strip()]


def test_a_pack_of_bad_changes_is_dropped_and_each_goes_back_alone():
    answers, put_back = run(order(1, "fail") + order(2, "fail"))
    assert shape(answers) == ["Dropped"]
    assert put_back == [order(1, "fail").strip(), order(2, "fail").strip()]


def store(number, name):
    return line(number, store={"S": name})


def test_partition_keys_go_into_the_answer_s_metadata():
    keyed = pipeline(obey, None, ["store"], ["year", "month"])
    answers, _ = run(store(1, "a") + store(2, "a"), using=keyed)
    assert [answer["metadata"] for answer in answers] == [
        {"partitionKeys": {"store": "a", "year": "2026", "month": "11"}}
    ]
    assert shape(answers) == [("Ok", ["o-1", "o-2"])]


def test_the_changes_of_other_partitions_go_back_one_record_a_partition():
    pack = store(1, "a") + store(2, "b") + store(3, "a") + store(4, "c") + store(5, "b")
    answers, put_back = run(pack, using=pipeline(obey, None, ["store"]))
    assert shape(answers) == [("Ok", ["o-1", "o-3"])]
    assert put_back == [(store(2, "b") + store(5, "b")).strip(), store(4, "c").strip()]


def test_a_change_whose_rows_have_different_partition_keys_is_bad(capsys):
    split = pipeline(lambda _: [{"store": "a"}, {"store": "b"}], None, ["store"])
    answers, put_back = run(line(1), using=split)
    assert (shape(answers), put_back) == (["ProcessingFailed"], [])
    assert logged(capsys)[0]["error"] == (
        "the rows of one change have different partition keys; return one set"
    )


def test_what_found_no_room_in_the_response_goes_back_whole():
    answers, put_back = run(wide(1, 3_000_000), wide(2, 3_000_000), wide(3, 1_000_000))
    assert shape(answers) == [("Ok", ["o-1"]), "Dropped", ("Ok", ["o-3"])]
    assert put_back == [wide(2, 3_000_000).strip()]


def test_a_pack_too_large_for_a_response_goes_back_in_halves():
    lines = [wide(number, 2_000_000) for number in range(5)]
    answers, put_back = run(b"".join(lines), line(6))
    assert shape(answers) == ["Dropped", ("Ok", ["o-6"])]
    assert put_back == [b"".join(lines[:2]).strip(), b"".join(lines[2:]).strip()]


def test_a_change_too_large_for_a_response_fails_and_never_goes_back(capsys):
    answers, put_back = run(wide(1, 4_500_000), line(2))
    assert (shape(answers), put_back) == (["ProcessingFailed", ("Ok", ["o-2"])], [])
    assert logged(capsys)[0] == {
        "level": "ERROR",
        "message": "change failed",
        "event_id": "event-1",
        "sequence_number": "4421584500000000017450439001",
        "error": "its rows exceed the limit of a response; return fewer or shorter ones",
    }


def test_a_change_too_large_for_a_response_leaves_its_pack_first():
    too_large = wide(2, 4_500_000)
    answers, put_back = run(order(1, "leave out") + too_large + order(3, "fail"))
    assert shape(answers) == ["Dropped"]
    assert put_back == [order(3, "fail").strip(), too_large.strip()]


def test_the_limit_counts_what_the_answers_of_all_records_take():
    empty = [order(number, "leave out") for number in range(200)]
    answers, put_back = run(*empty, wide(200, 15_000), max_bytes=53_000)
    assert (shape(answers)[-1], put_back) == (("Ok", ["o-200"]), [])
    answers, put_back = run(*empty, wide(200, 15_000), max_bytes=50_000)
    assert (shape(answers)[-1], put_back) == ("ProcessingFailed", [])


def test_what_cannot_be_put_back_fails_the_invocation_before_anything_is_reported(capsys):
    with pytest.raises(RequeueError, match=r"^1 of 2 records are not back on the stream$"):
        transform_records(
            firehose_records(order(1, "fail") + order(2, "fail"), order(3, "fail")),
            OBEY,
            FakeStream({1}),
        )
    assert capsys.readouterr().out == ""


def test_nothing_is_called_when_nothing_goes_back():
    def refuse(_):
        raise AssertionError("nothing to put back")

    transform_records(firehose_records(line(1), order(2, "fail")), OBEY, refuse)


def test_a_change_is_the_same_to_the_rows_whatever_transform_does_to_it():
    def take_apart(change):
        change.keys.clear()
        return {"left": change.new.popitem() and len(change.new)}

    [answer], _ = run(line(1), using=pipeline(take_apart))
    assert rows_of(answer)[0]["_key"] == '{"id":{"S":"o-1"}}'


@pytest.fixture
def loaded(monkeypatch):
    """Gives the handler its pipeline and, when called, its Firehose."""
    monkeypatch.setattr(transform, "load_runtime", lambda: OBEY)
    return lambda fake: monkeypatch.setattr(put, "firehose", lambda: fake)


def test_the_handler_answers_the_event_of_firehose(firehose_batch, monkeypatch):
    by_key = pipeline(lambda change: change.keys)
    monkeypatch.setattr(transform, "load_runtime", lambda: by_key)
    answers = transform.lambda_handler(firehose_batch, FakeContext())["records"]
    assert [answer["recordId"] for answer in answers] == [
        record["recordId"] for record in firehose_batch["records"]
    ]
    kinds = [rows_of(answer)[0]["_op"] for answer in answers]
    assert kinds == ["INSERT", "MODIFY", "REMOVE", "REMOVE"]


def test_the_handler_puts_back_on_the_stream_that_the_event_came_from(loaded, firehose_batch):
    fake = FakeFirehose()
    loaded(fake)
    bad = [order(number, "fail") for number in range(501)]
    firehose_batch["records"] = firehose_records(b"".join(bad))
    transform.lambda_handler(firehose_batch, FakeContext())
    assert fake.streams == {"orders-delivery-1a2b3c4"}
    assert fake.calls == [[change.strip() for change in bad[:500]], [bad[500].strip()]]


def test_the_handler_puts_back_at_most_a_mib_a_call(loaded, firehose_batch):
    fake = FakeFirehose()
    loaded(fake)
    noise = random.Random(0).randbytes(87_500).hex()
    packs = [order(n, "fail", x={"S": noise}) + order(n + 1, "leave out") for n in range(0, 12, 2)]
    firehose_batch["records"] = firehose_records(*packs)
    transform.lambda_handler(firehose_batch, FakeContext())
    assert [len(call) for call in fake.calls] == [5, 1]


def test_the_handler_raises_when_the_stream_refuses_what_goes_back(loaded, firehose_batch):
    loaded(FakeFirehose(then=client_error("ResourceNotFoundException")))
    firehose_batch["records"] = firehose_records(order(1, "fail") + order(2, "fail"))
    with pytest.raises(RequeueError):
        transform.lambda_handler(firehose_batch, FakeContext())


def test_the_event_file_holds_what_the_forwarder_sends(stream_batch, firehose_batch):
    lines = [base64.b64decode(record["data"]) for record in firehose_batch["records"]]
    sent = [change_line(record) for record in stream_batch]
    assert [json.loads(line) for line in lines] == [json.loads(line) for line in sent]
