"""Create, update, read and delete resources of every type."""

import io
import json
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pulumi
import pytest

from local.deploy.operations import DISABLED, RESOURCE_TYPES, create, delete, read, update
from streaming_etl.stack.clients import Clients
from streaming_etl.stack.errors import CommandError

pytestmark = pytest.mark.e2e

ACCOUNT = "000000000000"
REGION = "ap-northeast-1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/any"
OTHER_ROLE = f"arn:aws:iam::{ACCOUNT}:role/other"
KEY, OTHER_KEY = (f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{name}" for name in ("k", "other"))
TAGS = {"team": "sales", "old": "yes"}
NEW_TAGS = {"team": "stock", "new": "yes"}

Inputs = dict[str, Any]
Create = Callable[[str, Inputs], Inputs]
"""Creates a resource that others refer to; returns its state."""


@dataclass
class Case:
    """Inputs of a new resource, and what an update changes.

    None removes an input.
    """

    inputs: Inputs
    changes: Inputs
    ignored: set[str] = field(default_factory=set)
    """Changed inputs that AWS does not store, or ministack does not report."""


def policy(action: str, resource: str = "*", **more: Any) -> str:
    statement = {"Effect": "Allow", "Action": action, "Resource": resource, **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def trust(service: str) -> str:
    return json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Action": "sts:AssumeRole",
                    "Principal": {"Service": f"{service}.amazonaws.com"},
                }
            ],
        }
    )


def archive(directory: Path, text: str) -> pulumi.FileArchive:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        file.writestr("main.py", f"def handler(event, context):\n    return {text!r}\n")
    path = directory / f"{text}.zip"
    path.write_bytes(content.getvalue())
    return pulumi.FileArchive(str(path))


def function_inputs(directory: Path, text: str) -> Inputs:
    return {
        "code": archive(directory, text),
        "handler": "main.handler",
        "runtime": "python3.13",
        "architectures": ["arm64"],
        "role": ROLE,
        "memorySize": 128.0,
        "timeout": 10.0,
        "environment": {"variables": {"SIZE": "1", "OLD": "yes"}},
        "kmsKeyArn": KEY,
        "sourceKmsKeyArn": KEY,
        "loggingConfig": {"logFormat": "Text", "logGroup": "first"},
        "tags": TAGS,
    }


def role(_: Create, __: Path) -> Case:
    return Case(
        {
            "assumeRolePolicy": trust("lambda"),
            "path": "/team/",
            "permissionsBoundary": f"arn:aws:iam::{ACCOUNT}:policy/first",
            "tags": TAGS,
        },
        {
            "assumeRolePolicy": trust("glue"),
            "permissionsBoundary": f"arn:aws:iam::{ACCOUNT}:policy/second",
            "tags": NEW_TAGS,
        },
    )


def role_policy(new: Create, _: Path) -> Case:
    name = new("aws:iam/role:Role", {"assumeRolePolicy": trust("lambda")})["name"]
    return Case(
        {"role": name, "policy": policy("s3:GetObject")}, {"policy": policy("s3:PutObject")}
    )


def function(_: Create, directory: Path) -> Case:
    return Case(
        function_inputs(directory, "first"),
        {
            "code": archive(directory, "second"),
            "runtime": "python3.14",
            "architectures": ["x86_64"],
            "role": OTHER_ROLE,
            "memorySize": 256.0,
            "timeout": 20.0,
            "environment": {"variables": {"SIZE": "2", "NEW": "yes"}},
            "kmsKeyArn": None,
            "sourceKmsKeyArn": OTHER_KEY,
            "loggingConfig": {"logFormat": "Text", "logGroup": "second"},
            "tags": NEW_TAGS,
        },
        # See test_an_updated_function_runs_its_new_code.
        {"code"},
    )


def function_in_a_vpc(_: Create, directory: Path) -> Case:
    layer = f"arn:aws:lambda:{REGION}:123456789012:layer:shared"
    return Case(
        {
            **function_inputs(directory, "first"),
            "vpcConfig": {"subnetIds": ["subnet-1a"], "securityGroupIds": ["sg-1a"]},
            "tracingConfig": {"mode": "Active"},
            "layers": [f"{layer}:1"],
            "reservedConcurrentExecutions": 3.0,
            "ephemeralStorage": {"size": 1024.0},
        },
        {
            "vpcConfig": {"subnetIds": ["subnet-2b"], "securityGroupIds": ["sg-2b"]},
            "tracingConfig": None,
            "layers": [f"{layer}:2"],
            "reservedConcurrentExecutions": 0.0,
            "ephemeralStorage": {"size": 2048.0},
        },
    )


def function_that_leaves_a_vpc(_: Create, directory: Path) -> Case:
    removed = ("vpcConfig", "layers", "reservedConcurrentExecutions", "ephemeralStorage")
    return Case(
        function_in_a_vpc(_, directory).inputs,
        dict.fromkeys(removed),
    )


