"""Replays of every kind of failure, on the embedded AWS."""

import contextlib
import copy
import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import pytest

from local.emulator.process import Emulator
from local.sample.lake import Lake
from streaming_etl.ops.__main__ import main
from streaming_etl.ops.replay import lost_changes
from streaming_etl.stack.clients import Clients
from streaming_etl.stack.outputs import DeployedPipeline, DeployedStack
from tests.support.deployed import embedded_options
from tests.support.failure_objects import error_line
from tests.support.stack_folder import deploy_stack
from tools.project import ROOT

pytestmark = pytest.mark.e2e

# Four attempts with their pauses take a busy machine half a minute.
WAIT_SECONDS = 120.0

# Fails while its function's environment has FAILS.
MODULE = """\
import os

COLUMNS = {"id": "string", "total": "int"}


def transform(change):
    if os.environ.get("FAILS"):
        raise ValueError("not yet")
    item = change.new or change.old
    return {"id": item["id"], "total": item["total"]%s}
"""
MODULES = {"plain": MODULE % "", "columnar": MODULE % ', "store": item["store"]'}
MODULES["kinds"] = MODULES["plain"]

PARTITIONS = {"granularity": "day", "dynamic_partition_keys": {"store": ["north", "south"]}}
TABLES = {
    # JSON without dynamic partition keys, and Parquet with one.
    "plain": {
        "partitions": {"granularity": "day"},
        "forwarder": {"maximum_retry_attempts": 0},
    },
    "columnar": {"partitions": PARTITIONS, "format": "parquet"},
    "kinds": {
        "forwarder": {"maximum_retry_attempts": 0},
        "lake_tables": {
            key: {"partitions": {"granularity": "day"}, "where": {"kind": [key]}}
            for key in ("cart", "order")
        },
    },
}


@dataclass
class Deployed:
    """The pipelines on the embedded AWS, and what tests do with them."""

    aws: Clients
    pipelines: dict[str, DeployedPipeline]
    outputs: Path
    calls: set[str]
    """The AWS operations that the commands have called."""

    def write(self, name: str, *items: dict[str, Any]) -> None:
        for item in items:
            typed = {
                key: {"N": str(value)} if isinstance(value, int) else {"S": value}
                for key, value in item.items()
            }
            self.aws("dynamodb").put_item(TableName=self.pipelines[name].source_table, Item=typed)

    def delete(self, name: str, id_: str) -> None:
        table = self.pipelines[name].source_table
        self.aws("dynamodb").delete_item(TableName=table, Key={"id": {"S": id_}})

    def state(self, name: str, lake_table: str = "lake-table") -> dict[str, Any]:
        """Id to total, in the current state."""
        rows = Lake(self.aws, self.pipelines[name], lake_table).current_state().rows
        assert len(rows) == len({row["id"] for row in rows})
        return {str(row["id"]): int(str(row["total"])) for row in rows}

    def keys(self, name: str, prefix: str) -> list[str]:
        """The objects below a prefix of the pipeline's bucket."""
        bucket = self.pipelines[name].bucket
        listed = self.aws("s3").list_objects_v2(Bucket=bucket, Prefix=prefix)
        return [item["Key"] for item in listed.get("Contents", [])]

    def failures(self, name: str) -> list[str]:
        """The objects below the failure prefixes."""
        outputs = self.pipelines[name]
        locations = (outputs.failed_batches_location, outputs.errors_location)
        return [
            key
            for location in locations
            for key in self.keys(name, urlparse(location).path.lstrip("/"))
        ]

    def errors(self, name: str) -> Counter[str]:
        """Error records in the error prefix, by code."""
        client, bucket = self.aws("s3"), self.pipelines[name].bucket
        prefix = urlparse(self.pipelines[name].errors_location).path.lstrip("/")
        lines = [
            json.loads(line)
            for key in self.keys(name, prefix)
            for line in client.get_object(Bucket=bucket, Key=key)["Body"].read().splitlines()
        ]
        return Counter(line["errorCode"] for line in lines)

    def changes_in_failed_batches(self, name: str) -> int:
        """Number of changes in the failed batches."""
        client, bucket = self.aws("s3"), self.pipelines[name].bucket
        prefix = urlparse(self.pipelines[name].failed_batches_location).path.lstrip("/")
        batches = [
            json.loads(client.get_object(Bucket=bucket, Key=key)["Body"].read())
            for key in self.keys(name, prefix)
        ]
        return sum(batch["DDBStreamBatchInfo"]["batchSize"] for batch in batches)

    def rows(self, name: str) -> int:
        """Number of rows in the lake table."""
        return sum(Lake(self.aws, self.pipelines[name]).rows_per_partition().values())

    @contextlib.contextmanager
    def broken_schema(self, name: str) -> Iterator[None]:
        """Make the Glue table, by which Firehose converts, differ from COLUMNS."""
        glue, outputs = self.aws("glue"), self.pipelines[name]
        database = outputs.database
        table = glue.get_table(DatabaseName=database, Name=outputs.table)["Table"]
        allowed = ("Name", "TableType", "Parameters", "PartitionKeys", "StorageDescriptor")
        before = {key: table[key] for key in allowed}
        after = copy.deepcopy(before)
        for column in after["StorageDescriptor"]["Columns"]:
            if column["Name"] == "total":
                column["Type"] = "date"
        glue.update_table(DatabaseName=database, TableInput=after)
        yield
        glue.update_table(DatabaseName=database, TableInput=before)

    @contextlib.contextmanager
    def variables(self, function: str, **changed: str) -> Iterator[None]:
        """Change environment variables of a function during the block."""
        client = self.aws("lambda")
        [name] = [
            each["FunctionName"]
            for each in client.list_functions()["Functions"]
            if each["FunctionName"].startswith(f"{function}-function")
        ]
        configuration = client.get_function_configuration(FunctionName=name)
        before = configuration.get("Environment", {"Variables": {}})
        after = {"Variables": {**before["Variables"], **changed}}
        client.update_function_configuration(FunctionName=name, Environment=after)
        yield
        client.update_function_configuration(FunctionName=name, Environment=before)


