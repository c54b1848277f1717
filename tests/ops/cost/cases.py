"""Settings, traffic and assumptions with round numbers."""

from typing import Any

from streaming_etl import StreamingEtlPipelineArgs, args_from_config
from streaming_etl.ops.cost.assumptions import Assumptions
from streaming_etl.ops.cost.usage import Traffic
from streaming_etl.ops.stack_settings import merge

PLAIN = Assumptions(
    stream_bytes=0,
    line_bytes=0,
    metadata_bytes=0,
    cpu_factor=1,
    call_cpu_ms=0,
    parse_ms_per_mib=0,
    put_wait_ms=0,
    queries_per_month=0,
)
"""Assumptions without overheads: only images and the CPU time of changes count."""
SECONDS = 2_628_000
"""Seconds in a month of 730 hours."""

# One shard, one vCPU, no dashboard, no object events.
SETTINGS: dict[str, Any] = {
    "table_name": "orders",
    "transform_module": "transforms/orders.py",
    "partitions": {},
    "source": {"read_capacity": 1, "write_capacity": 1},
    "forwarder": {"parallelization_factor": 1, "memory_mib": 1_769},
    "transform": {"memory_mib": 1_769},
    "lake": {"bucket_name": "lake"},
    "monitoring": {"dashboard": False},
}
# The prefixes of the example stack's shipments.
CARRIERS = {
    "granularity": "hour",
    "dynamic_partition_keys": {"carrier": ["yamato", "sagawa", "japanpost"]},
}
FOUR_SHARDS = {"read_capacity": 3_000, "write_capacity": 3_000}


def settings(**overrides: Any) -> StreamingEtlPipelineArgs:
    return args_from_config("settings", merge(SETTINGS, overrides))


def shop(*lake_tables: dict[str, Any], **overrides: Any) -> StreamingEtlPipelineArgs:
    """Settings with lake tables `a`, `b`, ..., each with one kind."""
    of_table = ("transform_module", "partitions", "transform")
    own = {name: value for name, value in SETTINGS.items() if name in of_table}
    shared = {name: value for name, value in SETTINGS.items() if name not in of_table}
    tables = {
        name: {**own, "where": {"kind": [name]}, **table}
        for name, table in zip("abcdef", lake_tables, strict=False)
    }
    return args_from_config("settings", {**merge(shared, overrides), "lake_tables": tables})


def traffic(changes_per_second: float, image_bytes: float = 300) -> Traffic:
    return Traffic(changes=changes_per_second * SECONDS, image_bytes=image_bytes)