def event_source_mapping(new: Create, directory: Path) -> Case:
    functions = [
        new("aws:lambda/function:Function", function_inputs(directory, text))["arn"]
        for text in ("first", "second")
    ]
    table = new("aws:dynamodb/table:Table", table_inputs())
    return Case(
        {
            "eventSourceArn": table["streamArn"],
            "functionName": functions[0],
            "startingPosition": "TRIM_HORIZON",
            "batchSize": 100.0,
            "bisectBatchOnFunctionError": True,
            "destinationConfig": {"onFailure": {"destinationArn": "arn:aws:s3:::first"}},
            "filterCriteria": {"filters": [{"pattern": '{"eventName": ["INSERT"]}'}]},
            "functionResponseTypes": ["ReportBatchItemFailures"],
            "maximumBatchingWindowInSeconds": 5.0,
            "maximumRecordAgeInSeconds": 60.0,
            "maximumRetryAttempts": 3.0,
            "metricsConfig": {"metrics": ["EventCount"]},
            "parallelizationFactor": 2.0,
            "tags": TAGS,
        },
        {
            "functionName": functions[1],
            "batchSize": 500.0,
            "bisectBatchOnFunctionError": False,
            "destinationConfig": {"onFailure": {"destinationArn": "arn:aws:s3:::second"}},
            "filterCriteria": None,
            "maximumBatchingWindowInSeconds": 0.0,
            "maximumRecordAgeInSeconds": 120.0,
            "maximumRetryAttempts": 0.0,
            "metricsConfig": {"metrics": ["EventCount", "ErrorCount"]},
            "parallelizationFactor": 10.0,
            "tags": NEW_TAGS,
        },
        {"metricsConfig"},
    )


def processors(*items: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "enabled": True,
        "processors": [
            {
                "type": item["type"],
                "parameters": [
                    {"parameterName": name, "parameterValue": value}
                    for name, value in item.items()
                    if name != "type"
                ],
            }
            for item in items
        ],
    }


def delivery_stream(_: Create, __: Path) -> Case:
    arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:transform"
    first = {
        "bucketArn": "arn:aws:s3:::first",
        "roleArn": ROLE,
        "bufferingInterval": 120.0,
        "bufferingSize": 64.0,
        "cloudwatchLoggingOptions": {
            "enabled": True,
            "logGroupName": "first",
            "logStreamName": "delivery",
        },
        "compressionFormat": "GZIP",
        "customTimeZone": "Asia/Tokyo",
        "errorOutputPrefix": "errors/first/",
        "fileExtension": ".json.gz",
        "prefix": "data/first/",
        "dynamicPartitioningConfiguration": {"enabled": True},
        "processingConfiguration": processors(
            {"type": "RecordDeAggregation", "SubRecordType": "JSON"},
            {"type": "Lambda", "LambdaArn": arn, "BufferSizeInMBs": "0.25"},
        ),
    }
    second = {
        **first,
        "bufferingInterval": 900.0,
        "bufferingSize": 128.0,
        "cloudwatchLoggingOptions": {"enabled": False},
        "compressionFormat": "UNCOMPRESSED",
        "customTimeZone": "UTC",
        "errorOutputPrefix": "errors/second/",
        "prefix": "data/second/",
        "processingConfiguration": processors({"type": "Lambda", "LambdaArn": arn}),
        "dataFormatConversionConfiguration": {
            "enabled": True,
            "inputFormatConfiguration": {
                "deserializer": {"openXJsonSerDe": {"caseInsensitive": False}}
            },
            "outputFormatConfiguration": {
                "serializer": {"parquetSerDe": {"compression": "SNAPPY"}}
            },
            "schemaConfiguration": {"databaseName": "d", "roleArn": ROLE, "tableName": "t"},
        },
    }
    del second["fileExtension"]
    encryption = {"enabled": True, "keyType": "AWS_OWNED_CMK"}
    return Case(
        {
            "destination": "extended_s3",
            "extendedS3Configuration": first,
            "serverSideEncryption": encryption,
            "tags": TAGS,
        },
        {"extendedS3Configuration": second, "serverSideEncryption": None, "tags": NEW_TAGS},
    )


def state_machine(_: Create, __: Path) -> Case:
    def definition(name: str) -> str:
        return json.dumps({"StartAt": name, "States": {name: {"Type": "Succeed"}}})

    return Case(
        {"definition": definition("First"), "roleArn": ROLE, "type": "STANDARD", "tags": TAGS},
        {
            "definition": definition("Second"),
            "roleArn": OTHER_ROLE,
            "encryptionConfiguration": {
                "type": "CUSTOMER_MANAGED_KMS_KEY",
                "kmsKeyId": KEY,
                "kmsDataKeyReusePeriodSeconds": 300.0,
            },
            "tags": NEW_TAGS,
        },
    )


def log_group(_: Create, __: Path) -> Case:
    return Case(
        {"retentionInDays": 30.0, "tags": TAGS}, {"retentionInDays": 3653.0, "tags": NEW_TAGS}
    )


