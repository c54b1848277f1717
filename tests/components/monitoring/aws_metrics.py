"""Metrics that AWS and the handlers report, by namespace and dimension.

https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
https://docs.aws.amazon.com/firehose/latest/dev/monitoring-with-cloudwatch-metrics.html
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-monitoring.html
https://docs.aws.amazon.com/step-functions/latest/dg/procedure-cw-metrics.html
"""

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
    ("AWS/States", "StateMachineArn"): {"ExecutionsFailed"},
    ("StreamingEtl", "FunctionName"): {
        "ChangesFailed",
        "ChangesRequeued",
        "ChangesUnmatched",
        "RecordsRequeued",
    },
}
