"""A replay of failure objects: what is put, what is moved, what is left, and in which order."""

import json
from collections.abc import Iterable
from datetime import datetime, timedelta

import pytest

from streaming_etl.handlers.change.decode import RecordReader
from streaming_etl.handlers.rows.metadata import metadata_of
from streaming_etl.ops.firehose_writer import Feed
from streaming_etl.ops.replay import run
from streaming_etl.ops.replay.entries import Wanted
from streaming_etl.ops.replay.objects import Objects
from streaming_etl.ops.replay.report import Problem, Report
from streaming_etl.ops.replay.rows import RowOf
from streaming_etl.ops.replay.run import Replay
from streaming_etl.stack.errors import CommandError
from tests.handlers.fakes import (
    FakeClock,
    FakeFirehose,
    client_error,
    line,
    row_encoder,
    stream_record,
)
from tests.ops.replay_fakes import BUCKET, ERRORS, NOON, FakeS3, batch, error_line

FAILED = "aws/lambda/uuid/shardId-1/2026/11/23/2026-11-23T12.00.00-"
KINDS = ("INSERT", "MODIFY", "REMOVE")


class FakeOrigins:
    """Tells where the change of each row is found: event id to `stream` or `table`."""

    def __init__(self, **places: str) -> None:
        self.places = places
        self.asked: list[list[str]] = []

    def on_stream(self, rows: Iterable[RowOf]) -> dict[str, bytes]:
        self.asked.append([row.event_id for row in rows])
        return self._found(self.asked[-1], "stream")

    def in_table(self, rows: Iterable[RowOf]) -> dict[str, bytes]:
        return self._found([row.event_id for row in rows], "table")

    def _found(self, ids: list[str], place: str) -> dict[str, bytes]:
        return {id_: b"%s\n" % id_.encode() for id_ in ids if self.places.get(id_) == place}


def replay(
    s3: FakeS3,
    firehose: FakeFirehose | None,
    *errors: str,
    origins: FakeOrigins | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    kinds: tuple[str, ...] = KINDS,
) -> Report:
    """Run over all failure objects; a dry run without Firehose."""
    clock, advanced = FakeClock(), []
    feed = Feed(
        firehose,
        "stream",
        max_changes=10,
        max_bytes=100_000,
        kib_per_second=512,
        clock=clock,
        sleep=clock.sleep,
    )
    objects, report = Objects(s3, BUCKET), Report("orders", firehose is None)
    locations = (f"s3://{BUCKET}/aws/lambda/", f"s3://{BUCKET}/{ERRORS}")
    found = [one for location in locations for one in objects.below(location, since, until)]
    found.sort(key=lambda one: (one.written, one.key))
    one_run = Replay(
        objects,
        origins or FakeOrigins(),
        Wanted(kinds, "on_remove"),
        errors,
        feed if firehose else None,
        report,
    )
    one_run.run(found, advanced.append)
    assert sum(advanced) == sum(one.size for one in found)
    return report


def put(firehose: FakeFirehose) -> list[bytes]:
    """Every line that Firehose was given, in order."""
    records = [record for call in firehose.calls for record in call]
    return [one + b"\n" for one in b"".join(records).split(b"\n")[:-1]]


def rows(*numbers: int) -> bytes:
    """The rows that these changes became."""
    encode = row_encoder("json", {"id": "string"}).encode
    parts = [part for number in numbers for part in RecordReader().read(line(number))]
    return b"".join(
        encode(metadata_of(record), {"id": "x"}).data for part in parts for record in part.records()
    )


@pytest.fixture
def s3() -> FakeS3:
    """A failed batch between two error objects, and what is no failure."""
    s3 = FakeS3()
    s3.add(f"{ERRORS}late", error_line(line(4)), minutes=24 * 60)
    s3.add(f"{FAILED}1", batch(stream_record(3)), minutes=1)
    s3.add(f"{ERRORS}early", error_line(line(1) + line(2)))
    s3.add("data/shop_dev/orders/row.json", b"{}\n")
    return s3


def test_all_is_put_back_oldest_first_packed_and_moved_away(s3: FakeS3) -> None:
    before = dict(s3.contents)
    firehose = FakeFirehose()

    report = replay(s3, firehose)

    assert firehose.calls == [[line(1) + line(2) + line(3) + line(4)]]
    assert s3.contents == {
        "data/shop_dev/orders/row.json": b"{}\n",
        **{f"replayed/{key}": body for key, body in before.items() if "row" not in key},
    }
    assert report.as_json() == {
        "pipeline": "orders",
        "dry_run": False,
        "objects": {
            "found": 3,
            "bytes": sum(len(body) for key, body in before.items() if "row" not in key),
            "done": 3,
            "by_day": {"2026-11-23": 2, "2026-11-24": 1},
        },
        "entries_by_error": {"Lambda.ProcessingFailedStatus": 2, "RetryAttemptsExhausted": 1},
        "changes": {
            "put_back": 4,
            "of_these_from_stream": 0,
            "of_these_from_table": 0,
            "removed_since": 0,
        },
        "left": [],
    }


