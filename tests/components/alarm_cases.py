"""Every alarm of the pipeline `shop`, whole, as AWS is asked for it; and what adds one."""

from collections.abc import Collection
from typing import Any

TAGS = {"streaming-etl:pipeline": "shop"}
TOPIC = "arn:aws:sns:ap-northeast-1:123456789012:shop-monitoring-topic-0000000"

MAPPING = {
    "namespace": "AWS/Lambda",
    "dimensions": {"EventSourceMappingUUID": "uuid-of-shop-forwarder-mapping"},
}
FORWARDER = {
    "namespace": "AWS/Lambda",
    "dimensions": {"FunctionName": "shop-forwarder-function-0000000"},
}
TRANSFORM = {
    "namespace": "AWS/Lambda",
    "dimensions": {"FunctionName": "shop-transform-function-0000000"},
}
STREAM = {
    "namespace": "AWS/Firehose",
    "dimensions": {"DeliveryStreamName": "shop-delivery-stream-0000000"},
}
# What AWS tries again by itself wakes nobody the first time.
OFTEN = {"evaluationPeriods": 3, "datapointsToAlarm": 2}
MAXIMUM = {"statistic": "Maximum"}


SLOW = "The transform takes {} percent of its {} s and more: the call that takes all of them fails."


def event(kind: str) -> dict[str, Any]:
    return {
        "namespace": "AWS/Events",
        "metricName": "TriggeredRules",
        "dimensions": {"RuleName": f"shop-watch-{kind}-0000000"},
    }


# In the order of the flow: what each says, and what it watches.
ALARMS: dict[str, tuple[str, dict[str, Any]]] = {
    "not-polling": (
        "Lambda does not read the stream, which forgets a change after 24 h.",
        {
            **MAPPING,
            "metricName": "PolledEventCount",
            "comparisonOperator": "LessThanThreshold",
            "evaluationPeriods": 3,
            "datapointsToAlarm": 3,
            "treatMissingData": "breaching",
            "warmUpConfiguration": {"warmUpPeriodDurationInMinutes": 60},
        },
    ),
    "late-forwarding": (
        "The forwarder is behind the stream, which forgets a change after 24 h.",
        {**FORWARDER, **MAXIMUM, "metricName": "IteratorAge", "threshold": 900_000},
    ),
    "forwarder-errors": (
        "The forwarder keeps failing; what it gives up is set aside whole.",
        {**FORWARDER, **OFTEN, "metricName": "Errors"},
    ),
    "forwarder-throttles": (
        "Lambda keeps holding the forwarder back: the account's concurrency is used up.",
        {**FORWARDER, **OFTEN, "metricName": "Throttles"},
    ),
    "given-up": (
        "Changes were given up: whole batches lie below the failed-batches location.",
        {**MAPPING, "metricName": "OnFailureDestinationDeliveredEventCount"},
    ),
    "dropped": (
        "Changes were dropped without being set aside: they are in the stream for 24 h only.",
        {**MAPPING, "metricName": "DroppedEventCount"},
    ),
    "failed-batches": (
        "Batches that the forwarder gave up lie in the bucket, whole.",
        event("failed-batches"),
    ),
    "transform-errors": (
        "The transform keeps failing as a whole; after its retries Firehose sets the records"
        " aside.",
        {**TRANSFORM, **OFTEN, "metricName": "Errors"},
    ),
    "transform-throttles": (
        "Lambda keeps holding the transform back; after its retries Firehose sets the records"
        " aside.",
        {**TRANSFORM, **OFTEN, "metricName": "Throttles"},
    ),
    "transform-slow": (
        SLOW.format(80, 120),
        {**TRANSFORM, **OFTEN, **MAXIMUM, "metricName": "Duration", "threshold": 96_000},
    ),
    "refused": (
        "The transform refused changes: each lies whole below the errors location.",
        {"namespace": "StreamingEtl", "metricName": "changes-refused/shop/test"},
    ),
    "put-back": (
        "The transform puts many changes back on the delivery stream, each of which is paid for"
        " again.",
        {
            **TRANSFORM,
            "namespace": "StreamingEtl",
            "metricName": "ChangesRequeued",
            "threshold": 1000,
        },
    ),
    "throttled-records": (
        "Firehose keeps turning records away: the delivery stream's limits are reached.",
        {**STREAM, **OFTEN, "metricName": "ThrottledRecords"},
    ),
    "late-delivery": (
        "Firehose cannot write to the bucket; it keeps a record for 24 h.",
        # A quarter of an hour beside the two buffers of 60 and 120 s.
        {**STREAM, **MAXIMUM, "metricName": "DeliveryToS3.DataFreshness", "threshold": 1080},
    ),
    "delivery-failed": (
        "Firehose's writes to the bucket keep failing; it keeps a record for 24 h.",
        {
            **STREAM,
            **OFTEN,
            "metricName": "DeliveryToS3.Success",
            "statistic": "Average",
            "comparisonOperator": "LessThanThreshold",
            "threshold": 1,
        },
    ),
    "failed-conversions": (
        "Rows do not become Parquet: each record lies whole below the errors location.",
        {**STREAM, "metricName": "FailedConversion.Records"},
    ),
    "partition-limit": (
        "Firehose writes to more partitions at a time than it may: the records of the rest lie"
        " below the errors location.",
        {**STREAM, **MAXIMUM, "metricName": "PartitionCountExceeded"},
    ),
    "error-records": (
        "Records that were refused lie below the errors location, whole.",
        event("error-records"),
    ),
    "crawler-failed": (
        "The crawler failed: Athena does not see new partitions.",
        event("crawler-failed"),
    ),
    "backfill-failed": (
        "A backfill failed: items that were in the table before its stream are not in the lake.",
        {
            "namespace": "AWS/States",
            "metricName": "ExecutionsFailed",
            "dimensions": {
                "StateMachineArn": "arn:aws:states:ap-northeast-1:123456789012:stateMachine"
                ":shop-backfill-state-machine-0000000"
            },
        },
    ),
}

