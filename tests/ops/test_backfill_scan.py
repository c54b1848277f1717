import json
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from streaming_etl.handlers.wire.change_line import ChangeTooLargeError, change_line
from streaming_etl.handlers.wire.snapshot import snapshot_record
from streaming_etl.ops.backfill import scan as scan_module
from streaming_etl.ops.backfill.checkpoint import Checkpoint, Segment, Subject, open_checkpoint
from streaming_etl.ops.backfill.pace import Pace
from streaming_etl.ops.backfill.scan import TRANSIENT, Scan, units_per_page
from streaming_etl.ops.firehose_writer import Feed
from streaming_etl.stack.errors import CommandError
from tests.handlers.fakes import FakeClock, FakeFirehose, client_error
from tests.ops.backfill_fakes import TABLE, FakeDynamoDb, item, refused

SUBJECT = Subject("dev", "orders", TABLE.arn, TABLE.created, TABLE.stream_arn)
KEY = {"id": {"S": "o-1"}}


class Bench:
    """A scan of some items in one segment, or more, two units to a page; time stands still."""

    def __init__(self, path: Path, *items: dict[str, Any], segments: int = 1) -> None:
        self.dynamodb, self.firehose = FakeDynamoDb(*items), FakeFirehose()
        self.clock = FakeClock()
        self.read_units_per_second = 1e6
        self.path, self.segments = path, segments
        self.table = TABLE
        self.open()

    def open(self) -> None:
        """A new process of the command."""
        self.checkpoint = self.kept()
        feed = Feed(
            self.firehose,
            "orders-delivery",
            max_changes=500,
            max_bytes=256 * 1024,
            kib_per_second=1e6,
            clock=self.clock,
            sleep=self.clock.sleep,
        )
        pace = Pace(self.read_units_per_second, clock=self.clock, sleep=self.clock.sleep)
        self.scan = Scan(
            self.dynamodb,
            self.table,
            feed,
            self.checkpoint,
            pace,
            2.0,
            time_ns=lambda: int(self.clock.now * 1e9),
            sleep=self.clock.sleep,
            jitter=lambda: 1.0,
        )

    def kept(self) -> Checkpoint:
        return open_checkpoint(self.path, SUBJECT, None, self.segments, restart=False)

    def ids(self) -> list[str]:
        """The items that Firehose has taken, in order."""
        lines = b"".join(data for call in self.firehose.calls for data in call).splitlines()
        return [json.loads(line)["dynamodb"]["Keys"]["id"]["S"] for line in lines]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "checkpoint.json"


def test_a_page_is_asked_for_within_its_budget_and_goes_to_firehose_as_snapshots(
    path: Path,
) -> None:
    bench = Bench(path, item(0), item(1), item(2))

    assert bench.scan.pass_page(0) == 2

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
    lines = [change_line(snapshot_record(item(n), ["id"], taken_at_ms)) for n in range(2)]
    assert bench.firehose.calls == [[b"".join(lines)]]
    assert bench.kept().segments == [Segment(start=KEY, items=2, read_units=2.0)]


def test_pages_follow_each_other_to_the_segments_end(path: Path) -> None:
    bench = Bench(path, *map(item, range(5)), segments=2)

    assert [bench.scan.pass_page(segment) for segment in (0, 1, 0)] == [2, 2, 1]

    assert bench.ids() == ["o-0", "o-2", "o-1", "o-3", "o-4"]
    assert bench.dynamodb.requests[2]["ExclusiveStartKey"] == {"id": {"S": "o-2"}}
    assert bench.kept().done
    assert bench.kept().items == 5


def test_a_page_that_holds_nothing_ends_its_segment_and_puts_nothing(path: Path) -> None:
    bench = Bench(path)

    assert bench.scan.pass_page(0) == 0

    assert bench.firehose.calls == []
    assert bench.kept().segments == [Segment(done=True)]


def test_the_checkpoint_is_written_only_after_firehose_has_the_page(path: Path) -> None:
    bench = Bench(path, *map(item, range(5)))
    bench.scan.pass_page(0)
    bench.firehose = FakeFirehose(then=client_error("AccessDeniedException"))
    bench.open()

    with pytest.raises(CommandError, match="AccessDeniedException"):
        bench.scan.pass_page(0)

    assert bench.kept().segments == [Segment(start=KEY, items=2, read_units=2.0)]
    bench.firehose = FakeFirehose()
    bench.open()
    bench.scan.pass_page(0)
    assert bench.ids() == ["o-2", "o-3"]