def log_group_without_retention(_: Create, __: Path) -> Case:
    return Case({"retentionInDays": 30.0, "tags": TAGS}, {"retentionInDays": None, "tags": None})


def log_group_with_key(_: Create, __: Path) -> Case:
    # ministack cannot change the key.
    return Case({"kmsKeyId": KEY, "retentionInDays": 30.0}, {"retentionInDays": 3653.0})


def log_group_of_infrequent_access(_: Create, __: Path) -> Case:
    return Case({"logGroupClass": "INFREQUENT_ACCESS"}, {"tags": NEW_TAGS})


def log_stream(new: Create, _: Path) -> Case:
    return Case({"logGroupName": new("aws:cloudwatch/logGroup:LogGroup", {})["name"]}, {})


def table_inputs() -> Inputs:
    return {
        "attributes": [{"name": "id", "type": "S"}, {"name": "at", "type": "N"}],
        "hashKey": "id",
        "rangeKey": "at",
        "billingMode": "PROVISIONED",
        "readCapacity": 5.0,
        "writeCapacity": 6.0,
        "pointInTimeRecovery": {"enabled": False},
        "deletionProtectionEnabled": True,
        "streamEnabled": True,
        "streamViewType": "NEW_IMAGE",
        "tags": TAGS,
    }


def table(_: Create, __: Path) -> Case:
    return Case(
        table_inputs(),
        {
            "readCapacity": 7.0,
            "pointInTimeRecovery": {"enabled": True},
            "ttl": {"enabled": True, "attributeName": "expires_at"},
            "streamViewType": "NEW_AND_OLD_IMAGES",
            "deletionProtectionEnabled": False,
            "serverSideEncryption": {"enabled": True, "kmsKeyArn": KEY},
            "tags": NEW_TAGS,
        },
    )


def table_without_options(_: Create, __: Path) -> Case:
    options = {
        "ttl": {"enabled": True, "attributeName": "expires_at"},
        "pointInTimeRecovery": {"enabled": True},
        "serverSideEncryption": {"enabled": True, "kmsKeyArn": KEY},
    }
    return Case(
        {**table_inputs(), **options},
        {
            "billingMode": "PAY_PER_REQUEST",
            "deletionProtectionEnabled": False,
            "streamEnabled": False,
            **dict.fromkeys(("readCapacity", "writeCapacity", "streamViewType", "tags", *options)),
        },
    )


def bucket(_: Create, __: Path) -> Case:
    return Case(
        {"forceDestroy": False, "tags": TAGS},
        {"forceDestroy": True, "tags": NEW_TAGS},
        {"forceDestroy"},
    )


def bucket_encryption(new: Create, _: Path) -> Case:
    managed = {"sseAlgorithm": "AES256"}
    custom = {"sseAlgorithm": "aws:kms", "kmsMasterKeyId": KEY}
    return of_bucket(
        new,
        {"rules": [{"applyServerSideEncryptionByDefault": managed, "bucketKeyEnabled": False}]},
        {"rules": [{"applyServerSideEncryptionByDefault": custom, "bucketKeyEnabled": True}]},
    )


def bucket_lifecycle(new: Create, _: Path) -> Case:
    def rule(name: str, days: float) -> Inputs:
        return {
            "id": name,
            "status": "Enabled",
            "filter": {"prefix": f"{name}/"},
            "expiration": {"days": days},
            "noncurrentVersionExpiration": {"noncurrentDays": 30.0},
            "abortIncompleteMultipartUpload": {"daysAfterInitiation": 7.0},
        }

    return of_bucket(
        new, {"rules": [rule("data", 1.0)]}, {"rules": [rule("data", 2.0), rule("errors", 3.0)]}
    )


def bucket_logging(new: Create, _: Path) -> Case:
    return of_bucket(
        new,
        {"targetBucket": "logs-1", "targetPrefix": "a/"},
        {"targetBucket": "logs-2", "targetPrefix": "b/"},
    )


def bucket_notification(new: Create, _: Path) -> Case:
    return of_bucket(new, {"eventbridge": True}, {})


def bucket_ownership_controls(new: Create, _: Path) -> Case:
    return of_bucket(
        new,
        {"rule": {"objectOwnership": "BucketOwnerEnforced"}},
        {"rule": {"objectOwnership": "BucketOwnerPreferred"}},
    )


def bucket_policy(new: Create, _: Path) -> Case:
    everyone = {"Principal": "*"}
    return of_bucket(
        new,
        {"policy": policy("s3:GetObject", "arn:aws:s3:::first/*", **everyone)},
        {"policy": policy("s3:PutObject", "arn:aws:s3:::first/*", **everyone)},
    )


def bucket_public_access_block(new: Create, _: Path) -> Case:
    keys = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
    return of_bucket(new, dict.fromkeys(keys, True), {"blockPublicPolicy": False})


def bucket_versioning(new: Create, _: Path) -> Case:
    return of_bucket(
        new,
        {"versioningConfiguration": {"status": "Enabled"}},
        {"versioningConfiguration": {"status": "Suspended"}},
    )


