"""The state machine of the pipeline `shop`, whole, as Step Functions is asked for it."""

from typing import Any

BUCKET = "shop-lake-bucket-0000000"
PATH = "backfill/shop_test/orders"
TABLE_ARN = "arn:aws:dynamodb:ap-northeast-1:123456789012:table/orders"
FUNCTION_ARN = "arn:aws:lambda:ap-northeast-1:123456789012:function:shop-backfill-function-0000000"


def tried(attempts: int) -> list[dict[str, Any]]:
    return [
        {
            "ErrorEquals": ["States.ALL"],
            "IntervalSeconds": 5,
            "BackoffRate": 2,
            "MaxDelaySeconds": 300,
            "JitterStrategy": "FULL",
            "MaxAttempts": attempts,
        }
    ]


EXPORT = {
    "Given": {
        "Type": "Choice",
        "Choices": [{"Variable": "$.export_arn", "IsPresent": True, "Next": "Describe"}],
        "Default": "Export",
    },
    "Export": {
        "Type": "Task",
        "Resource": "arn:aws:states:::aws-sdk:dynamodb:exportTableToPointInTime",
        "Parameters": {
            "TableArn": TABLE_ARN,
            "S3Bucket": BUCKET,
            "S3BucketOwner": "123456789012",
            "S3Prefix": f"{PATH}/exports",
            "ExportFormat": "DYNAMODB_JSON",
            "ClientToken.$": "States.Hash($$.Execution.Id, 'SHA-256')",
            "S3SseAlgorithm": "AES256",
        },
        "ResultSelector": {"export_arn.$": "$.ExportDescription.ExportArn"},
        "Retry": tried(5),
        "Next": "Describe",
    },
    "Describe": {
        "Type": "Task",
        "Resource": "arn:aws:states:::aws-sdk:dynamodb:describeExport",
        "Parameters": {"ExportArn.$": "$.export_arn"},
        "ResultPath": "$.export",
        "Retry": tried(10),
        "Next": "Exported",
    },
    "Exported": {
        "Type": "Choice",
        "Choices": [
            {
                "Variable": "$.export.ExportDescription.ExportStatus",
                "StringEquals": "COMPLETED",
                "Next": "Listed",
            },
            {
                "Variable": "$.export.ExportDescription.ExportStatus",
                "StringEquals": "FAILED",
                "Next": "ExportFailed",
            },
        ],
        "Default": "Wait",
    },
    "Wait": {"Type": "Wait", "Seconds": 60, "Next": "Describe"},
    "ExportFailed": {
        "Type": "Fail",
        "Error": "Backfill.ExportFailed",
        "Cause": "DynamoDB could not export the table; DescribeExport tells its reason.",
    },
    "Listed": {
        "Type": "Choice",
        "Choices": [{"Variable": "$.manifest", "IsPresent": True, "Next": "Files"}],
        "Default": "List",
    },
    "List": {
        "Type": "Pass",
        "Parameters": {
            "export_arn.$": "$.export_arn",
            "export.$": "$.export",
            "manifest.$": (
                f"States.Format('{PATH}/exports/AWSDynamoDB/{{}}/manifest-files.json',"
                " States.ArrayGetItem(States.StringSplit($.export_arn, '/'), 3))"
            ),
        },
        "Next": "Files",
    },
}

FILE = {
    "File": {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Parameters": {"FunctionName": FUNCTION_ARN, "Payload.$": "$"},
        "OutputPath": "$.Payload",
        "Retry": tried(5),
        "Next": "Ended",
    },
    "Ended": {
        "Type": "Choice",
        "Choices": [{"Variable": "$.done", "BooleanEquals": True, "Next": "Passed"}],
        "Default": "File",
    },
    "Passed": {"Type": "Succeed"},
}

FILES = {
    "Files": {
        "Type": "Map",
        "Label": "files",
        "ItemReader": {
            "Resource": "arn:aws:states:::s3:getObject",
            "ReaderConfig": {"InputType": "JSONL"},
            "Parameters": {"Bucket": BUCKET, "Key.$": "$.manifest"},
        },
        "ItemSelector": {
            "bucket": BUCKET,
            "key.$": "$$.Map.Item.Value.dataFileS3Key",
            "export_time.$": "$.export.ExportDescription.ExportTime",
            "offset": 0,
            "line": 0,
            "changes": 0,
            "dead_lettered": 0,
        },
        "MaxConcurrency": 4,
        "ToleratedFailurePercentage": 0,
        "ItemProcessor": {
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
            "StartAt": "File",
            "States": FILE,
        },
        "ResultWriter": {
            "Resource": "arn:aws:states:::s3:putObject",
            "Parameters": {"Bucket": BUCKET, "Prefix": f"{PATH}/results"},
        },
        "ResultPath": "$.results",
        "Next": "Count",
    },
    "Count": {
        "Type": "Task",
        "Resource": "arn:aws:states:::aws-sdk:sfn:describeMapRun",
        "Parameters": {"MapRunArn.$": "$.results.MapRunArn"},
        "ResultSelector": {"counts.$": "$.ItemCounts"},
        "ResultPath": "$.files",
        "Retry": tried(5),
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
        "Error": "Backfill.FilesFailed",
        "Cause": "Files of the export failed; streaming-etl backfill takes them up again.",
    },
}

DEFINITION = {
    "Comment": "Items of a DynamoDB table, by its export to S3, onto a Firehose stream",
    "StartAt": "Given",
    "States": {**EXPORT, **FILES},
}