def test_a_snapshots_time_is_that_of_the_request_that_was_answered(path: Path) -> None:
    bench = Bench(path, item(0))
    bench.dynamodb.answers = [refused("ThrottlingException"), refused("ThrottlingException")]

    bench.scan.pass_page(0)

    [[record]] = bench.firehose.calls
    assert bench.clock.pauses[:2] == [0.5, 1.0]
    assert json.loads(record)["dynamodb"]["SequenceNumber"] == "1001500"


@pytest.mark.parametrize("code", sorted(TRANSIENT))
def test_what_waiting_mends_is_asked_again(path: Path, code: str) -> None:
    bench = Bench(path, item(0))
    bench.dynamodb.answers = [refused(code), ReadTimeoutError(endpoint_url="https://dynamodb")]

    bench.scan.pass_page(0)

    assert bench.ids() == ["o-0"]
    assert bench.dynamodb.requests == [bench.dynamodb.requests[0]] * 3


def test_a_table_that_throttles_on_and_on_ends_the_command_with_the_remedy(path: Path) -> None:
    bench = Bench(path, item(0))
    bench.dynamodb.answers = [refused("ProvisionedThroughputExceededException")] * 99

    with pytest.raises(
        CommandError, match=r"ProvisionedThroughputExceededException, 15 times in a"
    ):
        bench.scan.pass_page(0)

    assert len(bench.dynamodb.requests) == 15
    assert max(bench.clock.pauses) == 20.0


def test_what_waiting_does_not_mend_ends_the_command_at_once(path: Path) -> None:
    bench = Bench(path, item(0))
    bench.dynamodb.answers = [refused("AccessDeniedException")]

    with pytest.raises(CommandError) as refusal:
        bench.scan.pass_page(0)

    assert refusal.value.message == "DynamoDB refuses the scan: AccessDeniedException: Not now."
    assert len(bench.dynamodb.requests) == 1


def test_items_that_cost_more_than_the_average_make_the_next_pages_smaller(path: Path) -> None:
    bench = Bench(path, item(0))
    limits = []
    for segment in (
        Segment(start=None, items=10, read_units=40.0),
        Segment(start=None, items=10, read_units=2.0),
        Segment(start=None, items=10, read_units=10_000.0),
    ):
        bench.checkpoint.segments = [segment]
        bench.scan.pass_page(0)
        limits.append(bench.dynamodb.requests[-1]["Limit"])

    # Two units to a page; an item costs 1 by DynamoDB's own counts.
    assert limits == [1, 2, 1]


def test_a_page_waits_until_what_the_one_before_it_did_cost_is_paid_off(path: Path) -> None:
    bench = Bench(path, *map(item, range(3)))
    bench.read_units_per_second = 0.5
    bench.open()
    # The first page costs one unit instead of the two that were guessed.
    bench.checkpoint.segments = [Segment(items=10, read_units=20.0)]
    started = bench.clock.now

    bench.scan.pass_page(0)
    assert bench.clock.now - started == pytest.approx(0, abs=0.01)
    bench.scan.pass_page(0)

    assert bench.clock.now - started == pytest.approx(2, abs=0.01)


def test_an_item_too_large_for_a_record_is_named_by_its_event_id_and_holds_up_no_other(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def line_of(record: dict[str, Any]) -> bytes:
        if record["dynamodb"]["Keys"] == KEY:
            raise ChangeTooLargeError
        return change_line(record)

    monkeypatch.setattr(scan_module, "change_line", line_of)
    bench = Bench(path, *map(item, range(3)))

    assert [bench.scan.pass_page(0), bench.scan.pass_page(0)] == [2, 1]

    event_id = snapshot_record(item(1), ["id"], 1_000_000)["eventID"]
    assert bench.ids() == ["o-0", "o-2"]
    assert bench.kept().segments == [
        Segment(done=True, items=2, read_units=3.0, too_large=[event_id])
    ]


@pytest.mark.parametrize(
    ("read_units", "segments", "page"),
    [(100, 4, 25.0), (1, 4, 4.0), (10_000, 4, 128.0), (64, 1, 64.0)],
)
def test_a_page_costs_a_second_of_its_segments_share_within_reason(
    read_units: float, segments: int, page: float
) -> None:
    assert units_per_page(read_units, segments) == page
