"""Failed batches of the forwarder behind an event source mapping."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from local.deploy.deploy import deploy
from local.emulator.process import ROOT
from local.sample.lake import Lake, unmatched_changes
from local.sample.run import stream_records
from streaming_etl.components.settings.lake_table_names import ONLY_LAKE_TABLE
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
    aws: Clients,
    directory: Path,
    table_name: str,
    lake_tables: dict[str, Any] | None = None,
    **forwarder: Any,
) -> DeployedPipeline:
    """Deploy a pipeline; lake_tables: conditions by name."""
    module = directory / "module.py"
    module.write_text(TRANSFORM)
    lake_table = {"transform_module": str(module), "partitions": {"granularity": "day"}}
    tables = {key: {**lake_table, "where": rules} for key, rules in (lake_tables or {}).items()}
    settings = {
        "table_name": table_name,
        **({"lake_tables": tables} if tables else lake_table),
        "forwarder": {"maximum_retry_attempts": 1, **forwarder},
    }
    values = {"streaming-etl:tables": json.dumps({table_name: settings})}
    deployment = deploy(ROOT, StackConfig("streaming-etl", "test", values), aws)
    [pipeline] = pipelines_of(deployment.outputs)
    return pipeline


def put(aws: Clients, pipeline: DeployedPipeline, id_: str, data: bytes = b"small") -> None:
    item = {"id": {"S": id_}, "data": {"B": data}}
    aws("dynamodb").put_item(TableName=pipeline.source_table, Item=item)


def delete_delivery_stream(
    aws: Clients, pipeline: DeployedPipeline, key: str = ONLY_LAKE_TABLE
) -> None:
    stream = pipeline.tables[key].delivery_stream
    aws("firehose").delete_delivery_stream(DeliveryStreamName=stream)


def failed_changes(aws: Clients, pipeline: DeployedPipeline) -> list[dict[str, Any]]:
    """Return the changes in failed batches, in stream order."""
    bucket, _, prefix = pipeline.failed_batches_location.removeprefix("s3://").partition("/")
    batches = [json.loads(body) for body in read_objects(aws, bucket, prefix).values()]
    changes = [change for one in batches for change in json.loads(one["payload"])["Records"]]
    return sorted(changes, key=lambda change: int(change["dynamodb"]["SequenceNumber"]))


def wait_for_all(aws: Clients, pipeline: DeployedPipeline) -> tuple[list[dict[str, Any]], set[str]]:
    """Wait for all changes; return failed ones, and event ids of rows."""
    expected = {record["eventID"] for record in stream_records(aws, pipeline)}
    lake = Lake(aws, pipeline)
    return wait_for(
        lambda: (failed_changes(aws, pipeline), set(lake.event_types())),
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
    delete_delivery_stream(aws, pipeline)
    for number in range(3):
        put(aws, pipeline, str(number))

    changes, rows = wait_for_all(aws, pipeline)

    assert [change["dynamodb"]["NewImage"] for change in changes] == [
        {"id": {"S": str(number)}, "data": {"B": "c21hbGw="}} for number in range(3)
    ]
    assert rows == set()


def test_a_lake_table_that_firehose_does_not_accept_costs_the_others_no_change(
    aws: Clients, tmp_path: Path
) -> None:
    conditions = {"all": {}, "lost": {"id": {"prefix": "lost"}}}
    pipeline = deploy_pipeline(aws, tmp_path, "two-lake-tables", conditions)
    delete_delivery_stream(aws, pipeline, "lost")
    for id_ in ("a", "lost-1", "b", "lost-2", "c"):
        put(aws, pipeline, id_)
    ids = [record["eventID"] for record in stream_records(aws, pipeline)]
    lake = Lake(aws, pipeline, "all")

    failed, rows = wait_for(
        lambda: (failed_changes(aws, pipeline), set(lake.event_types())),
        lambda ends: len(ends[0]) >= 2 and len(ends[1]) == len(ids),
    )

    assert rows == set(ids)
    assert {ids[1], ids[3]} <= {change["eventID"] for change in failed}


def test_a_change_without_a_lake_table_is_counted(aws: Clients, tmp_path: Path) -> None:
    conditions = {"a": {"id": {"prefix": "a"}}, "b": {"id": {"prefix": "b"}}}
    pipeline = deploy_pipeline(aws, tmp_path, "counted", conditions)
    for id_ in ("a", "c", "b", "d", "d-2"):
        put(aws, pipeline, id_)
    lakes = [Lake(aws, pipeline, key) for key in conditions]

    rows, _ = wait_for(
        lambda: ([len(lake.event_types()) for lake in lakes], unmatched_changes(aws, pipeline)),
        lambda ends: ends == ([1, 1], 3),
    )

    assert (rows, failed_changes(aws, pipeline)) == ([1, 1], [])
