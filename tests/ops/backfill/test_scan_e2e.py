"""A killed and continued backfill by a scan, on the embedded AWS."""

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

from local.sample.lake import Lake
from local.sample.run import table_items
from local.sample.writes import Item, differences, to_dynamodb
from streaming_etl.stack.clients import Clients
from streaming_etl.stack.outputs import DeployedPipeline
from tests.local.conftest import REGION
from tests.support.deployed import embedded_options
from tests.support.older_table import deployed_on_older_table
from tests.support.processes import end, wait_until
from tools.project import ROOT

pytestmark = pytest.mark.e2e

ITEMS = 20_000
TABLE = "orders-before"
COMPARED = ("user_id", "store_id", "created", "updated_at")
AT = "2026-11-01T09:00:00"

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
    """A web service that changes, deletes and adds orders."""

    def __init__(self, aws: Clients) -> None:
        super().__init__()
        self.dynamodb = aws("dynamodb")
        self.closed = threading.Event()
        self.writes: Counter[str] = Counter()

    def run(self) -> None:
        for turn in count():
            # Anywhere in the table, before and after the position of the scan.
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
def pipeline(aws: Clients, tmp_path: Path) -> Iterator[DeployedPipeline]:
    """A pipeline on a table with items from before its stream."""
    items = [to_dynamodb(order(number, "old")) for number in range(ITEMS)]
    files = {"__main__.py": PROGRAM}
    with deployed_on_older_table(
        aws, tmp_path, TABLE, items, files, region=REGION, key_types={"id": "S"}
    ) as pipeline:
        yield pipeline


def command(aws: Clients, directory: Path, *more: str) -> list[str]:
    return [
        sys.executable,
        "-m",
        "streaming_etl",
        "backfill",
        "orders",
        "--json",
        *embedded_options(directory / "outputs.json", aws.endpoint),
        "--checkpoint",
        str(directory / "checkpoint.json"),
        *more,
    ]


def items_sent(checkpoint: Path) -> int:
    """Number of items in the checkpoint."""
    if not checkpoint.exists():
        return 0
    document: dict[str, Any] = json.loads(checkpoint.read_text())
    return sum(segment["items"] for segment in document["segments"])


def test_a_killed_backfill_continues_until_the_current_state_equals_the_table(
    aws: Clients, pipeline: DeployedPipeline, tmp_path: Path
) -> None:
    lake, shop = Lake(aws, pipeline), Shop(aws)
    checkpoint = tmp_path / "checkpoint.json"
    shop.start()
    try:
        # Slow enough to be killed before it is done.
        slow = command(aws, tmp_path, "--kib-per-second", "500")
        first = subprocess.Popen(slow, cwd=ROOT, stderr=subprocess.PIPE, text=True)
        try:
            assert wait_until(lambda: items_sent(checkpoint) > 1000, 60)
        finally:
            end(first, signal.SIGKILL)
            assert first.stderr is not None
            first.stderr.close()
        before = items_sent(checkpoint)
        assert 1000 < before < ITEMS
        again = command(aws, tmp_path, "--kib-per-second", "100000")
        second = subprocess.run(again, cwd=ROOT, capture_output=True, text=True)
    finally:
        shop.closed.set()
        shop.join()

    assert second.returncode == 0, second.stderr
    # What the second run found in the checkpoint, and skipped.
    assert f"{before:,} items" in second.stderr
    assert set(shop.writes) == {"changed", "removed", "added"}

    def differing() -> list[str]:
        rows = {str(row["id"]): row for row in lake.current_state().rows}
        return differences(table_items(aws, pipeline), rows, COMPARED)

    assert wait_until(lambda: not differing(), 60), differing()[:10]
