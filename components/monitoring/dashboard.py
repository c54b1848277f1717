"""The dashboard as plain data.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi

from streaming_etl.components.monitoring.alarms import (
    HOUR_SECONDS,
    METRIC_SOURCES,
    PERIOD_SECONDS,
    Alarm,
    MetricSource,
    alarms,
)
from streaming_etl.components.settings.pipeline import StreamingEtlPipelineArgs

COLUMNS = 24
# Firehose bills each record rounded up to this.
# https://aws.amazon.com/firehose/pricing/
BILLED_BYTES = 5120
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutDashboard.html
MAX_NAME = 255

FAILURES_OF_TRANSFORM: Sequence[tuple[MetricSource, str, str]] = (
    ("transform", "Errors", "errors"),
    ("transform", "Throttles", "throttles"),
    ("transform_counts", "ChangesFailed", "failed changes"),
    ("transform_counts", "ChangesRequeued", "requeued changes"),
)
"""Metric source, metric and label."""

PERCENTILES = ("p50", "p90", "p99")

PARTITIONS = (
    ("PartitionCount", "active partitions"),
    ("ActivePartitionsLimit", "quota of active partitions"),
)
"""Metrics of dynamic partitioning, with labels."""

RUNS = (
    ("ExecutionsStarted", "started"),
    ("ExecutionsSucceeded", "succeeded"),
)
FAILED_RUNS = (
    ("ExecutionsFailed", "failed"),
    ("ExecutionsTimedOut", "timed out"),
    ("ExecutionsAborted", "aborted"),
)
"""Metrics of executions of the merge stage, with labels."""

Metric = list[Any]
"""Namespace, metric, dimension, value of the dimension, and rendering options."""
Widget = dict[str, Any]
Row = tuple[int, Sequence[tuple[int, Widget]]]
"""The height, and the widgets with their widths."""


@dataclass(frozen=True, kw_only=True)
class MetricDimensions:
    """Dimension values of a pipeline's metrics."""

    pipeline: str
    region: pulumi.Input[str]
    values: Mapping[MetricSource, pulumi.Input[str]]
    lake_tables: Mapping[str, Mapping[MetricSource, pulumi.Input[str]]]
    """Those of the metrics of each lake table."""
    rules: Mapping[str, pulumi.Input[str]]
    """Names of the event rules, by the name of their alarm."""

    def value_of(self, alarm: Alarm) -> pulumi.Input[str]:
        """Return the value of the alarm's dimension."""
        if alarm.metric_source == "event_rule":
            return self.rules[alarm.name]
        values = self.lake_tables[alarm.lake_table] if alarm.lake_table else self.values
        return values[alarm.metric_source]

    def metric(
        self, source: MetricSource, name: str, label: str, lake_table: str = "", **options: Any
    ) -> Metric:
        """Return a metric of a source as a line of a graph."""
        namespace, dimension = METRIC_SOURCES[source]
        values = self.lake_tables[lake_table] if lake_table else self.values
        options = {"label": self.label(label, lake_table), **options}
        return [namespace, name, dimension, values[source], options]

    def metrics(self, source: MetricSource, name: str, label: str, **options: Any) -> list[Metric]:
        """Return a metric of each lake table."""
        return [self.metric(source, name, label, key, **options) for key in self.lake_tables]

    def label(self, label: str, lake_table: str) -> str:
        """Return a line's label, with the lake table if there are several."""
        several = lake_table and len(self.lake_tables) > 1
        return f"{lake_table}: {label}" if several else label

    def rule_metric(self, rule: str, label: str) -> Metric:
        """Return a rule's events as a line of a graph."""
        namespace, dimension = METRIC_SOURCES["event_rule"]
        return [namespace, "TriggeredRules", dimension, self.rules[rule], {"label": label}]

    def graph(self, title: str, metrics: Sequence[Metric], **properties: Any) -> Widget:
        """Return a graph; its default statistic is the sum over five minutes."""
        return {
            "type": "metric",
            "properties": {
                "title": title,
                "region": self.region,
                "stat": "Sum",
                "period": PERIOD_SECONDS,
                "metrics": shortened(metrics),
                "yAxis": {"left": {"min": 0, "showUnits": False}},
                **properties,
            },
        }