def test_a_dry_run_tells_the_same_and_changes_nothing(s3: FakeS3) -> None:
    before = dict(s3.contents)
    told = replay(s3, None)
    assert (s3.contents, s3.operations) == (before, [])
    assert told.as_json() == replay(s3, FakeFirehose()).as_json() | {"dry_run": True}


def test_a_second_run_finds_nothing(s3: FakeS3) -> None:
    replay(s3, FakeFirehose())
    firehose = FakeFirehose()
    report = replay(s3, firehose)
    assert (firehose.calls, report.objects, report.changes) == ([], 0, 0)


def test_only_objects_written_from_since_to_before_until_are_read(s3: FakeS3) -> None:
    firehose = FakeFirehose()
    first, day = NOON + timedelta(minutes=1), NOON + timedelta(days=1)
    replay(s3, firehose, since=first, until=day)
    assert put(firehose) == [line(3)]
    firehose = FakeFirehose()
    replay(s3, firehose, since=day)
    assert put(firehose) == [line(4)]


def test_nothing_is_moved_while_firehose_lacks_a_record_of_the_slice(s3: FakeS3) -> None:
    before = dict(s3.contents)
    with pytest.raises(CommandError, match=r"did not take 1 of 1 records for stream: AccessDenied"):
        replay(s3, FakeFirehose(then=client_error("AccessDeniedException")))
    assert (s3.contents, s3.operations) == (before, [])


@pytest.mark.parametrize("stop", range(6))
def test_stopped_at_any_moment_the_next_run_puts_back_the_rest(
    s3: FakeS3, monkeypatch: pytest.MonkeyPatch, stop: int
) -> None:
    """Each object is moved in two steps: six moments to stop at."""
    monkeypatch.setattr(run, "SLICE_OBJECTS", 1)

    def stop_now(*_: str) -> None:
        if len(s3.operations) == stop:
            raise KeyboardInterrupt

    s3.stop_at = stop_now
    first, second = FakeFirehose(), FakeFirehose()
    with pytest.raises(KeyboardInterrupt):
        replay(s3, first)
    s3.stop_at = lambda *_: None

    replay(s3, second)

    assert [key for key in s3.contents if not key.startswith(("data/", "replayed/"))] == []
    # In order, and of no object but the one that was about to be moved is anything put twice.
    moved = stop // 2
    first_of = [0, 2, 3, 4]
    lines = [line(number) for number in (1, 2, 3, 4)]
    assert put(first) == lines[: first_of[moved + 1]]
    assert put(second) == lines[first_of[moved] :]


def test_an_object_goes_only_after_its_copy_is_there(s3: FakeS3) -> None:
    replay(s3, FakeFirehose())
    for key in (f"{ERRORS}early", f"{FAILED}1", f"{ERRORS}late"):
        copied = s3.operations.index(("copy", f"replayed/{key}"))
        assert copied < s3.operations.index(("delete", key))


def test_corrupt_objects_are_told_and_stay_and_hold_up_no_other(s3: FakeS3) -> None:
    corrupt = s3.add(f"{ERRORS}corrupt", b"\x1f\x8b", minutes=-1)
    firehose = FakeFirehose()

    report = replay(s3, firehose)

    assert put(firehose) == [line(number) for number in (1, 2, 3, 4)]
    assert report.problems == [Problem(corrupt, 1, "its gzip is damaged or cut off")]
    assert s3.contents[corrupt] == b"\x1f\x8b"
    assert (report.objects, report.objects_done) == (4, 3)


def test_beside_a_corrupt_line_the_others_are_put_back_once() -> None:
    s3 = FakeS3()
    body = error_line(line(1)) + b"{\n" + error_line(line(2))
    key = s3.add(f"{ERRORS}mixed", body)
    problem = Problem(key, 2, "the line is no JSON object")
    first, second = FakeFirehose(), FakeFirehose()

    reports = [replay(s3, first), replay(s3, second)]

    assert (put(first), put(second)) == ([line(1), line(2)], [])
    assert [report.problems for report in reports] == [[problem], [problem]]
    # The object stays whole, and a note beside the replayed ones tells what of it is done.
    note = s3.contents.pop(f"replayed/{key}.done.json")
    assert json.loads(note)["done"] == [0, 2]
    assert s3.contents == {key: body}


