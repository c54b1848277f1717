"""A backfill by an export on the embedded AWS, failed and continued."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from local.sample.lake import Lake
from local.sample.run import table_items
from streaming_etl.handlers.wire.change_line import stream_label
from streaming_etl.ops.__main__ import commands
from streaming_etl.stack.clients import Clients
from streaming_etl.stack.errors import EXIT_PARTIAL
from streaming_etl.stack.outputs import DeployedPipeline
from tests.local.conftest import REGION
from tests.support.deployed import embedded_options
from tests.support.older_table import deployed_on_older_table
from tests.support.processes import wait_until

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
    kms_key_arn="arn:aws:kms:{REGION}:123456789012:key/k",
    backfill=BackfillArgs(
        enabled=True, concurrency=2, kib_per_second=100_000, maximum_retry_attempts=0
    ),
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
    """Directory of the program and its outputs."""
    return tmp_path_factory.mktemp("exported")


@pytest.fixture(scope="module")
def pipeline(aws: Clients, directory: Path) -> Iterator[DeployedPipeline]:
    """A pipeline on a table with items from before its stream."""
    items = [item(number, "old") for number in range(ITEMS)]
    files = {"__main__.py": PROGRAM, "exported.py": MODULE}
    with deployed_on_older_table(
        aws, directory, TABLE, items, files, region=REGION, key_types={"id": "S", "at": "N"}
    ) as pipeline:
        yield pipeline


def call(aws: Clients, directory: Path, *more: str) -> tuple[int, dict[str, Any]]:
    """Run the command; return its exit code and result."""
    options = embedded_options(directory / "outputs.json", aws.endpoint)
    arguments = ["backfill", "exported", "--export", "--json", *options]
    result = CliRunner().invoke(commands, [*arguments, *more], standalone_mode=False)
    assert result.exception is None, result.exception
    return result.return_value, json.loads(result.stdout)


def set_stream(aws: Clients, stream: str) -> None:
    """Change the delivery streams of the function that sends files."""
    functions = aws("lambda").list_functions()["Functions"]
    [name] = [
        each["FunctionName"]
        for each in functions
        if each["FunctionName"].startswith("exported-backfill-function")
    ]
    variables = aws("lambda").get_function_configuration(FunctionName=name)["Environment"][
        "Variables"
    ]
    streams = json.dumps(dict.fromkeys(json.loads(variables["DELIVERY_STREAMS"]), stream))
    aws("lambda").update_function_configuration(
        FunctionName=name, Environment={"Variables": {**variables, "DELIVERY_STREAMS": streams}}
    )


def write(aws: Clients, first: int) -> None:
    """Change one item, delete the next and add a new one."""
    dynamodb = aws("dynamodb")
    dynamodb.put_item(TableName=TABLE, Item=item(first, "moved"))
    dynamodb.delete_item(TableName=TABLE, Key=key(first + 1))
    dynamodb.put_item(TableName=TABLE, Item=item(ITEMS + first, "new"))


def test_a_failed_run_continues_until_the_current_state_equals_the_table(
    aws: Clients, pipeline: DeployedPipeline, directory: Path
) -> None:
    lake = Lake(aws, pipeline)
    write(aws, 10)
    set_stream(aws, "nowhere")

    code, failed = call(aws, directory)

    assert (code, failed["status"], failed["files"]) == (EXIT_PARTIAL, "FAILED", 4)
    assert (failed["files_succeeded"], failed["items"]) == (0, 0)
    assert sum(failed["errors"].values()) == 4

    # After the export: snapshots of these items arrive after the changes.
    write(aws, 20)
    set_stream(aws, pipeline.tables["lake-table"].delivery_stream)
    code, done = call(aws, directory)

    assert (code, done["run"], done["status"]) == (0, "run-2", "SUCCEEDED")
    # The table's items at the time of the export: one was deleted and one added before.
    assert (done["files_succeeded"], done["items"], done["dead_lettered"]) == (4, ITEMS, 0)

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

    # The state machine marks the backfill once all files succeeded.
    markers = lake.query(f'SELECT "_stream_epoch" AS e FROM "{TABLE}" WHERE "_op" = \'BACKFILL\'')
    assert [row["e"] for row in markers.rows] == [stream_label(pipeline.source_stream_arn)]

    # Another call only reports the result.
    assert call(aws, directory) == (0, done)