def of_bucket(new: Create, inputs: Inputs, changes: Inputs) -> Case:
    return Case({"bucket": new("aws:s3/bucket:Bucket", {})["bucket"], **inputs}, changes)


def catalog_database(_: Create, __: Path) -> Case:
    return Case({"name": "operations", "tags": TAGS}, {"tags": NEW_TAGS})


def catalog_table(new: Create, _: Path) -> Case:
    database = new("aws:glue/catalogDatabase:CatalogDatabase", {})["name"]

    def descriptor(*columns: str) -> Inputs:
        return {
            "columns": [{"name": name, "type": "string"} for name in columns],
            "inputFormat": "input",
            "outputFormat": "output",
            "location": "s3://first/",
            "serDeInfo": {
                "serializationLibrary": "org.openx.data.jsonserde.JsonSerDe",
                "parameters": {"case.insensitive": "false", "columns": ",".join(columns)},
            },
        }

    return Case(
        {
            "databaseName": database,
            "name": "orders",
            "tableType": "EXTERNAL_TABLE",
            "parameters": {"classification": "json", "projection.enabled": "true"},
            "partitionKeys": [{"name": "year", "type": "string"}],
            "storageDescriptor": descriptor("id"),
            "viewOriginalText": "first",
        },
        {
            "parameters": {"classification": "parquet"},
            "partitionKeys": None,
            "storageDescriptor": descriptor("id", "total"),
            "viewOriginalText": "second",
        },
    )


def iceberg_table(new: Create, _: Path) -> Case:
    database = new("aws:glue/catalogDatabase:CatalogDatabase", {})["name"]
    bucket = new("aws:s3/bucket:Bucket", {})["bucket"]

    def open_format(*names: str) -> Inputs:
        fields = [
            {"id": float(number), "name": name, "required": False, "type": '"string"'}
            for number, name in enumerate(names, 1)
        ]
        table = {
            "location": f"s3://{bucket}/merged/",
            "schema": {"fields": fields},
            "properties": {"write.format.default": "parquet"},
        }
        iceberg = {"metadataOperation": "CREATE", "version": "2", "icebergTableInput": table}
        return {"icebergInput": iceberg}

    return Case(
        {
            "databaseName": database,
            "name": "merged",
            "tableType": "EXTERNAL_TABLE",
            "openTableFormatInput": open_format("id"),
        },
        {"openTableFormatInput": open_format("id", "total")},
        # The provider does not read it; see test_a_field_is_added_to_an_iceberg_table.
        {"openTableFormatInput"},
    )


def crawler(_: Create, __: Path) -> Case:
    return Case(
        {
            "databaseName": "shop",
            "role": ROLE,
            "schedule": "cron(10 * * * ? *)",
            "catalogTargets": [{"databaseName": "shop", "tables": ["orders"]}],
            "configuration": '{"Version":1.0}',
            "securityConfiguration": "first",
            "schemaChangePolicy": {"deleteBehavior": "LOG", "updateBehavior": "LOG"},
            "tags": TAGS,
        },
        {
            "schedule": "cron(0 3 * * ? *)",
            "role": OTHER_ROLE,
            "catalogTargets": None,
            "s3Targets": [{"path": "s3://first/"}],
            "configuration": '{"Version":1.0,"Grouping":{}}',
            "securityConfiguration": None,
            "schemaChangePolicy": {"deleteBehavior": "LOG", "updateBehavior": "UPDATE_IN_DATABASE"},
            "tags": NEW_TAGS,
        },
    )


def security_configuration(_: Create, __: Path) -> Case:
    return Case(
        {
            "encryptionConfiguration": {
                "cloudwatchEncryption": {"cloudwatchEncryptionMode": "SSE-KMS", "kmsKeyArn": KEY},
                "jobBookmarksEncryption": {
                    "jobBookmarksEncryptionMode": "CSE-KMS",
                    "kmsKeyArn": KEY,
                },
                "s3Encryption": {"s3EncryptionMode": "SSE-KMS", "kmsKeyArn": KEY},
            }
        },
        {},
    )


def workgroup(_: Create, __: Path) -> Case:
    def configuration(location: str, limit: float, encryption: Inputs) -> Inputs:
        return {
            "bytesScannedCutoffPerQuery": limit,
            "enforceWorkgroupConfiguration": True,
            "publishCloudwatchMetricsEnabled": True,
            "resultConfiguration": {
                "outputLocation": location,
                "encryptionConfiguration": encryption,
            },
        }

    custom = {"encryptionOption": "SSE_KMS", "kmsKeyArn": KEY}
    return Case(
        {
            "configuration": configuration("s3://a/", 10.0**10, {"encryptionOption": "SSE_S3"}),
            "forceDestroy": False,
            "tags": TAGS,
        },
        {
            "configuration": configuration("s3://b/", 10.0**11, custom),
            "forceDestroy": True,
            "tags": NEW_TAGS,
        },
        {"forceDestroy"},
    )