def with_module(settings: dict[str, Any], module: str) -> dict[str, Any]:
    """Add the transform module to the settings of each lake table."""
    if "lake_tables" not in settings:
        return {**settings, "transform_module": module}
    tables = settings["lake_tables"]
    return {**settings, "lake_tables": {key: with_module(tables[key], module) for key in tables}}


@pytest.fixture(scope="module")
def deployed(emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    directory = tmp_path_factory.mktemp("stack")
    for name, text in MODULES.items():
        (directory / f"{name}.py").write_text(text)
    tables = {
        name: {"table_name": name, **with_module(settings, str(directory / f"{name}.py"))}
        for name, settings in TABLES.items()
    }
    pipelines = deploy_stack(emulator, directory, tables)
    calls: set[str] = set()

    make_clients = DeployedStack.clients

    def recorded_clients(stack: DeployedStack, pipeline: DeployedPipeline) -> Clients:
        clients = make_clients(stack, pipeline)
        for service in ("s3", "firehose", "dynamodb", "dynamodbstreams"):
            events = clients(service).meta.events
            events.register("before-call", lambda model, **_: calls.add(model.name))
        return clients

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DeployedStack, "clients", recorded_clients)
        yield Deployed(emulator.clients, pipelines, directory / "outputs.json", calls)


