"""A table that held items before its stream, into the lake while it is written to."""

import json
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from local.deploy.deploy import deploy
from local.sample.lake import Lake
from local.sample.run import table_items
from local.sample.writes import Item, differences, to_dynamodb
from streaming_etl.stack.clients import Clients
from streaming_etl.stack.outputs import ROOT, Pipeline, StackConfig, pipelines_of
from tests.local.conftest import REGION
from tests.local.processes import end, wait_until

pytestmark = pytest.mark.e2e

ITEMS = 20_000
TABLE = "orders-before"
COMPARED = ("user_id", "store_id", "created", "updated_at")
AT = "2026-11-01T09:00:00"

# As `orders` of the dev stack, whose settings the command reads, but for a table that is there.
PROGRAM = f"""
import pulumi
from streaming_etl import (
    PartitionArgs, SourceArgs, StreamingEtlPipeline, StreamingEtlPipelineArgs
)

settings = StreamingEtlPipelineArgs(
    table_name={TABLE!r},
    transform_module={str(ROOT / "transforms" / "orders.py")!r},
    partitions=PartitionArgs(granularity="day"),
    source=SourceArgs(use_existing=True),
)
pulumi.export("orders", StreamingEtlPipeline("orders", settings).outputs)
"""


def order(number: int, store: str) -> Item:
    user = f"u-{number % 50}"
    return {
        "id": f"o-{number:05}",
        "user_id": user,
        "store_id": store,
        "created": AT,
        "updated_at": AT,
    }


class Shop(threading.Thread):
    """The web service: it changes, removes and adds orders until it is told to stop."""

    def __init__(self, aws: Clients) -> None:
        super().__init__()
        self.dynamodb = aws("dynamodb")
        self.closed = threading.Event()
        self.writes: Counter[str] = Counter()

    def run(self) -> None:
        for turn in count():
            # All over the table, and thus before and behind where the scan is.
            number = turn * 7919 % ITEMS
            if turn % 3 == 0:
                self.put("changed", order(number, f"moved {turn}"))
            elif turn % 3 == 1:
                self.dynamodb.delete_item(TableName=TABLE, Key={"id": {"S": f"o-{number:05}"}})
                self.writes["removed"] += 1
            else:
                self.put("added", order(ITEMS + turn, "new"))
            if self.closed.wait(0.02):
                return

    def put(self, kind: str, item: Item) -> None:
        self.dynamodb.put_item(TableName=TABLE, Item=to_dynamodb(item))
        self.writes[kind] += 1


@pytest.fixture
def pipeline(aws: Clients, tmp_path: Path) -> Iterator[Pipeline]:
    """A pipeline on a table that was full before its stream began."""
    dynamodb = aws("dynamodb")
    dynamodb.create_table(
        TableName=TABLE,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    puts = [{"PutRequest": {"Item": to_dynamodb(order(number, "old"))}} for number in range(ITEMS)]
    for start in range(0, ITEMS, 25):
        dynamodb.batch_write_item(RequestItems={TABLE: puts[start : start + 25]})
    stream = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
    dynamodb.update_table(TableName=TABLE, StreamSpecification=stream)
    (tmp_path / "__main__.py").write_text(PROGRAM)
    outputs = deploy(tmp_path, StackConfig("streaming-etl", "dev", {"aws:region": REGION}), aws)
    (tmp_path / "outputs.json").write_text(json.dumps(outputs))
    yield pipelines_of(outputs)[0]
    dynamodb.delete_table(TableName=TABLE)


def command(aws: Clients, directory: Path, *more: str) -> list[str]:
    return [
        *(sys.executable, "-m", "streaming_etl", "backfill", "orders", "--stack", "dev", "--json"),
        *("--outputs", str(directory / "outputs.json"), "--endpoint-url", str(aws.endpoint)),
        *("--checkpoint", str(directory / "checkpoint.json"), *more),
    ]


def passed(checkpoint: Path) -> int:
    """The items that the checkpoint tells of."""
    if not checkpoint.exists():
        return 0
    known: dict[str, Any] = json.loads(checkpoint.read_text())
    return sum(segment["items"] for segment in known["segments"])


def test_a_backfill_killed_in_the_middle_ends_with_the_current_state_equal_to_the_table(
    aws: Clients, pipeline: Pipeline, tmp_path: Path
) -> None:
    lake, shop = Lake(aws, pipeline), Shop(aws)
    checkpoint = tmp_path / "checkpoint.json"
    shop.start()
    try:
        # So slow that it is far from done when it is killed.
        slow = command(aws, tmp_path, "--kib-per-second", "500")
        first = subprocess.Popen(slow, cwd=ROOT, stderr=subprocess.PIPE, text=True)
        try:
            assert wait_until(lambda: passed(checkpoint) > 1000, 60)
        finally:
            end(first, signal.SIGKILL)
            assert first.stderr is not None
            first.stderr.close()
        before = passed(checkpoint)
        assert 1000 < before < ITEMS
        again = command(aws, tmp_path, "--kib-per-second", "100000")
        second = subprocess.run(again, cwd=ROOT, capture_output=True, text=True)
    finally:
        shop.closed.set()
        shop.join()

    assert second.returncode == 0, second.stderr
    assert f"Going on behind {before:,} items that are done already." in second.stderr
    assert set(shop.writes) == {"changed", "removed", "added"}

    def differing() -> list[str]:
        rows = {str(row["id"]): row for row in lake.current_state().rows}
        return differences(table_items(aws, pipeline), rows, COMPARED)

    assert wait_until(lambda: not differing(), 60), differing()[:10]
