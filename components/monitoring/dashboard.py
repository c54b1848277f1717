"""The dashboard as data: what flows, from left to right, then its age, its failures, its cost.

Its form: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi

from streaming_etl.components.monitoring.alarms import (
    PERIOD_SECONDS,
    SUBJECTS,
    Alarm,
    Subject,
    alarms,
    refused_metric,
)
from streaming_etl.components.settings.pipeline import StreamingEtlPipelineArgs

COLUMNS = 24
# Firehose bills each record rounded up to this.
# https://aws.amazon.com/firehose/pricing/
BILLED_BYTES = 5120
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutDashboard.html
MAX_NAME = 255

Metric = list[Any]
"""A line of a graph: namespace, metric, dimension, its value, and how it is drawn."""
Widget = dict[str, Any]
Row = tuple[int, Sequence[tuple[int, Widget]]]
"""A height, and widgets with their widths."""


@dataclass(frozen=True, kw_only=True)
class Names:
    """What is watched and drawn, by the names that AWS gave it."""

    pipeline: str
    region: pulumi.Input[str]
    subjects: Mapping[Subject, pulumi.Input[str]]
    rules: Mapping[str, pulumi.Input[str]]
    """Event rules by the kind of their alarm."""

    def of(self, alarm: Alarm) -> pulumi.Input[str]:
        """The value of the alarm's dimension."""
        return self.rules[alarm.kind] if alarm.subject == "rule" else self.subjects[alarm.subject]

    def metric(self, subject: Subject, name: str, label: str, **how: Any) -> Metric:
        """A metric of one of the subjects."""
        namespace, dimension = SUBJECTS[subject]
        return [namespace, name, dimension, self.subjects[subject], {"label": label, **how}]

    def events(self, kind: str, label: str) -> Metric:
        """How often a rule was triggered."""
        namespace, dimension = SUBJECTS["rule"]
        return [namespace, "TriggeredRules", dimension, self.rules[kind], {"label": label}]

    def graph(self, title: str, metrics: Sequence[Metric], **properties: Any) -> Widget:
        """A graph of sums over five minutes, unless a metric says otherwise."""
        return {
            "type": "metric",
            "properties": {
                "title": title,
                "region": self.region,
                "view": "timeSeries",
                "stat": "Sum",
                "period": PERIOD_SECONDS,
                "metrics": list(metrics),
                "yAxis": {"left": {"min": 0, "showUnits": False}},
                **properties,
            },
        }


def default_dashboard_name(pipeline: str) -> str:
    """A dashboard per pipeline and stack, in CloudWatch's letters."""
    return re.sub(r"[^a-zA-Z0-9_-]", "-", f"{pipeline}-{pulumi.get_stack()}")[:MAX_NAME]


def dashboard_body(
    args: StreamingEtlPipelineArgs, names: Names, alarm_arns: Sequence[pulumi.Input[str]]
) -> dict[str, Any]:
    """The whole dashboard, with Outputs inside."""
    limits = {
        alarm.kind: alarm.threshold for alarm in alarms(args, names.pipeline, pulumi.get_stack())
    }
    rows: list[Row] = [
        _head(args.table_name, names.pipeline, alarm_arns),
        _flow(names),
        _age(names, limits),
        _failures(args, names),
        _cost(args, names),
    ]
    # Each graph as it is asked for: sums over hours would hide what one period holds.
    return {"periodOverride": "inherit", "widgets": laid_out(rows)}


def laid_out(rows: Sequence[Row]) -> list[Widget]:
    """The widgets in their places, row below row, each from left to right."""
    placed, top = [], 0
    for height, widgets in rows:
        left = 0
        for width, widget in widgets:
            place = {"x": left, "y": top, "width": width, "height": height}
            placed.append({**place, **widget})
            left += width
        top += height
    return placed


def _head(table_name: str, pipeline: str, alarm_arns: Sequence[pulumi.Input[str]]) -> Row:
    text = (
        f"# {pipeline}\n"
        f"`{table_name}` → forwarder → Firehose ↔ transform → S3 → Athena.\n\n"
        "From left to right as the changes flow; below each other how many, how old, what failed"
        " and what is paid for. What to do when an alarm rings: `docs/runbook.md`."
    )
    status = {
        "type": "alarm",
        "properties": {"title": "Alarms", "alarms": list(alarm_arns)},
    }
    return 5, [(8, {"type": "text", "properties": {"markdown": text}}), (16, status)]


def _flow(names: Names) -> Row:
    polled = names.metric("mapping", "PolledEventCount", "read from the stream")
    filtered = names.metric("mapping", "FilteredOutEventCount", "filtered out")
    invoked = names.metric("mapping", "InvokedEventCount", "changes, retries too")
    taken = names.metric("stream", "IncomingRecords", "records, packed")
    transformed = names.metric("stream", "SucceedProcessing.Records", "records, packed")
    calls = names.metric("transform", "Invocations", "calls")
    delivered = names.metric("stream", "DeliveryToS3.Records", "records, packed")
    return 6, [
        (6, names.graph("1 Changes in", [polled, filtered])),
        (6, names.graph("2 Forwarded to Firehose", [invoked, taken])),
        (6, names.graph("3 Transformed", [transformed, calls])),
        (6, names.graph("4 Delivered to S3", [delivered])),
    ]


