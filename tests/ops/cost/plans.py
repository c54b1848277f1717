"""Plans with round numbers, for computations by hand."""

from dataclasses import replace
from typing import Any

from streaming_etl.ops.cost.assumptions import Assumptions
from streaming_etl.ops.cost.plan import MIB, Plan, Traffic

PLAIN = Assumptions(
    stream_bytes=0,
    line_bytes=0,
    metadata_bytes=0,
    cpu_factor=1,
    call_cpu_ms=0,
    parse_ms_per_mib=0,
    put_wait_ms=0,
)
"""Assumptions without overheads: only images and the CPU time of changes count."""
SECONDS = 2_628_000
"""Seconds in a month of 730 hours."""

PLAN = Plan(
    event_names=("INSERT", "MODIFY", "REMOVE"),
    old_image="on_remove",
    shards=1,
    parallelization_factor=1,
    batch_size=500,
    window_seconds=5,
    max_changes_per_record=500,
    record_bytes=256 * 1024,
    architecture="arm64",
    forwarder_memory_mib=1_769,
    transform_memory_mib=1_769,
    transform_buffer_bytes=MIB,
    transform_buffer_seconds=60,
    format="json",
    compressed=True,
    dynamic=False,
    prefixes=1,
    buffer_bytes=64 * MIB,
    buffer_seconds=120,
    crawler_runs=0,
    alarm_metrics=0,
    dashboards=0,
    customer_key=False,
    object_events=False,
)


def plan(**changed: Any) -> Plan:
    return replace(PLAN, **changed)


def traffic(changes_per_second: float, image_bytes: float = 300) -> Traffic:
    return Traffic(changes=changes_per_second * SECONDS, image_bytes=image_bytes)