def workgroup_with_managed_results(_: Create, __: Path) -> Case:
    common = {"enforceWorkgroupConfiguration": True, "publishCloudwatchMetricsEnabled": True}
    managed = {"enabled": True, "encryptionConfiguration": {"kmsKey": KEY}}
    return Case(
        {"configuration": {**common, "managedQueryResultsConfiguration": managed}},
        {"configuration": {**common, "managedQueryResultsConfiguration": {"enabled": True}}},
    )


def workgroup_without_scan_limit(_: Create, __: Path) -> Case:
    def configuration(location: str) -> Inputs:
        return {
            "enforceWorkgroupConfiguration": True,
            "publishCloudwatchMetricsEnabled": True,
            "resultConfiguration": {"outputLocation": location},
        }

    return Case(
        {"configuration": configuration("s3://a/")}, {"configuration": configuration("s3://b/")}
    )


def named_query(_: Create, __: Path) -> Case:
    return Case(
        {
            "database": "shop",
            "description": "One",
            "query": "SELECT 1",
            "workgroup": "primary",
        },
        {},
    )


def metric_alarm(_: Create, __: Path) -> Case:
    return Case(
        {
            "alarmActions": [f"arn:aws:sns:{REGION}:{ACCOUNT}:first"],
            "okActions": [f"arn:aws:sns:{REGION}:{ACCOUNT}:first"],
            "alarmDescription": "First",
            "comparisonOperator": "GreaterThanThreshold",
            "datapointsToAlarm": 1.0,
            "dimensions": {"FunctionName": "first"},
            "evaluationPeriods": 1.0,
            "metricName": "Errors",
            "namespace": "AWS/Lambda",
            "period": 300.0,
            "statistic": "Sum",
            "threshold": 0.0,
            "treatMissingData": "notBreaching",
            "warmUpConfiguration": {"warmUpPeriodDurationInMinutes": 60.0},
            "tags": TAGS,
        },
        {
            "okActions": None,
            "alarmDescription": "Second",
            "comparisonOperator": "LessThanThreshold",
            "datapointsToAlarm": 2.0,
            "dimensions": {"DeliveryStreamName": "second"},
            "evaluationPeriods": 3.0,
            "metricName": "Success",
            "namespace": "AWS/Firehose",
            "period": 60.0,
            "statistic": "Maximum",
            "threshold": 0.5,
            "treatMissingData": "breaching",
            "warmUpConfiguration": None,
            "tags": NEW_TAGS,
        },
        {"warmUpConfiguration"},
    )


def metric_alarm_on_formula(_: Create, __: Path) -> Case:
    metric = {
        "dimensions": {"StateMachineArn": "first"},
        "metricName": "ExecutionsSucceeded",
        "namespace": "AWS/States",
        "period": 3600.0,
        "stat": "Sum",
    }
    filled = {"id": "filled", "expression": "FILL(metric, 0)", "returnData": True}
    return Case(
        {
            "alarmDescription": "First",
            "comparisonOperator": "LessThanThreshold",
            "evaluationPeriods": 6.0,
            "metricQueries": [{"id": "metric", "metric": metric}, filled],
            "threshold": 1.0,
            "treatMissingData": "breaching",
        },
        {"alarmDescription": "Second", "evaluationPeriods": 8.0},
    )


def dashboard(_: Create, __: Path) -> Case:
    return Case(
        {"dashboardName": "operations", "dashboardBody": '{"widgets": []}'},
        {"dashboardBody": '{"widgets": [], "periodOverride": "inherit"}'},
    )


def event_rule(_: Create, __: Path) -> Case:
    return Case(
        {"eventPattern": '{"source": ["aws.s3"]}', "tags": TAGS},
        {"eventPattern": '{"source": ["aws.glue"]}', "tags": NEW_TAGS},
    )


def event_target(new: Create, _: Path) -> Case:
    rule = new("aws:cloudwatch/eventRule:EventRule", {"eventPattern": '{"source": ["aws.s3"]}'})
    retries = {"maximumEventAgeInSeconds": 3600.0, "maximumRetryAttempts": 10.0}
    return Case(
        {
            "rule": rule["name"],
            "arn": f"arn:aws:sns:{REGION}:{ACCOUNT}:first",
            "inputTransformer": {
                "inputPaths": {"key": "$.detail.object.key"},
                "inputTemplate": '"first <key>"',
            },
            "retryPolicy": retries,
        },
        {
            "arn": f"arn:aws:sns:{REGION}:{ACCOUNT}:second",
            "inputTransformer": {
                "inputPaths": {"bucket": "$.detail.bucket.name"},
                "inputTemplate": '"second <bucket>"',
            },
            "retryPolicy": {**retries, "maximumRetryAttempts": 5.0},
        },
    )


