"""Entries of failure objects: changes, rows and problems."""

import gzip
import json
import random
import tracemalloc
from collections.abc import Sequence
from typing import Any

import pytest

from streaming_etl.handlers.backfill import error_records
from streaming_etl.handlers.change.decode import RecordReader
from streaming_etl.handlers.export.progress import InvalidLine
from streaming_etl.handlers.rows.metadata import metadata_of
from streaming_etl.handlers.wire.change_line import MAX_RECORD_BYTES, change_line
from streaming_etl.handlers.wire.routing import Route, Where
from streaming_etl.handlers.wire.snapshot import marker_record, snapshot_record
from streaming_etl.ops.replay import entries as entries_module
from streaming_etl.ops.replay.entries import (
    REASONS,
    CorruptError,
    Entry,
    EventFilter,
    OtherPipelineError,
    Problem,
    RowReference,
    decompressed,
    entries_of,
    row_reference,
)
from streaming_etl.ops.replay.ownership import PipelineIdentity
from tests.support.changes import (
    STREAM_ARN,
    STREAM_LABEL,
    line,
    read_change,
    stream_record,
)
from tests.support.failure_objects import batch, error_line
from tests.support.rows import row_encoder

# 20 MB in 30 KB: a valid change, except for its size.
BOMB = change_line(stream_record(1, text={"S": "x" * 20_000_000}))

ALL = EventFilter(("INSERT", "MODIFY", "REMOVE"), "on_remove")
EXHAUSTED = "RetryAttemptsExhausted"
FAILED = "Lambda.ProcessingFailedStatus"


def entries(body: bytes, events: EventFilter = ALL) -> list[Entry]:
    return entries_of(body, events)


def with_key_only(record: dict[str, Any]) -> dict[str, Any]:
    """A record as a stream of type KEYS_ONLY has it."""
    del record["dynamodb"]["NewImage"]
    return record


def test_an_error_record_holds_the_marker_of_a_backfill() -> None:
    marker = change_line(marker_record(1_795_426_200_000, "arn/stream/2026-11-23T00:00:00.000"))
    assert entries(error_line(line(1) + marker)) == [Entry(FAILED, [line(1), marker])]


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
        Entry(EXHAUSTED, unsent=[change_line(with_key_only(stream_record(2, "REMOVE")))]),
    ]
    assert entries(body, EventFilter(("MODIFY",), "always"))[0].lines == [change_line(modified)]


def route(name: str, where: dict[str, Any] | None, old_image: str = "never") -> Route:
    return Route(name, f"{name}-stream", old_image, 500, 100_000, where and Where(where))


ROUTES = (
    route("orders", {"kind": ["order"]}),
    route("drafts", {"kind": ["draft", "order"]}, "always"),
)


def modified(old: dict[str, Any], **new: Any) -> dict[str, Any]:
    record = stream_record(1, "MODIFY", **new)
    record["dynamodb"]["OldImage"] = {"id": {"S": "o-1"}, **old}
    return record


@pytest.mark.parametrize(
    ("change", "kinds"),
    [
        (modified({"kind": {"S": "order"}}, kind={"S": "order"}), ["MODIFY", "MODIFY"]),
        (modified({"kind": {"S": "draft"}}, kind={"S": "order"}), ["INSERT", "MODIFY"]),
        (modified({"kind": {"S": "order"}}, kind={"S": "draft"}), ["REMOVE", "MODIFY"]),
        (modified({"kind": {"S": "other"}}, kind={"S": "draft"}), ["INSERT"]),
    ],
    ids=["stays", "enters", "leaves", "enters the last"],
)
def test_a_failed_batch_holds_changes_of_each_lake_table(
    change: dict[str, Any], kinds: list[str]
) -> None:
    # The types of the stream are filtered, not those of the lake tables.
    [entry] = entries(batch(change), EventFilter(("MODIFY",), "never", ROUTES))
    read = [read_change(each) for each in entry.lines]
    assert [each.kind for each in read] == kinds
    assert entry.lake_tables == ["orders", "drafts"][-len(kinds) :]
    has_old = [each.old is not None for each in read]
    assert has_old == [name == "drafts" and "MODIFY" in kinds for name in entry.lake_tables]


@pytest.mark.parametrize(
    ("fails", "problem"), [(True, Problem("unmatched")), (False, None)], ids=["fail", "count"]
)
def test_a_change_without_a_lake_table_is_not_sent(fails: bool, problem: Problem | None) -> None:
    other = stream_record(1, kind={"S": "other"})
    events = EventFilter(("INSERT",), "never", ROUTES, unmatched_fails=fails)
    [entry] = entries(batch(other), events)
    assert (entry.lines, len(entry.unsent), entry.problem) == ([], 1, problem)


def test_a_change_that_one_lake_table_cannot_read_is_sent_to_the_others() -> None:
    noise = {"B": random.Random(1).randbytes(1_500_000).hex()}
    change = modified({"kind": {"S": "order"}, "text": noise}, kind={"S": "order"})
    [entry] = entries(batch(change), EventFilter(("MODIFY",), "never", ROUTES))
    assert entry.lake_tables == ["orders"]
    assert entry.problem == Problem("change-too-large")


