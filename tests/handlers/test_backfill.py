"""Backfill: forwarded items, dead-lettered lines, progress."""

import base64
import gzip
import json
import time
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from streaming_etl.handlers import backfill
from streaming_etl.handlers.backfill import (
    NoProgressError,
    OldExportError,
    Settings,
    UnknownLakeTableError,
    batch_bytes,
    forward_file,
    forward_marker,
    lambda_handler,
)
from streaming_etl.handlers.firehose import put_records as put
from streaming_etl.handlers.wire import routing
from streaming_etl.handlers.wire.routing import Route, Where
from tests.handlers.export.fake_bucket import BUCKET, KEY, FakeBucket
from tests.support.changes import STREAM_ARN, STREAM_LABEL
from tests.support.fake_aws import THROTTLED, FakeClock, FakeContext, FakeFirehose, client_error

EXPORT_TIME = "2026-11-23T07:28:34.028Z"
TAKEN_AT_MS = 1795418914028
NONE = {"changes": 0, "dead_lettered": 0, "unmatched": 0, "sent": {}}
START = {"offset": 0, "line": 0, **NONE}

ROUTE = Route("lake-table", "orders-stream", "always", max_changes=2, max_bytes=262_144)
ROUTES = [
    ROUTE._replace(name="orders", where=Where({"kind": ["order"]})),
    ROUTE._replace(
        name="events", stream="events-stream", max_changes=500, where=Where({"id": {"prefix": "e"}})
    ),
    ROUTE._replace(name="all", stream="all-stream"),
]
"""Of three lake tables; the last has all items."""


def item(number: int, size: int = 0) -> dict[str, Any]:
    return {"id": {"S": f"o-{number}"}, "code": {"B": "AP8="}, "text": {"S": "x" * size}}


def lines(*items: dict[str, Any]) -> bytes:
    return b"".join(json.dumps({"Item": each}).encode() + b"\n" for each in items)


class World:
    """Bucket, Firehose and time; every invocation has 48 s."""

    def __init__(self) -> None:
        self.firehose = FakeFirehose()
        self.bucket = FakeBucket(b"")
        self.clock = FakeClock()
        self.settings = Settings(
            routes=[ROUTE],
            key_names=["id"],
            kib_per_second=100_000,
            errors_path="errors/shop/orders/backfill-failed/",
            stream_arn=STREAM_ARN,
        )

    def call(self, state: dict[str, Any] | None = None) -> dict[str, Any]:
        return forward_file(
            state or {"bucket": BUCKET, "key": KEY, "export_time": EXPORT_TIME, **START},
            self.settings,
            self.bucket,
            self.firehose,
            self.clock() + 48,
            clock=self.clock,
            sleep=self.clock.sleep,
        )

    def changes(self) -> list[Any]:
        """Changes that were sent to Firehose, with repeats."""
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


def test_forwards_each_item_as_a_change_of_type_snapshot(world: World) -> None:
    content = lines(item(1), item(2), item(3))
    world.bucket.content = gzip.compress(content)

    state = world.call()

    assert state == {
        "bucket": BUCKET,
        "key": KEY,
        "export_time": EXPORT_TIME,
        "offset": len(content),
        "line": 3,
        "changes": 3,
        "dead_lettered": 0,
        "unmatched": 0,
        "sent": {"lake-table": 3},
        "done": True,
    }
    assert world.firehose.streams == {"orders-stream"}
    # Two per record, as in the settings.
    [[first, second]] = world.firehose.calls
    assert [first.count(b"\n"), second.count(b"\n")] == [2, 1]
    change = world.changes()[0]
    assert change.pop("eventID").startswith(f"snapshot-{TAKEN_AT_MS}-")
    assert change == {
        "eventName": "SNAPSHOT",
        "streamLabel": STREAM_LABEL,
        "dynamodb": {
            "ApproximateCreationDateTime": TAKEN_AT_MS // 1000,
            "Keys": {"id": {"S": "o-1"}},
            "SequenceNumber": str(TAKEN_AT_MS),
            "NewImage": item(1),
        },
    }


