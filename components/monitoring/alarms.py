"""The alarms of a pipeline as plain data.

docs/runbook.md has a section for each alarm, with the alarm's name as its heading.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal, Optional

from streaming_etl.components.settings.lake_table import LakeTableArgs
from streaming_etl.components.settings.merge import MAX_ALARM_HOURS
from streaming_etl.components.settings.monitoring import (
    MAX_AGE_SECONDS,
    MonitoringArgs,
    data_freshness_threshold,
    iterator_age_threshold,
)
from streaming_etl.components.settings.pipeline import StreamingEtlPipelineArgs

PERIOD_SECONDS = 300
HOUR_SECONDS = 3600

METRIC_NAMESPACE = "StreamingEtl"
"""Namespace of the handlers' metrics."""
TRANSFORM_MARGIN_SECONDS = 20
"""The last seconds of its timeout, in which the transform begins no change."""
WARM_UP_MINUTES = 60
"""Time for a new event source mapping to start polling and to report metrics."""
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-warm-up.html
MAX_WARM_UP_MINUTES = 2_880

MetricSource = Literal[
    "mapping",
    "forwarder",
    "forwarder_counts",
    "transform",
    "transform_counts",
    "delivery_stream",
    "event_rule",
    "state_machine",
    "merge_state_machine",
    "merge_workgroup",
]

METRIC_SOURCES: dict[MetricSource, tuple[str, str]] = {
    "mapping": ("AWS/Lambda", "EventSourceMappingUUID"),
    "forwarder": ("AWS/Lambda", "FunctionName"),
    "transform": ("AWS/Lambda", "FunctionName"),
    # Metrics that the handlers write to their logs in the embedded metric format.
    "forwarder_counts": (METRIC_NAMESPACE, "FunctionName"),
    "transform_counts": (METRIC_NAMESPACE, "FunctionName"),
    "delivery_stream": ("AWS/Firehose", "DeliveryStreamName"),
    "event_rule": ("AWS/Events", "RuleName"),
    "state_machine": ("AWS/States", "StateMachineArn"),
    "merge_state_machine": ("AWS/States", "StateMachineArn"),
    "merge_workgroup": ("AWS/Athena", "WorkGroup"),
}
"""Namespace of each source's metrics, and their dimension."""


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """A CloudWatch alarm on the metric's statistic over a period."""

    name: str
    """Ends the resource's name, and is the heading of the section in docs/runbook.md."""
    lake_table: str = ""
    """The lake table of the metric, if the metric is that of one."""
    description: str
    """The failure, and the time left to act; part of the alarm's description."""
    level: Literal["essential", "all"] = "all"
    """The least value of `monitoring.alarms` with which the alarm exists."""
    metric_source: MetricSource
    metric: str
    statistic: str = "Sum"
    """One of CloudWatch's statistics, or a percentile such as p90."""
    threshold: float = 0
    comparison: Literal["GreaterThanThreshold", "LessThanThreshold"] = "GreaterThanThreshold"
    datapoints_to_alarm: int = 1
    evaluation_periods: int = 1
    period_seconds: int = PERIOD_SECONDS
    treat_missing_as_breaching: bool = False
    """Missing data is the failure; for the other alarms it means no traffic."""
    missing_is_zero: bool = False
    """The value of a period without data is 0, so that the alarm evaluates exactly its periods.

    With missing data CloudWatch also evaluates data points from before them, and fires later.
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
    """
    notify_on_ok: bool = True
    """False where something was dead-lettered: it is still there when the alarm returns to OK."""

    @property
    def warm_up_minutes(self) -> Optional[int]:
        """Minutes after the alarm's creation without evaluation; None to evaluate at once.

        A new resource has no data yet, which an alarm on missing data takes for the failure.
        """
        if not self.treat_missing_as_breaching:
            return None
        minutes = self.evaluation_periods * self.period_seconds // 60
        return min(max(WARM_UP_MINUTES, minutes), MAX_WARM_UP_MINUTES)


repeated_failure = partial(Alarm, datapoints_to_alarm=2, evaluation_periods=3)
"""An alarm on failures that AWS retries: a single one needs no action."""


def alarms(args: StreamingEtlPipelineArgs) -> list[Alarm]:
    """Return the alarms of the settings' level, in flow order."""
    level = args.monitoring.alarms
    every = (
        *_forwarder_alarms(args),
        *(
            replace(alarm, lake_table=key)
            for key, table in args.tables.items()
            for alarm in _lake_table_alarms(args, table)
        ),
        _event_alarm(
            "dead-lettered", "Failed batches or error records are in the bucket, complete."
        ),
        *_catalog_alarms(args),
        *_backfill_alarms(args),
    )
    return [alarm for alarm in every if level == "all" or alarm.level == level]


