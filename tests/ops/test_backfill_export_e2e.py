"""The state machine over an export, on the embedded AWS: fails, is taken up, and all is there."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import pytest
from click.testing import CliRunner

from local.deploy.deploy import deploy
from local.sample.lake import Lake
from local.sample.run import table_items
from streaming_etl.ops.__main__ import commands
from streaming_etl.stack.clients import Clients
from streaming_etl.stack.errors import EXIT_PARTIAL
from streaming_etl.stack.outputs import Pipeline, StackConfig, pipelines_of
from tests.local.conftest import REGION
from tests.local.processes import wait_until

pytestmark = pytest.mark.e2e

ITEMS = 300
TABLE = "exported"

PROGRAM = f"""
import pulumi
from streaming_etl import (
    BackfillArgs, PartitionArgs, SourceArgs, StreamingEtlPipeline, StreamingEtlPipelineArgs
)

settings = StreamingEtlPipelineArgs(
    table_name={TABLE!r},
    transform_module="exported.py",
    partitions=PartitionArgs(),
    source=SourceArgs(use_existing=True),
    backfill=BackfillArgs(enabled=True, concurrency=2, kib_per_second=100_000, maximum_retry_attempts=0),
)
pulumi.export("exported", StreamingEtlPipeline("exported", settings).outputs)
"""
MODULE = """
COLUMNS = {"id": "string", "at": "int", "store": "string", "code": "string"}


def transform(change):
    item = change.new or change.old
    return {"id": item["id"], "at": item["at"], "store": item["store"], "code": item["code"].hex()}
"""


def item(number: int, store: str) -> dict[str, Any]:
    return {
        "id": {"S": f"o-{number:03}"},
        "at": {"N": str(number % 3)},
        "store": {"S": store},
        "code": {"B": bytes([number % 256, 255])},
    }


def key(number: int) -> dict[str, Any]:
    return {name: value for name, value in item(number, "").items() if name in ("id", "at")}


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the program stands, and its outputs."""
    return tmp_path_factory.mktemp("exported")


