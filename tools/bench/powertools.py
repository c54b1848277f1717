"""Five columns of each item with Powertools for AWS Lambda."""

import csv
import io
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools.utilities.data_classes import (
    KinesisFirehoseDataTransformationRecord,
    KinesisFirehoseDataTransformationResponse,
    KinesisFirehoseEvent,
)
from aws_lambda_powertools.utilities.data_classes.dynamo_db_stream_event import DynamoDBRecord
from aws_lambda_powertools.utilities.serialization import base64_encode

from tools.bench.five_columns import COLUMNS

_METADATA = ("_op", "_key", "_row", "_event_id", "_stream_epoch", "_sequence_number", "_changed_at")


def transform(kind: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Build the handler; kind: csv or json."""
    rows = _csv_rows if kind == "csv" else _json_rows

    def handler(event: dict[str, Any]) -> dict[str, Any]:
        result = KinesisFirehoseDataTransformationResponse()
        for record in KinesisFirehoseEvent(event).records:
            lines = record.data_as_text.splitlines()
            text = rows([DynamoDBRecord(json.loads(line)) for line in lines])
            result.add_record(
                KinesisFirehoseDataTransformationRecord(
                    record_id=record.record_id, data=base64_encode(text)
                )
            )
        return result.asdict()

    return handler


def _csv_rows(changes: list[DynamoDBRecord]) -> str:
    rows = io.StringIO()
    csv.writer(rows, lineterminator="\n").writerows(map(_row, changes))
    return rows.getvalue()


def _json_rows(changes: list[DynamoDBRecord]) -> str:
    names = (*_METADATA, *COLUMNS)
    rows = [dict(zip(names, _row(change), strict=True)) for change in changes]
    return "".join([json.dumps(row, default=float) + "\n" for row in rows])


def _row(change: DynamoDBRecord) -> tuple[Any, ...]:
    stream = change.dynamodb
    assert stream
    item = stream.new_image or stream.old_image
    changed_at = datetime.fromtimestamp(stream.approximate_creation_date_time or 0, UTC)
    updated_at = datetime.fromisoformat(item["updated_at"])
    return (
        change["eventName"],
        json.dumps(stream["Keys"]),
        0,
        change.event_id,
        change.get("streamLabel", ""),
        stream.sequence_number,
        changed_at.replace(tzinfo=None).isoformat(" "),
        item["id"],
        item["customer_id"],
        item["title"],
        item["total"],
        updated_at.replace(tzinfo=None).isoformat(" "),
    )
