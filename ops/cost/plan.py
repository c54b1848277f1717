"""From a pipeline's settings to what of them costs money, and the same pipeline made by hand."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from streaming_etl.ops.cost.assumptions import Assumptions
from streaming_etl.ops.cost.schedule import runs_per_month

if TYPE_CHECKING:
    from streaming_etl.components.settings.partitions import PartitionArgs
    from streaming_etl.components.settings.pipeline import StreamingEtlPipelineArgs
    from streaming_etl.components.settings.stages import SourceArgs

KIB, MIB = 1024.0, 1024.0**2

# Glue's shortest schedule.
# https://docs.aws.amazon.com/glue/latest/dg/monitor-data-warehouse-schedule.html
EVERY_FIVE_MINUTES = "cron(0/5 * * * ? *)"
# A partition takes 1,000 writes and 3,000 reads a second, and makes a shard of the stream.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html
PARTITION_WRITES, PARTITION_READS = 1_000, 3_000


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """What a table's writers do in a month."""

    changes: float
    image_bytes: float
    """Mean size of an item in DynamoDB JSON."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A pipeline as the bill sees it."""

    kinds: Sequence[str]
    old_image: str
    whole_records: bool = False
    """Stream records travel as they are, with both images, read by a simple transform."""
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
    """Firehose sorts rows into folders by dynamic partitioning."""
    folders: float
    """Folders that rows go to at the same time."""
    buffer_bytes: float
    buffer_seconds: float
    crawler_runs: float
    alarm_metrics: int
    """An alarm is billed by its metrics; each of the pipeline's has one."""
    dashboards: int
    customer_key: bool
    object_events: bool
    """The bucket tells EventBridge of each object, so that those set aside are noticed."""


def plan_of(args: "StreamingEtlPipelineArgs", assumptions: Assumptions) -> Plan:
    """What costs, of a pipeline's settings. Raises CommandError for a schedule that it cannot count."""
    # Not above: it loads Pulumi, for which `--help` need not wait.
    from streaming_etl.components.monitoring.alarms import alarms

    forwarder, transform, delivery = args.forwarder, args.transform, args.delivery
    crawled = args.catalog == "crawler"
    return Plan(
        kinds=tuple(forwarder.event_names),
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
        folders=_folders(args.partitions, assumptions),
        buffer_bytes=delivery.buffer_mib * MIB,
        buffer_seconds=delivery.buffer_seconds,
        crawler_runs=runs_per_month(args.crawler_schedule) if crawled else 0,
        alarm_metrics=len(alarms(args, "pipeline", "stack")),
        dashboards=int(args.monitoring.dashboard),
        customer_key=args.lake.kms_key_arn is not None,
        # What a bucket from outside tells of is its owner's, and for other pipelines too.
        object_events=args.lake.bucket_name is None,
    )


def by_hand(plan: Plan) -> Plan:
    """The same table, format, folders, buffers and functions, as one sets them up by hand:

    one change a Firehose record, whole as the stream gives it; Lambda's own batches (100 changes,
    no window, one at a time per shard); a simple transform; a crawler every five minutes instead
    of projection; no alarm, no event of an object and no dashboard.
    """
    return replace(
        plan,
        whole_records=True,
        max_changes_per_record=1,
        batch_size=100,
        window_seconds=0,
        parallelization_factor=1,
        crawler_runs=runs_per_month(EVERY_FIVE_MINUTES),
        alarm_metrics=0,
        dashboards=0,
        object_events=False,
    )


def _shards(source: "SourceArgs", assumptions: Assumptions) -> float:
    if source.write_capacity is None or source.read_capacity is None:
        return assumptions.on_demand_shards
    partitions = source.write_capacity / PARTITION_WRITES + source.read_capacity / PARTITION_READS
    return max(1, math.ceil(partitions))


def _folders(partitions: "PartitionArgs", assumptions: Assumptions) -> float:
    """By row keys; the folders of a time follow each other, and are not open at once."""
    values = partitions.dynamic_partition_keys.values()
    return math.prod(len(listed) or assumptions.any_value_folders for listed in values)
