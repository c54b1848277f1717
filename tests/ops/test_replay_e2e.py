"""A change fails in each place of a stack on the embedded AWS, is put back, and is in the lake."""

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
import yaml

from local.deploy.deploy import deploy
from local.emulator.process import Emulator
from local.sample.lake import Lake
from streaming_etl.ops.__main__ import main
from streaming_etl.ops.replay import command
from streaming_etl.ops.replay import lost_changes as origins
from streaming_etl.stack.clients import Clients
from streaming_etl.stack.outputs import Pipeline, Stack, open_stack, pipelines_of, read_config
from tests.components.pipelines import ROOT
from tests.ops.replay_fakes import error_line

pytestmark = pytest.mark.e2e

# Until something hangs: four tries with their pauses take a busy machine half a minute.
WAIT_SECONDS = 120.0

# Refuses while its own function's environment tells it to.
MODULE = """\
import os

COLUMNS = {"id": "string", "total": "int"}


def transform(change):
    if os.environ.get("REFUSES"):
        raise ValueError("not yet")
    item = change.new or change.old
    return {"id": item["id"], "total": item["total"]%s}
"""
MODULES = {"plain": MODULE % "", "columnar": MODULE % ', "store": item["store"]'}

PARTITIONS = {"granularity": "day", "dynamic_partition_keys": {"store": ["north", "south"]}}
TABLES = {
    # One pipeline without row keys, as JSON; one with, as Parquet.
    "plain": {
        "partitions": {"granularity": "day"},
        "forwarder": {"maximum_retry_attempts": 0},
    },
    "columnar": {"partitions": PARTITIONS, "format": "parquet"},
}


@dataclass
class Deployed:
    """The pipelines on the embedded AWS, and the commands that an operator runs against them."""

    aws: Clients
    pipelines: dict[str, Pipeline]
    outputs: Path
    calls: set[str]
    """The operations of AWS that the commands have used."""

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

    def state(self, name: str) -> dict[str, Any]:
        """Id to total, by the component's own query of the current state."""
        rows = Lake(self.aws, self.pipelines[name]).current_state().rows
        assert len(rows) == len({row["id"] for row in rows})
        return {str(row["id"]): int(str(row["total"])) for row in rows}

    def keys(self, name: str, prefix: str) -> list[str]:
        """The objects below a prefix of the pipeline's bucket."""
        bucket = self.pipelines[name].bucket
        listed = self.aws("s3").list_objects_v2(Bucket=bucket, Prefix=prefix)
        return [item["Key"] for item in listed.get("Contents", [])]

    def failures(self, name: str) -> list[str]:
        """The objects in the places that the alarms watch."""
        outputs = self.pipelines[name]
        locations = (outputs.failed_batches_location, outputs.errors_location)
        return [
            key
            for location in locations
            for key in self.keys(name, urlparse(location).path.lstrip("/"))
        ]

    def errors(self, name: str) -> Counter[str]:
        """The error prefix's records, counted by their code."""
        client, bucket = self.aws("s3"), self.pipelines[name].bucket
        prefix = urlparse(self.pipelines[name].errors_location).path.lstrip("/")
        lines = [
            json.loads(line)
            for key in self.keys(name, prefix)
            for line in client.get_object(Bucket=bucket, Key=key)["Body"].read().splitlines()
        ]
        return Counter(line["errorCode"] for line in lines)

    def changes_given_up(self, name: str) -> int:
        """How many changes lie in the failed batches."""
        client, bucket = self.aws("s3"), self.pipelines[name].bucket
        prefix = urlparse(self.pipelines[name].failed_batches_location).path.lstrip("/")
        batches = [
            json.loads(client.get_object(Bucket=bucket, Key=key)["Body"].read())
            for key in self.keys(name, prefix)
        ]
        return sum(batch["DDBStreamBatchInfo"]["batchSize"] for batch in batches)

    def rows(self, name: str) -> int:
        """How many rows the lake table has."""
        return sum(Lake(self.aws, self.pipelines[name]).rows_per_folder().values())

    @contextlib.contextmanager
    def broken_schema(self, name: str) -> Iterator[None]:
        """Let the Glue table, by which Firehose converts, differ from COLUMNS for a while."""
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
        """Give a function other environment variables for a while."""
        client = self.aws("lambda")
        [name] = [
            found["FunctionName"]
            for found in client.list_functions()["Functions"]
            if found["FunctionName"].startswith(f"{function}-function")
        ]
        told = client.get_function_configuration(FunctionName=name)
        before = told.get("Environment", {"Variables": {}})
        after = {"Variables": {**before["Variables"], **changed}}
        client.update_function_configuration(FunctionName=name, Environment=after)
        yield
        client.update_function_configuration(FunctionName=name, Environment=before)