@pytest.mark.parametrize("record", ["no", {"eventName": "INSERT"}, with_key_only(stream_record(1))])
def test_an_invalid_record_has_no_route(record: Any) -> None:
    [entry] = entries(batch(record), EventFilter(("INSERT",), "never", ROUTES))
    assert entry.lines == []
    assert entry.problem is not None
    assert entry.problem.code == "not-a-stream-record"


EXPORTED = {
    "takenAt": 1_795_418_914_028,
    "streamArn": STREAM_ARN,
    "keyNames": ["id"],
    "lakeTables": ["orders", "drafts"],
}
EXPORTED_ITEM = {"id": {"S": "o-1"}, "kind": {"S": "order"}}


def exported(line: bytes, routes: Sequence[Route] = (), own: Any = None, **snapshot: Any) -> Entry:
    """The entry of an exported line that was not sent."""
    invalid = InvalidLine(7, line, "Backfill.LineUnreadable", "ValueError")
    body = error_records([invalid], 1, {**EXPORTED, **snapshot})
    [entry] = entries_of(body, EventFilter(("MODIFY",), "always", snapshot_routes=routes), own)
    return entry


def test_a_line_of_an_export_is_the_change_that_the_backfill_would_have_sent() -> None:
    snapshot = snapshot_record(EXPORTED_ITEM, ["id"], EXPORTED["takenAt"], STREAM_ARN)
    content = json.dumps({"Item": EXPORTED_ITEM}).encode()
    code, sent = "Backfill.LineUnreadable", change_line(snapshot)
    assert exported(content) == Entry(code, [sent])
    only = ROUTES[0]._replace(name="lake-table", where=None)
    of_only = exported(content, [only], lakeTables=["lake-table"])
    assert of_only == Entry(code, [sent], lake_tables=["lake-table"])


@pytest.mark.parametrize(
    ("kind", "backfilled", "lake_tables"),
    [
        ("order", ["orders", "drafts"], ["orders", "drafts"]),
        ("order", ["orders"], ["orders"]),
        ("draft", ["orders", "drafts"], ["drafts"]),
        ("draft", ["orders"], []),
        ("other", ["orders", "drafts"], []),
    ],
)
def test_a_line_of_an_export_goes_to_the_lake_tables_of_the_backfill_that_have_it(
    kind: str, backfilled: list[str], lake_tables: list[str]
) -> None:
    content = json.dumps({"Item": {**EXPORTED_ITEM, "kind": {"S": kind}}}).encode()
    entry = exported(content, ROUTES, lakeTables=backfilled)
    assert (entry.lake_tables, len(entry.lines), entry.problem) == (
        lake_tables,
        len(lake_tables),
        None,
    )


@pytest.mark.parametrize(
    ("line", "snapshot", "code"),
    [
        (b'{"Item": {"id"', {}, "not-an-item"),
        (b'{"Item": {"kind": {"S": "order"}}}', {}, "not-an-item"),
        (b"1", {}, "not-an-item"),
        (b'{"Item": {"id": {"S": "o-1"}}}', {"lakeTables": 5}, "not-an-item"),
        (b'{"Item": {"id": {"S": "o-1"}}}', {"lakeTables": ["removed"]}, "unmatched"),
        (b'{"Item": {"id": {"Q": "o-1"}}}', {"keyNames": ["id"]}, "not-a-stream-record"),
    ],
)
def test_a_line_of_an_export_that_is_not_an_item_stays(
    line: bytes, snapshot: dict[str, Any], code: str
) -> None:
    where = ROUTES[0]._replace(where=None)
    problem = exported(line, [where], **snapshot).problem
    assert problem is not None
    assert problem.code == code


def test_a_line_of_an_export_of_another_table_is_of_another_pipeline() -> None:
    with pytest.raises(OtherPipelineError):
        exported(
            b"{}",
            own=PipelineIdentity(
                "arn:aws:dynamodb:ap-northeast-1:123456789012:table/carts", "stream"
            ),
        )


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


def test_a_change_without_its_new_image_is_not_sent() -> None:
    lacking = change_line(with_key_only(stream_record(1)))
    [inserted, removed] = entries(
        batch(with_key_only(stream_record(1)), with_key_only(stream_record(2, "REMOVE")))
    )
    [line_of_error] = entries(error_line(lacking + line(2)))
    problem = Problem("missing-image")

    assert inserted == Entry(EXHAUSTED, unsent=[lacking], problem=problem)
    assert (removed.problem, len(removed.lines), removed.without_old_image) == (None, 1, 1)
    assert line_of_error == Entry(FAILED, [line(2)], unsent=[lacking], problem=problem)


