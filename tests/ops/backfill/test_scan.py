"""Pages of a scan: requests, retries, checkpoints and items."""

import json
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from streaming_etl.handlers.pacing import RateLimiter
from streaming_etl.handlers.wire.change_line import ChangeTooLargeError, change_line
from streaming_etl.handlers.wire.routing import Route, Where
from streaming_etl.handlers.wire.snapshot import snapshot_record
from streaming_etl.ops.backfill import scan as scan_module
from streaming_etl.ops.backfill.checkpoint import (
    Checkpoint,
    CheckpointIdentity,
    Segment,
    open_checkpoint,
)
from streaming_etl.ops.backfill.scan import TRANSIENT, Scan, units_per_page
from streaming_etl.ops.firehose_writer import routed_writer
from streaming_etl.stack.errors import CommandError
from tests.support.backfill import TABLE, FakeDynamoDb, client_error, item
from tests.support.fake_aws import FakeClock, FakeFirehose
from tests.support.fake_aws import client_error as firehose_error

IDENTITY = CheckpointIdentity("dev", "orders", TABLE.arn, TABLE.created, TABLE.stream_arn)
KEY = {"id": {"S": "o-1"}}
ROUTE = Route("lake-table", "orders-delivery", "always", max_changes=500, max_bytes=256 * 1024)


class Bench:
    """A scan with two read units per page and a fake clock."""

    def __init__(self, path: Path, *items: dict[str, Any], segments: int = 1) -> None:
        self.dynamodb, self.firehose = FakeDynamoDb(*items), FakeFirehose()
        self.clock = FakeClock()
        self.dynamodb.clock = self.clock
        self.read_units_per_second = 1e6
        self.path, self.segments = path, segments
        self.table = TABLE
        self.routes = [ROUTE]
        self.open()

    def open(self) -> None:
        """Start a new process of the command."""
        self.checkpoint = self.stored()
        writer = routed_writer(
            self.firehose, self.routes, 1e6, clock=self.clock, sleep=self.clock.sleep
        )
        limiter = RateLimiter(self.read_units_per_second, clock=self.clock, sleep=self.clock.sleep)
        self.scan = Scan(
            self.dynamodb,
            self.table,
            self.routes,
            writer,
            self.checkpoint,
            limiter,
            2.0,
            sleep=self.clock.sleep,
            jitter=lambda: 1.0,
        )

    def stored(self) -> Checkpoint:
        return open_checkpoint(self.path, IDENTITY, None, self.segments, restart=False)

    def ids(self) -> list[str]:
        """The items that Firehose has accepted, in order."""
        lines = b"".join(data for call in self.firehose.calls for data in call).splitlines()
        return [json.loads(line)["dynamodb"]["Keys"]["id"]["S"] for line in lines]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "checkpoint.json"


def test_requests_a_page_within_its_budget_and_sends_snapshots(
    path: Path,
) -> None:
    bench = Bench(path, item(0), item(1), item(2))

    assert bench.scan.send_page(0) == 2

    assert bench.dynamodb.requests == [
        {
            "TableName": "orders",
            "Segment": 0,
            "TotalSegments": 1,
            "Limit": 2,
            "ReturnConsumedCapacity": "TOTAL",
        }
    ]
    taken_at_ms = 1_000_000
    lines = [
        change_line(snapshot_record(item(n), ["id"], taken_at_ms, TABLE.stream_arn))
        for n in range(2)
    ]
    assert bench.firehose.calls == [[b"".join(lines)]]
    assert bench.stored().segments == [
        Segment(start=KEY, items=2, read_units=2.0, sent={"lake-table": 2})
    ]


def test_reads_pages_up_to_the_end_of_each_segment(path: Path) -> None:
    bench = Bench(path, *map(item, range(5)), segments=2)

    assert [bench.scan.send_page(segment) for segment in (0, 1, 0)] == [2, 2, 1]

    assert bench.ids() == ["o-0", "o-2", "o-1", "o-3", "o-4"]
    assert bench.dynamodb.requests[2]["ExclusiveStartKey"] == {"id": {"S": "o-2"}}
    assert bench.stored().done
    assert bench.stored().items == 5


def test_an_empty_page_ends_its_segment(path: Path) -> None:
    bench = Bench(path)

    assert bench.scan.send_page(0) == 0

    assert bench.firehose.calls == []
    assert bench.stored().segments == [Segment(done=True)]


def test_writes_the_checkpoint_after_firehose_has_accepted_the_page(path: Path) -> None:
    bench = Bench(path, *map(item, range(5)))
    bench.scan.send_page(0)
    bench.firehose = FakeFirehose(then=firehose_error("AccessDeniedException"))
    bench.open()

    with pytest.raises(CommandError) as error:
        bench.scan.send_page(0)
    assert error.value.code == "firehose-rejected"

    assert bench.stored().segments == [
        Segment(start=KEY, items=2, read_units=2.0, sent={"lake-table": 2})
    ]
    bench.firehose = FakeFirehose()
    bench.open()
    bench.scan.send_page(0)
    assert bench.ids() == ["o-2", "o-3"]


def test_the_time_of_a_snapshot_is_that_of_the_response_in_seconds(path: Path) -> None:
    bench = Bench(path, item(0))
    bench.dynamodb.errors = [
        client_error("ThrottlingException"),
        client_error("ThrottlingException"),
    ]

    bench.scan.send_page(0)

    [[record]] = bench.firehose.calls
    assert bench.clock.pauses[:2] == [0.5, 1.0]
    assert json.loads(record)["dynamodb"]["SequenceNumber"] == "1001000"


