"""The dashboard as plain data.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi

from streaming_etl.components.monitoring.alarms import (
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
    rules: Mapping[str, pulumi.Input[str]]
    """Names of the event rules, by the name of their alarm."""

    def value_of(self, alarm: Alarm) -> pulumi.Input[str]:
        """Return the value of the alarm's dimension."""
        if alarm.metric_source == "event_rule":
            return self.rules[alarm.name]
        return self.values[alarm.metric_source]

    def metric(self, source: MetricSource, name: str, label: str, **options: Any) -> Metric:
        """Return a metric of a source as a line of a graph."""
        namespace, dimension = METRIC_SOURCES[source]
        return [namespace, name, dimension, self.values[source], {"label": label, **options}]

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
    region: str,
    values: Mapping[MetricSource, str],
    rules: Mapping[str, str],
    alarm_arns: Sequence[str],
) -> dict[str, Any]:
    """Return the body of the dashboard."""
    dimensions = MetricDimensions(pipeline=pipeline, region=region, values=values, rules=rules)
    thresholds = {alarm.name: alarm.threshold for alarm in alarms(args)}
    rows: list[Row] = [
        _header(args.table_name, dimensions.pipeline, alarm_arns),
        _flow(dimensions),
        _ages(dimensions, thresholds),
        _failures(args, dimensions),
        _cost(args, dimensions),
    ]
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
        "Columns: the stages of the data flow. Rows: counts, ages, failures, cost."
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


def _flow(dimensions: MetricDimensions) -> Row:
    polled = dimensions.metric("mapping", "PolledEventCount", "read from the stream")
    filtered = dimensions.metric("mapping", "FilteredOutEventCount", "filtered")
    invoked = dimensions.metric("mapping", "InvokedEventCount", "changes, including retries")
    taken = dimensions.metric("delivery_stream", "IncomingRecords", "records")
    transformed = dimensions.metric("delivery_stream", "SucceedProcessing.Records", "records")
    calls = dimensions.metric("transform", "Invocations", "calls")
    delivered = dimensions.metric("delivery_stream", "DeliveryToS3.Records", "records")
    return 6, [
        (6, dimensions.graph("1 Changes in", [polled, filtered])),
        (6, dimensions.graph("2 Forwarded to Firehose", [invoked, taken])),
        (6, dimensions.graph("3 Transformed", [transformed, calls])),
        (6, dimensions.graph("4 Delivered to S3", [delivered])),
    ]


def _ages(dimensions: MetricDimensions, thresholds: Mapping[str, float]) -> Row:
    def graph(title: str, metric: Metric, alarm: str = "") -> Widget:
        lines = [{"label": alarm, "value": thresholds[alarm]}] if alarm in thresholds else []
        options = {"stat": "Maximum", "annotations": {"horizontal": lines}}
        return dimensions.graph(title, [metric], **options)

    stream = dimensions.metric("forwarder", "IteratorAge", "ms")
    forwarder = dimensions.metric("forwarder", "Duration", "ms")
    transform = dimensions.metric("transform", "Duration", "ms")
    firehose = dimensions.metric("delivery_stream", "DeliveryToS3.DataFreshness", "s")
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
        dimensions.metric("delivery_stream", "ThrottledRecords", "records throttled"),
    ]
    transform = [
        dimensions.metric("transform", "Errors", "errors"),
        dimensions.metric("transform", "Throttles", "throttles"),
        dimensions.metric("transform_counts", "ChangesFailed", "failed changes"),
        dimensions.metric("transform_counts", "ChangesRequeued", "requeued changes"),
    ]
    success = {"stat": "Average", "yAxis": "right"}
    delivery = [
        dimensions.metric(
            "delivery_stream", "DeliveryToS3.Success", "share of successful writes", **success
        ),
        dimensions.rule_metric("dead-lettered", "dead-lettered objects"),
    ]
    if args.format == "parquet":
        delivery.append(
            dimensions.metric("delivery_stream", "FailedConversion.Records", "failed conversions")
        )
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
    """Return graphs of what AWS bills.

    Firehose has no metric of billed bytes. It rounds each record up to 5 KB, which adds less than
    5 KB to a record, so that the billed bytes are between two computed bounds.
    """
    sent = dimensions.metric("delivery_stream", "IncomingBytes", "sent", id="sent")
    records = dimensions.metric(
        "delivery_stream", "IncomingRecords", "records", id="records", visible=False
    )
    lower_bound = f"IF(sent > records * {BILLED_BYTES}, sent, records * {BILLED_BYTES})"
    firehose = [
        sent,
        records,
        [{"expression": lower_bound, "label": "billed, lower bound", "id": "least"}],
        [
            {
                "expression": f"sent + records * {BILLED_BYTES}",
                "label": "billed, upper bound",
                "id": "most",
            }
        ],
    ]
    compute: list[Metric] = []
    memory: dict[MetricSource, int] = {
        "forwarder": args.forwarder.memory_mib,
        "transform": args.transform.memory_mib,
    }
    for name, mib in memory.items():
        hidden = {"id": f"{name}_ms", "visible": False}
        compute.append(dimensions.metric(name, "Duration", name, **hidden))
        billed = f"{name}_ms / 1000 * {mib} / 1024"
        compute.append([{"expression": billed, "label": name, "id": name}])
    lake = [dimensions.metric("delivery_stream", "DeliveryToS3.Bytes", "bytes")]
    if args.partitions.dynamic:
        right = {"stat": "Maximum", "yAxis": "right"}
        for metric, label in (
            ("PartitionCount", "active partitions"),
            ("ActivePartitionsLimit", "quota of active partitions"),
        ):
            lake.append(dimensions.metric("delivery_stream", metric, label, **right))
    return 6, [
        (
            12,
            dimensions.graph(
                "Cost: bytes to Firehose, which bills each record rounded up to 5 KB", firehose
            ),
        ),
        (6, dimensions.graph("Cost: GB-seconds of Lambda", compute)),
        (6, dimensions.graph("Cost: bytes written to S3", lake)),
    ]