@pytest.mark.parametrize(
    ("kind", "old_image", "count"),
    [
        ("INSERT", "always", 0),
        ("MODIFY", "always", 1),
        ("MODIFY", "on_remove", 0),
        ("REMOVE", "on_remove", 1),
        ("REMOVE", "never", 0),
    ],
)
def test_counts_changes_without_the_old_image_of_the_settings(
    kind: str, old_image: str, count: int
) -> None:
    events = EventFilter((kind,), old_image)
    record = stream_record(1, kind)
    for body in (batch(record), error_line(change_line(record))):
        [entry] = entries(body, events)
        assert (len(entry.lines), entry.without_old_image) == (1, count)


@pytest.mark.parametrize(
    "changed",
    [
        {"Keys": {}},
        {"Keys": {"id": {"S": 1}}},
        {"Keys": {"id": {"N": "x"}}},
        {"SequenceNumber": 1},
        {"SequenceNumber": "x"},
        {"ApproximateCreationDateTime": 1e300},
        {"NewImage": {"id": 1}},
        {"OldImage": 1},
    ],
)
def test_a_change_that_no_transform_can_read_is_not_sent(changed: dict[str, Any]) -> None:
    record = stream_record(1, "REMOVE")
    record["dynamodb"] |= changed
    [entry] = entries(batch(record))
    assert entry.problem is not None
    assert (entry.problem.code, entry.lines) == ("not-a-stream-record", [])
    assert entries(error_line(change_line(record)))[0].problem == Problem("unknown-lines")


def test_a_filtered_change_may_be_too_large() -> None:
    noise = random.Random(1).randbytes(MAX_RECORD_BYTES).hex()
    [entry] = entries(
        batch(stream_record(1, text={"S": noise})), EventFilter(("REMOVE",), "always")
    )
    assert (entry.problem, len(entry.unsent)) == (None, 1)


def test_decompression_is_bounded() -> None:
    """A bomb of 1 MB would have a GB."""
    assert decompressed(gzip.compress(b"a" * 1000), 1000) == b"a" * 1000
    assert decompressed(gzip.compress(b"a") + gzip.compress(b"b"), 1000) == b"ab"
    for body in (gzip.compress(b"a" * 1001), b"a" * 1001, gzip.compress(bytes(10_000_000))):
        with pytest.raises(CorruptError) as error:
            decompressed(body, 1000)
        assert error.value.problem == Problem("object-too-large")


def test_a_bomb_takes_little_memory() -> None:
    body = gzip.compress(bytes(100_000_000))
    tracemalloc.start()
    with pytest.raises(CorruptError):
        decompressed(body, 1000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10_000_000


def test_the_number_of_entries_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entries_module, "MAX_ENTRIES", 10)
    assert len(entries(error_line(line(1)) * 10)) == 10
    with pytest.raises(CorruptError) as error:
        entries(error_line(line(1)) * 11)
    assert error.value.problem == Problem("too-many-entries")


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
    reference = RowReference(
        "event-1", "INSERT", '{"id":{"S":"o-1"}}', STREAM_LABEL, number, 1795426200
    )
    assert entries(error_line(data)) == [Entry(FAILED, rows=[reference, reference])]


def test_a_row_of_an_earlier_version_has_the_oldest_epoch() -> None:
    key = '{"id":{"S":"o-1"}}'
    row = {"_op": "REMOVE", "_key": key, "_row": 0, "_event_id": "e", "_sequence_number": "1"}
    expected = RowReference("e", "REMOVE", key, "", "1", 1795426200)
    quoted_key = key.replace('"', '""')
    rows = [
        json.dumps({**row, "_changed_at": "2026-11-23 09:30:00"}),
        f'"REMOVE","{quoted_key}",0,"e","1",2026-11-23 09:30:00,"o-1"',
    ]
    assert [row_reference(row.encode()) for row in rows] == [expected, expected]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("_sequence_number", ""),
        ("_sequence_number", "12x"),
        ("_sequence_number", "-1"),
        ("_sequence_number", "1.5"),
        ("_sequence_number", 12),
        ("_sequence_number", "²"),
        ("_sequence_number", "1" * 5000),
        ("_event_id", []),
        ("_event_id", "\ud800"),
        ("_op", "UPDATE"),
        ("_key", "{}"),
        ("_key", '{"id":{"N":"x"}}'),
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
        (b"\xff\n", Problem("not-utf-8")),
        (b'{"rawData": ' + b"[" * 100_000 + b"\n", Problem("too-deep")),
        (error_line(BOMB), Problem("unknown-lines")),
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
            "not-utf-8",
        ),
        (b'{"payload": "{"}', "payload-not-json"),
        (b'{"payload": {"Records": 1}}', "no-records"),
        (b'{"payload": null}', "no-records"),
        (b'{"payload": {"Records": []}}', "no-records"),
        (b'{"payload": "%s"}' % (b"[" * 100_000), "too-deep"),
        (b"[" * 100_000, "too-deep"),
        (batch(stream_record(1)) * 2, "unknown-object"),
    ],
)
def test_rejects_an_object_that_cannot_be_read(body: bytes, code: str) -> None:
    with pytest.raises(CorruptError) as error:
        entries(body)
    assert error.value.problem == Problem(code)
    assert code in REASONS
