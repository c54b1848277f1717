"""Operator who runs the real backfill scan until it succeeds."""

from base64 import b64decode
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace
from email.utils import formatdate
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any
from zlib import crc32

from botocore.exceptions import ClientError

from streaming_etl.handlers.pacing import RateLimiter
from streaming_etl.ops.backfill import by_scan
from streaming_etl.ops.backfill.checkpoint import Checkpoint, CheckpointIdentity, Segment
from streaming_etl.ops.backfill.scan import Scan
from streaming_etl.ops.backfill.source_table import SourceTable
from streaming_etl.ops.firehose_writer import routed_writer
from streaming_etl.stack.errors import CommandError
from tests.simulation.functions import routes_after_deployment
from tests.simulation.puts import KIB_PER_SECOND, Client
from tests.simulation.scenario import Scenario
from tests.simulation.table import TABLE_ARN, Change, Table, attributes, compact, keys_of
from tests.simulation.user_module import KilledError
from tests.simulation.world import EndlessError, World

KEY_NAMES = ("id", "line")
IDENTITY = CheckpointIdentity("dev", "orders", "arn", "2026-11-01T00:00:00+00:00", "stream")
# DynamoDB's counts are hours old, so they match no table here.
SOURCE_TABLE = SourceTable(
    "orders",
    "arn",
    "created",
    "stream",
    KEY_NAMES,
    1000,
    400_000,
    None,
    False,
    0,
)
MAX_PAGES = 20_000


class MemoryCheckpoint(Checkpoint):
    """Checkpoint whose file is a value that outlives the process."""

    saved: list[Segment]
    saved_completed = False

    def save(self) -> None:
        self.saved, self.saved_completed = deepcopy(self.segments), self.completed


class DynamoDb:
    """Scan of the table, by segments; notes every item that it returns."""

    def __init__(self, world: World, table: Table, command: "Backfill") -> None:
        self.world, self.table, self.command = world, table, command

    def scan(self, **request: Any) -> dict[str, Any]:
        """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Scan.html"""
        world = self.world
        world.now += 0.001 * world.chance("scan").randint(1, 40)
        if world.occurs("backfill scan is throttled"):
            raise client_error("ProvisionedThroughputExceededException")
        if world.occurs("backfill scan is rejected"):
            raise client_error("AccessDeniedException")
        places = sorted(self.segment(request["Segment"], request["TotalSegments"]))
        start = request.get("ExclusiveStartKey")
        if start is not None:
            last = position(start)
            places = [place for place in places if place[0] > last]
        page = places[: request["Limit"]]
        keys = [which for _, which in page]
        self.command.note_items(keys)
        response = {
            "Items": [as_boto3(attributes(self.table.items[which])) for which in keys],
            "ResponseMetadata": {"HTTPHeaders": {"date": formatdate(int(world.now), usegmt=True)}},
            "ConsumedCapacity": {"TableName": "orders", "CapacityUnits": 0.5 * len(keys) or 0.5},
        }
        # A full page ends with a key, even if it is the last.
        if len(page) == request["Limit"]:
            response["LastEvaluatedKey"] = attributes(keys_of(keys[-1]))
        return response

    def segment(self, number: int, total: int) -> list[tuple[int, int]]:
        """Return position and number of each item of a segment."""
        places = [(position_of(which), which) for which in self.table.items]
        return [(place, which) for place, which in places if place % total == number]


@cache
def position_of(which: int) -> int:
    return position(attributes(keys_of(which)))


def position(key: Mapping[str, Any]) -> int:
    return crc32(compact(key).encode())


def as_boto3(item: dict[str, Any]) -> dict[str, Any]:
    return {
        name: {"B": b64decode(value["B"])} if "B" in value else value
        for name, value in item.items()
    }


def client_error(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "rejected"}}, "Scan")


