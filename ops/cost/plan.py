"""The settings of a pipeline that determine its cost, as numbers."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from aws_croniter import AwsCroniter  # type: ignore[import-untyped]

from streaming_etl.ops.cost.assumptions import Assumptions
from streaming_etl.stack.errors import CommandError

if TYPE_CHECKING:
    from streaming_etl.components.settings.partitions import PartitionArgs
    from streaming_etl.components.settings.pipeline import StreamingEtlPipelineArgs
    from streaming_etl.components.settings.stages import SourceArgs

KIB, MIB = 1024.0, 1024.0**2

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


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Settings of one pipeline that determine its cost."""

    event_names: Sequence[str]
    old_image: str
    shards: float
    parallelization_factor: int
    batch_size: int
    window_seconds: float
    max_changes_per_record: int
    record_bytes: float
    architecture: str
    forwarder_memory_mib: int
    transform_memory_mib: int
    transform_buffer_bytes: float
    transform_buffer_seconds: float
    format: str
    compressed: bool
    dynamic: bool
    """Firehose assigns rows to prefixes by dynamic partitioning."""
    prefixes: float
    """Partition prefixes that receive rows at the same time."""
    buffer_bytes: float
    buffer_seconds: float
    crawler_runs: float
    """Runs per month."""
    alarm_metrics: int
    """CloudWatch bills an alarm per metric."""
    dashboards: int
    customer_key: bool
    object_events: bool
    """The bucket sends an event to EventBridge for each object."""


def plan_of(args: "StreamingEtlPipelineArgs", assumptions: Assumptions) -> Plan:
    """Read the plan from settings; raises CommandError for an invalid crawler schedule."""
    # Imports Pulumi, which `--help` does not need.
    from streaming_etl.components.monitoring.alarms import alarms

    forwarder, transform, delivery = args.forwarder, args.transform, args.delivery
    crawled = args.catalog == "crawler"
    return Plan(
        event_names=tuple(forwarder.event_names),
        old_image=forwarder.old_image,
        shards=_shards(args.source, assumptions),
        parallelization_factor=forwarder.parallelization_factor,
        batch_size=forwarder.batch_size,
        window_seconds=forwarder.batching_window_seconds,
        max_changes_per_record=forwarder.max_changes_per_record,
        record_bytes=forwarder.max_record_kib * KIB,
        architecture=args.architecture,
        forwarder_memory_mib=forwarder.memory_mib,
        transform_memory_mib=transform.memory_mib,
        transform_buffer_bytes=transform.buffer_mib * MIB,
        transform_buffer_seconds=transform.buffer_seconds,
        format=args.format,
        compressed=args.format == "parquet" or delivery.compression != "UNCOMPRESSED",
        dynamic=args.partitions.dynamic,
        prefixes=_prefixes(args.partitions, assumptions),
        buffer_bytes=delivery.buffer_mib * MIB,
        buffer_seconds=delivery.buffer_seconds,
        crawler_runs=runs_per_month(args.crawler_schedule) if crawled else 0,
        alarm_metrics=len(alarms(args, "pipeline", "stack")),
        dashboards=int(args.monitoring.dashboard),
        customer_key=args.lake.kms_key_arn is not None,
        # An existing bucket's events belong to its owner.
        object_events=args.lake.bucket_name is None,
    )


def runs_per_month(schedule: str) -> float:
    """Return the mean runs per month of an AWS cron expression, `cron(<six fields>)`.

    Any year field counts as every year. Raises CommandError for an invalid expression.
    """
    fields = schedule.removeprefix("cron(").removesuffix(")").split()
    try:
        times = AwsCroniter(" ".join([*fields[:5], *("*" for _ in fields[5:])]))
        midnights = AwsCroniter(" ".join(["0 0", *fields[2:5], "*"]))
    except ValueError as error:
        raise CommandError(
            f"`crawler_schedule` must be a cron expression of six fields (got {schedule}): {error}"
            " Use an expression such as cron(10 * * * ? *).",
            code="invalid-schedule",
            schedule=schedule,
        ) from None
    days = len(midnights.get_all_schedule_bw_dates(YEAR_START, YEAR_END))
    return days * len(times.minutes) * len(times.hours) / 12


def _shards(source: "SourceArgs", assumptions: Assumptions) -> float:
    if source.write_capacity is None or source.read_capacity is None:
        return assumptions.on_demand_shards
    partitions = source.write_capacity / PARTITION_WRITES + source.read_capacity / PARTITION_READS
    return max(1, math.ceil(partitions))


def _prefixes(partitions: "PartitionArgs", assumptions: Assumptions) -> float:
    """Count by dynamic partition keys; periods of time follow each other."""
    values = partitions.dynamic_partition_keys.values()
    return math.prod(len(listed) or assumptions.injected_key_values for listed in values)
