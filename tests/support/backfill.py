"""A table and its event source mapping, for tests of backfills."""

from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

from botocore.exceptions import ClientError

from streaming_etl.ops.backfill.source_table import SourceTable
from tests.support.deployed import MAPPING, STREAM_ARN, TABLE_ARN
from tests.support.fake_aws import FakeFirehose

TABLE = SourceTable(
    name="orders",
    arn=TABLE_ARN,
    created="2026-11-01T09:00:00+00:00",
    stream_arn=STREAM_ARN,
    key_names=("id",),
    items=1000,
    size=8_192_000,
    read_units=None,
    provisioned=False,
    described_at_ms=1_000_000,
)
"""An item costs one read unit."""

DESCRIPTION: dict[str, Any] = {
    "TableName": "orders",
    "TableArn": TABLE_ARN,
    "CreationDateTime": datetime(2026, 11, 1, 9, 0, tzinfo=UTC),
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    "ItemCount": 1000,
    "TableSizeBytes": 8_192_000,
    "BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST"},
    "ProvisionedThroughput": {"ReadCapacityUnits": 0, "WriteCapacityUnits": 0},
    "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    "LatestStreamArn": STREAM_ARN,
}


def item(number: int) -> dict[str, Any]:
    return {"id": {"S": f"o-{number}"}, "total": {"N": str(number)}}


def client_error(code: str, operation: str = "Scan") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "Not now."}}, operation)


class FakeDynamoDb:
    """A table whose items cost one read unit each.

    errors: raised by the next scans in turn; None for none.
    """

    def __init__(self, *items: dict[str, Any], **description: Any) -> None:
        self.items = list(items)
        self.description = {**DESCRIPTION, **description}
        self.requests: list[dict[str, Any]] = []
        self.errors: list[Exception | None] = []
        self.clock: Callable[[], float] = lambda: 1000.0

    def describe_table(self, **request: Any) -> dict[str, Any]:
        assert request == {"TableName": "orders"}
        return {"Table": deepcopy(self.description), **self.metadata()}

    def metadata(self) -> dict[str, Any]:
        """Metadata of a response, with AWS's time in seconds."""
        date = format_datetime(datetime.fromtimestamp(self.clock(), UTC), usegmt=True)
        return {"ResponseMetadata": {"HTTPHeaders": {"date": date}}}

    def scan(self, **request: Any) -> dict[str, Any]:
        self.requests.append(request)
        error = self.errors.pop(0) if self.errors else None
        if error is not None:
            raise error
        segment, total = request["Segment"], request["TotalSegments"]
        items = [each for index, each in enumerate(self.items) if index % total == segment]
        start = request.get("ExclusiveStartKey")
        if start is not None:
            items = items[[{"id": each["id"]} for each in items].index(start) + 1 :]
        page = items[: request["Limit"]]
        response: dict[str, Any] = {
            "Items": page,
            "ConsumedCapacity": {"CapacityUnits": float(len(page))},
            **self.metadata(),
        }
        if len(page) < len(items):
            response["LastEvaluatedKey"] = {"id": page[-1]["id"]}
        return response


class FakeLambda:
    """The event source mappings of the stream, one per page."""

    def __init__(self, states: Mapping[str, str]) -> None:
        self.states = states

    def get_paginator(self, name: str) -> "FakeLambda":
        assert name == "list_event_source_mappings"
        return self

    def paginate(self, **request: Any) -> Iterator[dict[str, Any]]:
        assert request == {"EventSourceArn": STREAM_ARN}
        for uuid, state in self.states.items():
            yield {"EventSourceMappings": [{"UUID": uuid, "State": state}]}


class FakeClients:
    """Clients for the services that a scan uses."""

    endpoint = None

    def __init__(self, *items: dict[str, Any]) -> None:
        self.dynamodb, self.firehose = FakeDynamoDb(*items), FakeFirehose()
        self.mappings: Mapping[str, str] = {MAPPING: "Enabled"}

    def __call__(self, service: str) -> Any:
        if service == "lambda":
            return FakeLambda(self.mappings)
        return getattr(self, service)
