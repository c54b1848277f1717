"""Firehose delivery streams."""

from collections.abc import Mapping
from typing import Any

from local.deploy.inputs import Inputs, Outputs, camel_case, pascal_case, tag_list
from local.deploy.resources.resource_type import (
    Properties,
    ResourceType,
    State,
    tag_map,
    update_tags,
)
from streaming_etl.stack.clients import Clients
from streaming_etl.stack.errors import CommandError

# The one form that ministack_patches/firehose/deaggregation.py supports.
JSON_DEAGGREGATION = {"SubRecordType": "JSON"}

RENAMED = {
    "bucketArn": "BucketARN",
    "roleArn": "RoleARN",
    "cloudwatchLoggingOptions": "CloudWatchLoggingOptions",
}

DISABLED = {"Enabled": False}
WITHOUT_INPUT: dict[str, Any] = {
    "CompressionFormat": "UNCOMPRESSED",
    "CustomTimeZone": "UTC",
    "DataFormatConversionConfiguration": DISABLED,
    "DynamicPartitioningConfiguration": DISABLED,
    "ErrorOutputPrefix": "",
    "FileExtension": "",
    "Prefix": "",
    "ProcessingConfiguration": DISABLED,
}
"""What an update sends for an absent input: UpdateDestination keeps what it does not receive."""


class DeliveryStream(ResourceType):
    token = "aws:kinesis/firehoseDeliveryStream:FirehoseDeliveryStream"
    replace = (
        "name",
        "destination",
        "extendedS3Configuration.dynamicPartitioningConfiguration.enabled",
        "kinesisSourceConfiguration",
    )
    removable = ("serverSideEncryption", "tags")

    def create(self, clients: Clients, inputs: Inputs) -> Outputs:
        name, destination = inputs.name(), inputs.take("destination")
        if destination != "extended_s3":
            raise CommandError(
                f"`destination` of {name} must be extended_s3 on the embedded AWS "
                f"(got {destination}).",
                code="unsupported-destination",
                destination=destination,
            )
        created = clients("firehose").create_delivery_stream(
            DeliveryStreamName=name,
            DeliveryStreamType="DirectPut",
            ExtendedS3DestinationConfiguration=s3_destination(
                inputs.take("extendedS3Configuration")
            ),
            **encryption(inputs.take("serverSideEncryption")),
            # Firehose rejects an empty list.
            **({"Tags": tags} if (tags := inputs.tags()) else {}),
        )
        arn = created["DeliveryStreamARN"]
        return {"id": arn, "name": name, "arn": arn}

    def read(self, clients: Clients, state: State) -> Properties:
        firehose, name = clients("firehose"), state["name"]
        stream = describe(clients, name)
        destination = stream["Destinations"][0]["ExtendedS3DestinationDescription"]
        encrypted = stream.get("DeliveryStreamEncryptionConfiguration", {})
        key = {"keyType": encrypted.get("KeyType"), "keyArn": encrypted.get("KeyARN")}
        enabled = encrypted.get("Status") == "ENABLED"
        return {
            "extendedS3Configuration": s3_configuration(destination),
            "serverSideEncryption": {"enabled": True, **key} if enabled else None,
            "tags": tag_map(
                firehose.list_tags_for_delivery_stream(DeliveryStreamName=name)["Tags"]
            ),
        }

    def update(self, clients: Clients, state: State, inputs: Inputs) -> None:
        firehose, name = clients("firehose"), state["name"]
        update_tags(
            state.get("tags"),
            inputs.take("tags", {}),
            lambda tags: firehose.tag_delivery_stream(DeliveryStreamName=name, Tags=tag_list(tags)),
            lambda keys: firehose.untag_delivery_stream(DeliveryStreamName=name, TagKeys=keys),
        )
        encrypted = inputs.take("serverSideEncryption")
        if encryption(encrypted) != encryption(state.get("serverSideEncryption")):
            if options := encryption(encrypted):
                firehose.start_delivery_stream_encryption(DeliveryStreamName=name, **options)
            else:
                firehose.stop_delivery_stream_encryption(DeliveryStreamName=name)
        stream = describe(clients, name)
        configuration = s3_destination(inputs.take("extendedS3Configuration"))
        firehose.update_destination(
            DeliveryStreamName=name,
            CurrentDeliveryStreamVersionId=stream["VersionId"],
            DestinationId=stream["Destinations"][0]["DestinationId"],
            ExtendedS3DestinationUpdate={**WITHOUT_INPUT, **configuration},
        )

    def delete(self, clients: Clients, state: State) -> None:
        clients("firehose").delete_delivery_stream(DeliveryStreamName=state["name"])


def describe(clients: Clients, name: str) -> dict[str, Any]:
    stream: dict[str, Any] = clients("firehose").describe_delivery_stream(DeliveryStreamName=name)[
        "DeliveryStreamDescription"
    ]
    return stream


def encryption(options: Mapping[str, Any] | None) -> dict[str, Any]:
    if not options or not options.get("enabled"):
        return {}
    key = {name: value for name, value in options.items() if name != "enabled"}
    return {"DeliveryStreamEncryptionConfigurationInput": pascal_case(key, keyArn="KeyARN")}


def s3_destination(options: Mapping[str, Any]) -> dict[str, Any]:
    """Convert Firehose's S3 destination; the API nests what the provider has flat."""
    configuration: dict[str, Any] = pascal_case(options, **RENAMED)
    require_supported_processors(configuration)
    size = configuration.pop("BufferingSize", None)
    interval = configuration.pop("BufferingInterval", None)
    hints = {"SizeInMBs": size, "IntervalInSeconds": interval}
    configuration["BufferingHints"] = {key: n for key, n in hints.items() if n is not None}
    partitioning = configuration.get("DynamicPartitioningConfiguration", {})
    if "RetryDuration" in partitioning:
        partitioning["RetryOptions"] = {"DurationInSeconds": partitioning.pop("RetryDuration")}
    return configuration


def s3_configuration(destination: Mapping[str, Any]) -> Properties:
    """Convert the API's description of the destination, as the inverse of `s3_destination`."""
    configuration: Properties = camel_case(destination, **RENAMED)
    hints = configuration.pop("bufferingHints", {})
    configuration["bufferingSize"] = hints.get("sizeInMBs")
    configuration["bufferingInterval"] = hints.get("intervalInSeconds")
    partitioning = configuration.get("dynamicPartitioningConfiguration", {})
    if retry := partitioning.pop("retryOptions", None):
        partitioning["retryDuration"] = retry["durationInSeconds"]
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


TYPES = (DeliveryStream(),)