def shortened(metrics: Sequence[Metric]) -> list[Metric]:
    """Return lines in the shorthand of CloudWatch.

    `.` stands for what the line immediately before has in the same place.

    The body is in Pulumi's state twice, as input and as output.
    """
    lines: list[Metric] = []
    previous: Metric = []
    for metric in metrics:
        same = [new == old for new, old in zip(metric, previous, strict=False)]
        options = len(metric) - 1
        lines.append(
            [
                "." if index < options and index < len(same) and same[index] else part
                for index, part in enumerate(metric)
            ]
        )
        previous = metric if options else []
    return lines


def default_dashboard_name(pipeline: str) -> str:
    """Return a name per pipeline and stack that CloudWatch accepts."""
    return re.sub(r"[^a-zA-Z0-9_-]", "-", f"{pipeline}-{pulumi.get_stack()}")[:MAX_NAME]


def dashboard_body(
    args: StreamingEtlPipelineArgs,
    pipeline: str,
    *,
    table_name: str,
    region: str,
    values: Mapping[MetricSource, str],
    lake_tables: Mapping[str, Mapping[MetricSource, str]],
    rules: Mapping[str, str],
    alarm_arns: Sequence[str],
) -> dict[str, Any]:
    """Return the body of the dashboard."""
    dimensions = MetricDimensions(
        pipeline=pipeline, region=region, values=values, lake_tables=lake_tables, rules=rules
    )
    existing = alarms(args)
    rows: list[Row] = [
        _header(table_name, dimensions.pipeline, alarm_arns),
        _flow(args, dimensions),
        _lag(dimensions, existing),
        _ages(dimensions, existing),
        _failures(args, dimensions),
        _cost(args, dimensions),
    ]
    if any(table.merge.enabled for table in args.tables.values()):
        rows.append(_merges(args, dimensions))
    # Each graph keeps its period when the dashboard's time range grows.
    return {"periodOverride": "inherit", "widgets": placed(rows)}


def placed(rows: Sequence[Row]) -> list[Widget]:
    """Return the widgets with their positions, row below row."""
    widgets, top = [], 0
    for height, row in rows:
        left = 0
        for width, widget in row:
            widgets.append({"x": left, "y": top, "width": width, "height": height, **widget})
            left += width
        top += height
    return widgets


def _header(table_name: str, pipeline: str, alarm_arns: Sequence[str]) -> Row:
    text = (
        f"# {pipeline}\n"
        f"`{table_name}` → forwarder → Firehose ↔ transform → S3 → Athena.\n\n"
        "Columns: the stages of the data flow. Rows: counts, lag, ages, failures, cost."
    )
    if not alarm_arns:
        # CloudWatch requires an alarm in the widget of their states.
        return 3, [(COLUMNS, {"type": "text", "properties": {"markdown": text}})]
    text += " When an alarm is in ALARM: `docs/runbook.md`."
    status = {
        "type": "alarm",
        "properties": {"title": "Alarms", "alarms": list(alarm_arns)},
    }
    return 5, [(8, {"type": "text", "properties": {"markdown": text}}), (16, status)]


def _flow(args: StreamingEtlPipelineArgs, dimensions: MetricDimensions) -> Row:
    polled = dimensions.metric("mapping", "PolledEventCount", "read from the stream")
    filtered = dimensions.metric("mapping", "FilteredOutEventCount", "filtered")
    invoked = dimensions.metric("mapping", "InvokedEventCount", "changes, including retries")
    changes = [polled, filtered]
    if all(table.where for table in args.tables.values()):
        changes.append(dimensions.metric("forwarder_counts", "ChangesUnmatched", "unmatched"))
    taken = dimensions.metrics("delivery_stream", "IncomingRecords", "records")
    transformed = [
        line
        for key in dimensions.lake_tables
        for line in (
            dimensions.metric("delivery_stream", "SucceedProcessing.Records", "records", key),
            dimensions.metric("transform", "Invocations", "calls", key),
        )
    ]
    delivered = dimensions.metrics("delivery_stream", "DeliveryToS3.Records", "records")
    return 6, [
        (6, dimensions.graph("1 Changes in", changes)),
        (6, dimensions.graph("2 Forwarded to Firehose", [invoked, *taken])),
        (6, dimensions.graph("3 Transformed", transformed)),
        (6, dimensions.graph("4 Delivered to S3", delivered)),
    ]


