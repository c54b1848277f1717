"""Replays of failure objects: what is sent, moved and left."""

import json
import random
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from streaming_etl.handlers.change.decode import RecordReader
from streaming_etl.handlers.rows.metadata import metadata_of
from streaming_etl.handlers.wire.change_line import change_line
from streaming_etl.handlers.wire.routing import Route, Where
from streaming_etl.ops.firehose_writer import FirehoseWriter, RoutedWriter
from streaming_etl.ops.replay import objects as objects_module
from streaming_etl.ops.replay import run
from streaming_etl.ops.replay.entries import Entry, EventFilter, Problem, RowReference, entries_of
from streaming_etl.ops.replay.objects import FailureObject, FailureObjects
from streaming_etl.ops.replay.ownership import PipelineIdentity
from streaming_etl.ops.replay.report import EntryProblem, Report, TransformTest
from streaming_etl.ops.replay.run import Replay
from streaming_etl.stack.errors import CommandError
from tests.support.changes import line, stream_record
from tests.support.deployed import STREAM_ARN, TABLE_ARN
from tests.support.failure_objects import BUCKET, ERRORS, NOON, FakeS3, batch, error_line, etag
from tests.support.fake_aws import FakeClock, FakeFirehose, client_error
from tests.support.rows import row_encoder

FAILED = "aws/lambda/uuid/shardId-1/2026/11/23/2026-11-23T12.00.00-"
OWN = PipelineIdentity(TABLE_ARN, "orders-delivery-stream-0a1b2c3")
EVENTS = ("INSERT", "MODIFY", "REMOVE")


class FakeRecovery:
    """Finds changes by event id in `stream` or `table`."""

    removing_kinds = frozenset({"REMOVE"})

    def __init__(self, **places: str) -> None:
        self.places = places
        self.requests: list[list[str]] = []

    def from_stream(self, rows: Iterable[RowReference]) -> dict[str, bytes]:
        self.requests.append([row.event_id for row in rows])
        return self._lines(self.requests[-1], "stream")

    def from_table(self, rows: Iterable[RowReference]) -> dict[str, bytes]:
        return self._lines([row.event_id for row in rows], "table")

    def _lines(self, ids: list[str], place: str) -> dict[str, bytes]:
        return {id_: b"%s\n" % id_.encode() for id_ in ids if self.places.get(id_) == place}


def listed(report: Report) -> list[tuple[str, int, str, str, str]]:
    """Object, entry, event id, error and outcome of each listed change."""
    return [
        (each.object_key, each.entry, each.change.event_id, each.error, each.outcome)
        for each in report.listed
    ]


def replay(
    s3: FakeS3,
    firehose: FakeFirehose | None,
    *errors: str,
    recovery: Any = None,
    since: datetime | None = None,
    until: datetime | None = None,
    event_names: tuple[str, ...] = EVENTS,
    routes: tuple[Route, ...] = (),
    only: tuple[str, ...] = (),
    most_listed: float = 0,
) -> Report:
    """Replay all failure objects; without Firehose a dry run."""
    clock, advanced = FakeClock(), []
    options: dict[str, Any] = {
        "max_changes": 10,
        "max_bytes": 100_000,
        "kib_per_second": 512,
        "clock": clock,
        "sleep": clock.sleep,
    }
    writer: Any = FirehoseWriter(firehose, "stream", **options)
    if routes:
        writers = {it.name: FirehoseWriter(firehose, it.stream, **options) for it in routes}
        writer = RoutedWriter(writers)
    objects = FailureObjects(s3, BUCKET)
    report = Report("orders", firehose is None, most_listed=most_listed)
    locations = (f"s3://{BUCKET}/aws/lambda/", f"s3://{BUCKET}/{ERRORS}")
    matches = [each for location in locations for each in objects.below(location, since, until)]
    matches.sort(key=lambda each: (each.written, each.key))
    Replay(
        objects,
        recovery or FakeRecovery(),
        OWN,
        EventFilter(event_names, "on_remove", routes),
        errors,
        writer if firehose else None,
        report,
        only=only,
    ).run(matches, advanced.append)
    assert sum(advanced) == sum(each.size for each in matches)
    return report


