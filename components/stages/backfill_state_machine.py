"""The backfill's state machine as plain data.

It exports the table and calls the function for each file of the export.

https://docs.aws.amazon.com/step-functions/latest/dg/concepts-amazon-states-language.html
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi

from streaming_etl.components.settings.backfill import BackfillArgs
from streaming_etl.components.stages.state_machine import retrier, service_integration

# DynamoDB does not report the progress of an export; large exports take hours.
POLL_SECONDS = 60
# Part of the ARN of a child execution, for policies.
FILES_LABEL = "files"

# Errors of failed executions, which ops/backfill/ reads.
EXPORT_FAILED = "Backfill.ExportFailed"
FILES_FAILED = "Backfill.FilesFailed"


@dataclass(frozen=True, kw_only=True)
class StateMachineInputs:
    """Names, ARNs and paths that the definition contains."""

    partition: pulumi.Input[str]
    account_id: pulumi.Input[str]
    table_arn: pulumi.Input[str]
    table_keys: Sequence[pulumi.Input[str]]
    """Keys that encrypt the table, for the policy only."""
    bucket: pulumi.Input[str]
    exports: pulumi.Input[str]
    """Key prefix of exports without a trailing slash, which DynamoDB adds."""
    results: pulumi.Input[str]
    """Key prefix of the files' results, without a trailing slash."""
    function_arn: pulumi.Input[str]
    kms_key_arn: pulumi.Input[str] | None
    lake_tables: Sequence[str]
    """Names of the pipeline's lake tables."""

    def resource(self, action: str) -> pulumi.Output[str]:
        """Return the ARN of a service integration."""
        return service_integration(self.partition, action)


def definition(inputs: StateMachineInputs, args: BackfillArgs) -> dict[str, Any]:
    """Return the definition of the state machine.

    Its input is `{}`, or an existing export with a list of files to forward:
    `{"export_arn": ..., "manifest": key of an object with one JSON line per file}`.
    `lake_tables` in the input selects lake tables. Without it, an execution sends to those that
    the pipeline has when it starts: a marker is only for lake tables that get all items.
    """
    return {
        "Comment": "Sends the items of a DynamoDB table to Firehose, from an export to S3",
        "StartAt": "ChooseLakeTables",
        "States": {
            "ChooseLakeTables": choice(
                "$.lake_tables", {"IsPresent": True}, "ChooseExport", otherwise="AllLakeTables"
            ),
            "AllLakeTables": {
                "Type": "Pass",
                "Result": list(inputs.lake_tables),
                "ResultPath": "$.lake_tables",
                "Next": "ChooseExport",
            },
            **export_states(inputs),
            "Files": {**files_state(inputs, args), "ResultPath": "$.results", "Next": "Count"},
            # The items of a file whose failure was tolerated are missing in the lake.
            "Count": {
                "Type": "Task",
                "Resource": inputs.resource("aws-sdk:sfn:describeMapRun"),
                "Parameters": {"MapRunArn.$": "$.results.MapRunArn"},
                "ResultSelector": {"counts.$": "$.ItemCounts"},
                "ResultPath": "$.files",
                "Retry": [retrier(args.maximum_retry_attempts)],
                "Next": "Complete",
            },
            "Complete": {
                "Type": "Choice",
                "Choices": [
                    {
                        "Variable": "$.files.counts.Succeeded",
                        "NumericEqualsPath": "$.files.counts.Total",
                        "Next": "Mark",
                    }
                ],
                "Default": "FilesFailed",
            },
            # Rows of earlier streams of the table are no longer current.
            "Mark": {
                "Type": "Task",
                "Resource": inputs.resource("lambda:invoke"),
                "Parameters": {
                    "FunctionName": inputs.function_arn,
                    "Payload": {
                        "completed": True,
                        "lake_tables.$": "$.lake_tables",
                        "export_time.$": "$.export.ExportDescription.ExportTime",
                    },
                },
                "Retry": [retrier(args.maximum_retry_attempts)],
                "Next": "Done",
            },
            "Done": {"Type": "Succeed"},
            "FilesFailed": {
                "Type": "Fail",
                "Error": FILES_FAILED,
                "Cause": "Files of the export failed; run streaming-etl backfill again.",
            },
        },
    }


