"""Operator who fixes the cause of failures and replays."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any
from unittest.mock import patch

from streaming_etl.components.table.layout import FAILED_BATCHES_PREFIX
from streaming_etl.handlers.wire.routing import Route, Where, route_of
from streaming_etl.ops.firehose_writer import FirehoseWriter, RoutedWriter
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
from tests.simulation.puts import Client, routed_writer_of, writer_of
from tests.simulation.routing import routed
from tests.simulation.scenario import Scenario
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
        lakes: Sequence[Lake],
        client: Client,
    ) -> None:
        self.world, self.scenario = world, scenario
        self.table, self.backfill = table, backfill
        self.lakes, self.client = [*zip(scenario.lake_tables, lakes, strict=True)], client
        self.recovered: dict[str, dict[str, Change]] = {}
        """Changes that are sent with the present item, by lake table."""
        self.gone: dict[str, set[str]] = {}
        """Changes of rows whose items the lake table does not have by now."""

    def run(self) -> None:
        """Replay everything; the command continues after each crash."""
        for scenario, lake in self.lakes:
            self.note_recovered(scenario, lake)
        for _ in range(MAX_RUNS):
            self.world.running = self
            try:
                reports = [*self.replay()]
            except (KilledError, CommandError) as error:
                self.world.events[f"replay restarted, {type(error).__name__}"] += 1
                self.world.now += 60
                continue
            for report in reports:
                self.check(report)
            return
        raise EndlessError(f"the replay fails {MAX_RUNS} times")

    def replay(self) -> Iterator[Report]:
        """Replay failed batches, then each lake table's error records."""
        scenario = self.scenario
        parts = (self.client, self.world)
        if not scenario.has_routes:
            [(_, lake)] = self.lakes
            prefixes = (FAILED_BATCHES_PREFIX, lake.errors_path)
            yield self.replay_from(prefixes, scenario, writer_of(*parts, scenario, self.wait))
            return
        # As JSON, like the forwarder's settings.
        config = json.loads(json.dumps(scenario.forwarder_config(is_deployed=True)))
        streams = {each.name: each.stream_name for each in scenario.lake_tables}
        routes = [route_of(each, streams) for each in config["routes"]]
        writer = routed_writer_of(*parts, scenario, self.wait)
        yield self.replay_from((FAILED_BATCHES_PREFIX,), scenario, writer, routes)
        for each, lake in self.lakes:
            of_table = writer_of(*parts, each, self.wait)
            yield self.replay_from((lake.errors_path,), each, of_table)

    def replay_from(
        self,
        prefixes: Iterable[str],
        scenario: Scenario,
        writer: FirehoseWriter | RoutedWriter,
        routes: Sequence[Route] = (),
    ) -> Report:
        """Replay the objects below some prefixes."""
        s3 = FakeS3()
        s3.contents = self.lakes[0][1].objects
        # The bucket lists objects in the order in which they were written.
        s3.written = {key: NOON + timedelta(minutes=index) for index, key in enumerate(s3.contents)}
        s3.before_change = self.change_bucket
        forwarder = scenario.args.forwarder
        objects = FailureObjects(s3, BUCKET)
        command = replay_run.Replay(
            objects,
            self.recovery(scenario),
            PipelineIdentity(TABLE_ARN, scenario.stream_name),
            EventFilter(
                forwarder.event_names, forwarder.old_image, routes, scenario.unmatched == "fail"
            ),
            (),
            writer,
            Report("orders", dry_run=False),
        )
        matches = [
            each
            for prefix in prefixes
            for each in objects.below(f"s3://{BUCKET}/{prefix}", None, None)
        ]
        matches.sort(key=lambda each: (each.written, each.key))
        with in_order():
            return command.run(matches, lambda _: None)

    def recovery(self, scenario: Scenario) -> ChangeRecovery:
        clients = {
            "dynamodbstreams": StreamReader(self.world, self.table),
            "dynamodb": TableReader(self.world, self.table),
        }
        return ChangeRecovery(
            clients.__getitem__,
            "arn",
            "orders",
            scenario.args.forwarder.old_image,
            sleep=self.wait,
            now=lambda: self.world.now,
            jitter=self.world.chance("jitter").random,
            where=None if scenario.where is None else Where(scenario.where),
        )

    def note_recovered(self, scenario: Scenario, lake: Lake) -> None:
        """Note the changes of stored rows that the stream does not have."""
        rows = [row for record in lake.errors() for row in record.rows]
        oldest = self.world.now - RETENTION_SECONDS
        changes = {**self.table.changes, **self.backfill.snapshots, **self.backfill.markers}
        recovered = self.recovered.setdefault(scenario.name, {})
        for written in (changes[row["_event_id"]] for row in rows):
            change = routed(written, scenario.where)
            if change is None or change.kind == "BACKFILL":
                continue
            is_present = change.epoch == self.table.epoch
            if change.kind != "SNAPSHOT" and change.at >= oldest and is_present:
                continue
            item = self.table.items.get(item_number(change.keys))
            form = replace(change, kind="SNAPSHOT", new=item, old=None, by_ttl=False)
            if change.kind == "REMOVE":
                recovered[change.event_id] = replace(change, old=None, by_ttl=False)
            elif item is None or routed(form, scenario.where) is None:
                self.gone.setdefault(scenario.name, set()).add(change.event_id)
            else:
                recovered[change.event_id] = form

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
            is_allowed = each.problem.code in ALLOWED_PROBLEMS
            if each.problem.code == "unmatched":
                is_allowed = self.scenario.unmatched == "fail"
            if not is_allowed:
                self.world.violations.append(f"an entry is not replayed: {each.problem.code}")

    def wait(self, seconds: float) -> None:
        """Let time pass in the command."""
        self.world.now += seconds


@contextmanager
def in_order() -> Iterator[None]:
    """Run the command without threads."""
    with patch.object(replay_run, "ThreadPoolExecutor", InlinePool):
        yield
