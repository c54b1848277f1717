"""Monthly bill of a pipeline: usage times prices."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import TYPE_CHECKING, Optional

from streaming_etl.ops.cost.assumptions import Assumptions
from streaming_etl.ops.cost.prices import Prices
from streaming_etl.ops.cost.usage import GB, TB, LakeTableUsage, Traffic, Usage, usage_of

if TYPE_CHECKING:
    from streaming_etl.components.settings.lake_table import LakeTableArgs
    from streaming_etl.components.settings.pipeline import StreamingEtlPipelineArgs


@dataclass(frozen=True, kw_only=True)
class Line:
    """One item that AWS bills."""

    service: str
    item: str
    quantity: float
    unit: str
    usd: float
    lake_table: Optional[str] = None
    """The lake table of a pipeline with `lake_tables`; None for what its lake tables share."""


@dataclass(frozen=True, kw_only=True)
class LakeTableBill:
    """The part of one lake table in the bill."""

    usd: float
    freshness: str
    wait_seconds: int
    """The longest wait of a change in batching window and buffers."""
    query_listings: int
    """LIST requests of one query of the current state; 0 without current state."""
    full_scan_usd: float
    """Athena's price for one query over all rows of the month; not part of the bill."""
    query_scan_usd: Mapping[str, float]
    """Athena's price for one query of the current state by value of `query.current_state_source`;
    empty without current state. Not part of the bill."""


@dataclass(frozen=True, kw_only=True)
class Bill:
    """One month of one pipeline, in floats because quantities are estimates."""

    name: str
    traffic: Traffic
    usage: Usage
    lines: Sequence[Line]
    """Every item, also those with a quantity of 0; those of merges only with `merge.enabled`."""
    lake_tables: Mapping[str, LakeTableBill]
    has_several: bool
    """Whether the pipeline has `lake_tables`."""

    @property
    def query_listings(self) -> int:
        """LIST requests of one query of each current state."""
        return sum(table.query_listings for table in self.lake_tables.values())

    @property
    def full_scan_usd(self) -> float:
        """Athena's price for one query over all rows of each lake table."""
        return sum(table.full_scan_usd for table in self.lake_tables.values())

    @property
    def query_scan_usd(self) -> dict[str, float]:
        """Athena's price for one query of each current state, by its source."""
        total: dict[str, float] = {}
        for table in self.lake_tables.values():
            for source, usd in table.query_scan_usd.items():
                total[source] = total.get(source, 0.0) + usd
        return total

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

    usage = usage_of(traffic, args, assumptions, today)
    lines: list[Line] = []
    add = partial(_line, prices)
    lambda_time = f"lambda_{args.architecture}"
    # Lambda reads streams without charge.
    # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CostOptimization_StreamsUsage.html
    lines += [
        add("DynamoDB Streams", "reads by Lambda", usage.changes, "changes", "", 1),
        add("Lambda", "forwarder", usage.forwarder_calls, "calls", "lambda_requests", 1e6),
        add("Lambda", "forwarder, time", usage.forwarder_gb_s, "GB-s", lambda_time, 1),
    ]
    lake_tables = {}
    for key, table in args.tables.items():
        used = usage.lake_tables[key]
        of_table = list(_lake_table_lines(key, table, used, args, prices, assumptions))
        lines += of_table
        lake_tables[key] = LakeTableBill(
            usd=sum(line.usd for line in of_table),
            freshness=table.freshness or args.freshness,
            wait_seconds=args.batching_window_seconds + table.buffers.longest_wait,
            query_listings=_query_listings(used, table),
            full_scan_usd=prices.of("athena_scan", used.stored_bytes / TB),
            query_scan_usd={
                source: prices.of("athena_scan", size / TB)
                for source, size in used.query_bytes.items()
                if table.query.current_state
            },
        )
    # One metric per alarm.
    metrics, dashboards = len(alarms(args)), int(args.monitoring.dashboard)
    lines += [
        add("CloudWatch", "alarms", metrics, "metrics", "cloudwatch_alarms", 1),
        add("CloudWatch", "dashboard", dashboards, "dashboards", "cloudwatch_dashboards", 1),
        add("CloudWatch", "logs", usage.log_bytes / GB, "GB", "cloudwatch_logs", 1),
    ]
    return Bill(
        name=name,
        traffic=traffic,
        usage=usage,
        lines=tuple(lines),
        lake_tables=lake_tables,
        has_several=bool(args.lake_tables),
    )