@pytest.fixture(scope="module")
def pipeline(aws: Clients, directory: Path) -> Iterator[Pipeline]:
    """A pipeline on a table that was full before its stream began."""
    dynamodb = aws("dynamodb")
    dynamodb.create_table(
        TableName=TABLE,
        KeySchema=[
            {"AttributeName": "id", "KeyType": "HASH"},
            {"AttributeName": "at", "KeyType": "RANGE"},
        ],
        AttributeDefinitions=[
            {"AttributeName": "id", "AttributeType": "S"},
            {"AttributeName": "at", "AttributeType": "N"},
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    recovery = {"PointInTimeRecoveryEnabled": True}
    dynamodb.update_continuous_backups(TableName=TABLE, PointInTimeRecoverySpecification=recovery)
    puts = [{"PutRequest": {"Item": item(number, "old")}} for number in range(ITEMS)]
    for start in range(0, ITEMS, 25):
        dynamodb.batch_write_item(RequestItems={TABLE: puts[start : start + 25]})
    stream = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
    dynamodb.update_table(TableName=TABLE, StreamSpecification=stream)
    (directory / "__main__.py").write_text(PROGRAM)
    (directory / "exported.py").write_text(MODULE)
    outputs = deploy(directory, StackConfig("streaming-etl", "dev", {"aws:region": REGION}), aws)
    (directory / "outputs.json").write_text(json.dumps(outputs))
    yield pipelines_of(outputs)[0]
    dynamodb.delete_table(TableName=TABLE)


def call(aws: Clients, directory: Path, *more: str) -> tuple[int, dict[str, Any]]:
    """The command's exit code and its result."""
    arguments = [
        *("backfill", "exported", "--export", "--stack", "dev", "--json"),
        *("--outputs", str(directory / "outputs.json"), "--endpoint-url", str(aws.endpoint)),
    ]
    answer = CliRunner().invoke(commands, [*arguments, *more], standalone_mode=False)
    assert answer.exception is None, answer.exception
    return answer.return_value, json.loads(answer.stdout)


def set_stream(aws: Clients, stream: str) -> None:
    """Give the function of the files another delivery stream."""
    functions = aws("lambda").list_functions()["Functions"]
    [name] = [
        each["FunctionName"]
        for each in functions
        if each["FunctionName"].startswith("exported-backfill-function")
    ]
    told = aws("lambda").get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    aws("lambda").update_function_configuration(
        FunctionName=name, Environment={"Variables": {**told, "DELIVERY_STREAM": stream}}
    )


def write(aws: Clients, first: int) -> None:
    """Change one item, remove the next and add a new one."""
    dynamodb = aws("dynamodb")
    dynamodb.put_item(TableName=TABLE, Item=item(first, "moved"))
    dynamodb.delete_item(TableName=TABLE, Key=key(first + 1))
    dynamodb.put_item(TableName=TABLE, Item=item(ITEMS + first, "new"))


def test_an_export_that_failed_midway_ends_with_the_current_state_equal_to_the_table(
    aws: Clients, pipeline: Pipeline, directory: Path
) -> None:
    lake = Lake(aws, pipeline)
    write(aws, 10)
    set_stream(aws, "nowhere")

    code, failed = call(aws, directory)

    assert (code, failed["status"], failed["files"]) == (EXIT_PARTIAL, "FAILED", 4)
    assert (failed["files_passed"], failed["items"]) == (0, 0)
    assert sum(failed["errors"].values()) == 4

    # Behind the export: what it tells of these items arrives after the changes.
    write(aws, 20)
    set_stream(aws, pipeline.delivery_stream)
    code, done = call(aws, directory)

    assert (code, done["run"], done["status"]) == (0, "run-2", "SUCCEEDED")
    # As the table was when it was exported: one item had gone by then, and one had come.
    assert (done["files_passed"], done["items"], done["dead_lettered"]) == (4, ITEMS, 0)

    def current() -> set[tuple[Any, ...]]:
        rows = lake.current_state().rows
        return {(row["id"], str(row["at"]), row["store"], row["code"]) for row in rows}

    def table() -> set[tuple[Any, ...]]:
        items = table_items(aws, pipeline).values()
        return {
            (each["id"], str(each["at"]), each["store"], bytes(each["code"]).hex())
            for each in items
        }

    assert len(table()) == ITEMS
    assert wait_until(lambda: current() == table(), 30), current() ^ table()
    snapshots = lake.query(f'SELECT count(*) AS n FROM "{TABLE}" WHERE "_op" = \'SNAPSHOT\'')
    assert [int(row["n"] or 0) for row in snapshots.rows] == [ITEMS]

    # Called once more it only tells what it did.
    assert call(aws, directory) == (0, done)


def export_of(aws: Clients, execution_arn: str) -> str:
    """The ARN of the export that a run asked for."""
    events = aws("stepfunctions").get_execution_history(executionArn=execution_arn)["events"]
    left = (event.get("stateExitedEventDetails", {}) for event in events)
    [output] = [state["output"] for state in left if state.get("name") == "Export"]
    return str(json.loads(output)["export_arn"])


def test_of_a_run_that_lost_one_file_that_file_alone_is_taken_up(
    aws: Clients, pipeline: Pipeline, directory: Path
) -> None:
    states, s3, bucket = aws("stepfunctions"), aws("s3"), pipeline.bucket
    code, whole = call(aws, directory, "--restart")
    assert (code, whole["files_passed"]) == (0, 4)
    export_arn = export_of(aws, whole["execution_arn"])
    folder = f"{export_arn.rpartition('/')[2]}"
    path = urlparse(pipeline.backfill_location).path.lstrip("/")
    manifest = f"{path}exports/AWSDynamoDB/{folder}/manifest-files.json"
    lines = s3.get_object(Bucket=bucket, Key=manifest)["Body"].read().splitlines()
    lost = json.loads(lines[0])
    content = s3.get_object(Bucket=bucket, Key=lost["dataFileS3Key"])["Body"].read()
    s3.put_object(Bucket=bucket, Key=lost["dataFileS3Key"], Body=b"this is no gzip")
    number = int(whole["run"].removeprefix("run-"))
    run = states.start_execution(
        stateMachineArn=pipeline.backfill_state_machine_arn,
        name=f"run-{number + 1}",
        input=json.dumps({"export_arn": export_arn}),
    )["executionArn"]

    def status() -> str:
        return str(states.describe_execution(executionArn=run)["status"])

    assert wait_until(lambda: status() == "FAILED", 30), status()

    s3.put_object(Bucket=bucket, Key=lost["dataFileS3Key"], Body=content)
    code, rest = call(aws, directory)

    assert (code, rest["run"]) == (0, f"run-{number + 2}")
    assert (rest["files"], rest["files_passed"], rest["items"]) == (1, 1, lost["itemCount"])
