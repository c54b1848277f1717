"""Descriptions of alarms, messages of failure events, and text of the dashboard."""

import json
from typing import Any

from streaming_etl import (
    BackfillArgs,
    MergeArgs,
    MonitoringArgs,
    PartitionArgs,
    StreamingEtlPipeline,
)
from streaming_etl import StreamingEtlPipelineArgs as Args
from streaming_etl.stack.recorder import build

SETTINGS = {
    "orders": Args(
        table_name="orders",
        transform_module="transforms/orders.py",
        partitions=PartitionArgs(),
        format="csv",
        catalog="crawler",
        backfill=BackfillArgs(enabled=True),
        monitoring=MonitoringArgs(alarms="all", max_lag_seconds=300),
    ),
    "shipments": Args(
        table_name="shipments",
        transform_module="transforms/shipments.py",
        partitions=PartitionArgs(dynamic_partition_keys={"carrier": ["air", "sea"]}),
        format="parquet",
        merge=MergeArgs(enabled=True, change_log_retention_days=90),
        monitoring=MonitoringArgs(alarms="all"),
    ),
}
"""Two pipelines that together have every alarm."""


def messages() -> dict[str, str]:
    """Return the text of each kind of alarm by resource name."""
    graph = build(lambda: [StreamingEtlPipeline(name, args) for name, args in SETTINGS.items()])
    texts: dict[str, str] = {}
    known: set[str] = set()
    for node in sorted(graph.of("MetricAlarm"), key=lambda node: node.name):
        alarm = node.name.partition("-monitoring-")[2]
        if alarm not in known:
            known.add(alarm)
            texts[node.name] = node.inputs["alarmDescription"]
    for node in graph.of("EventTarget"):
        texts[node.name] = node.inputs["inputTransformer"]["inputTemplate"]
    for name in SETTINGS:
        dashboard = graph[f"{name}-monitoring-dashboard"]
        texts[dashboard.name] = dashboard_text(json.loads(dashboard.inputs["dashboardBody"]))
    return texts


def dashboard_text(body: dict[str, Any]) -> str:
    graphs = [widget["properties"] for widget in body["widgets"][2:]]
    lines = [
        f"{each['title']}: " + ", ".join(line[-1].get("label", "") for line in each["metrics"])
        for each in graphs
    ]
    return "\n".join([body["widgets"][0]["properties"]["markdown"], *lines])
