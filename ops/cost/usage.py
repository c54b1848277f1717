"""What runs through a pipeline in a month: calls, records, bytes and objects."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from streaming_etl.ops.cost.assumptions import (
    FORWARDER,
    MONTH_SECONDS,
    TRANSFORM,
    Assumptions,
    cpu_us,
)
from streaming_etl.ops.cost.plan import KIB, MIB, Plan, Traffic

# Firehose bills a record by 5 KB begun, and takes 1 MiB a call as handlers/put.py packs it.
# https://aws.amazon.com/firehose/pricing/
BILLED_STEP = 5 * KIB
CALL_BYTES = MIB
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
LAMBDA_EVENT_BYTES = 6 * MIB
# At this memory a function has one vCPU; a handler of one thread gains nothing from more.
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
VCPU_MIB = 1_769
# Lambda bills each call to the next millisecond: half of one on average.
# https://aws.amazon.com/lambda/pricing/
ROUNDING_MS = 0.5


@dataclass(frozen=True, kw_only=True)
class Flow:
    """Means over a month of even traffic in which nothing fails. Bytes are bytes, not KB."""

    changes: float
    """Those that the forwarder takes."""
    line_bytes: float
    """A change on Firehose."""
    batch_changes: float
    """Changes a call of the forwarder."""
    forwarder_calls: float
    forwarder_gb_s: float
    records: float
    """Firehose records."""
    billed_bytes: float
    """What Firehose bills of them."""
    transform_calls: float
    transform_gb_s: float
    row_bytes: float
    """Rows before they are compressed."""
    objects: float
    stored_bytes: float
    """Rows as they lie in the lake."""
    log_bytes: float


def flow_of(traffic: Traffic, plan: Plan, assumptions: Assumptions) -> Flow:
    """Count what the traffic makes of the plan."""
    changes, stream_bytes, line_bytes = _sizes(traffic, plan, assumptions)
    batch = _batch(changes, stream_bytes, plan, assumptions)
    forwarder_calls = changes / batch
    per_record = _per_record(line_bytes, plan)
    records = forwarder_calls * _between(batch, lambda count: _records(count, per_record))
    billed = forwarder_calls * _between(
        batch, lambda count: _billed_bytes(count, per_record, line_bytes)
    )
    sent = changes * line_bytes
    waited = max(plan.transform_buffer_seconds, assumptions.minimum_wait_seconds)
    full = sent / plan.transform_buffer_bytes
    transform_calls = min(records, max(MONTH_SECONDS / waited, full))
    item_bytes = traffic.image_bytes * assumptions.row_share
    row_bytes = changes * (item_bytes + assumptions.metadata_bytes) if item_bytes else 0.0
    lines = assumptions.log_bytes_by_hand if plan.whole_records else assumptions.log_bytes
    return Flow(
        changes=changes,
        line_bytes=line_bytes,
        batch_changes=batch,
        forwarder_calls=forwarder_calls,
        forwarder_gb_s=_forwarder_gb_s(
            traffic, plan, assumptions, changes, forwarder_calls, stream_bytes, line_bytes
        ),
        records=records,
        billed_bytes=billed,
        transform_calls=transform_calls,
        transform_gb_s=_transform_gb_s(traffic, plan, assumptions, changes, transform_calls),
        row_bytes=row_bytes,
        objects=_objects(changes, records, row_bytes, plan, assumptions),
        stored_bytes=row_bytes / _ratio(plan, assumptions),
        log_bytes=(forwarder_calls + transform_calls) * lines,
    )


def _sizes(traffic: Traffic, plan: Plan, assumptions: Assumptions) -> tuple[float, float, float]:
    """Changes taken, and the bytes of one on the stream and on Firehose."""
    shares = {kind: assumptions.shares[kind] for kind in plan.kinds}
    taken = sum(shares.values())
    if not taken:
        size = traffic.image_bytes
        return 0.0, assumptions.stream_bytes + size, assumptions.line_bytes + size
    new = sum(share for kind, share in shares.items() if kind != "REMOVE")
    old = sum(share for kind, share in shares.items() if kind != "INSERT")
    stream_bytes = assumptions.stream_bytes + traffic.image_bytes * (new + old) / taken
    if plan.whole_records:
        return traffic.changes * taken, stream_bytes, stream_bytes
    travels = {"always": old, "on_remove": shares.get("REMOVE", 0.0), "never": 0.0}[plan.old_image]
    line_bytes = assumptions.line_bytes + traffic.image_bytes * (new + travels) / taken
    return traffic.changes * taken, stream_bytes, line_bytes


def _batch(changes: float, stream_bytes: float, plan: Plan, assumptions: Assumptions) -> float:
    """Changes that one lane of a shard gathers before its window ends or its batch is full."""
    most = max(1, min(plan.batch_size, int(LAMBDA_EVENT_BYTES / stream_bytes)))
    lanes = plan.shards * plan.parallelization_factor
    window = max(plan.window_seconds, assumptions.poll_seconds)
    return min(max(changes / MONTH_SECONDS / lanes * window, 1.0), float(most))


def _per_record(line_bytes: float, plan: Plan) -> int:
    return max(1, min(plan.max_changes_per_record, int(plan.record_bytes / line_bytes)))


def _between(mean: float, of: Callable[[int], float]) -> float:
    """A mean of 2.4 changes: six batches of 2 for every four of 3."""
    low = math.floor(mean)
    return of(low) + (mean - low) * (of(low + 1) - of(low)) if mean > low else of(low)


def _records(changes: int, per_record: int) -> float:
    return math.ceil(changes / per_record)


def _billed_bytes(changes: int, per_record: int, line_bytes: float) -> float:
    """What Firehose bills of a batch: full records, and one with the rest."""
    full, rest = divmod(changes, per_record)
    return full * rounded(per_record * line_bytes) + rounded(rest * line_bytes)


def rounded(size: float) -> float:
    """A record's bytes as Firehose bills them."""
    return math.ceil(size / BILLED_STEP) * BILLED_STEP


