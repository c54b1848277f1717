"""Rebuild and replay into a merged table on the embedded AWS."""

import contextlib
import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import pytest

from local.emulator.process import ACCOUNT, Emulator
from local.sample.lake import Lake
from streaming_etl.components.settings.lake_table_names import ONLY_LAKE_TABLE
from streaming_etl.components.table.lake_table import resolve
from streaming_etl.components.table.merge import merged_state_sql
from streaming_etl.components.table.window import RecentWindow
from streaming_etl.handlers.wire.change_line import change_line
from streaming_etl.ops.__main__ import main
from streaming_etl.stack.clients import Clients
from streaming_etl.stack.errors import EXIT_FAILURE
from streaming_etl.stack.outputs import DeployedPipeline
from tests.local.conftest import REGION
from tests.support.changes import stream_record
from tests.support.deployed import embedded_options
from tests.support.failure_objects import error_line
from tests.support.processes import wait_until
from tests.support.stack_folder import deploy_stack

pytestmark = pytest.mark.e2e

MODULE = """\
COLUMNS = {"id": "string", "total": "int"}


def transform(change):
    item = change.new or change.old
    return {"id": item["id"], "total": item.get("total")}
"""
SETTINGS = {
    "table_name": "monthly",
    "partitions": {"granularity": "day", "partition_time": "event"},
    "merge": {"enabled": True},
    # The embedded AWS stores the key with each resource, and encrypts nothing.
    "kms_key_arn": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/k",
    # As in the first update of a lake table with rows.
    "query": {"current_state_source": "objects"},
}
NOW = datetime.now(UTC)
ONE_PARTITION = "0.000000001"
State = set[tuple[str | None, str | None]]


@dataclass
class World:
    """The pipeline on the embedded AWS."""

    aws: Clients
    pipeline: DeployedPipeline
    outputs: Path
    numbers: int = 0

    @property
    def lake(self) -> Lake:
        return Lake(self.aws, self.pipeline)

    def change(self, days_ago: int, id_: str, total: int | None) -> bytes:
        """The line of a change that is newer than those before.

        total: None removes the item.
        """
        self.numbers += 1
        name = "REMOVE" if total is None else "MODIFY"
        record = stream_record(self.numbers, name, total={"N": str(total)})
        record["eventSourceARN"] = self.pipeline.source_stream_arn
        dynamodb = record["dynamodb"]
        dynamodb["Keys"] = {"id": {"S": id_}}
        dynamodb["NewImage"]["id"] = {"S": id_}
        dynamodb["ApproximateCreationDateTime"] = (NOW - timedelta(days=days_ago)).timestamp()
        if total is None:
            dynamodb["OldImage"] = {"id": {"S": id_}}
            del dynamodb["NewImage"]
        return change_line(record)

    def send(self, *lines: bytes) -> None:
        stream = self.pipeline.tables[ONLY_LAKE_TABLE].delivery_stream
        for line in lines:
            self.aws("firehose").put_record(DeliveryStreamName=stream, Record={"Data": line})

    @contextlib.contextmanager
    def failing_range(self, first: str) -> Iterator[None]:
        """Make the statement of a range fail.

        A damaged object would fail all, because the embedded Athena reads all objects in each.
        """
        states = self.aws("stepfunctions")
        arn = self.pipeline.tables[ONLY_LAKE_TABLE].merge_state_machine_arn
        before = states.describe_state_machine(stateMachineArn=arn)["definition"]
        after = json.loads(before)
        state = after["States"]["Ranges"]["ItemProcessor"]["States"]["MergeRange"]
        sql = state["Arguments"]["QueryString"].removeprefix("{%").removesuffix("%}")
        failing = f"$states.input.first = '{first}' ? 'SELECT failed' : ({sql})"
        state["Arguments"]["QueryString"] = f"{{% {failing} %}}"
        states.update_state_machine(stateMachineArn=arn, definition=json.dumps(after))
        yield
        states.update_state_machine(stateMachineArn=arn, definition=before)

    def from_full_log(self) -> State:
        return self.state(self.lake.current_state_sql())

    def from_merged_table(self) -> State:
        """The state as a view of the merged table and the window."""
        [resolved] = resolve(self.pipeline.name, self.pipeline.args)
        window = RecentWindow(hours=resolved.args.merge.window_hours, time_zone="UTC")
        return self.state(merged_state_sql(self.pipeline.database, resolved.table, window))

    def state(self, sql: str) -> State:
        return {(row["id"], row["total"]) for row in self.lake.query(sql).rows}

    def call(
        self, capsys: pytest.CaptureFixture[str], command: str, *args: str
    ) -> tuple[int, dict[str, Any]]:
        """Run a command; return its exit code and result."""
        options = embedded_options(self.outputs, self.aws.endpoint)
        code = main([command, self.pipeline.name, *args, "--json", *options])
        return code, json.loads(capsys.readouterr().out)

    def merge(self, capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, dict[str, Any]]:
        code, result = self.call(capsys, "merge", *args)
        return code, result["lake_tables"][ONLY_LAKE_TABLE]


