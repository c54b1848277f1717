"""Operator's commands of a stack whose outputs the real Pulumi CLI prints."""

import json
import uuid
from collections.abc import Iterator
from typing import Any

import pulumi
import pytest
from click.testing import CliRunner

from local.emulator.process import Emulator
from local.engine.embedded import EmbeddedBackend
from local.engine.provider import serving
from local.engine.workspace import EngineStack, Outcome
from streaming_etl import StreamingEtlPipeline
from streaming_etl.components.settings.stack_config import args_from_config
from streaming_etl.ops.__main__ import commands
from streaming_etl.stack.clients import DUMMY_KEY
from streaming_etl.stack.errors import CommandError
from streaming_etl.stack.outputs import open_stack
from streaming_etl.stack.program import program_environment
from tests.engine.harness import ORDERS, REGION
from tests.support.changes import line
from tests.support.failure_objects import error_line
from tools.project import ROOT

pytestmark = pytest.mark.usefixtures("created")

SETTINGS = {**ORDERS, "forwarder": {"batching_window_seconds": 300}, "protect": False}
STACK = ("--stack", "dev")


def program() -> None:
    """A program without tables in its config: commands need its outputs."""
    with program_environment(ROOT):
        args = args_from_config("orders", SETTINGS)
        pulumi.export("orders", StreamingEtlPipeline("orders", args).outputs)
        pulumi.export("note", "not a pipeline")


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with Emulator(REGION) as running:
        yield running


@pytest.fixture(scope="module")
def stack(emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineStack]:
    with serving(EmbeddedBackend(emulator.clients, ROOT, stack="dev")) as port:
        yield EngineStack(
            program,
            folder=tmp_path_factory.mktemp("commands"),
            directory=ROOT,
            port=port,
            config={"aws:region": REGION},
        )


@pytest.fixture(scope="module")
def created(stack: EngineStack) -> Outcome:
    outcome = stack.up()
    assert outcome.succeeded, outcome.errors
    return outcome


@pytest.fixture(autouse=True)
def in_the_program_directory(
    stack: EngineStack, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The directory and environment of an operator; boto3 reaches the embedded AWS."""
    monkeypatch.chdir(stack.automation.workspace.work_dir)
    for name, value in stack.automation.workspace.env_vars.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", emulator.endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", DUMMY_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", DUMMY_KEY)


def document(*arguments: str) -> Any:
    """The JSON that a command prints."""
    result = CliRunner().invoke(commands, [*arguments, "--json"])
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def test_commands_read_the_outputs_of_the_update(created: Outcome) -> None:
    [pipeline] = open_stack("dev", None, None).pipelines
    assert pipeline.name == "orders"
    assert pipeline.outputs == created.outputs["orders"]
    assert pipeline.args.forwarder.batching_window_seconds == 300


def test_the_cost_is_that_of_the_deployed_settings() -> None:
    setting = "forwarder.batching_window_seconds=300"
    expected = document("cost", "--set", setting, "--region", REGION)
    deployed = document("cost", *STACK)
    assert deployed["region"] == REGION
    assert deployed["usd"] == pytest.approx(expected["usd"])


def test_backfill_counts_the_items_of_the_deployed_table(emulator: Emulator) -> None:
    for number in range(3):
        item = {"id": {"S": str(number)}}
        emulator.clients("dynamodb").put_item(TableName="orders", Item=item)
    assert document("backfill", "orders", *STACK, "--dry-run")["items"] == 3


def test_replay_reads_the_deployed_bucket(emulator: Emulator) -> None:
    pipeline = open_stack("dev", None, None).pipeline("orders")
    [table] = pipeline.tables.values()
    prefix = table.errors_location.removeprefix(f"s3://{pipeline.bucket}/")
    emulator.clients("s3").put_object(
        Bucket=pipeline.bucket,
        # Firehose adds the name of the delivery stream, which identifies the pipeline.
        Key=f"{prefix}{table.delivery_stream}-1-2026-11-23-12-00-00-{uuid.uuid4()}",
        Body=error_line(line(1), function=None),
    )

    report = document("replay", "orders", *STACK, "--dry-run")

    assert report["objects"]["matched"] == 1
    assert report["entries_by_error"] == {"Lambda.ProcessingFailedStatus": 1}
    assert report["changes"]["sent"] == 1


def test_a_stack_that_does_not_exist_is_an_error_of_pulumi() -> None:
    with pytest.raises(CommandError) as rejected:
        open_stack("other", None, None)
    assert rejected.value.code == "pulumi-failed"
