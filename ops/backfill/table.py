"""The table that a backfill reads, as DynamoDB tells of it; and whether its changes are read."""

from dataclasses import dataclass
from datetime import UTC
from typing import Any, Optional

from streaming_etl.stack.clients import Clients
from streaming_etl.stack.errors import CommandError
from streaming_etl.stack.outputs import Pipeline


@dataclass(frozen=True)
class SourceTable:
    """What a backfill needs to know of the table before it begins."""

    name: str
    arn: str
    created: str
    """ISO 8601, UTC: a table made anew under the same name has the same ARN."""
    stream_arn: str
    key_names: tuple[str, ...]
    items: int
    """As DynamoDB tells, which counts them about every six hours."""
    size: int
    """Bytes, counted at the same time."""
    read_units: Optional[float]
    """The most that may be read per second; None when on demand without a maximum."""
    provisioned: bool


def source_table(clients: Clients, pipeline: Pipeline) -> SourceTable:
    """Ask DynamoDB for the pipeline's table.

    Raises CommandError when its stream is another than the pipeline reads.
    """
    table = clients("dynamodb").describe_table(TableName=pipeline.source_table)["Table"]
    stream = table.get("LatestStreamArn")
    enabled = table.get("StreamSpecification", {}).get("StreamEnabled", False)
    if not enabled or stream != pipeline.source_stream_arn:
        raise CommandError(
            f"The stream of {pipeline.source_table} is off, or another than the pipeline "
            f"{pipeline.name} reads: the changes made during the backfill would not be in the "
            "lake. Switch the stream on, run `pulumi up`, then run this command again."
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
    )


def _read_units(table: dict[str, Any]) -> tuple[Optional[float], bool]:
    """The most units per second that the table gives, and whether they are provisioned.

    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TableDescription.html
    """
    provisioned = table.get("ProvisionedThroughput", {}).get("ReadCapacityUnits", 0)
    mode = table.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED")
    if mode == "PROVISIONED" and provisioned > 0:
        return float(provisioned), True
    # -1 stands for no maximum.
    most = table.get("OnDemandThroughput", {}).get("MaxReadRequestUnits", -1)
    return (float(most) if most > 0 else None), False


def require_reading(clients: Clients, pipeline: Pipeline) -> None:
    """Raises CommandError unless the pipeline's event source mapping reads the stream.

    A change that is made while the table is scanned is in the lake by the stream only. So the
    stream has to be read before the scan begins.
    """
    # s3://bucket/aws/lambda/<UUID of the mapping>/
    uuid = str(pipeline.failed_batches_location).rstrip("/").rpartition("/")[2]
    pages = clients("lambda").get_paginator("list_event_source_mappings")
    states = {
        mapping["UUID"]: mapping.get("State", "unknown")
        for page in pages.paginate(EventSourceArn=pipeline.source_stream_arn)
        for mapping in page["EventSourceMappings"]
    }
    state = states.get(uuid)
    if state is None:
        raise CommandError(
            f"The pipeline {pipeline.name} has no event source mapping {uuid} on the stream of "
            f"{pipeline.source_table}. Run `pulumi up`, or pass the outputs of the stack as it is "
            "now, then run this command again."
        )
    if state != "Enabled":
        raise CommandError(
            f"The event source mapping of {pipeline.name} is {state}, not Enabled: changes made "
            "during the backfill would not be in the lake. Enable it (aws lambda "
            f"update-event-source-mapping --uuid {uuid} --enabled), wait until its state is "
            "Enabled, then run this command again."
        )
