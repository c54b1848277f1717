"""The backfill's state machine as plain data: export the table, then a call for each of its files.

https://docs.aws.amazon.com/step-functions/latest/dg/concepts-amazon-states-language.html
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

from streaming_etl.components.settings.backfill import BackfillArgs
from streaming_etl.components.stages.document import concat

# DynamoDB tells nothing of an export's progress; large ones take hours.
POLL_SECONDS = 60
# The part of a child execution's ARN that a policy can name.
FILES_LABEL = "files"

# The errors by which a run ends; ops/backfill/ tells them apart.
EXPORT_FAILED = "Backfill.ExportFailed"
FILES_FAILED = "Backfill.FilesFailed"


@dataclass(frozen=True, kw_only=True)
class Places:
    """What the definition names; inputs, known when it is made."""

    partition: pulumi.Input[str]
    account_id: pulumi.Input[str]
    table_arn: pulumi.Input[str]
    bucket: pulumi.Input[str]
    exports: pulumi.Input[str]
    """Key prefix of exports, without a slash at its end: DynamoDB adds it."""
    results: pulumi.Input[str]
    """Key prefix of what each file came to, likewise."""
    function_arn: pulumi.Input[str]
    kms_key_arn: pulumi.Input[str] | None

    def resource(self, action: str) -> pulumi.Output[str]:
        """An integration of Step Functions."""
        return concat("arn:", self.partition, ":states:::", action)


def definition(places: Places, args: BackfillArgs) -> dict[str, Any]:
    """The state machine.

    Its input is `{}`, or an export to take up with a list of its files, one JSON line each:
    `{"export_arn": ..., "manifest": key}`.
    """
    return {
        "Comment": "Items of a DynamoDB table, by its export to S3, onto a Firehose stream",
        "StartAt": "Given",
        "States": {
            **export_states(places),
            "Files": {**files_state(places, args), "ResultPath": "$.results", "Next": "Count"},
            # A tolerated failure is one all the same: its items are not in the lake.
            "Count": {
                "Type": "Task",
                "Resource": places.resource("aws-sdk:sfn:describeMapRun"),
                "Parameters": {"MapRunArn.$": "$.results.MapRunArn"},
                "ResultSelector": {"counts.$": "$.ItemCounts"},
                "ResultPath": "$.files",
                "Retry": [passing_faults(args.maximum_retry_attempts)],
                "Next": "Complete",
            },
            "Complete": {
                "Type": "Choice",
                "Choices": [
                    {
                        "Variable": "$.files.counts.Succeeded",
                        "NumericEqualsPath": "$.files.counts.Total",
                        "Next": "Done",
                    }
                ],
                "Default": "FilesFailed",
            },
            "Done": {"Type": "Succeed"},
            "FilesFailed": {
                "Type": "Fail",
                "Error": FILES_FAILED,
                "Cause": "Files of the export failed; streaming-etl backfill takes them up again.",
            },
        },
    }


def export_states(places: Places) -> dict[str, Any]:
    """From the input to `$.export` and `$.manifest`, the key of the list of the export's files."""
    manifest = concat(
        "States.Format('",
        places.exports,
        "/AWSDynamoDB/{}/manifest-files.json',"
        " States.ArrayGetItem(States.StringSplit($.export_arn, '/'), 3))",
    )
    return {
        "Given": choice("$.export_arn", {"IsPresent": True}, "Describe", otherwise="Export"),
        "Export": {
            "Type": "Task",
            "Resource": places.resource("aws-sdk:dynamodb:exportTableToPointInTime"),
            "Parameters": export_parameters(places),
            "ResultSelector": {"export_arn.$": "$.ExportDescription.ExportArn"},
            "Retry": [passing_faults(5)],
            "Next": "Describe",
        },
        "Describe": {
            "Type": "Task",
            "Resource": places.resource("aws-sdk:dynamodb:describeExport"),
            "Parameters": {"ExportArn.$": "$.export_arn"},
            "ResultPath": "$.export",
            "Retry": [passing_faults(10)],
            "Next": "Exported",
        },
        "Exported": {
            "Type": "Choice",
            "Choices": [
                {
                    "Variable": "$.export.ExportDescription.ExportStatus",
                    "StringEquals": status,
                    "Next": following,
                }
                for status, following in (("COMPLETED", "Listed"), ("FAILED", "ExportFailed"))
            ],
            "Default": "Wait",
        },
        "Wait": {"Type": "Wait", "Seconds": POLL_SECONDS, "Next": "Describe"},
        "ExportFailed": {
            "Type": "Fail",
            "Error": EXPORT_FAILED,
            "Cause": "DynamoDB could not export the table; DescribeExport tells its reason.",
        },
        "Listed": choice("$.manifest", {"IsPresent": True}, "Files", otherwise="List"),
        "List": {
            "Type": "Pass",
            "Parameters": {
                "export_arn.$": "$.export_arn",
                "export.$": "$.export",
                "manifest.$": manifest,
            },
            "Next": "Files",
        },
    }