class Backfill:
    """Command with one page per action, continued after a crash."""

    name = "backfill"

    def __init__(self, world: World, scenario: Scenario, table: Table, client: Client) -> None:
        self.world, self.scenario, self.table, self.client = world, scenario, table, client
        self.plan = scenario.backfill
        self.markers: dict[str, Change] = {}
        """The marker of each stream, as it was sent first."""
        self.marker_times: set[int] = set()
        """Epoch seconds at which a marker was sent; a repeated one has the same event id."""
        self.snapshots: dict[str, Change] = {}
        """Every item of a page, as a change, by event id."""
        self.passed: set[str] = set()
        """Snapshots whose page is complete for the command."""
        self.always: set[int] = set()
        """Items that were in the table during the entire last scan."""
        self.done = 0
        """Number of complete scans."""
        self.pages = 0
        self.page: list[str] = []
        if self.plan is not None:
            world.after(self.plan.starts, self.begin)

    def begin(self) -> None:
        """Begin a scan with a new checkpoint."""
        assert self.plan is not None
        self.always = set(self.table.items)
        self.table.removed.clear()
        self.checkpoint = MemoryCheckpoint(
            Path("checkpoint"), IDENTITY, [Segment() for _ in range(self.plan.segments)]
        )
        self.checkpoint.save()
        self.open()

    def open(self) -> None:
        """Start a process of the command, which continues from the checkpoint."""
        assert self.plan is not None
        saved = self.checkpoint
        self.checkpoint = MemoryCheckpoint(Path("checkpoint"), IDENTITY, saved.saved)
        self.checkpoint.completed = saved.saved_completed
        self.checkpoint.save()
        routes = routes_after_deployment(self.scenario)
        self.writer = routed_writer(
            self.client,
            routes,
            KIB_PER_SECOND,
            clock=lambda: self.world.now,
            sleep=self.wait,
            jitter=self.world.chance("jitter").random,
        )
        self.scan = Scan(
            DynamoDb(self.world, self.table, self),
            self.source_table(),
            routes,
            self.writer,
            self.checkpoint,
            # Other tests cover the budget; here pages have scheduled times.
            RateLimiter(1e9, clock=lambda: self.world.now, sleep=self.wait),
            self.plan.units_per_page,
            sleep=self.wait,
            jitter=self.world.chance("jitter").random,
        )
        self.world.after(0, self.step)

    def source_table(self) -> SourceTable:
        """Return the description of the table with its present stream."""
        stream_arn = f"{TABLE_ARN}/stream/{self.table.epoch}"
        return replace(
            SOURCE_TABLE, stream_arn=stream_arn, described_at_ms=int(self.world.now) * 1000
        )

    def step(self) -> None:
        """Forward a page or the marker, and schedule the next."""
        assert self.plan is not None
        world, start = self.world, self.world.now
        world.running = self
        self.page = []
        self.pages += 1
        if self.pages > MAX_PAGES:
            raise EndlessError(f"the backfill reads more than {MAX_PAGES} pages")
        left = [number for number, each in enumerate(self.checkpoint.segments) if not each.done]
        try:
            if left:
                self.scan.send_page(world.chance("segments").choice(left))
                self.passed |= set(self.page)
            else:
                self.note_marker()
                by_scan.complete(self.source_table(), self.writer, self.checkpoint)
            if world.occurs("backfill is killed after a checkpoint"):
                raise KilledError
            failed = False
        except (KilledError, CommandError) as error:
            world.events[f"backfill restarted, {type(error).__name__}"] += 1
            failed = True
        seconds = world.now - start
        world.now = start
        world.trace("backfill", failed, f"{seconds:.6f}", *self.page)
        if failed:
            world.after(seconds + 5, self.open)
        elif not self.checkpoint.completed:
            world.after(seconds + self.plan.pause, self.step)
        else:
            self.end()

    def end(self) -> None:
        assert self.plan is not None
        self.always -= self.table.removed
        self.done += 1
        if self.done < self.plan.runs:
            self.world.after(1, self.begin)

    def note_marker(self) -> None:
        """Note the marker that must result if all pages are sent."""
        at, epoch = int(self.world.now), self.table.epoch
        self.marker_times.add(at)
        marker = Change(
            event_id=f"backfill-{epoch}",
            kind="BACKFILL",
            keys={},
            new=None,
            old=None,
            sequence_number=str(at * 1000),
            at=at,
            by_ttl=False,
            shard="",
            float_time=False,
            epoch=epoch,
        )
        self.markers.setdefault(marker.event_id, marker)

    def wait(self, seconds: float) -> None:
        """Let time pass in the command."""
        self.world.now += seconds

    def note_items(self, keys: list[int]) -> None:
        """Note a page's items as the changes that must result."""
        # The response has whole seconds.
        taken_at_ms = int(self.world.now) * 1000
        for which in keys:
            change = snapshot_of(self.table, which, taken_at_ms)
            self.snapshots[change.event_id] = change
            self.page.append(change.event_id)


def snapshot_of(table: Table, which: int, taken_at_ms: int) -> Change:
    """Return the SNAPSHOT that must result from an item."""
    keys = keys_of(which)
    key = compact(attributes(keys))
    return Change(
        event_id=f"snapshot-{taken_at_ms}-{sha256(key.encode()).hexdigest()[:32]}",
        kind="SNAPSHOT",
        keys=keys,
        new=table.items[which],
        old=None,
        sequence_number=str(taken_at_ms),
        at=taken_at_ms // 1000,
        by_ttl=False,
        shard="",
        float_time=False,
        epoch=table.epoch,
    )
