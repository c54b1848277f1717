"""The alarms of a pipeline as data: what each watches, from when on it rings, and when it exists.

What each means and what to do is told in docs/runbook.md, in the section called after its kind.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from streaming_etl.components.settings.monitoring import iterator_age_threshold
from streaming_etl.components.settings.pipeline import StreamingEtlPipelineArgs

PERIOD_SECONDS = 300

# The namespace in which the handlers and the log metric filter count.
METRIC_NAMESPACE = "StreamingEtl"
# The line by which handlers/transform.py tells of a change that it set aside.
REFUSED_PATTERN = '{ $.message = "change failed" }'

Subject = Literal["mapping", "forwarder", "transform", "counts", "log", "stream", "rule", "machine"]

# Whose metrics they are, and the dimension that tells one subject's from another's.
SUBJECTS: dict[Subject, tuple[str, str | None]] = {
    "mapping": ("AWS/Lambda", "EventSourceMappingUUID"),
    "forwarder": ("AWS/Lambda", "FunctionName"),
    "transform": ("AWS/Lambda", "FunctionName"),
    # What the transform counts itself.
    "counts": (METRIC_NAMESPACE, "FunctionName"),
    # What a filter counts of its log: that metric carries the pipeline in its name.
    "log": (METRIC_NAMESPACE, None),
    "stream": ("AWS/Firehose", "DeliveryStreamName"),
    "rule": ("AWS/Events", "RuleName"),
    "machine": ("AWS/States", "StateMachineArn"),
}

# Most minutes until a new event source mapping polls and its metrics arrive, amply.
WARM_UP_MINUTES = 60


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """Rings when the metric, over five minutes, is above `threshold` in `failing` of `periods`."""

    kind: str
    """Ends the logical name, and is the heading of its section in docs/runbook.md."""
    meaning: str
    """What has happened, and until when something can be done: stands in the message."""
    subject: Subject
    metric: str
    statistic: str = "Sum"
    threshold: float = 0
    below: bool = False
    """Rings below the threshold instead."""
    failing: int = 1
    periods: int = 1
    missing_rings: bool = False
    """No data is the failure; otherwise it is no traffic."""
    lasts: bool = True
    """A state whose end is told too. Otherwise something was set aside, and lies there still when
    nothing more is: an all-clear would be untrue."""


def alarms(args: StreamingEtlPipelineArgs, pipeline: str, stack: str) -> list[Alarm]:
    """Every alarm of a pipeline with these settings, in the order of the flow."""
    return [
        *_forwarding(args),
        *_transforming(args, pipeline, stack),
        *_delivering(args),
        *_cataloguing(args),
        *_backfilling(args),
    ]


def refused_metric(pipeline: str, stack: str) -> str:
    """The metric of the transform's refusals; a filter's metric without dimensions needs a name
    of its own."""
    return f"changes-refused/{pipeline}/{stack}"


def _forwarding(args: StreamingEtlPipelineArgs) -> Iterator[Alarm]:
    """https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html"""
    yield Alarm(
        kind="not-polling",
        meaning="Lambda does not read the stream, which forgets a change after 24 h.",
        subject="mapping",
        metric="PolledEventCount",
        # An empty poll counts 0: only a mapping that is off, or may not read, counts nothing.
        below=True,
        failing=3,
        periods=3,
        missing_rings=True,
    )
    yield Alarm(
        kind="late-forwarding",
        meaning="The forwarder is behind the stream, which forgets a change after 24 h.",
        subject="forwarder",
        metric="IteratorAge",
        statistic="Maximum",
        threshold=iterator_age_threshold(args.monitoring, args.forwarder) * 1000,
    )
    yield Alarm(
        kind="forwarder-errors",
        meaning="The forwarder keeps failing; what it gives up is set aside whole.",
        subject="forwarder",
        metric="Errors",
        # Lambda tries again by itself: one failure alone wakes nobody.
        failing=2,
        periods=3,
    )
    yield Alarm(
        kind="forwarder-throttles",
        meaning="Lambda keeps holding the forwarder back: the account's concurrency is used up.",
        subject="forwarder",
        metric="Throttles",
        failing=2,
        periods=3,
    )
    yield Alarm(
        kind="given-up",
        meaning="Changes were given up: whole batches lie below the failed-batches location.",
        subject="mapping",
        metric="OnFailureDestinationDeliveredEventCount",
        lasts=False,
    )
    yield Alarm(
        kind="dropped",
        meaning="Changes were dropped without being set aside: they are in the stream for 24 h"
        " only.",
        subject="mapping",
        metric="DroppedEventCount",
        lasts=False,
    )
    yield _event("failed-batches", "Batches that the forwarder gave up lie in the bucket, whole.")


def _transforming(args: StreamingEtlPipelineArgs, pipeline: str, stack: str) -> Iterator[Alarm]:
    """https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html"""
    yield Alarm(
        kind="transform-errors",
        meaning="The transform keeps failing as a whole; after its retries Firehose sets the"
        " records aside.",
        subject="transform",
        metric="Errors",
        failing=2,
        periods=3,
    )
    yield Alarm(
        kind="transform-throttles",
        meaning="Lambda keeps holding the transform back; after its retries Firehose sets the"
        " records aside.",
        subject="transform",
        metric="Throttles",
        failing=2,
        periods=3,
    )
    seconds, percent = (
        args.transform.timeout_seconds,
        args.monitoring.max_transform_duration_percent,
    )
    yield Alarm(
        kind="transform-slow",
        meaning=f"The transform takes {percent} percent of its {seconds} s and more: the call that"
        " takes all of them fails.",
        subject="transform",
        metric="Duration",
        statistic="Maximum",
        threshold=seconds * percent * 10,
        failing=2,
        periods=3,
    )
    yield Alarm(
        kind="refused",
        meaning="The transform refused changes: each lies whole below the errors location.",
        # Firehose has no metric for ProcessingFailed: this is the transform's own word.
        subject="log",
        metric=refused_metric(pipeline, stack),
        lasts=False,
    )
    yield Alarm(
        kind="put-back",
        meaning="The transform puts many changes back on the delivery stream, each of which is"
        " paid for again.",
        subject="counts",
        metric="ChangesRequeued",
        threshold=args.monitoring.max_requeued_changes,
    )


def _delivering(args: StreamingEtlPipelineArgs) -> Iterator[Alarm]:
    """https://docs.aws.amazon.com/firehose/latest/dev/monitoring-with-cloudwatch-metrics.html"""
    buffers = args.delivery.buffer_seconds + args.transform.buffer_seconds
    yield Alarm(
        kind="throttled-records",
        meaning="Firehose keeps turning records away: the delivery stream's limits are reached.",
        subject="stream",
        metric="ThrottledRecords",
        failing=2,
        periods=3,
    )
    yield Alarm(
        kind="late-delivery",
        meaning="Firehose cannot write to the bucket; it keeps a record for 24 h.",
        subject="stream",
        metric="DeliveryToS3.DataFreshness",
        statistic="Maximum",
        threshold=args.monitoring.max_data_freshness_seconds + buffers,
    )
    yield Alarm(
        kind="delivery-failed",
        meaning="Firehose's writes to the bucket keep failing; it keeps a record for 24 h.",
        subject="stream",
        # The share of writes that succeed. Nothing is told while nothing is written.
        metric="DeliveryToS3.Success",
        statistic="Average",
        threshold=1,
        below=True,
        failing=2,
        periods=3,
    )
    if args.format == "parquet":
        yield Alarm(
            kind="failed-conversions",
            meaning="Rows do not become Parquet: each record lies whole below the errors location.",
            subject="stream",
            metric="FailedConversion.Records",
            lasts=False,
        )
    if args.partitions.dynamic:
        yield Alarm(
            kind="partition-limit",
            meaning="Firehose writes to more partitions at a time than it may: the records of the"
            " rest lie below the errors location.",
            subject="stream",
            # 1 while the limit is exceeded, otherwise 0.
            metric="PartitionCountExceeded",
            statistic="Maximum",
        )
    yield _event("error-records", "Records that were refused lie below the errors location, whole.")


def _cataloguing(args: StreamingEtlPipelineArgs) -> Iterator[Alarm]:
    if args.catalog == "crawler":
        yield _event("crawler-failed", "The crawler failed: Athena does not see new partitions.")


def _backfilling(args: StreamingEtlPipelineArgs) -> Iterator[Alarm]:
    """https://docs.aws.amazon.com/step-functions/latest/dg/procedure-cw-metrics.html"""
    if args.backfill.enabled:
        yield Alarm(
            kind="backfill-failed",
            meaning="A backfill failed: items that were in the table before its stream are not in"
            " the lake.",
            subject="machine",
            metric="ExecutionsFailed",
            lasts=False,
        )


def _event(kind: str, meaning: str) -> Alarm:
    """An alarm on an event, which the rule of that kind in components/watch.py takes.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-monitoring.html
    """
    return Alarm(
        kind=kind,
        meaning=meaning,
        subject="rule",
        metric="TriggeredRules",
        lasts=False,
    )
