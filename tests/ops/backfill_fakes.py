"""Stands in for AWS around a backfill: a table to scan, its event source mapping, its stack."""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from streaming_etl.ops.backfill.table import SourceTable
from streaming_etl.stack.outputs import Pipeline, Stack, StackConfig
from tests.handlers.fakes import FakeFirehose

STREAM = "arn:aws:dynamodb:ap-northeast-1:123456789012:table/orders/stream/2026-11-23T09:00:00.000"
ARN = STREAM.partition("/stream")[0]
MAPPING = "5d1a2c3e-0000-4000-8000-000000000001"
CREATED = datetime(2026, 11, 1, 9, 0, tzinfo=UTC)

TABLE = SourceTable(
    name="orders",
    arn=ARN,
    created="2026-11-01T09:00:00+00:00",
    stream_arn=STREAM,
    key_names=("id",),
    items=1000,
    size=8_192_000,
    read_units=None,
    provisioned=False,
)
"""A unit an item."""

DESCRIBED: dict[str, Any] = {
    "TableName": "orders",
    "TableArn": ARN,
    "CreationDateTime": CREATED,
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    "ItemCount": 1000,
    "TableSizeBytes": 8_192_000,
    "BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST"},
    "ProvisionedThroughput": {"ReadCapacityUnits": 0, "WriteCapacityUnits": 0},
    "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    "LatestStreamArn": STREAM,
}

OUTPUTS = {
    "source_table": "orders",
    "source_stream_arn": STREAM,
    "delivery_stream": "orders-delivery",
    "failed_batches_location": f"s3://lake/aws/lambda/{MAPPING}/",
}


def item(number: int) -> dict[str, Any]:
    return {"id": {"S": f"o-{number}"}, "total": {"N": str(number)}}


def refused(code: str, operation: str = "Scan") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "Not now."}}, operation)


class FakeDynamoDb:
    """The table of these items, each a unit; `answers` are errors to raise, None for none."""

    def __init__(self, *items: dict[str, Any], **described: Any) -> None:
        self.items = list(items)
        self.described = {**DESCRIBED, **described}
        self.requests: list[dict[str, Any]] = []
        self.answers: list[Exception | None] = []

    def describe_table(self, **request: Any) -> dict[str, Any]:
        assert request == {"TableName": "orders"}
        return {"Table": deepcopy(self.described)}

    def scan(self, **request: Any) -> dict[str, Any]:
        self.requests.append(request)
        error = self.answers.pop(0) if self.answers else None
        if error is not None:
            raise error
        segment, total = request["Segment"], request["TotalSegments"]
        mine = [each for index, each in enumerate(self.items) if index % total == segment]
        start = request.get("ExclusiveStartKey")
        if start is not None:
            mine = mine[[{"id": each["id"]} for each in mine].index(start) + 1 :]
        page = mine[: request["Limit"]]
        answer: dict[str, Any] = {
            "Items": page,
            "ConsumedCapacity": {"CapacityUnits": float(len(page))},
        }
        if len(page) < len(mine):
            answer["LastEvaluatedKey"] = {"id": page[-1]["id"]}
        return answer


class FakeLambda:
    """The event source mappings of the stream, a page each."""

    def __init__(self, states: Mapping[str, str]) -> None:
        self.states = states

    def get_paginator(self, name: str) -> "FakeLambda":
        assert name == "list_event_source_mappings"
        return self

    def paginate(self, **request: Any) -> Iterator[dict[str, Any]]:
        assert request == {"EventSourceArn": STREAM}
        for uuid, state in self.states.items():
            yield {"EventSourceMappings": [{"UUID": uuid, "State": state}]}


class FakeClients:
    """Clients of an account that has only what a backfill uses."""

    endpoint = None

    def __init__(
        self,
        dynamodb: FakeDynamoDb,
        firehose: FakeFirehose | None = None,
        states: Mapping[str, str] | None = None,
    ) -> None:
        self.of = {
            "dynamodb": dynamodb,
            "firehose": firehose or FakeFirehose(),
            "lambda": FakeLambda({MAPPING: "Enabled"} if states is None else states),
        }

    def __call__(self, service: str) -> Any:
        return self.of[service]


def stack_of(clients: Any, tables: str = "{}", **outputs: str) -> Stack:
    """A stack with one pipeline, orders."""
    config = StackConfig("streaming-etl", "dev", {"streaming-etl:tables": tables})
    return Stack(config, [Pipeline("orders", {**OUTPUTS, **outputs})], clients)