def sent(firehose: FakeFirehose) -> list[bytes]:
    """Every line that Firehose got, in order."""
    records = [record for call in firehose.calls for record in call]
    return b"".join(records).splitlines(keepends=True)


def rows(*numbers: int) -> bytes:
    """The rows of these changes."""
    encode = row_encoder("json", {"id": "string"}).encode
    parts = [part for number in numbers for part in RecordReader().read(line(number))]
    return b"".join(
        encode(metadata_of(record), {"id": "x"}).data for part in parts for record in part.records()
    )


@pytest.fixture
def s3() -> FakeS3:
    """A failed batch, two error objects and a data object."""
    s3 = FakeS3()
    s3.add(f"{ERRORS}late", error_line(line(4)), minutes=24 * 60)
    s3.add(f"{FAILED}1", batch(stream_record(3)), minutes=1)
    s3.add(f"{ERRORS}early", error_line(line(1) + line(2)))
    s3.add("data/shop_dev/orders/row.json", b"{}\n")
    return s3


def test_sends_all_changes_oldest_first_and_moves_the_objects(s3: FakeS3) -> None:
    before = dict(s3.contents)
    failures = {key: body for key, body in before.items() if not key.startswith("data/")}
    firehose = FakeFirehose()

    dry_run = replay(s3, None)
    assert (s3.contents, s3.operations) == (before, [])
    report = replay(s3, firehose)

    assert firehose.calls == [[line(1) + line(2) + line(3) + line(4)]]
    assert s3.contents == {
        "data/shop_dev/orders/row.json": b"{}\n",
        **{f"replayed/{key}": body for key, body in failures.items()},
    }
    for key in failures:
        copied = s3.operations.index(("copy", f"replayed/{key}"))
        assert copied < s3.operations.index(("delete", key))
    assert report.as_json() == {
        "pipeline": "orders",
        "dry_run": False,
        "objects": {
            "matched": 3,
            "bytes": sum(map(len, failures.values())),
            "replayed": 3,
            "skipped": 0,
            "by_day": {"2026-11-23": 2, "2026-11-24": 1},
        },
        "entries_by_error": {"Lambda.ProcessingFailedStatus": 2, "RetryAttemptsExhausted": 1},
        "changes": {
            "sent": 4,
            "from_stream": 0,
            "from_table": 0,
            "without_old_image": 0,
            "filtered": 0,
            "deleted_since": 0,
        },
        "listed": [],
        "skipped": [],
        "problems": [],
    }
    assert dry_run.as_json() == report.as_json() | {"dry_run": True}
    again = replay(s3, firehose)
    assert (len(firehose.calls), again.objects, again.changes) == (1, 0, 0)


def test_selects_objects_by_the_time_when_they_were_written(s3: FakeS3) -> None:
    minute, day = NOON + timedelta(minutes=1), NOON + timedelta(days=1)
    firehose = FakeFirehose()
    replay(s3, firehose, since=minute, until=day)
    assert sent(firehose) == [line(3)]
    replay(s3, firehose, since=day)
    assert sent(firehose) == [line(3), line(4)]


def test_moves_no_object_before_firehose_has_accepted_all_changes(s3: FakeS3) -> None:
    before = dict(s3.contents)
    with pytest.raises(CommandError) as error:
        replay(s3, FakeFirehose(then=client_error("AccessDeniedException")))
    assert (error.value.code, error.value.details["failed"]) == ("firehose-rejected", 1)
    assert (s3.contents, s3.operations) == (before, [])


def test_keeps_an_object_whose_copy_fails(s3: FakeS3) -> None:
    before = dict(s3.contents)

    def reject(operation: str, _: str) -> None:
        if operation == "copy":
            raise client_error("AccessDenied")

    s3.before_change = reject
    with pytest.raises(ClientError):
        replay(s3, FakeFirehose())
    assert (s3.contents, s3.operations) == (before, [])


