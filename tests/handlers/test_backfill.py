"""A file of an export on its way to Firehose: what goes on, what is set aside, where it stops."""

import base64
import gzip
import io
import json
import time
from dataclasses import replace
from typing import Any

import pytest

from streaming_etl.handlers import backfill
from streaming_etl.handlers.backfill import (
    NoProgressError,
    Settings,
    batch_bytes,
    lambda_handler,
    pass_file,
)
from streaming_etl.handlers.export.file_reader import export_file
from streaming_etl.handlers.export.progress import Progress, read_batches
from streaming_etl.handlers.firehose import put_records as put
from tests.handlers.fakes import THROTTLED, FakeClock, FakeContext, FakeFirehose, client_error

BUCKET = "lake"
KEY = "backfill/shop/orders/exports/AWSDynamoDB/01795-2d8752fd/data/asdl123.json.gz"
EXPORT_TIME = "2026-11-23T07:28:34.028Z"
TAKEN_AT_MS = 1795418914028
NOWHERE = {"offset": 0, "line": 0, "changes": 0, "dead_lettered": 0}


class FakeBucket:
    """S3 with one file in it, read in ranges; keeps what is put."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.ranges: list[str] = []
        self.kept: dict[str, bytes] = {}
        self.failing: set[int] = set()
        """Which of the reads fail."""

    def head_object(self, **request: Any) -> dict[str, Any]:
        assert request == {"Bucket": BUCKET, "Key": KEY}
        return {"ContentLength": len(self.content), "ETag": '"tag"'}

    def get_object(self, *, Range: str, **request: Any) -> dict[str, Any]:  # noqa: N803
        assert request == {"Bucket": BUCKET, "Key": KEY, "IfMatch": '"tag"'}
        self.ranges.append(Range)
        if len(self.ranges) - 1 in self.failing:
            raise client_error("SlowDown")
        first, last = map(int, Range.removeprefix("bytes=").split("-"))
        assert 0 <= first <= last < len(self.content), "S3 answers 416"
        return {"Body": io.BytesIO(self.content[first : last + 1])}

    def put_object(self, *, Bucket: str, Key: str, Body: bytes) -> None:  # noqa: N803
        assert Bucket == BUCKET
        self.kept[Key] = Body


def item(number: int, size: int = 0) -> dict[str, Any]:
    return {"id": {"S": f"o-{number}"}, "code": {"B": "AP8="}, "text": {"S": "x" * size}}


def lines(*items: dict[str, Any]) -> bytes:
    return b"".join(json.dumps({"Item": each}).encode() + b"\n" for each in items)


class World:
    """The bucket, Firehose and time around the function's core, which has 48 s for each call."""

    def __init__(self) -> None:
        self.firehose = FakeFirehose()
        self.bucket = FakeBucket(b"")
        self.clock = FakeClock()
        self.settings = Settings(
            stream="orders-stream",
            max_changes=2,
            max_bytes=262_144,
            key_names=["id"],
            kib_per_second=100_000,
            errors_path="errors/shop/orders/backfill-failed/",
        )

    def call(self, state: dict[str, Any] | None = None) -> dict[str, Any]:
        return pass_file(
            state or {"bucket": BUCKET, "key": KEY, "export_time": EXPORT_TIME, **NOWHERE},
            self.settings,
            self.bucket,
            self.firehose,
            self.clock() + 48,
            clock=self.clock,
            sleep=self.clock.sleep,
        )

    def changes(self) -> list[Any]:
        """What Firehose was given, repeats included."""
        return [
            json.loads(line)
            for call in self.firehose.calls
            for record in call
            for line in record.splitlines()
        ]

    def ids(self) -> list[str]:
        return [change["dynamodb"]["Keys"]["id"]["S"] for change in self.changes()]


@pytest.fixture
def world() -> World:
    return World()