def wait_for(condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + WAIT_SECONDS
    while not (result := condition()):
        assert time.monotonic() < deadline, "timed out"
        time.sleep(0.1)
    return result


def replay(
    deployed: Deployed, capsys: pytest.CaptureFixture[str], *args: str
) -> tuple[int, dict[str, Any]]:
    """Run the command; return its exit code and result."""
    options = embedded_options(deployed.outputs, deployed.aws.endpoint)
    status = main(["replay", *args, *options, "--json"])
    return status, json.loads(capsys.readouterr().out)


def sent(
    changes: int, *, from_stream: int = 0, from_table: int = 0, deleted_since: int = 0
) -> dict[str, int]:
    """The counts of changes in a result."""
    return {
        "sent": changes,
        "from_stream": from_stream,
        "from_table": from_table,
        "without_old_image": 0,
        "filtered": 0,
        "deleted_since": deleted_since,
    }


def test_replays_a_change_that_the_transform_failed_on(
    deployed: Deployed, capsys: pytest.CaptureFixture[str]
) -> None:
    deployed.write("plain", {"id": "a", "total": 1}, {"id": "b", "total": 1})
    wait_for(lambda: deployed.state("plain") == {"a": 1, "b": 1})
    with deployed.variables("plain-transform", FAILS="yes"):
        deployed.write("plain", {"id": "a", "total": 2})
        deployed.delete("plain", "b")
        wait_for(lambda: deployed.errors("plain") == {"Lambda.ProcessingFailedStatus": 2})
    failed = deployed.failures("plain")

    dry = replay(deployed, capsys, "plain", "--dry-run")
    assert deployed.failures("plain") == failed
    done = replay(deployed, capsys, "plain")

    for status, result in (dry, done):
        assert status == 0
        assert result["entries_by_error"] == {"Lambda.ProcessingFailedStatus": 2}
        assert result["changes"] == sent(2)
        assert result["objects"]["replayed"] == len(failed)
    wait_for(lambda: deployed.state("plain") == {"a": 2})
    assert deployed.failures("plain") == []
    assert deployed.keys("plain", "replayed/") == [f"replayed/{key}" for key in failed]


def test_a_repeated_replay_does_not_change_the_current_state(
    deployed: Deployed, capsys: pytest.CaptureFixture[str]
) -> None:
    before = deployed.state("plain")
    moved = deployed.keys("plain", "replayed/errors/")
    rows = deployed.rows("plain")
    bucket = deployed.pipelines["plain"].bucket
    for key in moved:
        source = {"Bucket": bucket, "Key": key}
        deployed.aws("s3").copy_object(
            Bucket=bucket, Key=key.removeprefix("replayed/"), CopySource=source
        )

    status, result = replay(deployed, capsys, "plain")

    assert (status, result["changes"]) == (0, sent(2))
    # The rows are duplicates, which count once.
    wait_for(lambda: deployed.rows("plain") == rows + 2)
    assert deployed.state("plain") == before


def test_replays_a_failed_batch_of_the_forwarder(
    deployed: Deployed, capsys: pytest.CaptureFixture[str]
) -> None:
    before = deployed.state("plain")
    with deployed.variables("plain-forwarder", DELIVERY_STREAMS='{"plain": "nowhere"}'):
        deployed.write("plain", {"id": "c", "total": 1})
        deployed.delete("plain", "a")
        wait_for(lambda: deployed.changes_in_failed_batches("plain") == 2)
    assert deployed.state("plain") == before

    status, result = replay(deployed, capsys, "plain", "--from", "failed-batches")

    assert (status, result["changes"]) == (0, sent(2))
    assert result["entries_by_error"] == {"RetryAttemptsExhausted": 2}
    wait_for(lambda: deployed.state("plain") == {"c": 1})
    assert deployed.failures("plain") == []


def test_replays_rows_that_failed_conversion_from_the_stream(
    deployed: Deployed, capsys: pytest.CaptureFixture[str]
) -> None:
    deployed.write("columnar", {"id": "x", "total": 1, "store": "north"})
    deployed.write("columnar", {"id": "y", "total": 1, "store": "south"})
    wait_for(lambda: deployed.state("columnar") == {"x": 1, "y": 1})
    with deployed.broken_schema("columnar"):
        deployed.write("columnar", {"id": "x", "total": 2, "store": "south"})
        deployed.delete("columnar", "y")
        wait_for(lambda: sum(deployed.errors("columnar").values()) == 2)
    kept = [
        "format-conversion-failed" in key and key.startswith("errors/")
        for key in deployed.failures("columnar")
    ]
    assert kept
    assert all(kept)

    status, result = replay(deployed, capsys, "columnar")

    assert (status, result["changes"]) == (0, sent(2, from_stream=2))
    wait_for(lambda: deployed.state("columnar") == {"x": 2})
    assert deployed.failures("columnar") == []


def test_replays_rows_that_the_stream_no_longer_holds_from_the_table(
    deployed: Deployed, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = deployed.state("columnar")
    with deployed.broken_schema("columnar"):
        for total in (3, 4):
            deployed.write("columnar", {"id": "x", "total": total, "store": "north"})
        deployed.write("columnar", {"id": "z", "total": 1, "store": "north"})
        deployed.write("columnar", {"id": "w", "total": 1, "store": "north"})
        wait_for(lambda: sum(deployed.errors("columnar").values()) >= 4)
    # Only the last change of w reaches the lake.
    deployed.delete("columnar", "w")
    assert deployed.state("columnar") == before
    monkeypatch.setattr(lost_changes, "STREAM_HOURS", -1)

    status, result = replay(deployed, capsys, "columnar")

    assert (status, result["changes"]) == (0, sent(3, from_table=3, deleted_since=1))
    wait_for(lambda: deployed.state("columnar") == {"x": 4, "z": 1})
    assert deployed.failures("columnar") == []


def test_reports_an_invalid_line_and_replays_the_others(
    deployed: Deployed, capsys: pytest.CaptureFixture[str]
) -> None:
    outputs = deployed.pipelines["plain"]
    key = f"{urlparse(outputs.errors_location).path.lstrip('/')}damaged"
    body = error_line(b"", function=None) + b"{"
    deployed.aws("s3").put_object(Bucket=outputs.bucket, Key=key, Body=body)

    status, result = replay(deployed, capsys, "plain")

    assert (status, result["objects"]["replayed"]) == (3, 0)
    [problem] = result["problems"]
    del problem["reason"]
    assert problem == {"key": key, "entry": 2, "code": "not-a-json-object"}
    assert f"replayed/{key}.done.json" in deployed.keys("plain", "replayed/")
    # A repaired object is moved, and its note is deleted.
    deployed.aws("s3").put_object(
        Bucket=outputs.bucket, Key=key, Body=error_line(b"", function=None)
    )
    assert replay(deployed, capsys, "plain")[0] == 0
    assert f"replayed/{key}.done.json" not in deployed.keys("plain", "replayed/")
    assert f"replayed/{key}" in deployed.keys("plain", "replayed/")


def test_replays_to_one_lake_table_and_then_to_the_others(
    deployed: Deployed, capsys: pytest.CaptureFixture[str]
) -> None:
    """An item that changes its kind enters one and leaves the other."""

    def states() -> dict[str, Any]:
        return {key: deployed.state("kinds", key) for key in ("cart", "order")}

    deployed.write("kinds", {"id": "a", "kind": "cart", "total": 1})
    wait_for(lambda: states() == {"cart": {"a": 1}, "order": {}})
    with deployed.variables("kinds-forwarder", DELIVERY_STREAMS="{}"):
        deployed.write("kinds", {"id": "a", "kind": "order", "total": 2})
        deployed.write("kinds", {"id": "b", "kind": "cart", "total": 3})
        deployed.write("kinds", {"id": "c", "kind": "other", "total": 4})
        wait_for(lambda: deployed.changes_in_failed_batches("kinds") == 3)

    status, result = replay(deployed, capsys, "kinds", "--lake-table", "order")

    assert (status, result["lake_tables"]) == (0, {"order": {"error_records": 0, "sent": 1}})
    wait_for(lambda: states() == {"cart": {"a": 1}, "order": {"a": 2}})

    status, result = replay(deployed, capsys, "kinds")

    sent_to = {key: each["sent"] for key, each in result["lake_tables"].items()}
    assert (status, sent_to) == (0, {"cart": 2, "order": 0})
    wait_for(lambda: states() == {"cart": {"b": 3}, "order": {"a": 2}})
    assert deployed.keys("kinds", "aws/lambda/") == []
    # Nothing is left for another run.
    assert replay(deployed, capsys, "kinds")[1]["objects"]["matched"] == 0


def test_replays_error_records_to_their_lake_table(
    deployed: Deployed, capsys: pytest.CaptureFixture[str]
) -> None:
    before = deployed.state("kinds", "order")
    with deployed.variables("kinds-cart-transform", FAILS="yes"):
        deployed.write("kinds", {"id": "d", "kind": "cart", "total": 5})
        deployed.write("kinds", {"id": "e", "kind": "order", "total": 6})
        wait_for(lambda: deployed.state("kinds", "order") == {**before, "e": 6})
        wait_for(lambda: deployed.keys("kinds", "errors/"))

    assert replay(deployed, capsys, "kinds", "--lake-table", "order")[1]["objects"]["matched"] == 0
    status, result = replay(deployed, capsys, "kinds", "--from", "errors")

    assert (status, result["lake_tables"]["cart"]) == (0, {"error_records": 1, "sent": 1})
    wait_for(lambda: "d" in deployed.state("kinds", "cart"))
    assert deployed.keys("kinds", "errors/") == []


PERMISSIONS = {
    "ListObjectsV2": {"s3:ListBucket"},
    "GetObject": {"s3:GetObject"},
    "PutObject": {"s3:PutObject"},
    "CopyObject": {"s3:GetObject", "s3:PutObject"},
    "DeleteObject": {"s3:DeleteObject"},
    "PutRecordBatch": {"firehose:PutRecordBatch"},
    "DescribeStream": {"dynamodb:DescribeStream"},
    "GetShardIterator": {"dynamodb:GetShardIterator"},
    "GetRecords": {"dynamodb:GetRecords"},
    "BatchGetItem": {"dynamodb:BatchGetItem"},
}


def test_the_documented_policy_allows_exactly_the_operations_called(
    deployed: Deployed,
) -> None:
    page = (ROOT / "docs" / "replay.md").read_text()
    [policy] = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    allowed = [statement["Action"] for statement in json.loads(policy)["Statement"]]
    actions = {action for each in allowed for action in ([each] if isinstance(each, str) else each)}
    assert {action for call in deployed.calls for action in PERMISSIONS[call]} == actions