def _forwarder_alarms(args: StreamingEtlPipelineArgs) -> Iterator[Alarm]:
    """Alarms on the forwarder and its mapping.

    https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
    """
    yield Alarm(
        name="not-polling",
        description="Lambda does not read the stream, which keeps a change for 24 hours.",
        level="essential",
        metric_source="mapping",
        metric="PolledEventCount",
        # An empty poll counts 0. Only a disabled or unauthorized mapping reports nothing.
        comparison="LessThanThreshold",
        datapoints_to_alarm=3,
        evaluation_periods=3,
        treat_missing_as_breaching=True,
    )
    yield Alarm(
        name="iterator-age",
        description="The forwarder is behind the stream, which keeps a change for 24 hours.",
        level="essential",
        metric_source="forwarder",
        metric="IteratorAge",
        statistic="Maximum",
        threshold=iterator_age_threshold(args.monitoring, args.forwarder) * 1000,
    )
    yield repeated_failure(
        name="forwarder-errors",
        description="The forwarder fails repeatedly. Batches without success are dead-lettered.",
        metric_source="forwarder",
        metric="Errors",
    )
    limit = "the account's concurrency limit"
    if args.forwarder.reserved_concurrency is not None:
        limit = "its reserved concurrency"
    yield repeated_failure(
        name="forwarder-throttles",
        description=f"The forwarder is throttled: {limit} is reached.",
        # A forwarder that is always throttled reports no iterator age. The alarm dead-lettered
        # fires at the record age, which must leave time for a reaction.
        # https://docs.aws.amazon.com/lambda/latest/dg/events-dynamodb-metrics.html
        level="essential" if args.forwarder.maximum_record_age_seconds > MAX_AGE_SECONDS else "all",
        metric_source="forwarder",
        metric="Throttles",
    )
    yield Alarm(
        name="retries-exhausted",
        description="Retries of changes are exhausted. Their batches are in the failed-batches"
        " location, complete.",
        metric_source="mapping",
        metric="OnFailureDestinationDeliveredEventCount",
        notify_on_ok=False,
    )
    yield Alarm(
        name="changes-lost",
        description="Changes were dropped without being dead-lettered. They are only in the stream,"
        " for 24 hours.",
        level="essential",
        metric_source="mapping",
        metric="DroppedEventCount",
        notify_on_ok=False,
    )


def _lake_table_alarms(pipeline: StreamingEtlPipelineArgs, args: LakeTableArgs) -> Iterator[Alarm]:
    """Alarms on a lake table's transform function, delivery stream and merge stage."""
    yield from _transform_alarms(pipeline.monitoring, args)
    yield from _delivery_alarms(pipeline.monitoring, args)
    if args.merge.enabled:
        yield from _merge_alarms(pipeline, args)


def _transform_alarms(monitoring: MonitoringArgs, args: LakeTableArgs) -> Iterator[Alarm]:
    """Alarms on the transform function.

    https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
    """
    seconds = args.transform.timeout_seconds
    percent = monitoring.max_transform_duration_percent
    # The function begins no change after this time, so few calls take longer.
    longest = min(seconds * percent / 100, seconds - TRANSFORM_MARGIN_SECONDS)
    yield repeated_failure(
        name="transform-errors",
        description="The transform function fails repeatedly. Firehose dead-letters the records"
        " after its retries.",
        metric_source="transform",
        metric="Errors",
    )
    yield repeated_failure(
        name="transform-throttles",
        description="The transform function is throttled. Firehose dead-letters the records after"
        " its retries.",
        metric_source="transform",
        metric="Throttles",
    )
    yield repeated_failure(
        name="transform-duration",
        description=f"Calls of the transform function take more than {longest:g} of at most"
        f" {seconds} seconds.",
        metric_source="transform",
        metric="Duration",
        statistic="Maximum",
        threshold=int(longest * 1000),
    )
    yield Alarm(
        name="transform-failed",
        description="The transform failed for single changes. Each is in the errors location,"
        " complete.",
        metric_source="transform_counts",
        metric="ChangesFailed",
        notify_on_ok=False,
    )
    if (lag := monitoring.max_lag_seconds) is not None:
        yield Alarm(
            name="lag",
            description=f"A tenth of the changes needs more than {lag} seconds from the table to"
            " the transform.",
            level="essential",
            metric_source="transform_counts",
            metric="ChangeLag",
            # One late change, such as one of a retried batch, is no failure.
            statistic="p90",
            threshold=lag,
        )
    yield Alarm(
        name="requeued",
        description="The transform requeues many changes; Firehose bills each of them again.",
        level="essential",
        metric_source="transform_counts",
        metric="ChangesRequeued",
        threshold=monitoring.max_requeued_changes,
    )