def test_each_item_of_the_file_goes_on_as_a_change_of_kind_snapshot(world: World) -> None:
    content = lines(item(1), item(2), item(3))
    world.bucket.content = gzip.compress(content)

    answer = world.call()

    assert answer == {
        "bucket": BUCKET,
        "key": KEY,
        "export_time": EXPORT_TIME,
        "offset": len(content),
        "line": 3,
        "changes": 3,
        "dead_lettered": 0,
        "done": True,
    }
    assert world.firehose.streams == {"orders-stream"}
    # Two to a record, as the forwarder of this pipeline packs.
    [[first, second]] = world.firehose.calls
    assert [first.count(b"\n"), second.count(b"\n")] == [2, 1]
    change = world.changes()[0]
    assert change.pop("eventID").startswith(f"snapshot-{TAKEN_AT_MS}-")
    assert change == {
        "eventName": "SNAPSHOT",
        "dynamodb": {
            "ApproximateCreationDateTime": TAKEN_AT_MS // 1000,
            "Keys": {"id": {"S": "o-1"}},
            "SequenceNumber": str(TAKEN_AT_MS),
            "NewImage": item(1),
        },
    }


@pytest.mark.parametrize("content", [b"", gzip.compress(b"")], ids=["no bytes", "no lines"])
def test_the_file_of_an_empty_partition_is_done_at_once(world: World, content: bytes) -> None:
    world.bucket.content = content
    assert world.call()["done"] is True
    assert world.firehose.calls == []


def test_a_file_is_read_in_ranges_and_may_be_made_of_several_gzip_members(world: World) -> None:
    parts = [lines(item(number)) for number in range(40)]
    world.bucket.content = b"".join(map(gzip.compress, parts))
    assert world.call()["changes"] == 40

    reader = export_file(world.bucket, BUCKET, KEY)
    assert reader.read() == b"".join(parts)
    # One request holds the whole of a small file.
    assert world.bucket.ranges == [f"bytes=0-{len(world.bucket.content) - 1}"] * 2