@pytest.fixture(scope="module")
def deployed(emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    directory = tmp_path_factory.mktemp("stack")
    for name, text in MODULES.items():
        (directory / f"{name}.py").write_text(text)
    config = {
        "aws:region": emulator.region,
        "streaming-etl:tables": {
            name: {
                "table_name": name,
                "transform_module": str(directory / f"{name}.py"),
                **settings,
            }
            for name, settings in TABLES.items()
        },
    }
    (directory / "Pulumi.yaml").write_text((ROOT / "Pulumi.yaml").read_text())
    (directory / "Pulumi.dev.yaml").write_text(yaml.safe_dump({"config": config}))
    (directory / "__main__.py").write_text((ROOT / "__main__.py").read_text())
    exports = deploy(directory, read_config(directory), emulator.clients)
    (directory / "outputs.json").write_text(json.dumps(exports))
    pipelines = {pipeline.name: pipeline for pipeline in pipelines_of(exports)}
    calls: set[str] = set()

    def opened(*given: Any) -> Stack:
        stack = open_stack(*given, directory=directory)
        for service in ("s3", "firehose", "dynamodb", "dynamodbstreams"):
            events = stack.clients(service).meta.events
            events.register("before-call", lambda model, **_: calls.add(model.name))
        return stack

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(command, "open_stack", opened)
        yield Deployed(emulator.clients, pipelines, directory / "outputs.json", calls)


def wait_for(condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + WAIT_SECONDS
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.1)
    return found


def replay(
    deployed: Deployed, capsys: pytest.CaptureFixture[str], *args: str
) -> tuple[int, dict[str, Any]]:
    """Run the command as an operator does; its exit code and its result."""
    aws = deployed.aws
    given = ["--stack", "dev", "--outputs", str(deployed.outputs), "--endpoint-url", aws.endpoint]
    status = main(["replay", *args, *given, "--json"])
    return status, json.loads(capsys.readouterr().out)


def put_back(
    changes: int, *, from_stream: int = 0, from_table: int = 0, removed_since: int = 0
) -> dict[str, int]:
    """What the result tells of changes."""
    return {
        "put_back": changes,
        "of_these_from_stream": from_stream,
        "of_these_from_table": from_table,
        "removed_since": removed_since,
    }


# Where a change may fail, to the kinds of alarms that tell of it.
ALARMS = {
    ("plain", "processing-failed"): {"refused", "error-records"},
    ("plain", "failed-batch"): {"failed-batches", "given-up"},
    ("columnar", "format-conversion-failed"): {"failed-conversions", "error-records"},
}


@pytest.mark.parametrize(
    ("failure", "kinds"), ALARMS.items(), ids=["-".join(failure) for failure in ALARMS]
)
def test_a_failure_of_each_kind_is_alarmed_on(
    deployed: Deployed, failure: tuple[str, str], kinds: set[str]
) -> None:
    pages = deployed.aws("cloudwatch").get_paginator("describe_alarms").paginate()
    standing = {alarm["AlarmName"] for page in pages for alarm in page["MetricAlarms"]}
    wanted = {f"{failure[0]}-monitoring-{kind}" for kind in kinds}
    assert {name for name in wanted if any(one.startswith(name) for one in standing)} == wanted


def test_a_change_that_the_transform_refused_is_put_back(
    deployed: Deployed, capsys: pytest.CaptureFixture[str]
) -> None:
    deployed.write("plain", {"id": "a", "total": 1}, {"id": "b", "total": 1})
    wait_for(lambda: deployed.state("plain") == {"a": 1, "b": 1})
    with deployed.variables("plain-transform", REFUSES="yes"):
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
        assert result["changes"] == put_back(2)
        assert result["objects"]["done"] == len(failed)
    wait_for(lambda: deployed.state("plain") == {"a": 2})
    assert deployed.failures("plain") == []
    assert deployed.keys("plain", "replayed/") == [f"replayed/{key}" for key in failed]


def test_a_run_that_stopped_before_it_moved_an_object_does_no_harm_when_it_is_repeated(
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

    assert (status, result["changes"]) == (0, put_back(2))
    # The rows are there twice, and count once.
    wait_for(lambda: deployed.rows("plain") == rows + 2)
    assert deployed.state("plain") == before


def test_a_batch_that_the_forwarder_gave_up_is_put_back(
    deployed: Deployed, capsys: pytest.CaptureFixture[str]
) -> None:
    before = deployed.state("plain")
    with deployed.variables("plain-forwarder", DELIVERY_STREAM="nowhere"):
        deployed.write("plain", {"id": "c", "total": 1})
        deployed.delete("plain", "a")
        wait_for(lambda: deployed.changes_given_up("plain") == 2)
    assert deployed.state("plain") == before

    status, result = replay(deployed, capsys, "plain", "--from", "failed-batches")

    assert (status, result["changes"]) == (0, put_back(2))
    assert result["entries_by_error"] == {"RetryAttemptsExhausted": 2}
    wait_for(lambda: deployed.state("plain") == {"c": 1})
    assert deployed.failures("plain") == []


def test_rows_that_could_not_be_converted_are_put_back_from_the_stream(
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

    assert (status, result["changes"]) == (0, put_back(2, from_stream=2))
    wait_for(lambda: deployed.state("columnar") == {"x": 2})
    assert deployed.failures("columnar") == []


def test_rows_that_the_stream_has_forgotten_are_put_back_from_the_table(
    deployed: Deployed, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = deployed.state("columnar")
    with deployed.broken_schema("columnar"):
        for total in (3, 4):
            deployed.write("columnar", {"id": "x", "total": total, "store": "north"})
        deployed.write("columnar", {"id": "z", "total": 1, "store": "north"})
        deployed.write("columnar", {"id": "w", "total": 1, "store": "north"})
        wait_for(lambda: sum(deployed.errors("columnar").values()) >= 4)
    # Of w the stream has the end only: its last change comes through.
    deployed.delete("columnar", "w")
    assert deployed.state("columnar") == before
    monkeypatch.setattr(origins, "STREAM_HOURS", -1)

    status, result = replay(deployed, capsys, "columnar")

    assert (status, result["changes"]) == (0, put_back(3, from_table=3, removed_since=1))
    wait_for(lambda: deployed.state("columnar") == {"x": 4, "z": 1})
    assert deployed.failures("columnar") == []


def test_a_damaged_line_on_s3_is_noted_around(
    deployed: Deployed, capsys: pytest.CaptureFixture[str]
) -> None:
    outputs = deployed.pipelines["plain"]
    key = f"{urlparse(outputs.errors_location).path.lstrip('/')}damaged"
    body = error_line(b"") + b"{"
    deployed.aws("s3").put_object(Bucket=outputs.bucket, Key=key, Body=body)

    status, result = replay(deployed, capsys, "plain")

    assert (status, result["objects"]["done"]) == (3, 0)
    assert result["left"] == [{"key": key, "place": 2, "reason": "the line is no JSON object"}]
    assert f"replayed/{key}.done.json" in deployed.keys("plain", "replayed/")
    # Mended, all of it is done, and the note goes.
    deployed.aws("s3").put_object(Bucket=outputs.bucket, Key=key, Body=error_line(b""))
    assert replay(deployed, capsys, "plain")[0] == 0
    assert f"replayed/{key}.done.json" not in deployed.keys("plain", "replayed/")
    assert f"replayed/{key}" in deployed.keys("plain", "replayed/")


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


def test_the_documented_policy_allows_what_was_called_above_and_no_more(
    deployed: Deployed,
) -> None:
    page = (ROOT / "docs" / "replay.md").read_text()
    [policy] = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    allowed = [statement["Action"] for statement in json.loads(policy)["Statement"]]
    actions = {
        action for given in allowed for action in ([given] if isinstance(given, str) else given)
    }
    assert {action for call in deployed.calls for action in PERMISSIONS[call]} == actions