# Only with Parquet, with dynamic partitioning, with a crawler, with backfill.
SOMETIMES = {"failed-conversions", "partition-limit", "crawler-failed", "backfill-failed"}
MINIMAL = [kind for kind in ALARMS if kind not in SOMETIMES]

# What was set aside lies there still when nothing more is: the end of these is not told.
NO_END = {
    *("given-up", "dropped", "failed-batches", "refused"),
    *("failed-conversions", "error-records", "crawler-failed", "backfill-failed"),
}


def told(kind: str, meaning: str) -> str:
    return f"shop: {meaning} What to do: docs/runbook.md, section {kind}."


def slow(percent: int, seconds: int) -> str:
    """How the alarm on a slow transform describes itself."""
    return told("transform-slow", SLOW.format(percent, seconds))


def asked(kind: str) -> dict[str, Any]:
    """The alarm's inputs, whole."""
    meaning, own = ALARMS[kind]
    told_of_its_end = {} if kind in NO_END else {"okActions": [TOPIC]}
    return {
        "alarmDescription": told(kind, meaning),
        "statistic": "Sum",
        "period": 300,
        "evaluationPeriods": 1,
        "datapointsToAlarm": 1,
        "comparisonOperator": "GreaterThanThreshold",
        "threshold": 0,
        # No traffic is no failure.
        "treatMissingData": "notBreaching",
        "alarmActions": [TOPIC],
        **told_of_its_end,
        "tags": TAGS,
        **own,
    }


WIDGETS = "shop-monitoring-dashboard.dashboardBody.widgets"
DELIVERY_FAILURES = f"{WIDGETS}.13.properties.metrics"
"""The graph that shows what only some settings can make fail."""


def drawn(*dimensions: str, **how: Any) -> list[Any]:
    """A line of a graph."""
    return [*dimensions, how]


def triggered(kind: str, label: str) -> list[Any]:
    rule = f"shop-watch-{kind}-0000000"
    return drawn("AWS/Events", "TriggeredRules", "RuleName", rule, label=label)


DELIVERED = [
    drawn(
        *("AWS/Firehose", "DeliveryToS3.Success"),
        *("DeliveryStreamName", "shop-delivery-stream-0000000"),
        label="share of writes",
        stat="Average",
        yAxis="right",
    ),
    triggered("error-records", "objects with error records"),
]
NOT_CONVERTED = drawn(
    *("AWS/Firehose", "FailedConversion.Records"),
    *("DeliveryStreamName", "shop-delivery-stream-0000000"),
    label="not converted",
)
NOT_CRAWLED = triggered("crawler-failed", "crawls failed")


def alarm_arns(kinds: Collection[str]) -> list[str]:
    """What the dashboard lists: all these, in the order of the flow."""
    return [
        f"arn:aws:cloudwatch:ap-northeast-1:123456789012:alarm:shop-monitoring-{kind}-0000000"
        for kind in ALARMS
        if kind in kinds
    ]


def added(*kinds: str) -> dict[str, Any]:
    """What a setting changes that adds these alarms: they, and the list on the dashboard."""
    return {
        f"{WIDGETS}.1.properties.alarms": alarm_arns({*MINIMAL, *kinds}),
        **{f"+shop-monitoring-{kind}": asked(kind) for kind in kinds},
    }


def rings(kind: str, widget: int, threshold: float) -> dict[str, Any]:
    """What another threshold changes: the alarm, and the line in its graph."""
    return {
        f"shop-monitoring-{kind}.threshold": threshold,
        f"{WIDGETS}.{widget}.properties.annotations.horizontal.0.value": threshold,
    }


def headed(table: str) -> dict[str, str]:
    """What the dashboard says of itself."""
    return {
        f"{WIDGETS}.0.properties.markdown": (
            f"# shop\n`{table}` → forwarder → Firehose ↔ transform → S3 → Athena.\n\n"
            "From left to right as the changes flow; below each other how many, how old, what"
            " failed and what is paid for. What to do when an alarm rings: `docs/runbook.md`."
        )
    }