def export_parameters(places: Places) -> dict[str, Any]:
    """What DynamoDB is asked for; a retry of it is the same export, by the token.

    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ExportTableToPointInTime.html
    """
    key = places.kms_key_arn
    encryption = {"S3SseAlgorithm": "AES256" if key is None else "KMS"}
    return {
        "TableArn": places.table_arn,
        "S3Bucket": places.bucket,
        "S3BucketOwner": places.account_id,
        "S3Prefix": places.exports,
        "ExportFormat": "DYNAMODB_JSON",
        "ClientToken.$": "States.Hash($$.Execution.Id, 'SHA-256')",
        **encryption,
        **({} if key is None else {"S3SseKmsKeyId": key}),
    }


def files_state(places: Places, args: BackfillArgs) -> dict[str, Any]:
    """A child execution for each file that the manifest lists.

    https://docs.aws.amazon.com/step-functions/latest/dg/state-map-distributed.html
    """
    return {
        "Type": "Map",
        "Label": FILES_LABEL,
        "ItemReader": {
            "Resource": places.resource("s3:getObject"),
            "ReaderConfig": {"InputType": "JSONL"},
            "Parameters": {"Bucket": places.bucket, "Key.$": "$.manifest"},
        },
        "ItemSelector": {
            "bucket": places.bucket,
            "key.$": "$$.Map.Item.Value.dataFileS3Key",
            "export_time.$": "$.export.ExportDescription.ExportTime",
            **dict.fromkeys(("offset", "line", "changes", "dead_lettered"), 0),
        },
        "MaxConcurrency": args.concurrency,
        "ToleratedFailurePercentage": args.tolerated_failure_percentage,
        "ItemProcessor": {
            # An EXPRESS child would end after five minutes.
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
            "StartAt": "File",
            "States": file_states(places, args),
        },
        "ResultWriter": {
            "Resource": places.resource("s3:putObject"),
            "Parameters": {"Bucket": places.bucket, "Prefix": places.results},
        },
    }


def file_states(places: Places, args: BackfillArgs) -> dict[str, Any]:
    """Call the function until it says that the file is done.

    This ends: a call that gets no further than the one before fails.
    """
    return {
        "File": {
            "Type": "Task",
            "Resource": places.resource("lambda:invoke"),
            "Parameters": {"FunctionName": places.function_arn, "Payload.$": "$"},
            # The function gives its input back with how far it came, for the next call and retry.
            "OutputPath": "$.Payload",
            "Retry": [passing_faults(args.maximum_retry_attempts)],
            "Next": "Ended",
        },
        "Ended": choice("$.done", {"BooleanEquals": True}, "Passed", otherwise="File"),
        "Passed": {"Type": "Succeed"},
    }


def choice(
    variable: str, condition: Mapping[str, Any], then: str, *, otherwise: str
) -> dict[str, Any]:
    return {
        "Type": "Choice",
        "Choices": [{"Variable": variable, **condition, "Next": then}],
        "Default": otherwise,
    }


def passing_faults(attempts: int) -> dict[str, Any]:
    """Try again with back-off and full jitter.

    https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html
    """
    return {
        "ErrorEquals": ["States.ALL"],
        "IntervalSeconds": 5,
        "BackoffRate": 2,
        "MaxDelaySeconds": 300,
        "JitterStrategy": "FULL",
        "MaxAttempts": attempts,
    }