def test_a_note_about_another_object_of_that_name_counts_for_nothing() -> None:
    s3 = FakeS3()
    key = s3.add(f"{ERRORS}mixed", error_line(line(1)) + b"{\n")
    replay(s3, FakeFirehose())
    s3.add(key, error_line(line(2)) + b"{\n")
    firehose = FakeFirehose()
    replay(s3, firehose)
    assert put(firehose) == [line(2)]

    mended = s3.contents[key] = error_line(line(3))
    replay(s3, firehose)
    assert put(firehose) == [line(2), line(3)]
    assert s3.contents == {f"replayed/{key}": mended}


def test_of_an_object_with_several_errors_those_asked_for_are_put_back() -> None:
    s3 = FakeS3()
    body = error_line(line(1), "A") + error_line(line(2), "B") + error_line(line(3), "C")
    key = s3.add(f"{ERRORS}mixed", body)
    firehose = FakeFirehose()

    report = replay(s3, firehose, "A", "C")
    assert put(firehose) == [line(1), line(3)]
    assert report.by_error == {"A": 1, "B": 1, "C": 1}
    assert (report.problems, report.objects_done) == ([], 0)
    assert s3.contents[key] == body

    report = replay(s3, firehose, "B")
    assert put(firehose)[2:] == [line(2)]
    assert report.by_error == {"B": 1}
    # Now all of it is back: the object is moved, its note is gone.
    assert s3.contents == {f"replayed/{key}": body}


def test_an_object_that_another_run_moved_meanwhile_is_no_fault(s3: FakeS3) -> None:
    replay(s3, FakeFirehose())
    moved = dict(s3.contents)
    objects = Objects(s3, BUCKET)
    key = f"{ERRORS}early"

    assert objects.read(key) is None
    objects.finish(key, '"etag"', with_note=False)

    assert s3.contents == moved


def test_rows_go_as_the_changes_that_they_were_made_of() -> None:
    s3 = FakeS3()
    first = s3.add(f"{ERRORS}first", error_line(rows(1, 2)) + error_line(rows(2, 3)))
    second = s3.add(f"{ERRORS}second", error_line(rows(4)), minutes=1)
    s3.add(f"{ERRORS}third", error_line(line(5)), minutes=2)
    places = {"event-1": "stream", "event-2": "table", "event-4": "table"}
    firehose, origins = FakeFirehose(), FakeOrigins(**places)

    report = replay(s3, firehose, origins=origins)

    # Each once, behind what needs no looking up, and the stream is asked once for all.
    assert put(firehose) == [line(5), b"event-1\n", b"event-2\n", b"event-4\n"]
    assert origins.asked == [["event-1", "event-2", "event-3", "event-4"]]
    assert report.as_json()["changes"] == {
        "put_back": 4,
        "of_these_from_stream": 1,
        "of_these_from_table": 2,
        "removed_since": 1,
    }
    assert sorted(s3.contents) == [f"replayed/{ERRORS}{n}" for n in ("first", "second", "third")]
    assert (report.problems, first, second) == ([], f"{ERRORS}first", f"{ERRORS}second")


def test_a_lost_row_of_a_pipeline_that_keeps_removed_items_is_left() -> None:
    s3 = FakeS3()
    key = s3.add(f"{ERRORS}rows", error_line(rows(1)) + error_line(rows(2)))
    firehose, origins = FakeFirehose(), FakeOrigins(**{"event-2": "table"})

    report = replay(s3, firehose, origins=origins, kinds=("INSERT", "MODIFY"))

    assert put(firehose) == [b"event-2\n"]
    reason = (
        "1 of its rows tell of items that are gone, from the stream and from the table, "
        "and the pipeline's event_names leave REMOVE out"
    )
    assert report.problems == [Problem(key, 1, reason)]
    assert key in s3.contents


def test_a_location_in_another_bucket_is_refused() -> None:
    with pytest.raises(
        CommandError, match="s3://other/errors/ is not in the pipeline's bucket lake"
    ):
        list(Objects(FakeS3(), BUCKET).below("s3://other/errors/", None, None))


def test_many_objects_are_put_back_slice_by_slice() -> None:
    s3 = FakeS3()
    for number in range(150):
        s3.add(f"{FAILED}{number:03}", batch(stream_record(number)))
    firehose = FakeFirehose()

    report = replay(s3, firehose)

    assert put(firehose) == [line(number) for number in range(150)]
    assert [sum(one.count(b"\n") for one in call) for call in firehose.calls] == [64, 64, 22]
    assert report.objects_done == 150