def export_states(inputs: StateMachineInputs) -> dict[str, Any]:
    """Return the states that set `$.export` and `$.manifest`, the list of files."""
    manifest = pulumi.Output.concat(
        "States.Format('",
        inputs.exports,
        "/AWSDynamoDB/{}/manifest-files.json',"
        " States.ArrayGetItem(States.StringSplit($.export_arn, '/'), 3))",
    )
    return {
        "ChooseExport": choice("$.export_arn", {"IsPresent": True}, "Describe", otherwise="Export"),
        "Export": {
            "Type": "Task",
            "Resource": inputs.resource("aws-sdk:dynamodb:exportTableToPointInTime"),
            "Parameters": export_parameters(inputs),
            "ResultSelector": {"export_arn.$": "$.ExportDescription.ExportArn"},
            "ResultPath": "$.started",
            "Retry": [retrier(5)],
            "Next": "Started",
        },
        "Started": {
            "Type": "Pass",
            "Parameters": {
                "export_arn.$": "$.started.export_arn",
                "lake_tables.$": "$.lake_tables",
            },
            "Next": "Describe",
        },
        "Describe": {
            "Type": "Task",
            "Resource": inputs.resource("aws-sdk:dynamodb:describeExport"),
            "Parameters": {"ExportArn.$": "$.export_arn"},
            "ResultPath": "$.export",
            "Retry": [retrier(10)],
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
            "Cause": "DynamoDB could not export the table; see DescribeExport.",
        },
        "Listed": choice("$.manifest", {"IsPresent": True}, "Files", otherwise="List"),
        "List": {
            "Type": "Pass",
            "Parameters": {
                "export_arn.$": "$.export_arn",
                "lake_tables.$": "$.lake_tables",
                "export.$": "$.export",
                "manifest.$": manifest,
            },
            "Next": "Files",
        },
    }


def export_parameters(inputs: StateMachineInputs) -> dict[str, Any]:
    """Return the parameters of the export, with a token for retries.

    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ExportTableToPointInTime.html
    """
    key = inputs.kms_key_arn
    encryption = {"S3SseAlgorithm": "AES256" if key is None else "KMS"}
    return {
        "TableArn": inputs.table_arn,
        "S3Bucket": inputs.bucket,
        "S3BucketOwner": inputs.account_id,
        "S3Prefix": inputs.exports,
        "ExportFormat": "DYNAMODB_JSON",
        "ClientToken.$": "States.Hash($$.Execution.Id, 'SHA-256')",
        **encryption,
        **({} if key is None else {"S3SseKmsKeyId": key}),
    }


def files_state(inputs: StateMachineInputs, args: BackfillArgs) -> dict[str, Any]:
    """Return the map state with a child execution per file.

    https://docs.aws.amazon.com/step-functions/latest/dg/state-map-distributed.html
    """
    return {
        "Type": "Map",
        "Label": FILES_LABEL,
        "ItemReader": {
            "Resource": inputs.resource("s3:getObject"),
            "ReaderConfig": {"InputType": "JSONL"},
            "Parameters": {"Bucket": inputs.bucket, "Key.$": "$.manifest"},
        },
        "ItemSelector": {
            "bucket": inputs.bucket,
            "key.$": "$$.Map.Item.Value.dataFileS3Key",
            "export_time.$": "$.export.ExportDescription.ExportTime",
            "lake_tables.$": "$.lake_tables",
            **dict.fromkeys(("offset", "line", "changes", "dead_lettered", "unmatched"), 0),
            "sent": {},
        },
        "MaxConcurrency": args.concurrency,
        "ToleratedFailurePercentage": args.tolerated_failure_percentage,
        "ItemProcessor": {
            # An EXPRESS execution is limited to five minutes.
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
            "StartAt": "File",
            "States": file_states(inputs, args),
        },
        "ResultWriter": {
            "Resource": inputs.resource("s3:putObject"),
            "Parameters": {"Bucket": inputs.bucket, "Prefix": inputs.results},
        },
    }


def file_states(inputs: StateMachineInputs, args: BackfillArgs) -> dict[str, Any]:
    """Return the states that call the function until the file is done.

    The loop terminates: a call without progress fails.
    """
    return {
        "File": {
            "Type": "Task",
            "Resource": inputs.resource("lambda:invoke"),
            "Parameters": {"FunctionName": inputs.function_arn, "Payload.$": "$"},
            # The function returns its input with its progress, for the next call and for retries.
            "OutputPath": "$.Payload",
            "Retry": [retrier(args.maximum_retry_attempts)],
            "Next": "Ended",
        },
        "Ended": choice("$.done", {"BooleanEquals": True}, "Passed", otherwise="File"),
        "Passed": {"Type": "Succeed"},
    }


def choice(
    variable: str, condition: Mapping[str, Any], then: str, *, otherwise: str
) -> dict[str, Any]:
    """Return a Choice state with one rule."""
    return {
        "Type": "Choice",
        "Choices": [{"Variable": variable, **condition, "Next": then}],
        "Default": otherwise,
    }
