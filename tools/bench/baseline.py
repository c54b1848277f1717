"""Simple handlers with json, csv, TypeDeserializer and boto3."""

import base64
import csv
import io
import json
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from typing import Any

import boto3
from boto3.dynamodb.types import TypeDeserializer
from botocore.config import Config

from tools.bench.five_columns import COLUMNS

# https://docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecordBatch.html
MAX_CALL_RECORDS = 500
MAX_CALL_BYTES = 4_194_304

METADATA = ("_op", "_event_id", "_sequence_number", "_changed_at")

deserializer = TypeDeserializer()


def csv_transform(event: dict[str, Any]) -> dict[str, Any]:
    """Five columns of each item as CSV."""
    output = []
    for record in event["records"]:
        rows = io.StringIO()
        writer = csv.writer(rows, lineterminator="\n")
        for line in base64.b64decode(record["data"]).splitlines():
            writer.writerow(five_columns(json.loads(line)))
        output.append(output_record(record, rows.getvalue()))
    return {"records": output}


def five_columns_json_transform(event: dict[str, Any]) -> dict[str, Any]:
    """Five columns of each item as JSON lines."""
    names = (*METADATA, *COLUMNS)
    output = []
    for record in event["records"]:
        rows = []
        for line in base64.b64decode(record["data"]).splitlines():
            row = dict(zip(names, five_columns(json.loads(line)), strict=True))
            rows.append(json.dumps(row, default=str) + "\n")
        output.append(output_record(record, "".join(rows)))
    return {"records": output}


def json_transform(event: dict[str, Any]) -> dict[str, Any]:
    """All attributes of each item as JSON lines."""
    output = []
    for record in event["records"]:
        rows = []
        for line in base64.b64decode(record["data"]).splitlines():
            change = json.loads(line)
            row = item_of(change) | dict(zip(METADATA, metadata_of(change), strict=True))
            rows.append(json.dumps(row, default=str) + "\n")
        output.append(output_record(record, "".join(rows)))
    return {"records": output}


def five_columns(change: dict[str, Any]) -> list[Any]:
    item = item_of(change)
    updated_at = datetime.strptime(item["updated_at"], "%Y-%m-%dT%H:%M:%SZ")
    return [
        *metadata_of(change),
        item["id"],
        item["customer_id"],
        item["title"],
        item["total"],
        updated_at.strftime("%Y-%m-%d %H:%M:%S"),
    ]


def item_of(change: dict[str, Any]) -> dict[str, Any]:
    stream = change["dynamodb"]
    image = stream["OldImage"] if change["eventName"] == "REMOVE" else stream["NewImage"]
    return {name: deserializer.deserialize(value) for name, value in image.items()}


def metadata_of(change: dict[str, Any]) -> list[str]:
    stream = change["dynamodb"]
    changed_at = datetime.fromtimestamp(stream["ApproximateCreationDateTime"], UTC)
    return [
        change["eventName"],
        change["eventID"],
        stream["SequenceNumber"],
        changed_at.strftime("%Y-%m-%d %H:%M:%S"),
    ]


def output_record(record: dict[str, Any], data: str) -> dict[str, str]:
    return {
        "recordId": record["recordId"],
        "result": "Ok",
        "data": base64.b64encode(data.encode("utf-8")).decode("utf-8"),
    }


def forward(event: dict[str, Any]) -> dict[str, Any]:
    """Send each change as a single-change record."""
    records = [{"Data": (json.dumps(record) + "\n").encode()} for record in event["Records"]]
    for batch in batches(records):
        pending = batch
        for attempt in range(5):
            time.sleep(attempt)
            response = client().put_record_batch(
                DeliveryStreamName=os.environ["DELIVERY_STREAM"], Records=pending
            )
            if not response["FailedPutCount"]:
                break
            results = zip(pending, response["RequestResponses"], strict=True)
            pending = [record for record, result in results if "ErrorCode" in result]
        else:
            raise RuntimeError(f"Failed to put {len(pending)} records")
    return {"batchItemFailures": []}


@cache
def client() -> Any:
    # The same configuration as the candidate, so that only the records differ.
    config = Config(
        connect_timeout=2, read_timeout=8, retries={"mode": "standard", "total_max_attempts": 1}
    )
    return boto3.client("firehose", config=config)


def batches(records: list[dict[str, bytes]]) -> Iterator[list[dict[str, bytes]]]:
    batch: list[dict[str, bytes]] = []
    size = 0
    for record in records:
        data = len(record["Data"])
        if batch and (len(batch) == MAX_CALL_RECORDS or size + data > MAX_CALL_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(record)
        size += data
    if batch:
        yield batch
