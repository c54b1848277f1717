"""The real forwarder behind the embedded mapping: what it cannot forward lies in the bucket."""

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from local.deploy.deploy import deploy
from local.sample.lake import Lake
from local.sample.run import change_ids
from streaming_etl.stack.clients import Clients
from streaming_etl.stack.outputs import ROOT, Pipeline, StackConfig, pipelines_of

pytestmark = pytest.mark.e2e

WAIT_SECONDS = 30.0
TRANSFORM = """
COLUMNS = {"id": "string"}


def transform(change):
    return {"id": change.keys["id"]}
"""


def pipeline(aws: Clients, directory: Path, table_name: str, **forwarder: Any) -> Pipeline:
    """Deploy the stack's own program with this one table."""
    module = directory / "module.py"
    module.write_text(TRANSFORM)
    settings = {
        "table_name": table_name,
        "transform_module": str(module),
        "partitions": {"granularity": "day"},
        "forwarder": {"maximum_retry_attempts": 1, **forwarder},
    }
    values = {"streaming-etl:tables": json.dumps({table_name: settings})}
    [made] = pipelines_of(deploy(ROOT, StackConfig("streaming-etl", "test", values), aws))
    return made


def put(aws: Clients, made: Pipeline, id_: str, data: bytes = b"small") -> None:
    item = {"id": {"S": id_}, "data": {"B": data}}
    aws("dynamodb").put_item(TableName=made.source_table, Item=item)


def set_aside(aws: Clients, made: Pipeline) -> list[dict[str, Any]]:
    """The changes in the failed batches, in the order of the stream."""
    bucket, _, prefix = made.failed_batches_location.removeprefix("s3://").partition("/")
    s3 = aws("s3")
    listed = s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])
    bodies = [s3.get_object(Bucket=bucket, Key=item["Key"])["Body"].read() for item in listed]
    changes = [
        change for body in bodies for change in json.loads(json.loads(body)["payload"])["Records"]
    ]
    return sorted(changes, key=lambda change: int(change["dynamodb"]["SequenceNumber"]))


def ends(aws: Clients, made: Pipeline) -> tuple[list[dict[str, Any]], set[str]]:
    """Wait until each change is set aside or a row: both, the rows as event ids."""
    everything = change_ids(aws, made)
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        aside, rows = set_aside(aws, made), Lake(aws, made).event_ids()
        if {change["eventID"] for change in aside} | rows == everything:
            return aside, rows
        assert time.monotonic() < deadline, f"{len(aside)} and {len(rows)} of {len(everything)}"
        time.sleep(0.1)


def test_a_change_too_large_even_compressed_is_set_aside_and_the_others_are_forwarded(
    aws: Clients, tmp_path: Path
) -> None:
    made = pipeline(aws, tmp_path, "too-large", old_image="always")
    put(aws, made, "a")
    # With both images, and in base64, the second put is more than Firehose takes.
    put(aws, made, "large", os.urandom(399_000))
    put(aws, made, "large", os.urandom(399_000))

    put(aws, made, "b")
    put(aws, made, "c")

    aside, rows = ends(aws, made)

    [change] = aside
    assert (change["eventName"], change["dynamodb"]["Keys"]) == ("MODIFY", {"id": {"S": "large"}})
    assert len(rows) == 4


def test_changes_that_firehose_does_not_take_are_set_aside_as_whole_batches(
    aws: Clients, tmp_path: Path
) -> None:
    made = pipeline(aws, tmp_path, "no-firehose")
    aws("firehose").delete_delivery_stream(DeliveryStreamName=made.delivery_stream)
    for number in range(3):
        put(aws, made, str(number))

    aside, rows = ends(aws, made)

    assert [change["dynamodb"]["NewImage"] for change in aside] == [
        {"id": {"S": str(number)}, "data": {"B": "c21hbGw="}} for number in range(3)
    ]
    assert rows == set()