def _delivery_alarms(monitoring: MonitoringArgs, args: LakeTableArgs) -> Iterator[Alarm]:
    """Alarms on the delivery stream.

    https://docs.aws.amazon.com/firehose/latest/dev/monitoring-with-cloudwatch-metrics.html
    """
    yield repeated_failure(
        name="throttled-records",
        description="Firehose throttles records: the quotas of the delivery stream are reached.",
        metric_source="delivery_stream",
        metric="ThrottledRecords",
    )
    yield Alarm(
        name="data-freshness",
        description="Firehose is late in writing to the bucket. It keeps a record for 24 hours.",
        level="essential",
        metric_source="delivery_stream",
        metric="DeliveryToS3.DataFreshness",
        statistic="Maximum",
        threshold=data_freshness_threshold(monitoring, args.buffers),
    )
    yield repeated_failure(
        name="delivery-failed",
        description="Writes of Firehose to the bucket fail repeatedly. It keeps a record for 24"
        " hours.",
        metric_source="delivery_stream",
        # The share of successful writes; no data without writes.
        metric="DeliveryToS3.Success",
        statistic="Average",
        threshold=1,
        comparison="LessThanThreshold",
    )
    if args.format == "parquet":
        yield Alarm(
            name="failed-conversions",
            description="Rows could not be converted to Parquet. Their records are in the errors"
            " location, complete.",
            metric_source="delivery_stream",
            metric="FailedConversion.Records",
            notify_on_ok=False,
        )
    if args.partitions.dynamic:
        yield Alarm(
            name="partition-limit",
            description="The delivery stream has reached its quota of active partitions. Records of"
            " further partitions are in the errors location.",
            metric_source="delivery_stream",
            # 1 while the quota is exceeded, otherwise 0.
            metric="PartitionCountExceeded",
            statistic="Maximum",
        )


def _merge_alarms(pipeline: StreamingEtlPipelineArgs, args: LakeTableArgs) -> Iterator[Alarm]:
    """Alarms on the state machine of the merge stage.

    https://docs.aws.amazon.com/step-functions/latest/dg/procedure-cw-metrics.html
    """
    merge = args.merge
    yield Alarm(
        name="merge-failed",
        description="A merge failed. The schedule repeats it for its window, but not for the days"
        " that a command has requested.",
        # Essential, because no other alarm fires for a command's days while the schedule succeeds.
        level="essential",
        metric_source="merge_state_machine",
        # An execution is aborted by a person only, and the definition has no timeout.
        metric="ExecutionsFailed",
        notify_on_ok=False,
    )
    no_success = partial(
        Alarm,
        metric_source="merge_state_machine",
        metric="ExecutionsSucceeded",
        threshold=1,
        comparison="LessThanThreshold",
        period_seconds=HOUR_SECONDS,
        treat_missing_as_breaching=True,
        missing_is_zero=True,
    )
    hours = merge.alarm_after_hours
    yield no_success(
        name="merge-late",
        description=f"No merge has succeeded for {hours} hours. The current state is complete as"
        " long as the window contains the rows that were not merged.",
        level="essential",
        datapoints_to_alarm=hours,
        evaluation_periods=hours,
    )
    hours = min(merge.hours_until_rows_leave(pipeline.record_age_hours(args)), MAX_ALARM_HOURS)
    days = merge.change_log_retention_days
    expiry = "" if days is None else f" The change log deletes rows after {days} days."
    yield no_success(
        name="merge-rows-at-risk",
        description=f"No merge has succeeded for {hours} hours. Rows leave the window, and are"
        f" missing in the current state until a merge succeeds.{expiry}",
        # With retention the failure is a loss, and merge-late has notified only once.
        level="all" if days is None else "essential",
        datapoints_to_alarm=hours,
        evaluation_periods=hours,
    )


def _catalog_alarms(args: StreamingEtlPipelineArgs) -> Iterator[Alarm]:
    if any(table.catalog == "crawler" for table in args.tables.values()):
        yield _event_alarm("crawler-failed", "The crawler failed. Athena misses new partitions.")


def _backfill_alarms(args: StreamingEtlPipelineArgs) -> Iterator[Alarm]:
    """Alarms on the state machine.

    https://docs.aws.amazon.com/step-functions/latest/dg/procedure-cw-metrics.html
    """
    if args.backfill.enabled:
        yield Alarm(
            name="backfill-failed",
            description="A backfill failed. Items from before the stream are missing in the lake.",
            level="essential",
            metric_source="state_machine",
            metric="ExecutionsFailed",
            notify_on_ok=False,
        )


def _event_alarm(name: str, description: str) -> Alarm:
    """Return an essential alarm on the rule of the same name.

    failure_events.py creates the rules.
    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-monitoring.html
    """
    return Alarm(
        name=name,
        description=description,
        level="essential",
        metric_source="event_rule",
        metric="TriggeredRules",
        notify_on_ok=False,
    )
