"""A pipeline on a table that is older than its stream."""

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from local.deploy.deploy import deploy
from streaming_etl.stack.clients import Clients
from streaming_etl.stack.config import StackConfig
from streaming_etl.stack.outputs import DeployedPipeline, pipelines_of

MAX_BATCH_ITEMS = 25


@contextlib.contextmanager
def create_older_table(
    aws: Clients,
    table: str,
    items: Sequence[Mapping[str, Any]],
    key_types: Mapping[str, str],
) -> Iterator[None]:
    """Create a table with items in DynamoDB JSON and then its stream."""
    dynamodb: Any = aws("dynamodb")
    dynamodb.create_table(
        TableName=table,
        KeySchema=[
            {"AttributeName": name, "KeyType": kind}
            for name, kind in zip(key_types, ("HASH", "RANGE"), strict=False)
        ],
        AttributeDefinitions=[
            {"AttributeName": name, "AttributeType": kind} for name, kind in key_types.items()
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    recovery = {"PointInTimeRecoveryEnabled": True}
    dynamodb.update_continuous_backups(TableName=table, PointInTimeRecoverySpecification=recovery)
    puts = [{"PutRequest": {"Item": item}} for item in items]
    for start in range(0, len(puts), MAX_BATCH_ITEMS):
        dynamodb.batch_write_item(RequestItems={table: puts[start : start + MAX_BATCH_ITEMS]})
    stream = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
    dynamodb.update_table(TableName=table, StreamSpecification=stream)
    yield
    dynamodb.delete_table(TableName=table)


@contextlib.contextmanager
def deployed_on_older_table(
    aws: Clients,
    directory: Path,
    table: str,
    items: Sequence[Mapping[str, Any]],
    files: Mapping[str, str],
    *,
    region: str,
    key_types: Mapping[str, str],
) -> Iterator[DeployedPipeline]:
    """Create table, items and then the stream; deploy the program.

    items: in DynamoDB JSON. Writes outputs.json into the directory.
    """
    with create_older_table(aws, table, items, key_types):
        for name, content in files.items():
            (directory / name).write_text(content)
        outputs = deploy(
            directory, StackConfig("streaming-etl", "dev", {"aws:region": region}), aws
        ).outputs
        (directory / "outputs.json").write_text(json.dumps(outputs))
        yield pipelines_of(outputs)[0]
