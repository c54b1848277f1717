"""Backfills of one and of several lake tables, on the embedded AWS."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from local.emulator.athena import query
from streaming_etl.handlers.wire.change_line import stream_label
from streaming_etl.ops.__main__ import commands
from streaming_etl.stack.clients import Clients
from streaming_etl.stack.outputs import DeployedPipeline
from tests.local.conftest import REGION
from tests.support.deployed import embedded_options
from tests.support.older_table import deployed_on_older_table
from tests.support.processes import wait_until

pytestmark = pytest.mark.e2e

TABLE = "mixed"
KINDS = ("order", "customer", "company", "cart")
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
        "orders": LakeTableArgs(
            transform_module="mixed.py",
            partitions=PartitionArgs(),
            format="csv",
            where={{"kind": ["order"]}},
        ),
        "customers": LakeTableArgs(
            transform_module="mixed.py",
            partitions=PartitionArgs(),
            where={{"kind": ["customer", "company"]}},
        ),
    }},
    backfill=BackfillArgs(enabled=True, concurrency=2, kib_per_second=100_000),
)
pulumi.export("shop", StreamingEtlPipeline("shop", settings).outputs)
"""
MODULE = """
COLUMNS = {"id": "string", "kind": "string", "text": "string"}
"""
CONDITIONS = {"orders": {"order"}, "customers": {"customer", "company"}}


def item(number: int, kind: str, text: str = "old") -> dict[str, Any]:
    return {"id": {"S": f"i-{number:02}"}, "kind": {"S": kind}, "text": {"S": text}}


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Directory of the program and its outputs."""
    return tmp_path_factory.mktemp("mixed")


@pytest.fixture(scope="module")
def pipeline(aws: Clients, directory: Path) -> Iterator[DeployedPipeline]:
    """A pipeline with two lake tables on an older table."""
    items = [item(number, KINDS[number % len(KINDS)]) for number in range(ITEMS)]
    files = {"__main__.py": PROGRAM, "mixed.py": MODULE}
    with deployed_on_older_table(
        aws, directory, TABLE, items, files, region=REGION, key_types={"id": "S"}
    ) as pipeline:
        yield pipeline


def call(aws: Clients, directory: Path, *more: str) -> dict[str, Any]:
    """Run the command successfully; return its result."""
    options = embedded_options(directory / "outputs.json", aws.endpoint)
    arguments = ["backfill", "shop", "--json", *options, *more]
    result = CliRunner().invoke(commands, arguments, standalone_mode=False)
    assert result.exception is None, result.exception
    assert result.return_value == 0, result.output
    return dict(json.loads(result.stdout))


def rows(aws: Clients, pipeline: DeployedPipeline, sql: str) -> list[Mapping[str, Any]]:
    return query(aws, sql, pipeline.workgroup, pipeline.database).rows


def state(aws: Clients, pipeline: DeployedPipeline, name: str) -> set[tuple[Any, ...]]:
    """The current state of a lake table."""
    view = pipeline.tables[name].view
    return {
        (row["id"], row["kind"], row["text"])
        for row in rows(aws, pipeline, f'SELECT * FROM "{view}"')
    }


def matching(aws: Clients, name: str) -> set[tuple[Any, ...]]:
    """The items of the source table that a lake table has."""
    items = aws("dynamodb").scan(TableName=TABLE)["Items"]
    values = [tuple(each[field]["S"] for field in ("id", "kind", "text")) for each in items]
    return {each for each in values if each[1] in CONDITIONS[name]}


def counts(aws: Clients, pipeline: DeployedPipeline, name: str) -> dict[str, int]:
    """The rows of a lake table by event type."""
    table = pipeline.tables[name].table
    found = rows(aws, pipeline, f'SELECT "_op", count(*) AS n FROM "{table}" GROUP BY "_op"')
    return {row["_op"]: int(row["n"]) for row in found}


def test_fills_one_lake_table_and_then_all(
    aws: Clients, pipeline: DeployedPipeline, directory: Path
) -> None:
    checkpoint = str(directory / "checkpoint.json")

    scanned = call(aws, directory, "--lake-table", "customers", "--checkpoint", checkpoint)

    assert (scanned["items"], scanned["unmatched"]) == (20, 20)
    assert scanned["lake_tables"] == {"customers": 20}
    filled = lambda name: state(aws, pipeline, name) == matching(aws, name)  # noqa: E731
    assert wait_until(lambda: filled("customers"), 30)
    # The other lake table has neither items nor a marker.
    assert counts(aws, pipeline, "orders") == {}
    assert counts(aws, pipeline, "customers") == {"SNAPSHOT": 20, "BACKFILL": 1}

    # An item leaves a lake table for another, one leaves it for none, and one is deleted.
    dynamodb = aws("dynamodb")
    dynamodb.put_item(TableName=TABLE, Item=item(0, "customer", "new"))
    dynamodb.put_item(TableName=TABLE, Item=item(1, "cart", "new"))
    dynamodb.delete_item(TableName=TABLE, Key={"id": {"S": "i-04"}})

    exported = call(aws, directory, "--export", "--lake-table", "orders")

    assert (exported["run"], exported["items"], exported["unmatched"]) == ("run-1", 8, 31)
    assert exported["lake_tables"] == {"orders": 8}
    assert wait_until(lambda: filled("orders") and filled("customers"), 30)
    assert counts(aws, pipeline, "customers")["BACKFILL"] == 1

    both = call(aws, directory, "--export")

    assert (both["run"], both["items"], both["unmatched"]) == ("run-2", 28, 11)
    assert both["lake_tables"] == {"orders": 8, "customers": 20}
    # The other backfill is still known.
    assert call(aws, directory, "--export", "--lake-table", "orders") == exported
    assert wait_until(lambda: counts(aws, pipeline, "orders").get("BACKFILL") == 2, 30)
    for name in CONDITIONS:
        assert wait_until(lambda name=name: filled(name), 30), name
        sql = f'SELECT DISTINCT "_stream_epoch" AS e FROM "{pipeline.tables[name].table}"'
        epochs = {row["e"] for row in rows(aws, pipeline, sql)}
        assert epochs == {stream_label(pipeline.source_stream_arn)}