@pytest.mark.parametrize("content", [b"", gzip.compress(b"")], ids=["no bytes", "no lines"])
def test_the_file_of_an_empty_partition_is_done(world: World, content: bytes) -> None:
    world.bucket.content = content
    assert world.call()["done"] is True
    assert world.firehose.calls == []


def test_dead_letters_invalid_lines_and_forwards_the_others(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = [b'{"Item": {"id"\n', b'{"Item": {"secret": {"S": "s"}}}\n', b"\n"]
    world.bucket.content = gzip.compress(lines(item(1)) + b"".join(bad) + lines(item(2)))

    state = world.call()

    assert (state["line"], state["changes"], state["dead_lettered"]) == (5, 2, 2)
    assert world.ids() == ["o-1", "o-2"]
    [(key, content)] = world.bucket.objects.items()
    assert key == "errors/shop/orders/backfill-failed/2026/11/23/asdl123-2.json"
    records = [json.loads(line) for line in content.splitlines()]
    reasons = [record.pop("errorMessage").split()[0] for record in records]
    assert reasons == ["JSONDecodeError", "KeyError"]
    times = {(each.pop("arrivalTimestamp"), each.pop("attemptEndingTimestamp")) for each in records}
    assert all(arrived == ended > TAKEN_AT_MS for arrived, ended in times)
    assert records == [
        {
            "attemptsMade": 1,
            "errorCode": "Backfill.LineUnreadable",
            "rawData": base64.b64encode(raw).decode(),
            "snapshot": {
                "takenAt": TAKEN_AT_MS,
                "streamArn": STREAM_ARN,
                "keyNames": ["id"],
                "lakeTables": ["lake-table"],
            },
        }
        for raw in bad[:2]
    ]
    # The log has the line number and the error's type, never the item.
    logged = capsys.readouterr().out
    assert [json.loads(line)["message"] for line in logged.splitlines()] == [
        "item dead-lettered",
        "item dead-lettered",
        "export file forwarded",
    ]
    assert "secret" not in logged


def test_dead_letters_an_item_too_large_for_a_record(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streaming_etl.handlers.wire.change_line.MAX_RECORD_BYTES", 400)
    # Repeated bytes would fit after compression.
    wide = {**item(1), "text": {"S": base64.b85encode(bytes(range(256)) * 2).decode()}}
    world.bucket.content = gzip.compress(lines(wide, item(2)))
    assert world.call()["dead_lettered"] == 1
    assert world.ids() == ["o-2"]
    [content] = world.bucket.objects.values()
    assert json.loads(content)["errorCode"] == "Backfill.ItemTooLarge"


def test_the_next_invocation_continues_after_the_deadline_of_the_last(world: World) -> None:
    # At 1 KiB per second a batch has 5 KiB, about one of these items.
    world.settings = replace(world.settings, kib_per_second=1)
    world.bucket.content = gzip.compress(lines(*(item(number, 5000) for number in range(25))))

    states = [world.call()]
    while not states[-1]["done"]:
        states.append(world.call(states[-1]))

    assert [state["changes"] for state in states] == [10, 20, 25]
    # Each item once, in order.
    assert world.ids() == [f"o-{number}" for number in range(25)]


class Streams(FakeFirehose):
    """Firehose with the changes that each delivery stream accepts."""

    def __init__(self, failing: str = "", then: Any = ()) -> None:
        super().__init__()
        self.failing, self.error = failing, then
        self.records: dict[str, list[list[Any]]] = defaultdict(list)

    def put_record_batch(self, **request: Any) -> dict[str, Any]:
        stream = request["DeliveryStreamName"]
        if stream == self.failing:
            raise self.error
        for record in request["Records"]:
            changes = [json.loads(line) for line in record["Data"].splitlines()]
            ids = [change["dynamodb"]["Keys"].get("id", {}).get("S", "") for change in changes]
            self.records[stream].append(ids)
        return super().put_record_batch(**request)


def kind(key: str, kind: str) -> dict[str, Any]:
    return {"id": {"S": key}, "kind": {"S": kind}}


FIVE = lines(
    kind("o-1", "order"),
    kind("e-2", "event"),
    kind("e-3", "order"),
    kind("x-4", "other"),
    kind("o-5", "order"),
)


def test_forwards_each_item_to_the_lake_tables_that_have_it(world: World) -> None:
    world.settings = replace(world.settings, routes=ROUTES)
    world.firehose = streams = Streams()
    world.bucket.content = gzip.compress(FIVE)

    state = world.call()

    assert (state["changes"], state["unmatched"]) == (5, 0)
    assert state["sent"] == {"orders": 3, "events": 2, "all": 5}
    assert streams.records == {
        "orders-stream": [["o-1", "e-3"], ["o-5"]],
        "events-stream": [["e-2", "e-3"]],
        "all-stream": [["o-1", "e-2"], ["e-3", "x-4"], ["o-5"]],
    }


def test_forwards_items_to_selected_lake_tables_only(world: World) -> None:
    world.settings = replace(world.settings, routes=ROUTES)
    world.firehose = streams = Streams()
    world.bucket.content = gzip.compress(FIVE)

    selected = {"bucket": BUCKET, "key": KEY, "export_time": EXPORT_TIME, **START}
    state = world.call({**selected, "lake_tables": ["events", "orders"]})

    assert state["lake_tables"] == ["events", "orders"]
    assert (state["changes"], state["unmatched"], state["line"]) == (4, 1, 5)
    assert state["sent"] == {"orders": 3, "events": 2}
    assert set(streams.records) == {"orders-stream", "events-stream"}


@pytest.mark.parametrize("names", [["orders", "carts"], []])
def test_a_backfill_of_unknown_lake_tables_forwards_nothing(world: World, names: list[str]) -> None:
    world.settings = replace(world.settings, routes=ROUTES)
    world.bucket.content = gzip.compress(FIVE)
    state = {"bucket": BUCKET, "key": KEY, "export_time": EXPORT_TIME, "lake_tables": names}
    with pytest.raises(UnknownLakeTableError):
        world.call({**state, **START})
    with pytest.raises(UnknownLakeTableError):
        forward_marker(state, world.settings, world.firehose, time.monotonic() + 48)
    assert world.firehose.calls == []


def test_a_rejecting_stream_leaves_its_items_to_the_next_invocation(world: World) -> None:
    world.settings = replace(world.settings, routes=ROUTES[:2])
    denied = client_error("AccessDeniedException")
    world.firehose = streams = Streams("events-stream", denied)
    world.bucket.content = gzip.compress(FIVE)

    stopped = world.call()

    # One item is before the first of the events.
    assert (stopped["done"], stopped["line"], stopped["sent"]) == (False, 1, {"orders": 1})
    world.firehose = again = Streams()
    ended = world.call(stopped)
    assert (ended["done"], ended["sent"]) == (True, {"orders": 3, "events": 2})
    assert streams.records == {"orders-stream": [["o-1", "e-3"], ["o-5"]]}
    assert again.records == {"orders-stream": [["e-3", "o-5"]], "events-stream": [["e-2", "e-3"]]}


def test_dead_letters_an_item_of_several_lake_tables_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streaming_etl.handlers.wire.change_line.MAX_RECORD_BYTES", 400)
    wide = {**kind("e-1", "order"), "text": {"S": base64.b85encode(bytes(range(256)) * 2).decode()}}
    world.settings = replace(world.settings, routes=ROUTES)
    world.bucket.content = gzip.compress(lines(wide, kind("o-2", "order")))
    assert world.call()["dead_lettered"] == 1
    [content] = world.bucket.objects.values()
    [record] = content.splitlines()
    assert base64.b64decode(json.loads(record)["rawData"]) == lines(wide)


def test_the_rate_is_that_of_all_delivery_streams(world: World) -> None:
    everywhere = [ROUTE._replace(name=name, stream=name) for name in "abcd"]
    world.settings = replace(world.settings, routes=everywhere, kib_per_second=8)
    # Two items have 40 KiB for all streams, which is a batch.
    world.bucket.content = gzip.compress(lines(*(item(number, 5000) for number in range(8))))
    started = world.clock()
    assert world.call()["sent"] == dict.fromkeys("abcd", 8)
    assert world.clock() - started == pytest.approx(15, abs=1)


def test_twenty_slow_delivery_streams_make_progress_in_one_invocation(world: World) -> None:
    class Slow(FakeFirehose):
        def put_record_batch(self, **request: Any) -> dict[str, Any]:
            world.clock.sleep(2)
            return super().put_record_batch(**request)

    everywhere = [ROUTE._replace(name=f"t{n}", stream=f"t{n}") for n in range(20)]
    world.settings = replace(world.settings, routes=everywhere)
    world.firehose = Slow()
    world.bucket.content = gzip.compress(lines(item(1)))
    assert world.call()["done"] is True


def test_streams_share_the_time_of_an_invocation(world: World) -> None:
    throttled = Streams("orders-stream", THROTTLED)
    started = world.clock()
    assert backfill.put_to_route(
        throttled, started + 40, ROUTE, [b"x"], 4, clock=world.clock, sleep=world.clock.sleep
    ) == [0]
    assert world.clock() - started <= 10
    assert backfill.put_to_route(throttled, started, ROUTES[1], [b"x"], 1, clock=world.clock) == [0]
    assert throttled.calls == []


def test_continues_the_state_of_an_execution_from_before_an_update(world: World) -> None:
    world.bucket.content = gzip.compress(lines(item(1)))
    former = {"offset": 0, "line": 0, "changes": 0, "dead_lettered": 0}
    state = world.call({"bucket": BUCKET, "key": KEY, "export_time": EXPORT_TIME, **former})
    assert (state["done"], state["changes"]) == (True, 1)


def test_puts_five_seconds_of_the_rate_at_a_time_within_one_call() -> None:
    assert batch_bytes(2) == 10 * 1024
    assert batch_bytes(1_000_000) == put.MAX_CALL_BYTES


def test_continues_after_the_changes_that_firehose_accepted(world: World) -> None:
    world.bucket.content = gzip.compress(b"\n" + lines(*map(item, range(5))) + b"invalid\n")
    # The second record, of two changes each, is never accepted.
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
    # Both invocations wrote the same object.
    assert list(world.bucket.objects) == [
        "errors/shop/orders/backfill-failed/2026/11/23/asdl123-7.json"
    ]


def test_an_invocation_without_progress_fails(world: World) -> None:
    world.bucket.content = gzip.compress(lines(item(1)))
    world.firehose = FakeFirehose(then=THROTTLED)
    with pytest.raises(NoProgressError):
        world.call()


def test_forwards_nothing_without_key_names(world: World) -> None:
    world.settings = replace(world.settings, key_names=[])
    world.bucket.content = gzip.compress(lines(item(1)))
    with pytest.raises(ValueError, match="KEY_NAMES"):
        world.call()
    assert world.firehose.calls == []


def test_forwards_the_complete_part_of_a_truncated_file_and_then_fails(world: World) -> None:
    world.settings = replace(world.settings, kib_per_second=1)
    complete = gzip.compress(lines(*(item(number, 6000) for number in range(3))), compresslevel=0)
    world.bucket.content = complete[:-20]

    stopped = world.call()

    assert (stopped["done"], stopped["changes"]) == (False, 2)
    with pytest.raises(EOFError):
        world.call(stopped)


def test_a_failed_first_read_fails_the_invocation(world: World) -> None:
    world.bucket.content = gzip.compress(lines(item(1)))
    world.bucket.failing = {0}
    with pytest.raises(Exception, match="SlowDown"):
        world.call()


def test_forwards_nothing_of_an_export_older_than_the_stream(world: World) -> None:
    # The stream was switched, or the table restored, while the state machine ran.
    world.settings = replace(
        world.settings, stream_arn=f"{STREAM_ARN[:-23]}2026-11-23T07:28:34.029"
    )
    world.bucket.content = gzip.compress(lines(item(1)))
    with pytest.raises(OldExportError):
        world.call()
    with pytest.raises(OldExportError):
        forward_marker(
            {"export_time": EXPORT_TIME}, world.settings, world.firehose, time.monotonic() + 48
        )
    assert world.firehose.calls == []
    world.settings = replace(
        world.settings, stream_arn=f"{STREAM_ARN[:-23]}2026-11-23T07:28:34.028"
    )
    assert world.call()["done"] is True


@pytest.fixture(name="environment")
def fixture_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, str]:
    environment = {
        "DELIVERY_STREAMS": '{"orders": "orders-stream"}',
        "KEY_NAMES": '["id", "at"]',
        "KIB_PER_SECOND": "12.5",
        "ERRORS_PATH": "errors/shop/orders/backfill-failed/",
        "STREAM_ARN": STREAM_ARN,
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    route = {
        "name": "orders",
        "old_image": "never",
        "max_changes_per_record": 2,
        "max_record_kib": 1000,
    }
    config = {"event_names": ["INSERT"], "unmatched": "count", "routes": [route]}
    (tmp_path / "forwarder.json").write_text(json.dumps(config))
    monkeypatch.setattr(routing, "__file__", str(tmp_path / "a" / "b" / "c" / "routing.py"))
    monkeypatch.setattr(backfill, "firehose", lambda: "firehose")
    monkeypatch.setattr(backfill, "s3", lambda: "s3")
    return environment


def test_forwards_the_marker_of_a_completed_backfill(world: World) -> None:
    state = {"completed": True, "export_time": EXPORT_TIME}
    assert forward_marker(state, world.settings, world.firehose, time.monotonic() + 48) == state
    [marker] = world.changes()
    assert (marker["eventName"], marker["streamLabel"], marker["dynamodb"]["Keys"]) == (
        "BACKFILL",
        STREAM_LABEL,
        {},
    )


def test_forwards_the_marker_to_each_selected_lake_table(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.settings = replace(world.settings, routes=ROUTES)
    world.firehose = streams = Streams()
    state = {"completed": True, "export_time": EXPORT_TIME}
    deadline = time.monotonic() + 48
    # The marker has no item, so no condition applies.
    forward_marker({**state, "lake_tables": ["orders"]}, world.settings, streams, deadline)
    assert streams.records == {"orders-stream": [[""]]}
    forward_marker(state, world.settings, streams, deadline)
    marked = {"orders-stream": [[""], [""]], "events-stream": [[""]], "all-stream": [[""]]}
    assert streams.records == marked
    logged = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    names = [["orders"], ["orders", "events", "all"]]
    assert [each["lake_tables"] for each in logged] == names


def test_a_marker_that_firehose_rejects_fails_the_invocation(world: World) -> None:
    world.firehose = FakeFirehose(then=client_error("AccessDeniedException"))
    with pytest.raises(NoProgressError):
        forward_marker(
            {"export_time": EXPORT_TIME}, world.settings, world.firehose, time.monotonic() + 48
        )


@pytest.mark.usefixtures("environment")
def test_the_handler_forwards_the_marker_of_a_completed_event(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    events: list[Any] = []
    monkeypatch.setattr(backfill, "forward_marker", lambda event, *_: events.append(event))
    lambda_handler({"completed": True}, FakeContext())
    assert events == [{"completed": True}]


def test_the_handler_uses_the_settings_of_its_environment_and_archive(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]
) -> None:
    arguments: list[Any] = []
    monkeypatch.setattr(backfill, "forward_file", lambda *values: arguments.extend(values))

    lambda_handler({"key": KEY}, FakeContext())

    deadline = arguments.pop()
    # The context's minute, without the margin for a call that has begun.
    assert deadline <= time.monotonic() + 48
    route = Route("orders", "orders-stream", "never", 2, 1_024_000)
    settings = Settings([route], ["id", "at"], 12.5, environment["ERRORS_PATH"], STREAM_ARN)
    assert arguments == [{"key": KEY}, settings, "s3", "firehose"]