def schedule_target(name: str) -> Inputs:
    return {
        "arn": f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:{name}",
        "roleArn": ROLE,
        "input": '{"scheduled": "<aws.scheduler.scheduled-time>"}',
        "retryPolicy": {"maximumEventAgeInSeconds": 3600.0, "maximumRetryAttempts": 3.0},
    }


def schedule(_: Create, __: Path) -> Case:
    return Case(
        {
            "description": "Merge",
            "flexibleTimeWindow": {"mode": "OFF"},
            "scheduleExpression": "rate(60 minutes)",
            "scheduleExpressionTimezone": "Asia/Tokyo",
            "state": "DISABLED",
            "target": schedule_target("first"),
        },
        {
            "description": None,
            "flexibleTimeWindow": {"mode": "FLEXIBLE", "maximumWindowInMinutes": 5.0},
            "scheduleExpression": "rate(15 minutes)",
            "scheduleExpressionTimezone": "Europe/Paris",
            "state": "ENABLED",
            "kmsKeyArn": KEY,
            "target": schedule_target("second"),
        },
    )


def schedule_with_defaults(_: Create, __: Path) -> Case:
    return Case(
        {
            "flexibleTimeWindow": {"mode": "OFF"},
            "scheduleExpression": "rate(60 minutes)",
            "target": schedule_target("first"),
        },
        {"scheduleExpression": "rate(15 minutes)"},
    )


def topic(_: Create, __: Path) -> Case:
    return Case({"tags": TAGS}, {"kmsMasterKeyId": KEY, "tags": NEW_TAGS})


def topic_without_key(_: Create, __: Path) -> Case:
    return Case({"kmsMasterKeyId": KEY}, {"kmsMasterKeyId": None})


def topic_policy(new: Create, _: Path) -> Case:
    arn = new("aws:sns/topic:Topic", {})["arn"]
    service = {"Principal": {"Service": "events.amazonaws.com"}}
    return Case(
        {"arn": arn, "policy": policy("sns:Publish", arn, **service)},
        {"policy": policy("sns:GetTopicAttributes", arn, **service)},
    )


def topic_subscription(new: Create, _: Path) -> Case:
    topic = new("aws:sns/topic:Topic", {})["arn"]
    return Case({"topic": topic, "protocol": "email", "endpoint": "ops@example.com"}, {})


CASES: dict[str, tuple[Callable[[Create, Path], Case], ...]] = {
    "aws:athena/namedQuery:NamedQuery": (named_query,),
    "aws:athena/workgroup:Workgroup": (
        workgroup,
        workgroup_with_managed_results,
        workgroup_without_scan_limit,
    ),
    "aws:cloudwatch/dashboard:Dashboard": (dashboard,),
    "aws:cloudwatch/eventRule:EventRule": (event_rule,),
    "aws:cloudwatch/eventTarget:EventTarget": (event_target,),
    "aws:cloudwatch/logGroup:LogGroup": (
        log_group,
        log_group_without_retention,
        log_group_with_key,
        log_group_of_infrequent_access,
    ),
    "aws:cloudwatch/logStream:LogStream": (log_stream,),
    "aws:cloudwatch/metricAlarm:MetricAlarm": (metric_alarm, metric_alarm_on_formula),
    "aws:dynamodb/table:Table": (table, table_without_options),
    "aws:glue/catalogDatabase:CatalogDatabase": (catalog_database,),
    "aws:glue/catalogTable:CatalogTable": (catalog_table, iceberg_table),
    "aws:glue/crawler:Crawler": (crawler,),
    "aws:glue/securityConfiguration:SecurityConfiguration": (security_configuration,),
    "aws:iam/role:Role": (role,),
    "aws:iam/rolePolicy:RolePolicy": (role_policy,),
    "aws:kinesis/firehoseDeliveryStream:FirehoseDeliveryStream": (delivery_stream,),
    "aws:lambda/eventSourceMapping:EventSourceMapping": (event_source_mapping,),
    "aws:lambda/function:Function": (
        function,
        function_in_a_vpc,
        function_that_leaves_a_vpc,
    ),
    "aws:s3/bucket:Bucket": (bucket,),
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": (bucket_lifecycle,),
    "aws:s3/bucketLogging:BucketLogging": (bucket_logging,),
    "aws:s3/bucketNotification:BucketNotification": (bucket_notification,),
    "aws:s3/bucketOwnershipControls:BucketOwnershipControls": (bucket_ownership_controls,),
    "aws:s3/bucketPolicy:BucketPolicy": (bucket_policy,),
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": (bucket_public_access_block,),
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": (
        bucket_encryption,
    ),
    "aws:s3/bucketVersioning:BucketVersioning": (bucket_versioning,),
    "aws:scheduler/schedule:Schedule": (schedule, schedule_with_defaults),
    "aws:sfn/stateMachine:StateMachine": (state_machine,),
    "aws:sns/topic:Topic": (topic, topic_without_key),
    "aws:sns/topicPolicy:TopicPolicy": (topic_policy,),
    "aws:sns/topicSubscription:TopicSubscription": (topic_subscription,),
}