@pytest.fixture(scope="module")
def world(emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> World:
    directory = tmp_path_factory.mktemp("stack")
    (directory / "monthly.py").write_text(MODULE)
    settings = {**SETTINGS, "transform_module": str(directory / "monthly.py")}
    pipelines = deploy_stack(emulator, directory, {"monthly": settings})
    return World(emulator.clients, pipelines["monthly"], directory / "outputs.json")


def day(days_ago: int) -> str:
    return f"{NOW - timedelta(days=days_ago):%Y-%m-%d}"


def test_a_rebuild_continues_until_the_merged_table_equals_the_full_log(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.send(
        world.change(92, "kept", 1),
        world.change(92, "changed", 1),
        world.change(92, "removed", 1),
        world.change(61, "changed", 2),
        world.change(30, "removed", None),
        world.change(30, "changed", 3),
        world.change(0, "new", 1),
    )
    full = {("kept", "1"), ("changed", "3"), ("new", "1")}
    assert wait_until(lambda: world.from_full_log() == full, 60)
    # The window has one of them.
    assert world.from_merged_table() == {("new", "1")}
    code, status = world.merge(capsys, "--status")
    assert (code, status["first_day"], status["last_day"]) == (0, day(92), day(0))

    with world.failing_range(day(61)):
        code, failed = world.merge(capsys, "--rebuild", "--max-gib", ONE_PARTITION)

    assert (code, failed["status"]) == (EXIT_FAILURE, "FAILED")
    assert [each["first"] for each in failed["ranges"]] == [day(0), day(30), day(61), day(92)]
    # The ranges before the failed one are merged, the one after it is not.
    assert world.from_merged_table() == {("changed", "3"), ("new", "1")}
    assert world.merge(capsys, "--status")[1]["next_step"] == "continue-rebuild"

    code, continued = world.merge(capsys, "--rebuild", "--max-gib", ONE_PARTITION)

    assert (code, continued["status"], continued["continues"]) == (0, "SUCCEEDED", failed["run"])
    assert [each["first"] for each in continued["ranges"]] == [day(61), day(92)]
    assert continued["next_step"] == "switch-view"
    assert world.from_merged_table() == full == world.from_full_log()
    code, status = world.merge(capsys, "--status")
    assert (status["failed_since"], status["running"], status["next_step"]) == (
        0,
        [],
        "switch-view",
    )

    # Repeating it changes nothing.
    code, again = world.merge(capsys, "--rebuild", "--start-over")
    assert (code, again["continues"], len(again["ranges"])) == (0, None, 1)
    assert world.from_merged_table() == full


def test_a_merge_follows_the_replay_of_an_old_change(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    before = world.from_full_log()
    line = world.change(75, "replayed", 7)
    location = urlparse(world.pipeline.tables[ONLY_LAKE_TABLE].errors_location)
    body = gzip.compress(error_line(line, function=None))
    key = f"{location.path.lstrip('/')}processing-failed/{NOW:%Y/%m/%d}/error.gz"
    world.aws("s3").put_object(Bucket=world.pipeline.bucket, Key=key, Body=body)

    code, result = world.call(capsys, "replay")

    assert (code, result["changes"]["sent"]) == (0, 1)
    [merge] = result["merges"]
    assert (merge["lake_table"], merge["first_day"]) == (ONLY_LAKE_TABLE, day(75))
    after = before | {("replayed", "7")}
    assert wait_until(lambda: world.from_full_log() == after, 30)
    assert wait_until(lambda: world.from_merged_table() == after, 60)
    assert world.merge(capsys, "--status")[1]["next_step"] == "switch-view"


def test_a_run_and_a_merge_from_a_day(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.send(world.change(40, "late", 4))
    assert wait_until(lambda: ("late", "4") in world.from_full_log(), 60)
    full = world.from_full_log()
    code, run = world.merge(capsys)
    assert (code, run["status"], run["ranges"]) == (0, "SUCCEEDED", [])
    assert ("late", "4") not in world.from_merged_table()

    code, planned = world.merge(capsys, "--from", day(40), "--dry-run")
    assert [each["first"] for each in planned["ranges"]] == [day(40)]
    code, merged = world.merge(capsys, "--from", day(40), "--optimize")

    assert (code, merged["status"]) == (0, "SUCCEEDED")
    assert world.from_merged_table() == full