def test_what_is_no_item_is_set_aside_whole_and_holds_up_no_other(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = [b'{"Item": {"id"\n', b'{"Item": {"secret": {"S": "s"}}}\n', b"\n"]
    world.bucket.content = gzip.compress(lines(item(1)) + b"".join(bad) + lines(item(2)))

    answer = world.call()

    assert (answer["line"], answer["changes"], answer["dead_lettered"]) == (5, 2, 2)
    assert world.ids() == ["o-1", "o-2"]
    [(key, content)] = world.bucket.kept.items()
    assert key == "errors/shop/orders/backfill-failed/2026/11/23/asdl123-2.json"
    told = [json.loads(line) for line in content.splitlines()]
    times = {(each.pop("arrivalTimestamp"), each.pop("attemptEndingTimestamp")) for each in told}
    assert all(arrived == ended > TAKEN_AT_MS for arrived, ended in times)
    assert told == [
        {
            "attemptsMade": 1,
            "errorCode": "Backfill.LineUnreadable",
            "errorMessage": f"{error} at line {line} of the export's file",
            "rawData": base64.b64encode(raw).decode(),
        }
        for error, line, raw in (("JSONDecodeError", 2, bad[0]), ("KeyError", 3, bad[1]))
    ]
    # The log names the line and the error's type, never the item.
    logged = capsys.readouterr().out
    assert [json.loads(line)["message"] for line in logged.splitlines()] == [
        *("item dead-lettered", "item dead-lettered", "backfilled"),
    ]
    assert "secret" not in logged


def test_an_item_too_large_for_a_record_is_set_aside(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streaming_etl.handlers.wire.change_line.MAX_RECORD_BYTES", 400)
    # Compressed, repeats would fit.
    wide = {**item(1), "text": {"S": base64.b85encode(bytes(range(256)) * 2).decode()}}
    world.bucket.content = gzip.compress(lines(wide, item(2)))
    assert world.call()["dead_lettered"] == 1
    assert world.ids() == ["o-2"]
    [content] = world.bucket.kept.values()
    assert json.loads(content)["errorCode"] == "Backfill.ItemTooLarge"


def test_what_time_leaves_is_taken_up_where_it_stopped(world: World) -> None:
    # A KiB a second: 5 KiB go together, which is about one of these items.
    world.settings = replace(world.settings, kib_per_second=1)
    world.bucket.content = gzip.compress(lines(*(item(number, 5000) for number in range(25))))

    answers = [world.call()]
    while not answers[-1]["done"]:
        answers.append(world.call(answers[-1]))

    assert [answer["changes"] for answer in answers] == [10, 20, 25]
    # Each once, and in order.
    assert world.ids() == [f"o-{number}" for number in range(25)]


def test_puts_five_seconds_of_the_rate_at_a_time_within_one_call() -> None:
    assert batch_bytes(2) == 10 * 1024
    assert batch_bytes(1_000_000) == put.MAX_CALL_BYTES


def test_when_firehose_takes_a_part_the_next_call_begins_behind_it(world: World) -> None:
    world.bucket.content = gzip.compress(b"\n" + lines(*map(item, range(5))) + b"no item\n")
    # Records of two changes each: the second is refused for good.
    world.firehose = FakeFirehose((1,), then=client_error("AccessDeniedException"))

    stopped = world.call()

    assert stopped["done"] is False
    assert (stopped["changes"], stopped["line"], stopped["dead_lettered"]) == (2, 3, 0)
    assert stopped["offset"] == len(b"\n" + lines(item(0), item(1)))

    world.firehose = FakeFirehose()
    ended = world.call(stopped)
    assert (ended["done"], ended["changes"], ended["line"], ended["dead_lettered"]) == (
        True,
        5,
        7,
        1,
    )
    assert world.ids() == ["o-2", "o-3", "o-4"]
    # Twice set aside, and the same object both times.
    assert list(world.bucket.kept) == [
        "errors/shop/orders/backfill-failed/2026/11/23/asdl123-7.json"
    ]


def test_a_call_that_gets_no_further_fails_so_that_it_is_tried_again(world: World) -> None:
    world.bucket.content = gzip.compress(lines(item(1)))
    world.firehose = FakeFirehose(then=THROTTLED)
    with pytest.raises(NoProgressError):
        world.call()


def test_without_the_names_of_the_keys_nothing_goes_on(world: World) -> None:
    world.settings = replace(world.settings, key_names=[])
    world.bucket.content = gzip.compress(lines(item(1)))
    with pytest.raises(ValueError, match="KEY_NAMES is empty"):
        world.call()
    assert world.firehose.calls == []


def test_a_file_cut_short_is_passed_on_as_far_as_it_goes_and_then_fails(world: World) -> None:
    world.settings = replace(world.settings, kib_per_second=1)
    whole = gzip.compress(lines(*(item(number, 6000) for number in range(3))), compresslevel=0)
    world.bucket.content = whole[:-20]

    stopped = world.call()

    assert (stopped["done"], stopped["changes"]) == (False, 2)
    with pytest.raises(EOFError):
        world.call(stopped)


def test_a_read_that_fails_at_once_fails_the_call(world: World) -> None:
    world.bucket.content = gzip.compress(lines(item(1)))
    world.bucket.failing = {0}
    with pytest.raises(Exception, match="SlowDown"):
        world.call()


def test_a_batch_is_cut_at_its_size_and_tells_where_each_change_ends() -> None:
    content = b"a\nbb\n\nccc\n"
    batches = list(read_batches(io.BytesIO(content), Progress(2, 1, 0, 0), bytes.upper, 5))
    assert [(each.changes, each.ends, each.offset, each.line) for each in batches] == [
        ([b"BB\n", b"CCC\n"], [(5, 2), (10, 4)], 10, 4),
    ]
    cut = list(read_batches(io.BytesIO(content), Progress(0, 0, 0, 0), bytes.upper, 2))
    assert [(each.changes, each.offset, each.line) for each in cut] == [
        ([b"A\n"], 2, 1),
        ([b"BB\n"], 5, 2),
        ([b"CCC\n"], 10, 4),
    ]


def test_the_function_takes_its_settings_from_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    environment = {
        "DELIVERY_STREAM": "orders-stream",
        "MAX_CHANGES_PER_RECORD": "2",
        "MAX_RECORD_KIB": "1000",
        "KEY_NAMES": '["id", "at"]',
        "KIB_PER_SECOND": "12.5",
        "ERRORS_PATH": "errors/shop/orders/backfill-failed/",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(backfill, "firehose", lambda: "firehose")
    monkeypatch.setattr(backfill, "s3", lambda: "s3")
    given: list[Any] = []
    monkeypatch.setattr(backfill, "pass_file", lambda *arguments: given.extend(arguments))

    lambda_handler({"key": KEY}, FakeContext())

    deadline = given.pop()
    # The context's minute, without the margin in which a call begun still ends.
    assert deadline <= time.monotonic() + 48
    settings = Settings(
        "orders-stream", 2, 1_024_000, ["id", "at"], 12.5, environment["ERRORS_PATH"]
    )
    assert given == [{"key": KEY}, settings, "s3", "firehose"]
