"""The table that a backfill reads, and checks of its stream."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any, Optional

from streaming_etl.stack.errors import CommandError
from streaming_etl.stack.outputs import DeployedPipeline

# Average growth of an item as DynamoDB JSON, and the other bytes of a change.
JSON_GROWTH = 1.4
CHANGE_BYTES = 300


@dataclass(frozen=True)
class SourceTable:
    """Facts about the table before a backfill starts."""

    name: str
    arn: str
    created: str
    """ISO 8601, UTC: a table that is created again under the same name has the same ARN."""
    stream_arn: str
    key_names: tuple[str, ...]
    items: int
    """As of DynamoDB's last count; it counts about every six hours."""
    size: int
    """Bytes, counted at the same time."""
    read_units: Optional[float]
    """Maximum of read units per second; None for on-demand without a maximum."""
    provisioned: bool
    described_at_ms: int
    """By AWS's clock, in epoch milliseconds."""

    @property
    def kib_of_changes(self) -> float:
        """Estimated size of all items as changes, in KiB."""
        return (self.size * JSON_GROWTH + self.items * CHANGE_BYTES) / 1024


def source_table(clients: Callable[[str], Any], pipeline: DeployedPipeline) -> SourceTable:
    """Describe the pipeline's table.

    Raises CommandError when its stream is disabled or is not the one that the pipeline reads.
    """
    response = clients("dynamodb").describe_table(TableName=pipeline.source_table)
    table = response["Table"]
    stream = table.get("LatestStreamArn")
    enabled = table.get("StreamSpecification", {}).get("StreamEnabled", False)
    if not enabled or stream != pipeline.source_stream_arn:
        raise CommandError(
            f"The pipeline {pipeline.name} does not read the current stream of "
            f"{pipeline.source_table}, so the lake would miss changes made during the backfill. "
            "Enable the stream, run `pulumi up`, then run this command again.",
            code="stream-not-current",
            table=pipeline.source_table,
            stream=stream if enabled else None,
        )
    units, provisioned = _read_units(table)
    return SourceTable(
        name=table["TableName"],
        arn=table["TableArn"],
        created=table["CreationDateTime"].astimezone(UTC).isoformat(),
        stream_arn=stream,
        key_names=tuple(key["AttributeName"] for key in table["KeySchema"]),
        items=table.get("ItemCount", 0),
        size=table.get("TableSizeBytes", 0),
        read_units=units,
        provisioned=provisioned,
        described_at_ms=server_time_ms(response),
    )


def server_time_ms(response: dict[str, Any]) -> int:
    """Return the time of a response by AWS's clock, in epoch milliseconds."""
    date: str = response["ResponseMetadata"]["HTTPHeaders"]["date"]
    return int(parsedate_to_datetime(date).timestamp()) * 1000


def _read_units(table: dict[str, Any]) -> tuple[Optional[float], bool]:
    """Return the maximum of read units, and whether they are provisioned.

    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TableDescription.html
    """
    provisioned = table.get("ProvisionedThroughput", {}).get("ReadCapacityUnits", 0)
    mode = table.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED")
    if mode == "PROVISIONED" and provisioned > 0:
        return float(provisioned), True
    # -1 means no maximum.
    maximum = table.get("OnDemandThroughput", {}).get("MaxReadRequestUnits", -1)
    return (float(maximum) if maximum > 0 else None), False


def require_stream_reader(clients: Callable[[str], Any], pipeline: DeployedPipeline) -> None:
    """Raise CommandError unless the pipeline's event source mapping is enabled.

    Changes made during a backfill reach the lake through the stream only.
    """
    # s3://bucket/aws/lambda/<UUID of the mapping>/
    uuid = pipeline.failed_batches_location.rstrip("/").rpartition("/")[2]
    pages = clients("lambda").get_paginator("list_event_source_mappings")
    states = {
        mapping["UUID"]: mapping.get("State", "unknown")
        for page in pages.paginate(EventSourceArn=pipeline.source_stream_arn)
        for mapping in page["EventSourceMappings"]
    }
    state = states.get(uuid)
    if state is None:
        message = (
            f"The stream of {pipeline.source_table} has no event source mapping {uuid} of the "
            f"pipeline {pipeline.name}. Run `pulumi up`, or pass current outputs, then run this "
            "command again."
        )
        raise CommandError(message, code="no-event-source-mapping", uuid=uuid)
    if state != "Enabled":
        raise CommandError(
            f"The event source mapping of {pipeline.name} must be Enabled (got {state}), so that "
            "the lake gets changes made during the backfill. Enable it (aws lambda "
            f"update-event-source-mapping --uuid {uuid} --enabled), wait until its state is "
            "Enabled, then run this command again.",
            code="event-source-mapping-not-enabled",
            uuid=uuid,
            state=state,
        )
