"""Monthly bill of a pipeline: usage times prices."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Optional

from streaming_etl.ops.cost.assumptions import Assumptions
from streaming_etl.ops.cost.prices import Prices
from streaming_etl.ops.cost.usage import GB, TB, Traffic, Usage, usage_of

if TYPE_CHECKING:
    from streaming_etl.components.settings.pipeline import StreamingEtlPipelineArgs


@dataclass(frozen=True, kw_only=True)
class Line:
    """One item that AWS bills."""

    service: str
    item: str
    quantity: float
    unit: str
    usd: float


@dataclass(frozen=True, kw_only=True)
class Bill:
    """One month of one pipeline, in floats because quantities are estimates."""

    name: str
    traffic: Traffic
    usage: Usage
    lines: Sequence[Line]
    """Every item, also those with a quantity of 0."""
    query_listings: int
    """LIST requests of one query of the current state; 0 without current state."""
    full_scan_usd: float
    """Athena's price for one query over all rows of the month; not part of the bill."""

    @property
    def usd(self) -> float:
        return sum(line.usd for line in self.lines)


def bill_of(
    name: str,
    traffic: Traffic,
    args: "StreamingEtlPipelineArgs",
    prices: Prices,
    assumptions: Assumptions,
    today: Optional[date] = None,
) -> Bill:
    """Compute the bill of a pipeline.

    today: end of partition projection in UTC, by default now.
    Raises CommandError for an invalid crawler schedule.
    """
    # Imports Pulumi, which `--help` does not need.
    from streaming_etl.components.monitoring.alarms import alarms

    [table] = args.tables.values()
    usage = usage_of(traffic, args, assumptions, today)
    lines = []

    def add(service: str, item: str, quantity: float, unit: str, price: str, per: float) -> None:
        usd = prices.of(price, quantity / per) if price else 0.0
        lines.append(Line(service=service, item=item, quantity=quantity, unit=unit, usd=usd))

    billed, rows, objects = usage.billed_bytes / GB, usage.row_bytes / GB, usage.objects
    parquet = billed if table.format == "parquet" else 0.0
    partitioned_rows, partitioned_objects = (
        (rows, objects) if table.partitions.dynamic else (0.0, 0.0)
    )
    key_requests = objects * assumptions.key_requests_per_object if args.lake.kms_key_arn else 0.0
    # The events of an existing bucket belong to its owner.
    events = objects if args.lake.bucket_name is None else 0.0
    crawler_hours = usage.crawler_runs * assumptions.crawler_dpus * assumptions.crawler_minutes / 60
    query = table.query
    query_listings = usage.listings[query.current_state_source] if query.current_state else 0
    listings = query_listings * assumptions.queries_per_month
    lambda_time = f"lambda_{args.architecture}"
    # Lambda reads streams without charge.
    # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CostOptimization_StreamsUsage.html
    add("DynamoDB Streams", "reads by Lambda", usage.changes, "changes", "", 1)
    add("Lambda", "forwarder", usage.forwarder_calls, "calls", "lambda_requests", 1e6)
    add("Lambda", "forwarder, time", usage.forwarder_gb_s, "GB-s", lambda_time, 1)
    add("Firehose", "ingestion", billed, "GB", "firehose_ingestion", 1)
    add("Lambda", "transform", usage.transform_calls, "calls", "lambda_requests", 1e6)
    add("Lambda", "transform, time", usage.transform_gb_s, "GB-s", lambda_time, 1)
    add("Firehose", "Parquet", parquet, "GB", "firehose_conversion", 1)
    add("Firehose", "partitioning", partitioned_rows, "GB", "firehose_partitioning", 1)
    add(
        "Firehose",
        "partitioned objects",
        partitioned_objects,
        "objects",
        "firehose_partitioned_objects",
        1e3,
    )
    add("S3", "PUTs", objects, "objects", "s3_puts", 1e3)
    add("S3", "the month's rows", usage.stored_bytes / GB, "GB-month", "s3_storage", 1)
    # PUT and LIST requests have one price.
    # https://aws.amazon.com/s3/pricing/
    add("S3", "listings of queries", listings, "listings", "s3_puts", 1e3)
    add("KMS", "requests", key_requests, "requests", "kms_requests", 1e3)
    add("EventBridge", "objects", events, "events", "eventbridge_object_events", 1e6)
    add("Glue", "crawler", crawler_hours, "DPU-hours", "glue_crawler", 1)
    # One metric per alarm.
    add(
        "CloudWatch",
        "alarms",
        len(alarms(args)),
        "metrics",
        "cloudwatch_alarms",
        1,
    )
    add(
        "CloudWatch",
        "dashboard",
        int(args.monitoring.dashboard),
        "dashboards",
        "cloudwatch_dashboards",
        1,
    )
    add("CloudWatch", "logs", usage.log_bytes / GB, "GB", "cloudwatch_logs", 1)
    return Bill(
        name=name,
        traffic=traffic,
        usage=usage,
        lines=tuple(lines),
        query_listings=query_listings,
        full_scan_usd=prices.of("athena_scan", usage.stored_bytes / TB),
    )