def _lag(dimensions: MetricDimensions, existing: Sequence[Alarm]) -> Row:
    """Return the graph of the time from a change to its transform."""
    lines = [
        dimensions.metric("transform_counts", "ChangeLag", percentile, key, stat=percentile)
        for key in dimensions.lake_tables
        for percentile in PERCENTILES
    ]
    title = "Lag: seconds from a change to its transform; the wait before S3 follows"
    thresholds = _thresholds(dimensions, existing, "lag")
    return 6, [(COLUMNS, dimensions.graph(title, lines, annotations=thresholds))]


def _thresholds(
    dimensions: MetricDimensions, existing: Sequence[Alarm], name: str
) -> dict[str, Any]:
    """Return the annotations with the threshold of each such alarm."""
    lines = [
        {"label": dimensions.label(alarm.name, alarm.lake_table), "value": alarm.threshold}
        for alarm in existing
        if alarm.name == name
    ]
    return {"horizontal": lines}


def _ages(dimensions: MetricDimensions, existing: Sequence[Alarm]) -> Row:
    def graph(title: str, metrics: Sequence[Metric], name: str = "") -> Widget:
        thresholds = _thresholds(dimensions, existing, name)
        options = {"stat": "Maximum", "annotations": thresholds}
        return dimensions.graph(title, metrics, **options)

    stream = [dimensions.metric("forwarder", "IteratorAge", "ms")]
    forwarder = [dimensions.metric("forwarder", "Duration", "ms")]
    transform = dimensions.metrics("transform", "Duration", "ms")
    firehose = dimensions.metrics("delivery_stream", "DeliveryToS3.DataFreshness", "s")
    return 6, [
        (6, graph("Age on the stream", stream, "iterator-age")),
        (6, graph("Duration of the forwarder", forwarder)),
        (6, graph("Duration of the transform", transform, "transform-duration")),
        (6, graph("Age in Firehose", firehose, "data-freshness")),
    ]


def _failures(args: StreamingEtlPipelineArgs, dimensions: MetricDimensions) -> Row:
    exhausted = "OnFailureDestinationDeliveredEventCount"
    stream = [
        dimensions.metric("mapping", "FailedInvokeEventCount", "changes in failed calls"),
        dimensions.metric("mapping", exhausted, "changes with retries exhausted"),
        dimensions.metric("mapping", "DroppedEventCount", "changes lost"),
    ]
    forwarder = [
        dimensions.metric("forwarder", "Errors", "errors"),
        dimensions.metric("forwarder", "Throttles", "throttles"),
        *dimensions.metrics("delivery_stream", "ThrottledRecords", "records throttled"),
    ]
    transform = [
        dimensions.metric(source, name, label, key)
        for key in dimensions.lake_tables
        for source, name, label in FAILURES_OF_TRANSFORM
    ]
    success: dict[str, Any] = {"stat": "Average", "yAxis": "right"}
    delivery = [
        *dimensions.metrics(
            "delivery_stream", "DeliveryToS3.Success", "share of successful writes", **success
        ),
        dimensions.rule_metric("dead-lettered", "dead-lettered objects"),
    ]
    for key, table in args.tables.items():
        if table.format == "parquet":
            name, label = "FailedConversion.Records", "failed conversions"
            delivery.append(dimensions.metric("delivery_stream", name, label, key))
    if "crawler-failed" in dimensions.rules:
        delivery.append(dimensions.rule_metric("crawler-failed", "failed crawls"))
    axes = {"left": {"min": 0, "showUnits": False}, "right": {"min": 0, "max": 1}}
    return 6, [
        (6, dimensions.graph("Failures on the stream", stream)),
        (6, dimensions.graph("Failures of the forwarder", forwarder)),
        (6, dimensions.graph("Failures of the transform", transform)),
        (6, dimensions.graph("Failures of the delivery", delivery, yAxis=axes)),
    ]