def _forwarder_gb_s(
    traffic: Traffic,
    plan: Plan,
    assumptions: Assumptions,
    changes: float,
    calls: float,
    stream_bytes: float,
    line_bytes: float,
) -> float:
    packing = "packed" if plan.max_changes_per_record > 1 else "alone"
    cpu_ms = changes * cpu_us(FORWARDER[packing], traffic.image_bytes) / 1000
    cpu_ms += changes * stream_bytes / MIB * assumptions.parse_ms_per_mib
    puts = max(calls, changes * line_bytes / CALL_BYTES)
    waited_ms = puts * assumptions.put_wait_ms
    return _gb_s(cpu_ms, waited_ms, calls, plan.forwarder_memory_mib, assumptions)


def _transform_gb_s(
    traffic: Traffic, plan: Plan, assumptions: Assumptions, changes: float, calls: float
) -> float:
    # With dynamic partitioning Firehose takes packs apart before the transform sees them.
    alone = plan.dynamic or plan.max_changes_per_record == 1
    handler = "simple" if plan.whole_records else "alone" if alone else "packed"
    rows = "csv" if plan.format == "csv" else "json"
    cpu_ms = changes * cpu_us(TRANSFORM[rows, handler], traffic.image_bytes) / 1000
    return _gb_s(cpu_ms, 0.0, calls, plan.transform_memory_mib, assumptions)


def _gb_s(
    cpu_ms: float, waited_ms: float, calls: float, memory_mib: int, assumptions: Assumptions
) -> float:
    """GB-seconds of calls that compute and wait this long, on the measuring machine's CPU."""
    slower = assumptions.cpu_factor * max(1.0, VCPU_MIB / memory_mib)
    total_ms = (cpu_ms + calls * assumptions.call_cpu_ms) * slower + waited_ms + calls * ROUNDING_MS
    return total_ms / 1000 * memory_mib / 1024


def _objects(
    changes: float, records: float, row_bytes: float, plan: Plan, assumptions: Assumptions
) -> float:
    """Objects of the lake: a folder's buffer is emptied when it is full, or after its seconds."""
    if not row_bytes:
        return 0.0
    waited = max(plan.buffer_seconds, assumptions.minimum_wait_seconds)
    full = row_bytes / plan.folders / plan.buffer_bytes
    emptied = plan.folders * max(MONTH_SECONDS / waited, full)
    # An object holds at least a record, or a change of one where packs are taken apart.
    return min(changes if plan.dynamic else records, emptied)


def _ratio(plan: Plan, assumptions: Assumptions) -> float:
    if not plan.compressed:
        return 1.0
    return assumptions.parquet_ratio if plan.format == "parquet" else assumptions.gzip_ratio