# Deleting these sets a default, which S3 and SNS report as any other value.
WITH_DEFAULT = {
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
    "aws:s3/bucketVersioning:BucketVersioning",
}


def stale(value: Any) -> Any:
    """Return a value of the same form with other content."""
    if isinstance(value, dict):
        return {key: stale(item) for key, item in value.items()}
    if isinstance(value, list):
        return [stale(item) for item in value]
    return "stale"


def test_every_type_has_a_case() -> None:
    assert CASES.keys() == RESOURCE_TYPES.keys()


@pytest.mark.parametrize(
    ("type_", "case_of"),
    [(type_, case_of) for type_, cases in CASES.items() for case_of in cases],
    ids=[case_of.__name__ for cases in CASES.values() for case_of in cases],
)
def test_a_resource_is_created_updated_and_deleted(
    aws: Clients, tmp_path: Path, type_: str, case_of: Callable[[Create, Path], Case]
) -> None:
    def new(other: str, inputs: Inputs) -> Inputs:
        return create(aws, other, "other", inputs)[1]

    case, name = case_of(new, tmp_path), case_of.__name__.replace("_", "-")

    id_, created = create(aws, type_, name, case.inputs)

    assert created.items() >= case.inputs.items()
    assert read(aws, type_, name, id_, created) == created

    inputs = {
        key: value for key, value in {**case.inputs, **case.changes}.items() if value is not None
    }
    updated = update(aws, type_, name, id_, created, inputs)

    assert updated.items() >= inputs.items()
    assert updated.keys() - inputs.keys() == created.keys() - case.inputs.keys()
    assert read(aws, type_, name, id_, updated) == updated
    # From a state with other values, so that each new value is AWS's.
    found = read(aws, type_, name, id_, {**updated, **stale(case.changes)})
    assert found is not None
    shown = {key for key in case.changes if found.get(key) == case.changes[key]}
    removed = {key for key in case.changes if key not in inputs and found.get(key) in DISABLED}
    assert shown | removed == case.changes.keys() - case.ignored

    delete(aws, type_, name, id_, updated)

    if type_ not in WITH_DEFAULT:
        assert read(aws, type_, name, id_, updated) is None
        delete(aws, type_, name, id_, updated)


def invoke(aws: Clients, name: str) -> str:
    payload = aws("lambda").invoke(FunctionName=name)["Payload"].read()
    return str(json.loads(payload))


def test_an_updated_function_runs_its_new_code(aws: Clients, tmp_path: Path) -> None:
    type_ = "aws:lambda/function:Function"
    id_, state = create(aws, type_, "runs", function_inputs(tmp_path, "first"))
    assert invoke(aws, state["name"]) == "first"

    update(aws, type_, "runs", id_, state, function_inputs(tmp_path, "second"))

    assert invoke(aws, state["name"]) == "second"


def test_a_table_with_deletion_protection_is_not_deleted(aws: Clients) -> None:
    type_ = "aws:dynamodb/table:Table"
    id_, state = create(aws, type_, "protected", table_inputs())

    with pytest.raises(CommandError) as raised:
        delete(aws, type_, "protected", id_, state)

    assert raised.value.code == "delete-failed"
    assert read(aws, type_, "protected", id_, state) == state


def test_an_enabled_stream_is_another_stream_afterwards(aws: Clients) -> None:
    type_ = "aws:dynamodb/table:Table"
    id_, state = create(aws, type_, "stream", {**table_inputs(), "streamEnabled": False})
    assert state["streamArn"] == ""

    updated = update(aws, type_, "stream", id_, state, table_inputs())

    described = aws("dynamodb").describe_table(TableName=id_)["Table"]
    assert updated["streamArn"] == described["LatestStreamArn"] != ""


def test_only_force_destroy_deletes_a_bucket_with_objects(aws: Clients) -> None:
    type_, s3 = "aws:s3/bucket:Bucket", aws("s3")
    id_, state = create(aws, type_, "full", {"forceDestroy": False})
    s3.put_bucket_versioning(Bucket=id_, VersioningConfiguration={"Status": "Enabled"})
    for _ in range(2):
        s3.put_object(Bucket=id_, Key="a", Body=b"1")
    s3.delete_object(Bucket=id_, Key="a")

    with pytest.raises(CommandError) as raised:
        delete(aws, type_, "full", id_, state)
    assert raised.value.code == "delete-failed"

    delete(aws, type_, "full", id_, {**state, "forceDestroy": True})
    assert read(aws, type_, "full", id_, state) is None


def test_only_force_destroy_deletes_a_workgroup_with_queries(aws: Clients) -> None:
    type_ = "aws:athena/workgroup:Workgroup"
    id_, state = create(aws, type_, "used", {"forceDestroy": False})
    query = {"database": "d", "query": "SELECT 1", "workgroup": id_}
    query_id, query_state = create(aws, "aws:athena/namedQuery:NamedQuery", "q", query)

    with pytest.raises(CommandError) as raised:
        delete(aws, type_, "used", id_, state)
    assert raised.value.code == "workgroup-not-empty"

    delete(aws, type_, "used", id_, {**state, "forceDestroy": True})
    assert read(aws, type_, "used", id_, state) is None
    found = read(aws, "aws:athena/namedQuery:NamedQuery", "q", query_id, query_state)
    assert found is None


