"""Creators of IAM, Lambda, Firehose, Step Functions and log resources."""

from collections.abc import Mapping
from typing import Any

from local.deploy.inputs import Creator, Inputs, Outputs, pascal_case, zipped
from local.emulator.process import ACCOUNT
from streaming_etl.stack.clients import Clients
from streaming_etl.stack.errors import CommandError

# The one form that ministack_patches/firehose/deaggregation.py supports.
JSON_DEAGGREGATION = {"SubRecordType": "JSON"}


def role(clients: Clients, inputs: Inputs) -> Outputs:
    name, tags = inputs.name(), inputs.tags()
    rest = inputs.remaining(assumeRolePolicy="AssumeRolePolicyDocument")
    created = clients("iam").create_role(RoleName=name, Tags=tags, **rest)["Role"]
    return {"id": name, "name": name, "arn": created["Arn"], "uniqueId": created["RoleId"]}


def role_policy(clients: Clients, inputs: Inputs) -> Outputs:
    name, role_name, document = inputs.name(), inputs.take("role"), inputs.take("policy")
    clients("iam").put_role_policy(RoleName=role_name, PolicyName=name, PolicyDocument=document)
    return {"id": f"{role_name}:{name}", "name": name}


def function(clients: Clients, inputs: Inputs) -> Outputs:
    name, tags = inputs.name(), inputs.take("tags", {})
    code = zipped(inputs.take("code"))
    variables = (inputs.take("environment") or {}).get("variables", {})
    created = clients("lambda").create_function(
        FunctionName=name,
        Code={"ZipFile": code},
        Environment={"Variables": variables},
        Tags=tags,
        **inputs.remaining(),
    )
    return {"id": name, "name": name, "arn": created["FunctionArn"]}


def event_source_mapping(clients: Clients, inputs: Inputs) -> Outputs:
    tags, rest = inputs.take("tags", {}), inputs.remaining(destinationArn="Destination")
    created = clients("lambda").create_event_source_mapping(Tags=tags, **rest)
    uuid = created["UUID"]
    return {"id": uuid, "uuid": uuid, "arn": created["EventSourceMappingArn"]}


def delivery_stream(clients: Clients, inputs: Inputs) -> Outputs:
    name, destination = inputs.name(), inputs.take("destination")
    if destination != "extended_s3":
        raise CommandError(
            f"`destination` of {name} must be extended_s3 on the embedded AWS (got {destination}).",
            code="unsupported-destination",
            destination=destination,
        )
    created = clients("firehose").create_delivery_stream(
        DeliveryStreamName=name,
        DeliveryStreamType="DirectPut",
        ExtendedS3DestinationConfiguration=s3_destination(inputs.take("extendedS3Configuration")),
        **encryption(inputs.take("serverSideEncryption") or {}),
        Tags=inputs.tags(),
    )
    return {"id": created["DeliveryStreamARN"], "name": name, "arn": created["DeliveryStreamARN"]}


def encryption(options: Mapping[str, Any]) -> dict[str, Any]:
    if not options.get("enabled"):
        return {}
    key = {name: value for name, value in options.items() if name != "enabled"}
    return {"DeliveryStreamEncryptionConfigurationInput": pascal_case(key, keyArn="KeyARN")}


def s3_destination(options: Mapping[str, Any]) -> dict[str, Any]:
    """Convert Firehose's S3 destination; the API nests what the provider has flat."""
    configuration: dict[str, Any] = pascal_case(
        options,
        bucketArn="BucketARN",
        roleArn="RoleARN",
        cloudwatchLoggingOptions="CloudWatchLoggingOptions",
    )
    require_supported_processors(configuration)
    size = configuration.pop("BufferingSize", None)
    interval = configuration.pop("BufferingInterval", None)
    hints = {"SizeInMBs": size, "IntervalInSeconds": interval}
    configuration["BufferingHints"] = {key: n for key, n in hints.items() if n is not None}
    partitioning = configuration.get("DynamicPartitioningConfiguration", {})
    if "RetryDuration" in partitioning:
        partitioning["RetryOptions"] = {"DurationInSeconds": partitioning.pop("RetryDuration")}
    return configuration


def require_supported_processors(configuration: Mapping[str, Any]) -> None:
    """Raise CommandError for a processor that is unsupported or invalid."""
    dynamic = configuration.get("DynamicPartitioningConfiguration", {}).get("Enabled")
    for processor in configuration.get("ProcessingConfiguration", {}).get("Processors", []):
        type_, pairs = processor["Type"], processor.get("Parameters", [])
        parameters = {pair["ParameterName"]: pair["ParameterValue"] for pair in pairs}
        if type_ == "RecordDeAggregation" and parameters == JSON_DEAGGREGATION:
            # https://docs.aws.amazon.com/firehose/latest/dev/dynamic-partitioning-multirecord-deaggergation.html
            if not dynamic:
                raise CommandError(
                    "The processor RecordDeAggregation requires dynamic partitioning.",
                    code="deaggregation-without-partitioning",
                )
        elif type_ != "Lambda":
            raise CommandError(
                f"The embedded AWS does not support the processor {type_} with {parameters}.",
                code="unsupported-processor",
                type=type_,
                parameters=parameters,
            )


def state_machine(clients: Clients, inputs: Inputs) -> Outputs:
    name = inputs.name()
    tags = [{"key": tag["Key"], "value": tag["Value"]} for tag in inputs.tags()]
    arn = clients("stepfunctions").create_state_machine(
        name=name,
        definition=inputs.take("definition"),
        roleArn=inputs.take("roleArn"),
        type=inputs.take("type", "STANDARD"),
        tags=tags,
    )["stateMachineArn"]
    return {"id": arn, "name": name, "arn": arn}


def log_group(clients: Clients, inputs: Inputs) -> Outputs:
    name, days = inputs.name(), inputs.take("retentionInDays")
    clients("logs").create_log_group(logGroupName=name, tags=inputs.take("tags", {}))
    if days:
        clients("logs").put_retention_policy(logGroupName=name, retentionInDays=days)
    arn = f"arn:aws:logs:{clients.region}:{ACCOUNT}:log-group:{name}"
    return {"id": name, "name": name, "arn": arn}


def log_stream(clients: Clients, inputs: Inputs) -> Outputs:
    name, group = inputs.name(), inputs.take("logGroupName")
    clients("logs").create_log_stream(logGroupName=group, logStreamName=name)
    arn = f"arn:aws:logs:{clients.region}:{ACCOUNT}:log-group:{group}:log-stream:{name}"
    return {"id": name, "name": name, "arn": arn}


CREATORS: dict[str, Creator] = {
    "aws:cloudwatch/logGroup:LogGroup": log_group,
    "aws:cloudwatch/logStream:LogStream": log_stream,
    "aws:iam/role:Role": role,
    "aws:iam/rolePolicy:RolePolicy": role_policy,
    "aws:kinesis/firehoseDeliveryStream:FirehoseDeliveryStream": delivery_stream,
    "aws:lambda/eventSourceMapping:EventSourceMapping": event_source_mapping,
    "aws:lambda/function:Function": function,
    "aws:sfn/stateMachine:StateMachine": state_machine,
}