def _age(names: Names, limits: Mapping[str, float]) -> Row:
    def age(title: str, metric: Metric, kind: str | None) -> Widget:
        lines = [{"label": kind, "value": limits[kind]}] if kind else []
        how = {"stat": "Maximum", "annotations": {"horizontal": lines}}
        return names.graph(title, [metric], **how)

    stream = names.metric("forwarder", "IteratorAge", "ms")
    forwarder = names.metric("forwarder", "Duration", "ms")
    transform = names.metric("transform", "Duration", "ms")
    firehose = names.metric("stream", "DeliveryToS3.DataFreshness", "s")
    return 6, [
        (6, age("Age on the stream", stream, "late-forwarding")),
        (6, age("Time in the forwarder", forwarder, None)),
        (6, age("Time in the transform", transform, "transform-slow")),
        (6, age("Age in Firehose", firehose, "late-delivery")),
    ]


def _failures(args: StreamingEtlPipelineArgs, names: Names) -> Row:
    given_up = "OnFailureDestinationDeliveredEventCount"
    stream = [
        names.metric("mapping", "FailedInvokeEventCount", "changes sent again"),
        names.metric("mapping", given_up, "changes given up"),
        names.metric("mapping", "DroppedEventCount", "changes dropped"),
        names.events("failed-batches", "failed batches"),
    ]
    forwarder = [
        names.metric("forwarder", "Errors", "errors"),
        names.metric("forwarder", "Throttles", "throttles"),
        names.metric("stream", "ThrottledRecords", "records throttled"),
    ]
    refused = refused_metric(names.pipeline, pulumi.get_stack())
    transform = [
        names.metric("transform", "Errors", "errors"),
        names.metric("transform", "Throttles", "throttles"),
        [SUBJECTS["log"][0], refused, {"label": "changes refused"}],
        names.metric("counts", "ChangesRequeued", "changes put back"),
    ]
    success = {"stat": "Average", "yAxis": "right"}
    delivery = [
        names.metric("stream", "DeliveryToS3.Success", "share of writes", **success),
        names.events("error-records", "objects with error records"),
    ]
    if args.format == "parquet":
        delivery.append(names.metric("stream", "FailedConversion.Records", "not converted"))
    if "crawler-failed" in names.rules:
        delivery.append(names.events("crawler-failed", "crawls failed"))
    axes = {"left": {"min": 0, "showUnits": False}, "right": {"min": 0, "max": 1}}
    return 6, [
        (6, names.graph("Failures on the stream", stream)),
        (6, names.graph("Failures of the forwarder", forwarder)),
        (6, names.graph("Failures of the transform", transform)),
        (6, names.graph("Failures of the delivery", delivery, yAxis=axes)),
    ]


def _cost(args: StreamingEtlPipelineArgs, names: Names) -> Row:
    """AWS tells no billed bytes. Rounding each record up to 5 KB makes at least 5 KB of each, and
    adds less than 5 KB to each: the bill lies between these two."""
    sent = names.metric("stream", "IncomingBytes", "sent", id="sent")
    records = names.metric("stream", "IncomingRecords", "records", id="records", visible=False)
    least = f"IF(sent > records * {BILLED_BYTES}, sent, records * {BILLED_BYTES})"
    firehose = [
        sent,
        records,
        [{"expression": least, "label": "billed, at least", "id": "least"}],
        [
            {
                "expression": f"sent + records * {BILLED_BYTES}",
                "label": "billed, at most",
                "id": "most",
            }
        ],
    ]
    compute: list[Metric] = []
    memory: dict[Subject, int] = {
        "forwarder": args.forwarder.memory_mib,
        "transform": args.transform.memory_mib,
    }
    for name, mib in memory.items():
        hidden = {"id": f"{name}_ms", "visible": False}
        compute.append(names.metric(name, "Duration", name, **hidden))
        billed = f"{name}_ms / 1000 * {mib} / 1024"
        compute.append([{"expression": billed, "label": name, "id": name}])
    lake = [names.metric("stream", "DeliveryToS3.Bytes", "bytes")]
    if args.partitions.dynamic:
        right = {"stat": "Maximum", "yAxis": "right"}
        for metric, label in (
            ("PartitionCount", "partitions at a time"),
            ("ActivePartitionsLimit", "partitions allowed"),
        ):
            lake.append(names.metric("stream", metric, label, **right))
    return 6, [
        (
            12,
            names.graph(
                "Paid: bytes to Firehose, which bills each record rounded up to 5 KB", firehose
            ),
        ),
        (6, names.graph("Paid: GB-seconds of Lambda", compute)),
        (6, names.graph("Paid: bytes written to S3", lake)),
    ]
