"""Monthly usage of a pipeline: calls, records, bytes and objects."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Optional

from streaming_etl.components.settings.cron import parse_cron
from streaming_etl.handlers.change_lag import MAX_VALUES as MAX_LAG_VALUES
from streaming_etl.ops.cost.assumptions import (
    FORWARDER,
    MONTH_SECONDS,
    TRANSFORM,
    Assumptions,
    cpu_us,
)
from streaming_etl.ops.cost.listings import dynamic_prefixes, listings_of, stored_months_of
from streaming_etl.ops.cost.merges import MergeUsage, merge_usage, query_bytes

if TYPE_CHECKING:
    from streaming_etl.components.settings.lake_table import LakeTableArgs
    from streaming_etl.components.settings.pipeline import StreamingEtlPipelineArgs as Args
    from streaming_etl.components.settings.stages import SourceArgs

KIB, MIB, GB, TB = 1024.0, 1024.0**2, 1024.0**3, 1024.0**4
# Firehose rounds each record up to 5 KB; a PutRecordBatch of the forwarder has at most 1 MiB.
# https://aws.amazon.com/firehose/pricing/
BILLING_STEP = 5 * KIB
CALL_BYTES = MIB
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
LAMBDA_EVENT_BYTES = 6 * MIB
# A function with this memory has one vCPU; a single-threaded handler uses no more.
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
VCPU_MIB = 1_769
# Lambda rounds each call up to 1 ms: 0.5 ms on average.
# https://aws.amazon.com/lambda/pricing/
ROUNDING_MS = 0.5
# Firehose uploads objects in parts with shorter buffers.
# https://docs.aws.amazon.com/firehose/latest/dev/buffering-hints.html
MULTIPART_SECONDS = 60
# A partition serves 1,000 writes and 3,000 reads per second, and has one shard of the stream.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html
PARTITION_WRITES, PARTITION_READS = 1_000, 3_000

# Runs are counted in a year without a leap day; the choice moves weekdays by one run at most.
YEAR_START, YEAR_END = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 12, 31, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """Writes to a source table in one month."""

    changes: float
    image_bytes: float
    """Mean size of an item in DynamoDB JSON."""
    shares: Mapping[str, float] = field(default_factory=dict)
    """Share of the changes by lake table; by default as `default_shares`."""
    items: Optional[float] = None
    """Items of the table; by default those inserted in `stored_months`."""


def default_shares(args: "Args") -> dict[str, float]:
    """Share of the changes that each lake table gets.

    A lake table without `where` gets all, and those with one get equal parts.
    """
    tables = args.tables
    conditions = sum(bool(table.where) for table in tables.values())
    return {key: 1 / conditions if table.where else 1.0 for key, table in tables.items()}


@dataclass(frozen=True, kw_only=True)
class DeliveryUsage:
    """Amounts from Firehose to queries, of one lake table or of all."""

    records: float
    """Firehose records."""
    billed_bytes: float
    """Size of the records as Firehose bills it."""
    transform_calls: float
    transform_gb_s: float
    row_bytes: float
    """Size of the rows before compression."""
    objects: float
    puts: float
    """Requests that write the objects."""
    log_bytes: float
    """Log lines of the transform, and in the total also of the forwarder."""
    stored_bytes: float
    """Size of the rows in the lake."""
    crawler_runs: float
    listings: Mapping[str, int]
    """LIST requests of one query over all rows of each lake table, by value of
    `query.current_state_source`."""


@dataclass(frozen=True, kw_only=True)
class LakeTableUsage(DeliveryUsage):
    """The part of one lake table in the usage."""

    share: float
    """Of all changes."""
    changes: float
    """Changes that the forwarder sends to it."""
    query_bytes: Mapping[str, float]
    """Bytes of one query of the current state as Athena bills them, by value of
    `query.current_state_source`."""
    merge: Optional[MergeUsage]
    """None without the merge stage."""


@dataclass(frozen=True, kw_only=True)
class Usage(DeliveryUsage):
    """Means over a month of even traffic without failures."""

    changes: float
    """Changes that the forwarder gets and `event_names` includes."""
    change_bytes: float
    """Size of one change in Firehose."""
    batch_changes: float
    """Changes per forwarder call."""
    forwarder_calls: float
    forwarder_gb_s: float
    lake_tables: Mapping[str, LakeTableUsage]


def usage_of(
    traffic: Traffic, args: "Args", assumptions: Assumptions, today: Optional[date] = None
) -> Usage:
    """Compute the usage that the traffic causes.

    today: end of partition projection in UTC, by default now.
    Raises CommandError for an invalid crawler schedule.
    """
    changes, stream_bytes, change_bytes = _sizes(traffic, args, assumptions)
    batch = _batch_changes(changes, stream_bytes, args, assumptions)
    calls = changes / batch
    shares = default_shares(args) | dict(traffic.shares)
    tables = {
        key: _lake_table_usage(
            table, shares[key], traffic, args, assumptions, changes, batch, change_bytes, today
        )
        for key, table in args.tables.items()
    }
    of_all = delivery_total([*tables.values()])
    of_all["log_bytes"] += calls * assumptions.log_bytes
    return Usage(
        changes=changes,
        change_bytes=change_bytes,
        batch_changes=batch,
        forwarder_calls=calls,
        forwarder_gb_s=_forwarder_gb_s(
            traffic, args, assumptions, changes, calls, stream_bytes, change_bytes, tables.values()
        ),
        lake_tables=tables,
        **of_all,
    )


def delivery_total(tables: Sequence[DeliveryUsage]) -> dict[str, Any]:
    """Return the sum of each amount of DeliveryUsage."""
    totals: dict[str, Any] = {
        item.name: sum(getattr(table, item.name) for table in tables)
        for item in fields(DeliveryUsage)
        if item.name != "listings"
    }
    sources = tables[0].listings
    totals["listings"] = {
        source: sum(table.listings[source] for table in tables) for source in sources
    }
    return totals


def _lake_table_usage(
    table: "LakeTableArgs",
    share: float,
    traffic: Traffic,
    args: "Args",
    assumptions: Assumptions,
    all_changes: float,
    batch_changes: float,
    change_bytes: float,
    today: Optional[date],
) -> LakeTableUsage:
    """Compute the usage that a share of each batch causes."""
    changes, batch, calls = all_changes * share, batch_changes * share, all_changes / batch_changes
    per_record = max(
        1,
        min(
            args.forwarder.max_changes_per_record,
            int(args.forwarder.max_record_kib * KIB / change_bytes),
        ),
    )
    records = calls * _interpolate(batch, lambda count: math.ceil(count / per_record))
    billed = calls * _interpolate(
        batch, lambda count: _billed_bytes(count, per_record, change_bytes)
    )
    wait = max(table.buffers.transform_seconds, assumptions.minimum_wait_seconds)
    transform_calls = min(
        records,
        max(MONTH_SECONDS / wait, changes * change_bytes / (table.transform.buffer_mib * MIB)),
    )
    item_bytes = traffic.image_bytes * assumptions.row_share
    row_bytes = changes * (item_bytes + assumptions.metadata_bytes) if item_bytes else 0.0
    objects = _objects(changes, records, row_bytes, table, assumptions)
    stored_bytes = row_bytes / _compression_ratio(table, assumptions)
    # Deleted items count too, as tombstones.
    months = stored_months_of(args.lake, assumptions)
    items = traffic.changes * assumptions.insert_share * months
    if traffic.items is not None:
        items = traffic.items
    row = item_bytes + assumptions.metadata_bytes
    merged_bytes = items * share * row / assumptions.parquet_ratio
    return LakeTableUsage(
        share=share,
        changes=changes,
        records=records,
        billed_bytes=billed,
        transform_calls=transform_calls,
        transform_gb_s=_transform_gb_s(traffic, args, table, assumptions, changes, transform_calls),
        row_bytes=row_bytes,
        objects=objects,
        puts=objects * _requests_per_object(table, assumptions),
        log_bytes=transform_calls * (assumptions.log_bytes + assumptions.lag_bytes)
        + min(changes, transform_calls * MAX_LAG_VALUES) * assumptions.lag_value_bytes,
        stored_bytes=stored_bytes,
        crawler_runs=runs_per_month(table.crawler_schedule) if table.catalog == "crawler" else 0,
        listings=listings_of(objects, args.lake, table, assumptions, today),
        query_bytes=query_bytes(stored_bytes, merged_bytes, args.lake, table, assumptions),
        merge=merge_usage(stored_bytes, merged_bytes, args.lake, table, assumptions),
    )


def _sizes(traffic: Traffic, args: "Args", assumptions: Assumptions) -> tuple[float, float, float]:
    """Return the changes sent, and their size in stream and Firehose."""
    shares = {name: assumptions.shares[name] for name in args.forwarder.event_names}
    sent = sum(shares.values())
    if not sent:
        size = traffic.image_bytes
        return 0.0, assumptions.stream_bytes + size, assumptions.line_bytes + size
    new = sum(share for name, share in shares.items() if name != "REMOVE")
    old = sum(share for name, share in shares.items() if name != "INSERT")
    stream_bytes = assumptions.stream_bytes + traffic.image_bytes * (new + old) / sent
    old_sent = {"always": old, "on_remove": shares.get("REMOVE", 0.0), "never": 0.0}
    images = (new + old_sent[args.forwarder.old_image]) / sent
    change_bytes = assumptions.line_bytes + traffic.image_bytes * images
    return traffic.changes * sent, stream_bytes, change_bytes


def _batch_changes(
    changes: float, stream_bytes: float, args: "Args", assumptions: Assumptions
) -> float:
    """Return the changes that a concurrent batch collects per window."""
    limit = max(1, min(args.forwarder.batch_size, int(LAMBDA_EVENT_BYTES / stream_bytes)))
    batches = _shards(args.source, assumptions) * args.forwarder.parallelization_factor
    window = max(args.batching_window_seconds, assumptions.poll_seconds)
    return min(max(changes / MONTH_SECONDS / batches * window, 1.0), float(limit))


def _interpolate(mean: float, of: Callable[[int], float]) -> float:
    """Weight the neighboring integers.

    A mean of 2.4 is six batches of 2 and four of 3.
    """
    low = math.floor(mean)
    return of(low) + (mean - low) * (of(low + 1) - of(low)) if mean > low else of(low)


def _billed_bytes(changes: int, per_record: int, change_bytes: float) -> float:
    """Return the billed size of the records of a batch."""
    full, remaining = divmod(changes, per_record)
    return full * rounded_up(per_record * change_bytes) + rounded_up(remaining * change_bytes)


def rounded_up(size: float) -> float:
    """Return the size of a record as Firehose bills it."""
    return math.ceil(size / BILLING_STEP) * BILLING_STEP


def _forwarder_gb_s(
    traffic: Traffic,
    args: "Args",
    assumptions: Assumptions,
    changes: float,
    calls: float,
    stream_bytes: float,
    change_bytes: float,
    tables: Iterable[LakeTableUsage],
) -> float:
    records = "aggregated" if args.forwarder.max_changes_per_record > 1 else "single"
    cpu_of_change = cpu_us(FORWARDER[records], traffic.image_bytes)
    cpu_ms = changes * stream_bytes / MIB * assumptions.parse_ms_per_mib
    put_calls = 0.0
    for table in tables:
        # At most: lake tables that get the same form of a change share its line. The forwarder
        # calls one stream after another.
        cpu_ms += table.changes * cpu_of_change / 1000
        put_calls += max(min(calls, table.changes), table.changes * change_bytes / CALL_BYTES)
    wait_ms = put_calls * assumptions.put_wait_ms
    return _gb_s(cpu_ms, wait_ms, calls, args.forwarder.memory_mib, assumptions)


def _transform_gb_s(
    traffic: Traffic,
    args: "Args",
    table: "LakeTableArgs",
    assumptions: Assumptions,
    changes: float,
    calls: float,
) -> float:
    # With dynamic partitioning Firehose deaggregates records before it calls the transform.
    single = table.partitions.dynamic or args.forwarder.max_changes_per_record == 1
    rows = "csv" if table.format == "csv" else "json"
    cpu = cpu_us(TRANSFORM[rows, "single" if single else "aggregated"], traffic.image_bytes)
    return _gb_s(changes * cpu / 1000, 0.0, calls, table.transform.memory_mib, assumptions)


def _gb_s(
    cpu_ms: float, wait_ms: float, calls: float, memory_mib: int, assumptions: Assumptions
) -> float:
    """Return GB-seconds; cpu_ms is time on the machine of docs/performance.md."""
    factor = assumptions.cpu_factor * max(1.0, VCPU_MIB / memory_mib)
    total_ms = (cpu_ms + calls * assumptions.call_cpu_ms) * factor + wait_ms + calls * ROUNDING_MS
    return total_ms / 1000 * memory_mib / 1024


def _objects(
    changes: float,
    records: float,
    row_bytes: float,
    table: "LakeTableArgs",
    assumptions: Assumptions,
) -> float:
    """Return the objects that flushes by size or by time write."""
    if not row_bytes:
        return 0.0
    wait = max(table.buffers.delivery_seconds, assumptions.minimum_wait_seconds)
    prefixes = dynamic_prefixes(table.partitions, assumptions)
    by_size = row_bytes / prefixes / (table.buffers.delivery_mib * MIB)
    flushes = prefixes * max(MONTH_SECONDS / wait, by_size)
    # An object has at least one record, or one change where records are deaggregated.
    return min(changes if table.partitions.dynamic else records, flushes)


def _requests_per_object(table: "LakeTableArgs", assumptions: Assumptions) -> float:
    is_multipart = table.buffers.delivery_seconds < MULTIPART_SECONDS
    return assumptions.multipart_requests if is_multipart else 1.0


def _compression_ratio(table: "LakeTableArgs", assumptions: Assumptions) -> float:
    if table.format != "parquet" and table.delivery.compression == "UNCOMPRESSED":
        return 1.0
    return assumptions.parquet_ratio if table.format == "parquet" else assumptions.gzip_ratio


def runs_per_month(schedule: str) -> float:
    """Return the mean runs per month of a crawler's schedule.

    Any year field counts as every year.
    """
    times = parse_cron(schedule)
    days_and_month = schedule.split(" ")[2:5]
    midnights = parse_cron(f"cron(0 0 {' '.join(days_and_month)} *)")
    days = len(midnights.get_all_schedule_bw_dates(YEAR_START, YEAR_END))
    per_day: int = len(set(times.minutes)) * len(set(times.hours))
    return days * per_day / 12


def _shards(source: "SourceArgs", assumptions: Assumptions) -> float:
    if source.write_capacity is None or source.read_capacity is None:
        return assumptions.on_demand_shards
    partitions = source.write_capacity / PARTITION_WRITES + source.read_capacity / PARTITION_READS
    return max(1, math.ceil(partitions))