def _lake_table_lines(
    key: str,
    table: "LakeTableArgs",
    usage: LakeTableUsage,
    args: "StreamingEtlPipelineArgs",
    prices: Prices,
    assumptions: Assumptions,
) -> Iterator[Line]:
    """Yield what AWS bills for one lake table."""
    billed, rows, objects = usage.billed_bytes / GB, usage.row_bytes / GB, usage.objects
    parquet = billed if table.format == "parquet" else 0.0
    partitioned_rows, partitioned_objects = (
        (rows, objects) if table.partitions.dynamic else (0.0, 0.0)
    )
    key_requests = objects * assumptions.key_requests_per_object if args.lake_key_arn else 0.0
    # The events of an existing bucket belong to its owner.
    events = objects if args.lake.bucket_name is None else 0.0
    crawler_hours = usage.crawler_runs * assumptions.crawler_dpus * assumptions.crawler_minutes / 60
    listings = _query_listings(usage, table) * assumptions.queries_per_month
    lambda_time = f"lambda_{args.architecture}"
    add = partial(_line, prices, lake_table=key if args.lake_tables else None)
    yield add("Firehose", "ingestion", billed, "GB", "firehose_ingestion", 1)
    yield add("Lambda", "transform", usage.transform_calls, "calls", "lambda_requests", 1e6)
    yield add("Lambda", "transform, time", usage.transform_gb_s, "GB-s", lambda_time, 1)
    yield add("Firehose", "Parquet", parquet, "GB", "firehose_conversion", 1)
    yield add("Firehose", "partitioning", partitioned_rows, "GB", "firehose_partitioning", 1)
    yield add(
        "Firehose",
        "partitioned objects",
        partitioned_objects,
        "objects",
        "firehose_partitioned_objects",
        1e3,
    )
    yield add("S3", "PUTs", usage.puts, "requests", "s3_puts", 1e3)
    yield add("S3", "the month's rows", usage.stored_bytes / GB, "GB-month", "s3_storage", 1)
    # PUT and LIST requests have one price.
    # https://aws.amazon.com/s3/pricing/
    yield add("S3", "listings of queries", listings, "listings", "s3_puts", 1e3)
    yield add("KMS", "requests", key_requests, "requests", "kms_requests", 1e3)
    yield add("EventBridge", "objects", events, "events", "eventbridge_object_events", 1e6)
    yield add("Glue", "crawler", crawler_hours, "DPU-hours", "glue_crawler", 1)
    # Without changes the transform is not called.
    lag = float(usage.changes > 0)
    yield add("CloudWatch", "metric of the lag", lag, "metrics", "cloudwatch_metrics", 1)
    if (merge := usage.merge) is not None:
        scanned, merged = merge.scanned_bytes / GB, merge.merged_bytes / GB
        transitions = "step_functions_transitions"
        yield add("Athena", "merges", scanned, "GB", "athena_scan", TB / GB)
        yield add("Step Functions", "merges", merge.transitions, "transitions", transitions, 1e3)
        yield add("EventBridge", "schedule", merge.runs, "runs", "scheduler_invocations", 1e6)
        yield add("S3", "requests of merges", merge.requests, "requests", "s3_puts", 1e3)
        yield add("S3", "merged table", merged, "GB-month", "s3_storage", 1)


def _query_listings(usage: LakeTableUsage, table: "LakeTableArgs") -> int:
    return usage.listings[table.current_state_source] if table.query.current_state else 0


def _line(
    prices: Prices,
    service: str,
    item: str,
    quantity: float,
    unit: str,
    price: str,
    per: float,
    lake_table: Optional[str] = None,
) -> Line:
    """Return an item of the bill.

    price: its name, "" for none. per: units of the quantity per unit of the price.
    """
    usd = prices.of(price, quantity / per) if price else 0.0
    return Line(
        service=service, item=item, quantity=quantity, unit=unit, usd=usd, lake_table=lake_table
    )