@pytest.mark.parametrize("code", sorted(TRANSIENT))
def test_retries_transient_errors(path: Path, code: str) -> None:
    bench = Bench(path, item(0))
    bench.dynamodb.errors = [client_error(code), ReadTimeoutError(endpoint_url="https://dynamodb")]

    bench.scan.send_page(0)

    assert bench.ids() == ["o-0"]
    assert bench.dynamodb.requests == [bench.dynamodb.requests[0]] * 3


def test_fails_when_the_table_stays_throttled(path: Path) -> None:
    bench = Bench(path, item(0))
    bench.dynamodb.errors = [client_error("ProvisionedThroughputExceededException")] * 99

    with pytest.raises(CommandError) as error:
        bench.scan.send_page(0)

    assert error.value.code == "scan-throttled"
    assert error.value.details["error"] == "ProvisionedThroughputExceededException"

    assert len(bench.dynamodb.requests) == 15
    assert max(bench.clock.pauses) == 20.0


def test_fails_at_once_on_other_errors(path: Path) -> None:
    bench = Bench(path, item(0))
    bench.dynamodb.errors = [client_error("AccessDeniedException")]

    with pytest.raises(CommandError) as error:
        bench.scan.send_page(0)

    assert error.value.code == "scan-rejected"
    assert error.value.details == {"table": "orders", "error": "AccessDeniedException"}
    assert len(bench.dynamodb.requests) == 1


def test_expensive_items_make_the_next_pages_smaller(path: Path) -> None:
    bench = Bench(path, item(0))
    limits = []
    for segment in (
        Segment(start=None, items=10, read_units=40.0),
        Segment(start=None, items=10, read_units=2.0),
        Segment(start=None, items=10, read_units=10_000.0),
    ):
        bench.checkpoint.segments = [segment]
        bench.scan.send_page(0)
        limits.append(bench.dynamodb.requests[-1]["Limit"])

    # Two units per page; an item costs one by DynamoDB's counts.
    assert limits == [1, 2, 1]


def test_the_next_page_waits_for_the_actual_cost_of_the_last_one(path: Path) -> None:
    bench = Bench(path, *map(item, range(3)))
    bench.read_units_per_second = 0.5
    bench.open()
    # The first page costs one unit instead of the estimated two.
    bench.checkpoint.segments = [Segment(items=10, read_units=20.0)]
    started = bench.clock.now

    bench.scan.send_page(0)
    assert bench.clock.now - started == pytest.approx(0, abs=0.01)
    bench.scan.send_page(0)

    assert bench.clock.now - started == pytest.approx(2, abs=0.01)


def test_an_item_too_large_for_a_record_does_not_block_others(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def line_of(record: dict[str, Any]) -> bytes:
        if record["dynamodb"]["Keys"] == KEY:
            raise ChangeTooLargeError
        return change_line(record)

    monkeypatch.setattr(scan_module, "change_line", line_of)
    bench = Bench(path, *map(item, range(3)))

    assert [bench.scan.send_page(0), bench.scan.send_page(0)] == [2, 1]

    event_id = snapshot_record(item(1), ["id"], 1_000_000, TABLE.stream_arn)["eventID"]
    assert bench.ids() == ["o-0", "o-2"]
    assert bench.stored().segments == [
        Segment(done=True, items=2, read_units=3.0, too_large=[event_id], sent={"lake-table": 2})
    ]


def test_sends_each_item_to_the_lake_tables_that_have_it(path: Path) -> None:
    bench = Bench(path, *({**item(n), "kind": {"S": kind}} for n, kind in enumerate("abca")))
    bench.routes = [
        ROUTE._replace(name="first", stream="first-stream", where=Where({"kind": ["a"]})),
        ROUTE._replace(name="both", stream="both-stream", where=Where({"kind": ["a", "b"]})),
    ]
    bench.open()

    assert [bench.scan.send_page(0), bench.scan.send_page(0)] == [2, 2]

    assert bench.firehose.streams == {"first-stream", "both-stream"}
    sent = [[json.loads(line) for line in data.splitlines()] for [data] in bench.firehose.calls]
    ids = [[change["dynamodb"]["Keys"]["id"]["S"] for change in changes] for changes in sent]
    assert ids == [["o-0"], ["o-0", "o-1"], ["o-3"], ["o-3"]]
    [segment] = bench.stored().segments
    assert (segment.items, segment.unmatched, segment.items_read) == (3, 1, 4)
    assert segment.sent == {"first": 2, "both": 3}


def test_writes_the_checkpoint_after_all_delivery_streams_have_accepted_the_page(
    path: Path,
) -> None:
    bench = Bench(path, item(0))
    bench.routes = [ROUTE, ROUTE._replace(name="other", stream="other-stream")]
    bench.firehose = FakeFirehose((), then=firehose_error("AccessDeniedException"))
    bench.open()
    with pytest.raises(CommandError) as error:
        bench.scan.send_page(0)
    assert error.value.details["stream"] == "other-stream"
    assert not path.exists()


def test_items_that_are_not_sent_count_for_the_size_of_a_page(path: Path) -> None:
    bench = Bench(path, item(0))
    bench.checkpoint.segments = [Segment(items=1, unmatched=9, read_units=10.0)]
    bench.scan.send_page(0)
    assert bench.dynamodb.requests[-1]["Limit"] == 2


@pytest.mark.parametrize(
    ("read_units", "segments", "page"),
    [(100, 4, 25.0), (1, 4, 4.0), (10_000, 4, 128.0), (64, 1, 64.0)],
)
def test_a_page_costs_one_second_of_its_segments_share_within_limits(
    read_units: float, segments: int, page: float
) -> None:
    assert units_per_page(read_units, segments) == page
