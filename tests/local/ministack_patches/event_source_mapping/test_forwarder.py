"""Failed batches of the forwarder behind an event source mapping."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from local.deploy.deploy import deploy
from local.emulator.process import ROOT
from local.sample.lake import Lake
from local.sample.run import change_ids
from streaming_etl.stack.clients import Clients
from streaming_etl.stack.config import StackConfig
from streaming_etl.stack.outputs import DeployedPipeline, pipelines_of
from tests.local.builders import read_objects, wait_for

pytestmark = pytest.mark.e2e

TRANSFORM = """
COLUMNS = {"id": "string"}


def transform(change):
    return {"id": change.keys["id"]}
"""


def deploy_pipeline(
    aws: Clients, directory: Path, table_name: str, **forwarder: Any
) -> DeployedPipeline:
    module = directory / "module.py"
    module.write_text(TRANSFORM)
    settings = {
        "table_name": table_name,
        "transform_module": str(module),
        "partitions": {"granularity": "day"},
        "forwarder": {"maximum_retry_attempts": 1, **forwarder},
    }
    values = {"streaming-etl:tables": json.dumps({table_name: settings})}
    [pipeline] = pipelines_of(deploy(ROOT, StackConfig("streaming-etl", "test", values), aws))
    return pipeline


def put(aws: Clients, pipeline: DeployedPipeline, id_: str, data: bytes = b"small") -> None:
    item = {"id": {"S": id_}, "data": {"B": data}}
    aws("dynamodb").put_item(TableName=pipeline.source_table, Item=item)


def failed_changes(aws: Clients, pipeline: DeployedPipeline) -> list[dict[str, Any]]:
    """Return the changes in failed batches, in stream order."""
    bucket, _, prefix = pipeline.failed_batches_location.removeprefix("s3://").partition("/")
    batches = [json.loads(body) for body in read_objects(aws, bucket, prefix).values()]
    changes = [change for one in batches for change in json.loads(one["payload"])["Records"]]
    return sorted(changes, key=lambda change: int(change["dynamodb"]["SequenceNumber"]))


def wait_for_all(aws: Clients, pipeline: DeployedPipeline) -> tuple[list[dict[str, Any]], set[str]]:
    """Wait for all changes; return failed ones, and event ids of rows."""
    expected, lake = change_ids(aws, pipeline), Lake(aws, pipeline)
    return wait_for(
        lambda: (failed_changes(aws, pipeline), lake.event_ids()),
        lambda ends: {change["eventID"] for change in ends[0]} | ends[1] == expected,
    )


def test_dead_letters_only_a_change_that_is_too_large_when_compressed(
    aws: Clients, tmp_path: Path
) -> None:
    pipeline = deploy_pipeline(aws, tmp_path, "too-large", old_image="always")
    put(aws, pipeline, "a")
    # With both images, and in base64, the second put exceeds Firehose's limit.
    put(aws, pipeline, "large", os.urandom(399_000))
    put(aws, pipeline, "large", os.urandom(399_000))
    put(aws, pipeline, "b")
    put(aws, pipeline, "c")

    [change], rows = wait_for_all(aws, pipeline)

    assert (change["eventName"], change["dynamodb"]["Keys"]) == ("MODIFY", {"id": {"S": "large"}})
    assert len(rows) == 4


def test_dead_letters_complete_batches_that_firehose_does_not_accept(
    aws: Clients, tmp_path: Path
) -> None:
    pipeline = deploy_pipeline(aws, tmp_path, "no-firehose")
    aws("firehose").delete_delivery_stream(DeliveryStreamName=pipeline.only.delivery_stream)
    for number in range(3):
        put(aws, pipeline, str(number))

    changes, rows = wait_for_all(aws, pipeline)

    assert [change["dynamodb"]["NewImage"] for change in changes] == [
        {"id": {"S": str(number)}, "data": {"B": "c21hbGw="}} for number in range(3)
    ]
    assert rows == set()