@pytest.mark.parametrize("stop", range(6))
def test_the_next_run_sends_the_rest_after_an_interruption_at_any_moment(
    s3: FakeS3, monkeypatch: pytest.MonkeyPatch, stop: int
) -> None:
    """Each of three objects is moved in two steps."""
    monkeypatch.setattr(run, "SLICE_OBJECTS", 1)

    def interrupt(*_: str) -> None:
        if len(s3.operations) == stop:
            raise KeyboardInterrupt

    s3.before_change = interrupt
    first, second = FakeFirehose(), FakeFirehose()
    with pytest.raises(KeyboardInterrupt):
        replay(s3, first)
    s3.before_change = lambda *_: None

    replay(s3, second)

    assert [key for key in s3.contents if not key.startswith(("data/", "replayed/"))] == []
    # Only the object that was being moved is sent twice.
    moved = stop // 2
    first_line = [0, 2, 3, 4]
    lines = [line(number) for number in (1, 2, 3, 4)]
    assert sent(first) == lines[: first_line[moved + 1]]
    assert sent(second) == lines[first_line[moved] :]


def test_a_corrupt_object_stays_and_does_not_block_others(s3: FakeS3) -> None:
    corrupt = s3.add(f"{ERRORS}corrupt", b"\x1f\x8b", minutes=-1)
    firehose = FakeFirehose()
    report = replay(s3, firehose)
    assert sent(firehose) == [line(number) for number in (1, 2, 3, 4)]
    assert report.problems == [EntryProblem(corrupt, 1, Problem("damaged-gzip"))]
    assert s3.contents[corrupt] == b"\x1f\x8b"
    assert (report.objects, report.objects_replayed) == (4, 3)


