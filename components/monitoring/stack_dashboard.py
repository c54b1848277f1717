"""One dashboard over all pipelines of a stack."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional, Protocol

import pulumi
import pulumi_aws as aws

from streaming_etl.components.monitoring.alarms import MetricSource
from streaming_etl.components.monitoring.dashboard import (
    COLUMNS,
    Metric,
    MetricDimensions,
    Row,
    Widget,
    default_dashboard_name,
    placed,
)
from streaming_etl.components.monitoring.monitoring import Monitoring, compact_json
from streaming_etl.components.settings.lake_table_names import lake_table_title
from streaming_etl.components.settings.validation import SettingsError, invalid

# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
MAX_ALARMS = 100
"""Alarms in one widget."""
# A graph has at most 500 metrics, and a dashboard 2,500, of which there are seven graphs.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html
MAX_LINES = 350


class MonitoredPipeline(Protocol):
    """A StreamingEtlPipeline."""

    monitoring: Monitoring


@dataclass(frozen=True, kw_only=True)
class PipelineMetrics:
    """What the dashboard shows of one pipeline."""

    dimensions: MetricDimensions
    alarm_arns: Sequence[str]

    def lines(self, source: MetricSource, name: str, **options: Any) -> list[Metric]:
        """Return a metric of each lake table, with the lake table's title."""
        lines = []
        for key in self.dimensions.lake_tables:
            line = self.dimensions.metric(source, name, "", key, **options)
            line[-1]["label"] = lake_table_title(self.dimensions.pipeline, key)
            lines.append(line)
        return lines

    def line(self, source: MetricSource, name: str) -> Metric:
        """Return a metric of the pipeline, with the pipeline's name."""
        return self.dimensions.metric(source, name, self.dimensions.pipeline)


class StackDashboard(pulumi.ComponentResource):
    """A CloudWatch dashboard of the pipelines of a stack, named `<name>-<stack>`.

    pipelines: the StreamingEtlPipelines of this program, in one region. AWS bills each dashboard
    monthly, beyond the first three of an account. Raises SettingsError without a pipeline.
    """

    dashboard: pulumi.Output[str]
    """Name of the dashboard."""

    def __init__(
        self,
        name: str,
        pipelines: Sequence[MonitoredPipeline],
        opts: Optional[pulumi.ResourceOptions] = None,
    ) -> None:
        if not pipelines:
            raise SettingsError(invalid("pipelines", len(pipelines), "too-few", least=1))
        super().__init__("streaming-etl:index:StackDashboard", name, {}, opts)
        monitored = [each.monitoring for each in pipelines]
        # json_dumps would create an Output per value.
        known = pulumi.Output.all(*(_values(each) for each in monitored))
        names = [each.dimensions.pipeline for each in monitored]
        self.dashboard = aws.cloudwatch.Dashboard(
            f"{name}-dashboard",
            dashboard_name=default_dashboard_name(name),
            dashboard_body=known.apply(lambda values: compact_json(_body(name, names, values))),
            opts=pulumi.ResourceOptions(parent=self),
        ).dashboard_name
        self.register_outputs({"dashboard": self.dashboard})


def _values(monitoring: Monitoring) -> pulumi.Output[dict[str, Any]]:
    dimensions = monitoring.dimensions
    return pulumi.Output.all(
        region=dimensions.region,
        values=dict(dimensions.values),
        lake_tables=dict(dimensions.lake_tables),
        rules=dict(dimensions.rules),
        alarm_arns=[*monitoring.alarm_arns],
    )


def _body(name: str, names: Sequence[str], values: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    pipelines = []
    for pipeline, each in zip(names, values, strict=True):
        known = dict(each)
        alarm_arns = known.pop("alarm_arns")
        dimensions = MetricDimensions(pipeline=pipeline, **known)
        pipelines.append(PipelineMetrics(dimensions=dimensions, alarm_arns=alarm_arns))
    return stack_dashboard_body(name, pipelines)


def stack_dashboard_body(name: str, pipelines: Sequence[PipelineMetrics]) -> dict[str, Any]:
    """Return the body of the dashboard."""
    graph = pipelines[0].dimensions.graph

    def widget(title: str, lines: Sequence[Metric], **properties: Any) -> Widget:
        if len(lines) > MAX_LINES:
            title = f"{title} (the first {MAX_LINES} of {len(lines):,})"
        return graph(title, lines[:MAX_LINES], **properties)

    def per_pipeline(source: MetricSource, metric: str) -> list[Metric]:
        return [each.line(source, metric) for each in pipelines]

    def per_table(source: MetricSource, metric: str, **options: Any) -> list[Metric]:
        return [line for each in pipelines for line in each.lines(source, metric, **options)]

    oldest: dict[str, Any] = {"stat": "Maximum"}
    dead_lettered = [
        each.dimensions.rule_metric("dead-lettered", each.dimensions.pipeline) for each in pipelines
    ]
    polled = per_pipeline("mapping", "PolledEventCount")
    delivered = per_table("delivery_stream", "DeliveryToS3.Records")
    freshness = per_table("delivery_stream", "DeliveryToS3.DataFreshness")
    lag = per_table("transform_counts", "ChangeLag", stat="p90")
    counts = [
        (12, widget("Changes read from the streams", polled)),
        (12, widget("Records delivered to S3", delivered)),
    ]
    ages = [
        (8, widget("Age on the stream, ms", per_pipeline("forwarder", "IteratorAge"), **oldest)),
        (8, widget("Age in Firehose, s", freshness, **oldest)),
        (8, widget("Lag from a change to its transform, s, p90", lag)),
    ]
    failures = [
        (12, widget("Dead-lettered objects", dead_lettered)),
        (12, widget("Failed changes", per_table("transform_counts", "ChangesFailed"))),
    ]
    rows: list[Row] = [*_header(name, pipelines), (6, counts), (6, ages), (6, failures)]
    return {"periodOverride": "inherit", "widgets": placed(rows)}


def _header(name: str, pipelines: Sequence[PipelineMetrics]) -> list[Row]:
    text = (
        f"# {name}\n{len(pipelines)} pipelines. `streaming-etl status` shows what needs attention "
        "and the command to run next; each pipeline has its own dashboard with the details."
    )
    rows: list[Row] = [
        (3, [(COLUMNS, {"type": "text", "properties": {"markdown": text}})]),
    ]
    arns = [arn for each in pipelines for arn in each.alarm_arns]
    for start in range(0, len(arns), MAX_ALARMS):
        part = arns[start : start + MAX_ALARMS]
        properties = {"title": "Alarms", "alarms": part, "sortBy": "stateUpdatedTimestamp"}
        rows.append((5, [(COLUMNS, {"type": "alarm", "properties": properties})]))
    return rows