def test_a_field_is_added_to_an_iceberg_table(aws: Clients, tmp_path: Path) -> None:
    def new(other: str, inputs: Inputs) -> Inputs:
        return create(aws, other, "other", inputs)[1]

    type_, case = "aws:glue/catalogTable:CatalogTable", iceberg_table(new, tmp_path)
    id_, state = create(aws, type_, "iceberg", case.inputs)
    update(aws, type_, "iceberg", id_, state, {**case.inputs, **case.changes})

    table = aws("glue").get_table(DatabaseName=state["databaseName"], Name="merged")["Table"]
    assert [one["Name"] for one in table["StorageDescriptor"]["Columns"]] == ["id", "total"]


S3_DESTINATION = {"bucketArn": "arn:aws:s3:::first", "roleArn": ROLE}

REJECTED_UPDATES: dict[str, tuple[str, Inputs, Inputs, str, list[str]]] = {
    "an input that replaces": (
        "aws:s3/bucket:Bucket",
        {"bucket": "first-name"},
        {"bucket": "second-name"},
        "replacement-required",
        ["bucket"],
    ),
    "a nested input that replaces": (
        "aws:kinesis/firehoseDeliveryStream:FirehoseDeliveryStream",
        {"destination": "extended_s3", "extendedS3Configuration": S3_DESTINATION},
        {
            "destination": "extended_s3",
            "extendedS3Configuration": {
                **S3_DESTINATION,
                "dynamicPartitioningConfiguration": {"enabled": True},
            },
        },
        "replacement-required",
        ["extendedS3Configuration.dynamicPartitioningConfiguration.enabled"],
    ),
    "the type of a key": (
        "aws:dynamodb/table:Table",
        table_inputs(),
        {**table_inputs(), "attributes": [{"name": "id", "type": "N"}]},
        "replacement-required",
        ["attributes"],
    ),
    "an unknown input": (
        "aws:sns/topic:Topic",
        {},
        {"displayName": "Orders"},
        "unknown-inputs",
        ["displayName"],
    ),
    "a removed input that would remain": (
        "aws:iam/role:Role",
        {"assumeRolePolicy": trust("lambda"), "description": "Old"},
        {"assumeRolePolicy": trust("lambda")},
        "unknown-removal",
        ["description"],
    ),
}


@pytest.mark.parametrize(
    ("type_", "old", "new", "code", "inputs"),
    REJECTED_UPDATES.values(),
    ids=list(REJECTED_UPDATES),
)
def test_rejects_an_update_that_would_have_no_effect(
    aws: Clients, type_: str, old: Inputs, new: Inputs, code: str, inputs: list[str]
) -> None:
    id_, state = create(aws, type_, "rejected", old)

    with pytest.raises(CommandError) as raised:
        update(aws, type_, "rejected", id_, state, new)

    assert raised.value.code == code
    assert raised.value.details["inputs"] == inputs


def test_a_read_returns_what_someone_changed(aws: Clients) -> None:
    type_ = "aws:cloudwatch/logGroup:LogGroup"
    id_, state = create(aws, type_, "drift", {"retentionInDays": 30.0, "tags": TAGS})
    aws("logs").put_retention_policy(logGroupName=id_, retentionInDays=7)
    aws("logs").untag_resource(resourceArn=state["arn"], tagKeys=["old"])

    found = read(aws, type_, "drift", id_, state)

    assert found == {**state, "retentionInDays": 7, "tags": {"team": "sales"}}


def test_an_input_that_a_delivery_stream_no_longer_has_is_reset(aws: Clients) -> None:
    type_ = "aws:kinesis/firehoseDeliveryStream:FirehoseDeliveryStream"
    options = {
        "fileExtension": ".csv",
        "customTimeZone": "Asia/Tokyo",
        "errorOutputPrefix": "errors/",
        "processingConfiguration": processors({"type": "Lambda", "LambdaArn": "arn"}),
    }
    inputs = {"destination": "extended_s3", "extendedS3Configuration": S3_DESTINATION}
    with_options = {**inputs, "extendedS3Configuration": {**S3_DESTINATION, **options}}
    id_, state = create(aws, type_, "reset", with_options)

    update(aws, type_, "reset", id_, state, inputs)

    described = aws("firehose").describe_delivery_stream(DeliveryStreamName=state["name"])
    [destination] = described["DeliveryStreamDescription"]["Destinations"]
    s3 = destination["ExtendedS3DestinationDescription"]
    assert [s3[key] for key in ("FileExtension", "CustomTimeZone", "ErrorOutputPrefix")] == [
        "",
        "UTC",
        "",
    ]
    assert s3["ProcessingConfiguration"] == {"Enabled": False}
