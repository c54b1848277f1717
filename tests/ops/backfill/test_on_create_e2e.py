"""A backfill that the update starts, on the embedded AWS."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from local.deploy.deploy import Resources, deploy, previewed, update
from local.emulator.athena import query
from streaming_etl.ops.__main__ import commands
from streaming_etl.stack.clients import Clients
from streaming_etl.stack.config import StackConfig
from streaming_etl.stack.outputs import DeployedPipeline, pipelines_of
from tests.local.builders import wait_for
from tests.local.conftest import REGION
from tests.support.deployed import embedded_options
from tests.support.older_table import create_older_table
from tests.support.processes import wait_until

pytestmark = pytest.mark.e2e

TABLE = "loaded"
ITEMS = 40
PROGRAM = f"""
import pulumi
from streaming_etl import (
    BackfillArgs, ForwarderArgs, LakeTableArgs, PartitionArgs, SourceArgs, StreamingEtlPipeline,
    StreamingEtlPipelineArgs,
)

settings = StreamingEtlPipelineArgs(
    table_name={TABLE!r},
    source=SourceArgs(use_existing=True),
    lake_tables={{
        kind: LakeTableArgs(
            transform_module="loaded.py", partitions=PartitionArgs(), where={{"kind": [kind]}}
        )
        for kind in ("orders", "customers")
    }},
    forwarder=ForwarderArgs(batch_size=BATCH_SIZE),
    backfill=BackfillArgs(
        enabled=True, on_create=True, concurrency=2, kib_per_second=RATE
    ),
)
pulumi.export("loaded", StreamingEtlPipeline("loaded", settings).outputs)
"""
MODULE = """
COLUMNS = {"id": "string", "kind": "string", "text": "string"}
"""
CONFIG = StackConfig("streaming-etl", "dev", {"aws:region": REGION})


def item(number: int, text: str = "old") -> dict[str, Any]:
    kind = ("orders", "customers")[number % 2]
    return {"id": {"S": f"i-{number:02}"}, "kind": {"S": kind}, "text": {"S": text}}


class Program:
    """A program on an older table, and its resources."""

    def __init__(self, aws: Clients, directory: Path) -> None:
        self.aws, self.directory = aws, directory
        self.resources: Resources = {}

    def write(self, batch_size: int = 500, rate: int = 100_000) -> None:
        text = PROGRAM.replace("BATCH_SIZE", str(batch_size)).replace("RATE", str(rate))
        (self.directory / "__main__.py").write_text(text)
        (self.directory / "loaded.py").write_text(MODULE)

    def deploy(self) -> DeployedPipeline:
        deployment = deploy(self.directory, CONFIG, self.aws)
        self.resources = deployment.resources
        (self.directory / "outputs.json").write_text(json.dumps(deployment.outputs))
        return pipelines_of(deployment.outputs)[0]

    def changed(self) -> dict[str, str]:
        """Operations of a preview, by logical name."""
        deployment = previewed(self.directory, CONFIG, self.aws, self.resources)
        return {
            urn.split("::")[-1]: step for urn, step in deployment.steps.items() if step != "same"
        }

    def update(self) -> None:
        update(self.directory, CONFIG, self.aws, self.resources, self.resources.update)


@pytest.fixture
def program(aws: Clients, tmp_path: Path) -> Iterator[Program]:
    with create_older_table(aws, TABLE, [item(number) for number in range(ITEMS)], {"id": "S"}):
        yield Program(aws, tmp_path)


def executions(aws: Clients, pipeline: DeployedPipeline) -> dict[str, str]:
    """The status of each run."""
    found = aws("stepfunctions").list_executions(
        stateMachineArn=pipeline.backfill_state_machine_arn
    )["executions"]
    return {each["name"]: each["status"] for each in found}


def schedule(aws: Clients) -> dict[str, Any]:
    found = aws("scheduler").list_schedules(NamePrefix="loaded-backfill-start")["Schedules"]
    described: dict[str, Any] = aws("scheduler").get_schedule(Name=found[0]["Name"])
    return described


def state(aws: Clients, pipeline: DeployedPipeline) -> set[tuple[str, ...]]:
    """The current state of both lake tables."""
    rows = [
        row
        for table in pipeline.tables.values()
        for row in query(
            aws, f'SELECT * FROM "{table.view}"', pipeline.workgroup, pipeline.database
        ).rows
    ]
    return {(row["id"], row["kind"], row["text"]) for row in rows}


def items(aws: Clients) -> set[tuple[str, ...]]:
    found = aws("dynamodb").scan(TableName=TABLE)["Items"]
    return {tuple(each[name]["S"] for name in ("id", "kind", "text")) for each in found}


def test_the_first_update_loads_all_items_once(program: Program, aws: Clients) -> None:
    program.write()
    pipeline = program.deploy()
    # While the run exports and sends.
    aws("dynamodb").put_item(TableName=TABLE, Item=item(0, "new"))
    aws("dynamodb").delete_item(TableName=TABLE, Key={"id": item(1)["id"]})

    runs = wait_for(
        lambda: executions(aws, pipeline),
        lambda found: found and "RUNNING" not in found.values(),
    )

    assert runs == {"run-1": "SUCCEEDED"}
    assert wait_until(lambda: state(aws, pipeline) == items(aws), 30)
    started = schedule(aws)

    # Neither the same program nor other settings change the schedule.
    assert program.changed() == {}
    program.write(batch_size=100, rate=90_000)
    changed = program.changed()
    assert changed["loaded-backfill-function"] == changed["loaded-forwarder-mapping"] == "update"
    assert "loaded-backfill-start" not in changed
    program.update()
    assert schedule(aws)["LastModificationDate"] == started["LastModificationDate"]

    # The command reports the run of the update and starts none.
    options = embedded_options(program.directory / "outputs.json", aws.endpoint)
    arguments = ["backfill", "loaded", "--export", "--json", *options]
    result = CliRunner().invoke(commands, arguments, standalone_mode=False)
    assert (result.exception, result.return_value) == (None, 0)
    report = json.loads(result.stdout)
    assert (report["run"], report["status"]) == ("run-1", "SUCCEEDED")
    assert sum(report["lake_tables"].values()) == report["items"] > 0
    assert executions(aws, pipeline) == {"run-1": "SUCCEEDED"}
