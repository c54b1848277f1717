"""Entries of failure objects: changes, rows and problems."""

import gzip
import json
import random
from typing import Any

import pytest

from streaming_etl.handlers.change.decode import RecordReader
from streaming_etl.handlers.rows.metadata import metadata_of
from streaming_etl.handlers.wire.change_line import MAX_RECORD_BYTES, change_line
from streaming_etl.ops.replay.entries import (
    REASONS,
    CorruptError,
    Entry,
    EventFilter,
    Problem,
    RowReference,
    entries_of,
    row_reference,
)
from tests.support.changes import line, stream_record
from tests.support.failure_objects import batch, error_line
from tests.support.rows import row_encoder

ALL = EventFilter(("INSERT", "MODIFY", "REMOVE"), "on_remove")
EXHAUSTED = "RetryAttemptsExhausted"
FAILED = "Lambda.ProcessingFailedStatus"


def entries(body: bytes, events: EventFilter = ALL) -> list[Entry]:
    return entries_of(body, events)


@pytest.mark.parametrize("text", [True, False], ids=["payload as text", "payload as an object"])
def test_a_failed_batch_holds_changes_as_the_forwarder_sends_them(text: bool) -> None:
    records = [stream_record(1), stream_record(2)]
    assert entries(batch(*records, text=text)) == [
        Entry(EXHAUSTED, [line(1)]),
        Entry(EXHAUSTED, [line(2)]),
    ]


def test_filters_events_and_images_as_the_forwarder_does() -> None:
    modified = stream_record(1, "MODIFY")
    modified["dynamodb"]["OldImage"] = {"id": {"S": "o-1"}}
    body = batch(modified, stream_record(2, "REMOVE"))

    assert entries(body, EventFilter(("MODIFY",), "never")) == [
        Entry(EXHAUSTED, [change_line(modified, "never")]),
        Entry(EXHAUSTED),
    ]
    assert entries(body, EventFilter(("MODIFY",), "always"))[0].lines == [change_line(modified)]


def test_an_invalid_record_does_not_affect_the_others() -> None:
    # Random, so that it does not compress.
    noise = random.Random(1).randbytes(MAX_RECORD_BYTES).hex()
    records = [stream_record(1, text={"S": noise}), {"eventName": "INSERT"}, "no", stream_record(2)]
    assert entries(batch(*records)) == [
        Entry(EXHAUSTED, problem=Problem("change-too-large")),
        Entry(EXHAUSTED, problem=Problem("not-a-stream-record", error="KeyError")),
        Entry(EXHAUSTED, problem=Problem("not-a-stream-record", error="TypeError")),
        Entry(EXHAUSTED, [line(2)]),
    ]


@pytest.mark.parametrize("encode", [gzip.compress, bytes], ids=["gzip", "plain"])
@pytest.mark.parametrize("separator", [b"\n", b""], ids=["lines", "no line breaks"])
def test_error_records_hold_aggregated_changes(encode: Any, separator: bytes) -> None:
    body = error_line(line(1) + line(2)).strip() + separator
    body += error_line(line(3).strip(), "Lambda.FunctionError")
    assert entries(encode(body)) == [
        Entry(FAILED, [line(1), line(2)]),
        Entry("Lambda.FunctionError", [line(3)]),
    ]


def test_keeps_a_compressed_change_as_it_is() -> None:
    large = change_line(stream_record(1, text={"S": "x" * MAX_RECORD_BYTES}))
    assert large.startswith(b'{"gzip"')
    assert entries(error_line(large)) == [Entry(FAILED, [large])]


def test_reads_the_error_code_of_a_failed_conversion() -> None:
    failure = json.loads(error_line(line(1)))
    del failure["errorCode"], failure["errorMessage"]
    failure |= {"lastErrorCode": "DataFormatConversion.ParseError", "lastErrorMessage": "failed"}
    [entry] = entries(json.dumps(failure).encode())
    assert entry == Entry("DataFormatConversion.ParseError", [line(1)])


@pytest.mark.parametrize("kind", ["json", "csv"])
@pytest.mark.parametrize("note", ["plain", 'a "quoted"\nline, and \x01', ""])
def test_recognises_rows_by_their_metadata(kind: str, note: str) -> None:
    [part] = RecordReader().read(line(1))
    row = {"id": "o-1", "note": note, "total": None}
    encoder = row_encoder(kind, {"id": "string", "note": "string", "total": "int"})
    data = encoder.encode(metadata_of(part.records()[0]), [row, row]).data
    number = "4421584500000000017450439001"
    reference = RowReference("event-1", "INSERT", '{"id":{"S":"o-1"}}', number, 1795426200)
    assert entries(error_line(data)) == [Entry(FAILED, rows=[reference, reference])]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("_sequence_number", ""),
        ("_sequence_number", "12x"),
        ("_sequence_number", "-1"),
        ("_sequence_number", "1.5"),
        ("_sequence_number", 12),
        ("_key", "[]"),
        ("_key", "o-1"),
        ("_changed_at", "yesterday"),
    ],
)
def test_a_row_needs_valid_metadata(column: str, value: Any) -> None:
    """A change with a wrong number would replace newer rows or none."""
    [part] = RecordReader().read(line(1))
    encoder = row_encoder("json", {"id": "string"})
    data = encoder.encode(metadata_of(part.records()[0]), {"id": "o-1"}).data
    changed = json.dumps({**json.loads(data), column: value}).encode()
    assert entries(error_line(data + changed + b"\n")) == [
        Entry(FAILED, rows=[row_reference(data.strip())], problem=Problem("unknown-lines"))
    ]


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (error_line("!"), Problem("raw-data-not-base64")),
        (b'{"errorCode": "X"}\n', Problem("no-raw-data")),
        (b"[1]\n", Problem("not-a-json-object")),
        (b'{"rawData": "\n', Problem("not-a-json-object")),
        (b"\xff\n", Problem("not-a-json-object")),
        (error_line(b'{"id": 1}\n{"_op": "INSERT"}\na,b\n'), Problem("unknown-lines", 3)),
    ],
)
def test_an_invalid_line_does_not_affect_the_others(body: bytes, problem: Problem) -> None:
    first, second = entries(body + error_line(line(2)))
    assert (first.problem, first.lines, first.rows) == (problem, [], [])
    assert second == Entry(FAILED, [line(2)])


def test_keeps_the_valid_changes_of_an_aggregated_record() -> None:
    [entry] = entries(error_line(line(1) + b"nothing\n" + line(2)))
    assert entry == Entry(FAILED, [line(1), line(2)], problem=Problem("unknown-lines"))


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "empty"),
        (gzip.compress(error_line(line(1)))[:-9], "damaged-gzip"),
        (b"\x1f\x8bno gzip", "damaged-gzip"),
        (b"id,total\n1,2\n", "unknown-object"),
        (batch()[:-2], "unknown-object"),
        (
            batch(stream_record(1, text={"S": "?"}), text=False).replace(b'"?"', b'"\xff"'),
            "unknown-object",
        ),
        (b'{"payload": "{"}', "payload-not-json"),
        (b'{"payload": {"Records": 1}}', "no-records"),
        (b'{"payload": null}', "no-records"),
    ],
)
def test_rejects_an_object_that_cannot_be_read(body: bytes, code: str) -> None:
    with pytest.raises(CorruptError) as error:
        entries(body)
    assert error.value.problem == Problem(code)
    assert code in REASONS