def test_an_object_that_is_too_large_is_not_downloaded(
    s3: FakeS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = s3.add(f"{ERRORS}large", error_line(line(5)) * 9)
    most = max(len(body) for key, body in s3.contents.items() if key != large)
    monkeypatch.setattr(objects_module, "MAX_OBJECT_BYTES", most)
    firehose = FakeFirehose()
    report = replay(s3, firehose)
    assert sent(firehose) == [line(number) for number in (1, 2, 3, 4)]
    assert report.problems == [EntryProblem(large, 1, Problem("object-too-large"))]
    assert large not in s3.downloads


@pytest.mark.parametrize("code", ["AccessDenied", "InvalidObjectState"])
def test_an_object_that_s3_does_not_return_does_not_block_others(s3: FakeS3, code: str) -> None:
    key = f"{ERRORS}early"
    s3.unreadable[key] = code
    firehose = FakeFirehose()
    report = replay(s3, firehose)
    assert sent(firehose) == [line(3), line(4)]
    problem = Problem("object-not-readable", error=code)
    assert report.problems == [EntryProblem(key, 1, problem)]


def test_other_errors_of_s3_end_the_run(s3: FakeS3) -> None:
    s3.unreadable[f"{ERRORS}early"] = "ExpiredToken"
    with pytest.raises(ClientError):
        replay(s3, FakeFirehose())


def test_an_object_that_is_replaced_during_the_run_stays(s3: FakeS3) -> None:
    key = f"{ERRORS}early"

    class Replaced(FakeFirehose):
        def put_record_batch(self, **request: Any) -> dict[str, Any]:
            s3.contents[key] = error_line(line(9))
            return super().put_record_batch(**request)

    report = replay(s3, Replaced())
    assert report.problems == [EntryProblem(key, 1, Problem("object-changed"))]
    assert report.objects_replayed == 2
    assert s3.contents[key] == error_line(line(9))
    assert f"replayed/{key}" not in s3.contents


@pytest.mark.parametrize(
    "note",
    [
        b"{",
        b"[]",
        b"1",
        b'{"done": [0]}',
        b'{"done": 1, "etag": "%s"}',
        b'{"done": ["x"], "etag": "%s"}',
        b'{"done": [7, -1], "etag": "%s"}',
        b'{"done": [0], "etag": "%s", "lake_tables": [1]}',
        b'{"done": [0], "etag": "%s", "lake_tables": {"orders": 1}}',
    ],
)
def test_an_invalid_note_lists_no_entries(note: bytes) -> None:
    s3, firehose = FakeS3(), FakeFirehose()
    key = s3.add(f"{ERRORS}mixed", error_line(line(1)) + error_line(line(2)))
    tag = json.dumps(etag(s3.contents[key]))[1:-1].encode()
    s3.add(f"replayed/{key}.done.json", note.replace(b"%s", tag))
    report = replay(s3, firehose)
    assert sent(firehose) == [line(1), line(2)]
    assert (report.objects_replayed, report.problems) == (1, [])
    assert list(s3.contents) == [f"replayed/{key}"]


def test_counts_changes_by_their_outcome() -> None:
    s3, firehose = FakeS3(), FakeFirehose()
    without_image = stream_record(3)
    del without_image["dynamodb"]["NewImage"]
    s3.add(f"{FAILED}1", batch(stream_record(1), stream_record(2, "REMOVE")))
    s3.add(f"{FAILED}2", batch(stream_record(4, "MODIFY")), minutes=1)
    key = s3.add(f"{FAILED}3", batch(without_image), minutes=2)

    report = replay(s3, firehose, event_names=("INSERT", "REMOVE"))

    assert sent(firehose) == [line(1), change_line(stream_record(2, "REMOVE"))]
    assert (report.changes, report.without_old_image, report.filtered) == (2, 1, 1)
    assert report.problems == [EntryProblem(key, 1, Problem("missing-image"))]
    assert [each for each in s3.contents if not each.startswith("replayed/")] == [key]


def test_lists_each_change_with_its_outcome() -> None:
    s3 = FakeS3()
    lacking = stream_record(3)
    del lacking["dynamodb"]["NewImage"]
    batches = s3.add(f"{FAILED}1", batch(stream_record(1), stream_record(2, "MODIFY"), lacking))
    errors = s3.add(f"{ERRORS}lines", error_line(line(4) + line(5)) + b"{\n", minutes=1)
    tabled = s3.add(f"{ERRORS}rows", error_line(rows(6, 7, 8)), minutes=2)
    events = ("INSERT", "REMOVE")
    recovery = FakeRecovery(**{"event-6": "stream", "event-7": "table"})
    expected = [
        (batches, 1, "event-1", "RetryAttemptsExhausted", "sent"),
        (batches, 2, "event-2", "RetryAttemptsExhausted", "filtered"),
        (batches, 3, "event-3", "RetryAttemptsExhausted", "missing-image"),
        (errors, 1, "event-4", "Lambda.ProcessingFailedStatus", "sent"),
        (errors, 1, "event-5", "Lambda.ProcessingFailedStatus", "sent"),
        (tabled, 1, "event-6", "Lambda.ProcessingFailedStatus", "from-stream"),
        (tabled, 1, "event-7", "Lambda.ProcessingFailedStatus", "from-table"),
        (tabled, 1, "event-8", "Lambda.ProcessingFailedStatus", "deleted-since"),
    ]

    few = replay(s3, None, recovery=recovery, event_names=events, most_listed=2)
    kept = replay(s3, None, recovery=recovery, event_names=("INSERT",), most_listed=99)
    done = replay(s3, FakeFirehose(), recovery=recovery, event_names=events, most_listed=99)

    assert (listed(few), few.not_listed) == (expected[:2], 6)
    assert (listed(done), done.not_listed) == (expected, 0)
    assert listed(kept)[-1] == (*expected[-1][:-1], "lost-rows")
    done.transform_test = TransformTest(BUCKET, "orders", "dev")
    assert [bool(done.test_command(each)) for each in done.listed] == [True] * 5 + [False] * 3
    assert {each.location for each in kept.listed} == {batches, errors, tabled}
    assert {each.location for each in done.listed} == {batches, errors, f"replayed/{tabled}"}


def test_reports_rows_whose_key_the_table_cannot_have() -> None:
    class Recovery(FakeRecovery):
        def from_table(self, rows: Iterable[RowReference]) -> dict[str, Any]:
            return {row.event_id: Problem("invalid-key") for row in rows}

    s3, firehose = FakeS3(), FakeFirehose()
    key = s3.add(f"{ERRORS}rows", error_line(rows(1, 2)) + error_line(rows(3)))
    recovery = Recovery(**{"event-3": "stream"})
    report = replay(s3, firehose, recovery=recovery)
    assert sent(firehose) == [b"event-3\n"]
    assert report.problems == [EntryProblem(key, 1, Problem("invalid-key", 2))]
    assert (report.from_stream, report.from_table, report.deleted_since) == (1, 0, 0)


def test_leaves_the_objects_of_other_pipelines(s3: FakeS3) -> None:
    other_table = {**stream_record(5), "eventSourceARN": STREAM_ARN.replace("orders", "payments")}
    name = "payments-delivery-stream-0a1b2c3-1-2026-11-23-12-00-00-uuid"
    others = [
        s3.add(f"{FAILED}2", batch(other_table)),
        s3.add(f"{ERRORS}5", error_line(line(5), function="payments-transform-function-0a1b2c3")),
        s3.add(f"{ERRORS}{name}", error_line(line(6))),
    ]
    bodies = {key: s3.contents[key] for key in others}
    firehose = FakeFirehose()
    for report in (replay(s3, None), replay(s3, firehose)):
        assert sorted(report.skipped) == sorted(others)
        assert (report.objects, report.objects_replayed, report.problems) == (3, 3, [])
        assert report.by_error.total() == 3
    assert sent(firehose) == [line(number) for number in (1, 2, 3, 4)]
    assert {key: s3.contents[key] for key in others} == bodies
    assert f"{ERRORS}{name}" not in s3.downloads
    assert not {f"replayed/{key}.done.json" for key in others} & set(s3.contents)


def test_an_unexpected_error_affects_its_object_only(
    s3: FakeS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    def parse(body: bytes, *context: Any) -> list[Entry]:
        if b"RetryAttemptsExhausted" in body:
            raise ZeroDivisionError
        return entries_of(body, *context)

    monkeypatch.setattr(run, "entries_of", parse)
    firehose = FakeFirehose()
    report = replay(s3, firehose)
    assert sent(firehose) == [line(1), line(2), line(4)]
    problem = Problem("unexpected", error="ZeroDivisionError")
    assert report.problems == [EntryProblem(f"{FAILED}1", 1, problem)]


def test_the_valid_lines_of_an_object_are_sent_once() -> None:
    s3 = FakeS3()
    body = error_line(line(1)) + b"{\n" + error_line(line(2))
    key = s3.add(f"{ERRORS}mixed", body)
    first, second = FakeFirehose(), FakeFirehose()

    reports = [replay(s3, first), replay(s3, second)]

    assert (sent(first), sent(second)) == ([line(1), line(2)], [])
    problems = [EntryProblem(key, 2, Problem("not-a-json-object"))]
    assert [report.problems for report in reports] == [problems] * 2
    note = s3.contents.pop(f"replayed/{key}.done.json")
    assert json.loads(note)["done"] == [0, 2]
    assert s3.contents == {key: body}


def test_ignores_a_note_about_other_content_of_the_key() -> None:
    s3, firehose = FakeS3(), FakeFirehose()
    key = s3.add(f"{ERRORS}mixed", error_line(line(1)) + b"{\n")
    replay(s3, FakeFirehose())
    s3.add(key, error_line(line(2)) + b"{\n")
    replay(s3, firehose)
    assert sent(firehose) == [line(2)]

    repaired = s3.contents[key] = error_line(line(3))
    replay(s3, firehose)
    assert sent(firehose) == [line(2), line(3)]
    assert s3.contents == {f"replayed/{key}": repaired}


def test_selects_entries_by_error_code() -> None:
    s3, firehose = FakeS3(), FakeFirehose()
    body = error_line(line(1), "A") + error_line(line(2), "B") + error_line(line(3), "C")
    key = s3.add(f"{ERRORS}mixed", body)

    report = replay(s3, firehose, "A", "C")
    assert sent(firehose) == [line(1), line(3)]
    assert report.by_error == {"A": 1, "B": 1, "C": 1}
    assert (report.problems, report.objects_replayed) == ([], 0)
    assert s3.contents[key] == body

    report = replay(s3, firehose, "B")
    assert sent(firehose)[2:] == [line(2)]
    assert report.by_error == {"B": 1}
    assert s3.contents == {f"replayed/{key}": body}


def test_an_object_that_another_run_has_moved_is_not_an_error(s3: FakeS3) -> None:
    replay(s3, FakeFirehose())
    moved = dict(s3.contents)
    objects = FailureObjects(s3, BUCKET)
    assert objects.read(FailureObject(f"{ERRORS}early", 1, NOON)) is None
    objects.finish(f"{ERRORS}early", '"etag"', with_note=False)
    assert s3.contents == moved


def test_sends_the_changes_behind_rows_last_and_once() -> None:
    s3, firehose = FakeS3(), FakeFirehose()
    s3.add(f"{ERRORS}first", error_line(rows(1, 2)) + error_line(rows(2, 3)))
    s3.add(f"{ERRORS}second", error_line(rows(4)), minutes=1)
    s3.add(f"{ERRORS}third", error_line(line(5)), minutes=2)
    recovery = FakeRecovery(**{"event-1": "stream", "event-2": "table", "event-4": "table"})

    report = replay(s3, firehose, recovery=recovery)

    assert sent(firehose) == [line(5), b"event-1\n", b"event-2\n", b"event-4\n"]
    assert recovery.requests == [["event-1", "event-2", "event-3", "event-4"]]
    assert (report.changes, report.from_stream, report.from_table) == (4, 1, 2)
    assert (report.deleted_since, report.problems) == (1, [])
    assert sorted(s3.contents) == [f"replayed/{ERRORS}{n}" for n in ("first", "second", "third")]


def test_reports_lost_rows_where_the_pipeline_filters_remove_events() -> None:
    s3, firehose = FakeS3(), FakeFirehose()
    key = s3.add(f"{ERRORS}rows", error_line(rows(1)) + error_line(rows(2)))
    recovery = FakeRecovery(**{"event-2": "table"})
    report = replay(s3, firehose, recovery=recovery, event_names=("INSERT", "MODIFY"))
    assert sent(firehose) == [b"event-2\n"]
    assert report.problems == [EntryProblem(key, 1, Problem("lost-rows"))]
    assert key in s3.contents


def test_rejects_a_location_in_another_bucket() -> None:
    with pytest.raises(CommandError) as error:
        list(FailureObjects(FakeS3(), BUCKET).below("s3://other/errors/", None, None))
    assert error.value.code == "other-bucket"
    assert error.value.details == {"location": "s3://other/errors/", "bucket": BUCKET}


def test_replays_many_objects_in_slices() -> None:
    s3, firehose = FakeS3(), FakeFirehose()
    for number in range(150):
        s3.add(f"{FAILED}{number:03}", batch(stream_record(number)))
    report = replay(s3, firehose)
    assert sent(firehose) == [line(number) for number in range(150)]
    assert [sum(each.count(b"\n") for each in call) for call in firehose.calls] == [64, 64, 22]
    assert report.objects_replayed == 150


def test_a_failed_batch_is_done_when_all_of_its_lake_tables_have_it() -> None:
    s3, firehose = FakeS3(), FakeFirehose([], client_error("AccessDeniedException"))
    key = s3.add(f"{FAILED}1", batch(stream_record(1), stream_record(2, x={"N": "1"})))
    routes = (
        Route("all", "all-stream", "never", 500, 100_000),
        Route("some", "some-stream", "never", 500, 100_000, Where({"x": [1]})),
    )
    with pytest.raises(CommandError):
        replay(s3, firehose, routes=routes)
    assert key in s3.contents

    report = replay(s3, firehose := FakeFirehose(), routes=routes)

    second = line(2, x={"N": "1"})
    assert firehose.calls == [[line(1) + second], [second]]
    assert firehose.streams == {"all-stream", "some-stream"}
    assert (report.changes, report.objects_replayed, key in s3.contents) == (3, 1, False)


ORDERS = Route("orders", "orders-stream", "never", 500, 100_000, Where({"kind": ["order"]}))
ALL_ITEMS = Route("items", "items-stream", "never", 500, 100_000)


def order(number: int) -> bytes:
    return line(number, kind={"S": "order"})


def test_an_object_stays_until_all_of_its_lake_tables_have_it() -> None:
    s3, routes = FakeS3(), (ORDERS, ALL_ITEMS)
    body = batch(stream_record(1, kind={"S": "order"}), stream_record(2))
    key = s3.add(f"{FAILED}1", body)
    first, again, last = FakeFirehose(), FakeFirehose(), FakeFirehose()

    reports = [
        replay(s3, first, routes=routes, only=("orders",), most_listed=9),
        replay(s3, again, routes=routes, only=("orders",), most_listed=9),
    ]
    assert json.loads(s3.contents[f"replayed/{key}.done.json"]) == {
        "etag": etag(body),
        "done": [],
        "lake_tables": {"orders": [0]},
    }
    assert s3.contents[key] == body
    reports.append(replay(s3, last, routes=routes, most_listed=9))

    assert (first.calls, first.streams) == ([[order(1)]], {"orders-stream"})
    assert again.calls == []
    assert (last.calls, last.streams) == ([[order(1) + line(2)]], {"items-stream"})
    assert [report.sent for report in reports] == [{"orders": 1}, {}, {"items": 2}]
    assert [report.objects_replayed for report in reports] == [0, 0, 1]
    assert [[each.lake_table for each in report.listed] for report in reports] == [
        ["orders"],
        [],
        ["items", "items"],
    ]
    assert list(s3.contents) == [f"replayed/{key}"]


def test_an_object_is_done_when_no_other_lake_table_has_its_changes() -> None:
    s3, firehose = FakeS3(), FakeFirehose()
    drafts = Route("drafts", "drafts-stream", "never", 500, 100_000, Where({"kind": ["draft"]}))
    routes = (ORDERS, drafts)
    s3.add(f"{FAILED}1", batch(stream_record(1, kind={"S": "order"}), stream_record(2)))
    other = s3.add(f"{FAILED}2", batch(stream_record(3, kind={"S": "draft"})))

    report = replay(s3, firehose, routes=routes, only=("orders",))

    # No lake table has the second change, and the first one has one.
    assert (firehose.calls, report.filtered) == ([[order(1)]], 1)
    assert sorted(s3.contents) == [other, f"replayed/{FAILED}1"]


def test_a_lake_table_gets_a_change_once_that_another_one_cannot_read() -> None:
    s3 = FakeS3()
    noise = {"S": random.Random(1).randbytes(1_000_000).hex()}
    change = stream_record(1, "MODIFY", kind={"S": "order"})
    change["dynamodb"]["OldImage"] = {"id": {"S": "o-1"}, "text": noise}
    key = s3.add(f"{FAILED}1", batch(change))
    routes = (ORDERS, ALL_ITEMS._replace(old_image="always"))
    first, second = FakeFirehose(), FakeFirehose()

    reports = [replay(s3, firehose, routes=routes) for firehose in (first, second)]

    assert [first.streams, second.streams] == [{"orders-stream"}, set()]
    problem = EntryProblem(key, 1, Problem("change-too-large"))
    assert [report.problems for report in reports] == [[problem], [problem]]


def test_lines_of_an_export_have_no_lake_table() -> None:
    s3, firehose = FakeS3(), FakeFirehose()
    key = s3.add(f"{ERRORS}lines", error_line(b'{"Item":{}}') + error_line(line(1)))
    report = replay(s3, firehose, routes=(ORDERS, ALL_ITEMS))
    assert firehose.calls == []
    problem = Problem("unknown-lines", 1)
    assert report.problems == [EntryProblem(key, 1, problem), EntryProblem(key, 2, problem)]
