"""What stands in a failure object, and what of it can be put back."""

import gzip
import json
import random
from typing import Any

import pytest

from streaming_etl.handlers.change.decode import RecordReader
from streaming_etl.handlers.rows.metadata import metadata_of
from streaming_etl.handlers.wire.change_line import MAX_RECORD_BYTES, change_line
from streaming_etl.ops.replay.entries import CorruptError, Entry, Wanted, entries_of
from streaming_etl.ops.replay.rows import RowOf
from tests.handlers.fakes import line, row_encoder, stream_record
from tests.ops.replay_fakes import batch, error_line

ALL = Wanted(("INSERT", "MODIFY", "REMOVE"), "on_remove")
REFUSED = "Lambda.ProcessingFailedStatus"


def entries(body: bytes, wanted: Wanted = ALL) -> list[Entry]:
    return entries_of(body, wanted)


@pytest.mark.parametrize("text", [True, False], ids=["payload as text", "payload as an object"])
def test_a_failed_batch_holds_the_changes_as_the_forwarder_would_send_them(text: bool) -> None:
    records = [stream_record(1), stream_record(2)]
    assert entries(batch(*records, text=text)) == [
        Entry("RetryAttemptsExhausted", [line(1)]),
        Entry("RetryAttemptsExhausted", [line(2)]),
    ]


def test_what_the_forwarder_leaves_out_of_a_batch_is_left_out_here() -> None:
    modified = stream_record(1, "MODIFY")
    modified["dynamodb"]["OldImage"] = {"id": {"S": "o-1"}}
    body = batch(modified, stream_record(2, "REMOVE"))

    assert entries(body, Wanted(("MODIFY",), "never")) == [
        Entry("RetryAttemptsExhausted", [change_line(modified, "never")]),
        Entry("RetryAttemptsExhausted"),
    ]
    assert entries(body, Wanted(("MODIFY",), "always"))[0].lines == [change_line(modified)]


def test_a_record_that_fits_nowhere_and_one_that_is_none_cost_no_other() -> None:
    # Random, so that it does not compress.
    noise = random.Random(1).randbytes(MAX_RECORD_BYTES).hex()
    broken = {"eventName": "INSERT"}

    found = entries(batch(stream_record(1, text={"S": noise}), broken, "no", stream_record(2)))

    code = "RetryAttemptsExhausted"
    assert found == [
        Entry(
            code,
            problem="the change does not fit into a Firehose record, not even compressed",
        ),
        Entry(code, problem="it is no stream record (KeyError)"),
        Entry(code, problem="it is no stream record (TypeError)"),
        Entry(code, [line(2)]),
    ]


@pytest.mark.parametrize("pack", [gzip.compress, bytes], ids=["gzip", "plain"])
def test_error_lines_hold_packs_of_changes(pack: Any) -> None:
    body = error_line(line(1) + line(2)) + error_line(line(3).strip(), "Lambda.FunctionError")
    assert entries(pack(body)) == [
        Entry(REFUSED, [line(1), line(2)]),
        Entry("Lambda.FunctionError", [line(3)]),
    ]


def test_error_records_that_stand_behind_each_other_are_told_apart() -> None:
    body = error_line(line(1)).strip() + error_line(line(2))
    assert entries(body) == [Entry(REFUSED, [line(1)]), Entry(REFUSED, [line(2)])]


def test_a_change_that_travels_compressed_stays_as_it_is() -> None:
    large = change_line(stream_record(1, text={"S": "x" * MAX_RECORD_BYTES}))
    assert large.startswith(b'{"gzip"')
    assert entries(error_line(large)) == [Entry(REFUSED, [large])]


def test_a_failed_conversion_names_its_error_in_fields_of_its_own() -> None:
    failure = json.loads(error_line(line(1)))
    del failure["errorCode"], failure["errorMessage"]
    failure |= {"lastErrorCode": "DataFormatConversion.ParseError", "lastErrorMessage": "failed"}
    [entry] = entries(json.dumps(failure).encode())
    assert entry == Entry("DataFormatConversion.ParseError", [line(1)])


COLUMNS = {"id": "string", "note": "string", "total": "int"}
ROW_OF_1 = RowOf(
    "event-1", "INSERT", '{"id":{"S":"o-1"}}', "4421584500000000017450439001", 1795426200
)


@pytest.mark.parametrize("kind", ["json", "csv"])
@pytest.mark.parametrize("note", ["plain", 'a "quoted"\nline, and \x01', ""])
def test_rows_of_the_lake_are_known_by_their_metadata(kind: str, note: str) -> None:
    [part] = RecordReader().read(line(1))
    row = {"id": "o-1", "note": note, "total": None}
    encoder = row_encoder(kind, COLUMNS)
    data = encoder.encode(metadata_of(part.records()[0]), [row, row]).data

    assert entries(error_line(data)) == [Entry(REFUSED, rows=[ROW_OF_1, ROW_OF_1])]


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (error_line("!"), "its rawData is no base64"),
        (b'{"errorCode": "X"}\n', "the line has no rawData"),
        (b"[1]\n", "the line is no JSON object"),
        (b'{"rawData": "\n', "the line is no JSON object"),
        (b"\xff\n", "the line is no JSON object"),
        (
            error_line(b'{"id": 1}\n{"_op": "INSERT"}\na,b\n'),
            "3 of its lines are neither a change nor a row of the lake",
        ),
    ],
)
def test_a_corrupt_line_costs_no_other_line(body: bytes, problem: str) -> None:
    found = entries(body + error_line(line(2)))
    assert [entry.problem for entry in found] == [problem, None]
    assert found[0].lines == found[0].rows == []
    assert found[1].lines == [line(2)]


def test_the_good_lines_of_a_pack_with_a_bad_one_are_there_with_its_problem() -> None:
    [entry] = entries(error_line(line(1) + b"nothing\n" + line(2)))
    problem = "1 of its lines are neither a change nor a row of the lake"
    assert entry == Entry(REFUSED, [line(1), line(2)], problem=problem)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "it is empty"),
        (gzip.compress(error_line(line(1)))[:-9], "its gzip is damaged or cut off"),
        (b"\x1f\x8bno gzip", "its gzip is damaged or cut off"),
        (b"id,total\n1,2\n", "it is neither a failed batch nor error records of Firehose"),
        (batch()[:-2], "it is neither a failed batch nor error records of Firehose"),
        (
            batch(stream_record(1, text={"S": "?"}), text=False).replace(b'"?"', b'"\xff"'),
            "it is neither a failed batch nor error records of Firehose",
        ),
        (b'{"payload": "{"}', "its payload is no JSON"),
        (b'{"payload": {"Records": 1}}', "its payload has no Records"),
        (b'{"payload": null}', "its payload has no Records"),
    ],
)
def test_an_object_that_cannot_be_read_is_refused_whole(body: bytes, reason: str) -> None:
    with pytest.raises(CorruptError) as error:
        entries(body)
    assert str(error.value) == reason
