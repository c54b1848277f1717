"""Creators of what works: IAM, Lambda, Firehose, logs."""

import json
from typing import Any

from local import LocalError
from local.deploy.creators import Outputs, creates
from local.deploy.host_dependencies import on_this_machine
from local.deploy.inputs import Inputs, pascal, zipped
from local.emulator.process import ACCOUNT
from streaming_etl.stack.clients import Clients

# The one way in which local/firehose_split.py splits records.
JSON_OBJECTS = {"SubRecordType": "JSON"}


@creates("aws:iam/role:Role")
def role(clients: Clients, given: Inputs) -> Outputs:
    name = given.name()
    rest = given.rest(assumeRolePolicy="AssumeRolePolicyDocument")
    rest["Tags"] = [{"Key": key, "Value": value} for key, value in rest.get("Tags", {}).items()]
    made = clients("iam").create_role(RoleName=name, **rest)["Role"]
    return {"id": name, "name": name, "arn": made["Arn"], "uniqueId": made["RoleId"]}


@creates("aws:iam/rolePolicy:RolePolicy")
def role_policy(clients: Clients, given: Inputs) -> Outputs:
    name, role_name = given.name(), given.take("role")
    document = given.take("policy")
    clients("iam").put_role_policy(RoleName=role_name, PolicyName=name, PolicyDocument=document)
    return {"id": f"{role_name}:{name}", "name": name}


@creates("aws:lambda/function:Function")
def function(clients: Clients, given: Inputs) -> Outputs:
    name = given.name()
    code, tags = zipped(on_this_machine(given.take("code"))), given.take("tags", {})
    variables = (given.take("environment") or {}).get("variables", {})
    made = clients("lambda").create_function(
        FunctionName=name,
        Code={"ZipFile": code},
        Environment={"Variables": variables},
        Tags=tags,
        **given.rest(),
    )
    return {"id": name, "name": name, "arn": made["FunctionArn"]}


@creates("aws:lambda/eventSourceMapping:EventSourceMapping")
def event_source_mapping(clients: Clients, given: Inputs) -> Outputs:
    tags = given.take("tags", {})
    rest = given.rest(destinationArn="Destination")
    made = clients("lambda").create_event_source_mapping(Tags=tags, **rest)
    arn = made["EventSourceMappingArn"]
    return {"id": made["UUID"], "uuid": made["UUID"], "arn": arn}


@creates("aws:kinesis/firehoseDeliveryStream:FirehoseDeliveryStream")
def delivery_stream(clients: Clients, given: Inputs) -> Outputs:
    name = given.name()
    destination = given.take("destination")
    if destination != "extended_s3":
        raise LocalError(f"The embedded Firehose writes to extended_s3 only, not {destination}.")
    made = clients("firehose").create_delivery_stream(
        DeliveryStreamName=name,
        DeliveryStreamType="DirectPut",
        ExtendedS3DestinationConfiguration=s3_destination(given.take("extendedS3Configuration")),
        **encryption(given.take("serverSideEncryption")),
        Tags=given.tags(),
    )
    return {"id": made["DeliveryStreamARN"], "name": name, "arn": made["DeliveryStreamARN"]}


def encryption(given: dict[str, Any] | None) -> dict[str, Any]:
    if not given or not given.get("enabled"):
        return {}
    key = {key: value for key, value in given.items() if key != "enabled"}
    return {"DeliveryStreamEncryptionConfigurationInput": pascal(key, keyArn="KeyARN")}


def s3_destination(given: dict[str, Any]) -> dict[str, Any]:
    """Firehose's S3 destination; the provider's spelling is flatter than the API's."""
    configuration: dict[str, Any] = pascal(
        given,
        bucketArn="BucketARN",
        roleArn="RoleARN",
        cloudwatchLoggingOptions="CloudWatchLoggingOptions",
    )
    check_processors(configuration)
    size = configuration.pop("BufferingSize", None)
    interval = configuration.pop("BufferingInterval", None)
    hints = {"SizeInMBs": size, "IntervalInSeconds": interval}
    configuration["BufferingHints"] = {key: n for key, n in hints.items() if n is not None}
    retry = configuration.get("DynamicPartitioningConfiguration", {}).pop("RetryDuration", None)
    if retry is not None:
        options = {"DurationInSeconds": retry}
        configuration["DynamicPartitioningConfiguration"]["RetryOptions"] = options
    return configuration


def check_processors(configuration: dict[str, Any]) -> None:
    """Refuse what local/firehose*.py does not do, and what AWS refuses of it."""
    dynamic = configuration.get("DynamicPartitioningConfiguration", {}).get("Enabled")
    for processor in configuration.get("ProcessingConfiguration", {}).get("Processors", []):
        given = processor.get("Parameters", [])
        parameters = {item["ParameterName"]: item["ParameterValue"] for item in given}
        if processor["Type"] == "RecordDeAggregation" and parameters == JSON_OBJECTS:
            if not dynamic:
                raise LocalError("Firehose has RecordDeAggregation with dynamic partitioning only.")
        elif processor["Type"] != "Lambda":
            told = f"{processor['Type']} {json.dumps(parameters)}"
            raise LocalError(f"The embedded Firehose does not know the processor {told}.")


@creates("aws:cloudwatch/logGroup:LogGroup")
def log_group(clients: Clients, given: Inputs) -> Outputs:
    name, days = given.name(), given.take("retentionInDays")
    clients("logs").create_log_group(logGroupName=name, tags=given.take("tags", {}))
    if days:
        clients("logs").put_retention_policy(logGroupName=name, retentionInDays=days)
    arn = f"arn:aws:logs:{clients.region}:{ACCOUNT}:log-group:{name}"
    return {"id": name, "name": name, "arn": arn}


@creates("aws:cloudwatch/logStream:LogStream")
def log_stream(clients: Clients, given: Inputs) -> Outputs:
    name, group = given.name(), given.take("logGroupName")
    clients("logs").create_log_stream(logGroupName=group, logStreamName=name)
    arn = f"arn:aws:logs:{clients.region}:{ACCOUNT}:log-group:{group}:log-stream:{name}"
    return {"id": name, "name": name, "arn": arn}
