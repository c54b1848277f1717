"""Metrics that AWS and the handlers report, by namespace and dimension.

https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
https://docs.aws.amazon.com/firehose/latest/dev/monitoring-with-cloudwatch-metrics.html
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-monitoring.html
https://docs.aws.amazon.com/step-functions/latest/dg/procedure-cw-metrics.html
https://docs.aws.amazon.com/athena/latest/ug/query-metrics-viewing.html
"""

from streaming_etl.stack.recorder import Node


def metric_of(alarm: Node) -> tuple[str, str, str, str]:
    """Namespace, metric, dimension and its value, also of a formula."""
    inputs = alarm.inputs
    if inputs.get("metricQueries"):
        [inputs] = [query["metric"] for query in inputs["metricQueries"] if "metric" in query]
    [(dimension, value)] = inputs["dimensions"].items()
    metric: str = inputs.get("metricName")
    return inputs["namespace"], metric, dimension, value


METRICS = {
    ("AWS/Lambda", "EventSourceMappingUUID"): {
        "PolledEventCount",
        "FilteredOutEventCount",
        "InvokedEventCount",
        "FailedInvokeEventCount",
        "DroppedEventCount",
        "OnFailureDestinationDeliveredEventCount",
    },
    ("AWS/Lambda", "FunctionName"): {
        "Invocations",
        "Errors",
        "Throttles",
        "Duration",
        "IteratorAge",
    },
    ("AWS/Firehose", "DeliveryStreamName"): {
        "IncomingBytes",
        "IncomingRecords",
        "ThrottledRecords",
        "SucceedProcessing.Records",
        "DeliveryToS3.Bytes",
        "DeliveryToS3.Records",
        "DeliveryToS3.Success",
        "DeliveryToS3.DataFreshness",
        "FailedConversion.Records",
        "PartitionCount",
        "PartitionCountExceeded",
        "ActivePartitionsLimit",
    },
    ("AWS/Events", "RuleName"): {"TriggeredRules"},
    ("AWS/States", "StateMachineArn"): {
        "ExecutionsStarted",
        "ExecutionsSucceeded",
        "ExecutionsFailed",
        "ExecutionsTimedOut",
        "ExecutionsAborted",
        "ExecutionTime",
    },
    ("AWS/Athena", "WorkGroup"): {"ProcessedBytes"},
    ("StreamingEtl", "FunctionName"): {
        "ChangeLag",
        "ChangesFailed",
        "ChangesRequeued",
        "ChangesUnmatched",
        "RecordsRequeued",
    },
}