def _cost(args: StreamingEtlPipelineArgs, dimensions: MetricDimensions) -> Row:
    """Return graphs of what AWS bills."""
    tables = args.tables
    compute = _billed_compute("forwarder", args.forwarder.memory_mib, dimensions)
    for key, table in tables.items():
        compute += _billed_compute("transform", table.transform.memory_mib, dimensions, key)
    lake = dimensions.metrics("delivery_stream", "DeliveryToS3.Bytes", "bytes")
    right = {"stat": "Maximum", "yAxis": "right"}
    for key, table in tables.items():
        for metric, label in PARTITIONS if table.partitions.dynamic else ():
            lake.append(dimensions.metric("delivery_stream", metric, label, key, **right))
    title = "Cost: bytes to Firehose, which bills each record rounded up to 5 KB"
    return 6, [
        (12, dimensions.graph(title, _billed_bytes(dimensions))),
        (6, dimensions.graph("Cost: GB-seconds of Lambda", compute)),
        (6, dimensions.graph("Cost: bytes written to S3", lake)),
    ]


def _merges(args: StreamingEtlPipelineArgs, dimensions: MetricDimensions) -> Row:
    """Return graphs of the merge stages, which share a workgroup."""
    merging = [key for key, table in args.tables.items() if table.merge.enabled]

    def lines(*metrics: tuple[str, str]) -> list[Metric]:
        return [
            dimensions.metric("merge_state_machine", metric, label, key)
            for key in merging
            for metric, label in metrics
        ]

    hourly: dict[str, Any] = {"period": HOUR_SECONDS}
    scanned = dimensions.metric("merge_workgroup", "ProcessedBytes", "scanned")
    duration = lines(("ExecutionTime", "ms"))
    return 6, [
        (6, dimensions.graph("Merges in an hour", lines(*RUNS), **hourly)),
        (6, dimensions.graph("Failures of merges", lines(*FAILED_RUNS))),
        (6, dimensions.graph("Duration of merges", duration, stat="Maximum")),
        (6, dimensions.graph("Cost: bytes that merges scan in an hour", [scanned], **hourly)),
    ]


def _billed_bytes(dimensions: MetricDimensions) -> list[Metric]:
    """Return the bytes to Firehose, and two bounds of billed bytes.

    Firehose has no metric of billed bytes. It rounds each record up to 5 KB, which adds less than
    5 KB to a record, so that the billed bytes are between the bounds.
    """
    lines, lower_bounds, upper_bounds = [], [], []
    for index, key in enumerate(dimensions.lake_tables):
        sent, records = (f"{name}{index or ''}" for name in ("sent", "records"))
        lines += [
            dimensions.metric("delivery_stream", "IncomingBytes", "sent", key, id=sent),
            dimensions.metric(
                "delivery_stream", "IncomingRecords", "records", key, id=records, visible=False
            ),
        ]
        if len(dimensions.lake_tables) > 1:
            # A sum has no value where one of its metrics has none, as without traffic.
            sent, records = f"FILL({sent}, 0)", f"FILL({records}, 0)"
        rounded = f"{records} * {BILLED_BYTES}"
        lower_bounds.append(f"IF({sent} > {rounded}, {sent}, {rounded})")
        upper_bounds.append(f"{sent} + {rounded}")
    for name, label, bounds in (
        ("least", "billed, lower bound", lower_bounds),
        ("most", "billed, upper bound", upper_bounds),
    ):
        lines.append([{"expression": " + ".join(bounds), "label": label, "id": name}])
    return lines


def _billed_compute(
    source: MetricSource, memory_mib: int, dimensions: MetricDimensions, lake_table: str = ""
) -> list[Metric]:
    """Return the GB-seconds of a function, and its hidden duration."""
    index = list(dimensions.lake_tables).index(lake_table) if lake_table else 0
    name = f"{source}{index or ''}"
    hidden = {"id": f"{name}_ms", "visible": False}
    billed = f"{name}_ms / 1000 * {memory_mib} / 1024"
    label = dimensions.label(source, lake_table)
    return [
        dimensions.metric(source, "Duration", source, lake_table, **hidden),
        [{"expression": billed, "label": label, "id": name}],
    ]
