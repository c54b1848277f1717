"""Operator who fixes the cause of failures and replays."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any
from unittest.mock import patch

from streaming_etl.components.table.layout import FAILED_BATCHES_PREFIX
from streaming_etl.ops.replay import run as replay_run
from streaming_etl.ops.replay.entries import EventFilter
from streaming_etl.ops.replay.lost_changes import ChangeRecovery
from streaming_etl.ops.replay.objects import FailureObjects
from streaming_etl.ops.replay.ownership import PipelineIdentity
from streaming_etl.ops.replay.report import Report
from streaming_etl.stack.errors import CommandError
from tests.simulation.backfill import Backfill
from tests.simulation.lake import Lake
from tests.simulation.outage import RETENTION_SECONDS
from tests.simulation.puts import Client, writer_of
from tests.simulation.scenario import STREAM_NAME, Scenario
from tests.simulation.stream_reader import StreamReader, TableReader
from tests.simulation.table import TABLE_ARN, Change, Table, item_number
from tests.simulation.user_module import KilledError
from tests.simulation.world import EndlessError, World
from tests.support.failure_objects import BUCKET, NOON, FakeS3

MAX_RUNS = 100
# Why an entry can stay: the change can never be forwarded, or it cannot be read.
ALLOWED_PROBLEMS = {"change-too-large", "not-a-stream-record", "unknown-lines", "lost-rows"}


class InlinePool:
    """Thread pool without threads, so that the order is always the same."""

    def __init__(self, _: int) -> None:
        pass

    def __enter__(self) -> "InlinePool":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def map(self, work: Callable[[Any], Any], some: Iterable[Any]) -> Iterator[Any]:
        return map(work, some)


class Replay:
    """Command that is run again until it succeeds."""

    name = "replay"

    def __init__(
        self,
        world: World,
        scenario: Scenario,
        table: Table,
        backfill: Backfill,
        lake: Lake,
        client: Client,
    ) -> None:
        self.world, self.scenario = world, scenario
        self.table, self.backfill = table, backfill
        self.lake, self.client = lake, client
        self.recovered: dict[str, Change] = {}
        """Changes that are sent with the present item."""
        self.gone: set[str] = set()
        """Changes of rows whose items are deleted by now."""

    def run(self) -> None:
        """Replay everything; the command continues after each crash."""
        self.note_recovered()
        for _ in range(MAX_RUNS):
            self.world.running = self
            try:
                report = self.replay()
            except (KilledError, CommandError) as error:
                self.world.events[f"replay restarted, {type(error).__name__}"] += 1
                self.world.now += 60
                continue
            self.check(report)
            return
        raise EndlessError(f"the replay fails {MAX_RUNS} times")

    def replay(self) -> Report:
        """Run the command once."""
        s3 = FakeS3()
        s3.contents = self.lake.objects
        # The bucket lists objects in the order in which they were written.
        s3.written = {
            key: NOON + timedelta(minutes=index) for index, key in enumerate(self.lake.objects)
        }
        s3.before_change = self.change_bucket
        forwarder = self.scenario.args.forwarder
        writer = writer_of(self.client, self.world, forwarder, self.wait)
        objects = FailureObjects(s3, BUCKET)
        command = replay_run.Replay(
            objects,
            self.recovery(forwarder.old_image),
            PipelineIdentity(TABLE_ARN, STREAM_NAME),
            EventFilter(forwarder.event_names, forwarder.old_image),
            (),
            writer,
            Report("orders", dry_run=False),
        )
        prefixes = (FAILED_BATCHES_PREFIX, self.lake.errors_path)
        matches = [
            each
            for prefix in prefixes
            for each in objects.below(f"s3://{BUCKET}/{prefix}", None, None)
        ]
        matches.sort(key=lambda each: (each.written, each.key))
        with in_order():
            return command.run(matches, lambda _: None)

    def recovery(self, old_image: str) -> ChangeRecovery:
        clients = {
            "dynamodbstreams": StreamReader(self.world, self.table),
            "dynamodb": TableReader(self.world, self.table),
        }
        return ChangeRecovery(
            clients.__getitem__,
            "arn",
            "orders",
            old_image,
            sleep=self.wait,
            now=lambda: self.world.now,
            jitter=self.world.chance("jitter").random,
        )

    def note_recovered(self) -> None:
        """Note the changes of stored rows that the stream does not have."""
        rows = [row for record in self.lake.errors() for row in record.rows]
        oldest = self.world.now - RETENTION_SECONDS
        changes = {**self.table.changes, **self.backfill.snapshots, **self.backfill.markers}
        for change in (changes[row["_event_id"]] for row in rows):
            if change.kind == "BACKFILL":
                continue
            is_present = change.epoch == self.table.epoch
            if change.kind != "SNAPSHOT" and change.at >= oldest and is_present:
                continue
            item = self.table.items.get(item_number(change.keys))
            if change.kind == "REMOVE":
                self.recovered[change.event_id] = replace(change, old=None, by_ttl=False)
            elif item is None:
                self.gone.add(change.event_id)
            else:
                form = replace(change, kind="SNAPSHOT", new=item, old=None, by_ttl=False)
                self.recovered[change.event_id] = form

    def change_bucket(self, operation: str, key: str) -> None:
        self.world.trace("replay", operation, key)
        if self.world.occurs("replay is killed before a change of the bucket"):
            raise KilledError

    def check(self, report: Report) -> None:
        """Note an entry that could be replayed."""
        self.world.events["changes replayed"] += report.changes
        self.world.events["changes recovered from the stream"] += report.from_stream
        self.world.events["changes recovered from the table"] += report.from_table
        for each in report.problems:
            self.world.events[f"not replayed, {each.problem.code}"] += 1
            if each.problem.code not in ALLOWED_PROBLEMS:
                self.world.violations.append(f"an entry is not replayed: {each.problem.code}")

    def wait(self, seconds: float) -> None:
        """Let time pass in the command."""
        self.world.now += seconds


@contextmanager
def in_order() -> Iterator[None]:
    """Run the command without threads."""
    with patch.object(replay_run, "ThreadPoolExecutor", InlinePool):
        yield
