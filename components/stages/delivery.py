"""Stage 2: the delivery stream and the transform function that it calls."""

from collections.abc import Sequence
from typing import Optional

import pulumi
import pulumi_aws as aws
from pulumi_aws import kinesis

from streaming_etl.components.packaging.archive import transform_archive
from streaming_etl.components.settings.lake_table import LakeTableArgs
from streaming_etl.components.settings.stages import TransformArgs
from streaming_etl.components.stages import iam
from streaming_etl.components.stages.lambda_function import create_function, function_policy
from streaming_etl.components.stages.log_group import create_log_group
from streaming_etl.components.stages.references import (
    CatalogEntry,
    DeliveryStream,
    Function,
    LakeBucket,
    LakeTableContext,
)
from streaming_etl.components.stages.roles import Role
from streaming_etl.components.table.layout import ERRORS_PREFIX

ProcessorArgs = (
    kinesis.FirehoseDeliveryStreamExtendedS3ConfigurationProcessingConfigurationProcessorArgsDict
)
ConversionArgs = (
    kinesis.FirehoseDeliveryStreamExtendedS3ConfigurationDataFormatConversionConfigurationArgsDict
)

# Firehose does not return parameters with these defaults, so that setting them would show a
# difference at every preview.
DEFAULT_PROCESSOR_PARAMETERS = {
    "NumberOfRetries": "3",
    "BufferSizeInMBs": "1",
    "BufferIntervalInSeconds": "60",
}

# Firehose accepts one set of partition keys per record, and the changes of an aggregated record may
# have several. This processor splits aggregated records before the transform. The provider adds
# defaults to Lambda processors only, so that this one shows no difference at a preview.
# https://docs.aws.amazon.com/firehose/latest/dev/dynamic-partitioning-multirecord-deaggergation.html
DEAGGREGATION: ProcessorArgs = {
    "type": "RecordDeAggregation",
    "parameters": [{"parameter_name": "SubRecordType", "parameter_value": "JSON"}],
}

# Below the error prefix of the table. An error prefix must contain the error type.
# https://docs.aws.amazon.com/firehose/latest/dev/s3-prefixes.html
ERROR_SUFFIX = "!{firehose:error-output-type}/!{timestamp:yyyy/MM/dd}/"


class Delivery:
    """The delivery stream and the transform function."""

    stream: DeliveryStream
    errors_location: pulumi.Output[str]
    transform: Function

    def __init__(
        self,
        lake_table: LakeTableContext,
        bucket: LakeBucket,
        entry: CatalogEntry,
        written: Sequence[pulumi.Resource],
        parent: pulumi.Resource,
    ) -> None:
        """Create both.

        written: what must have a new column before the transform writes it.
        """
        self.parent = parent
        pipeline, table, module = lake_table.pipeline, lake_table.table, lake_table.module
        transform = lake_table.args.transform
        self.transform = create_function(
            f"{lake_table.name}-transform",
            pipeline,
            archive=transform_archive(
                lake_table.packages,
                module.code.files if module.code else {},
                table.transform_config,
                table.transform_time_zone,
            ),
            handler="streaming_etl.handlers.transform.lambda_handler",
            timeout_seconds=transform.timeout_seconds,
            memory_mib=transform.memory_mib,
            parent=parent,
            # The function may send to the delivery stream, which depends on the function.
            statements=None,
            # Firehose writes no column to Parquet that the Glue table does not have yet. A merge of
            # the former columns leaves a new one NULL, and no later merge changes the row.
            depends_on=written,
            environment=transform.environment,
            secrets=transform.secrets,
            layers=transform.layers,
            reserved_concurrency=transform.reserved_concurrency,
            ephemeral_storage_mib=transform.ephemeral_storage_mib,
        )
        errors_path = pulumi.Output.concat(ERRORS_PREFIX, pipeline.database_name, f"/{table.name}/")
        self.errors_location = bucket.location(errors_path)
        stream = self.create_stream(lake_table, bucket, entry, errors_path)
        arn = pipeline.named_arn(
            stream.arn, f"{lake_table.name}-delivery-stream", "firehose", "deliverystream/"
        )
        statements = [iam.allow(["firehose:PutRecordBatch"], [arn])]
        if self.transform.has_variables:
            statements += pipeline.allow_environment_key()
        policies = function_policy(
            f"{lake_table.name}-transform",
            self.transform.role,
            self.transform.log_group_arn,
            statements,
            parent,
        )
        self.stream = DeliveryStream(
            name=stream.name, arn=arn, depends_on=(*policies, *bucket.depends_on)
        )

    def create_stream(
        self,
        lake_table: LakeTableContext,
        bucket: LakeBucket,
        entry: CatalogEntry,
        errors_path: pulumi.Output[str],
    ) -> aws.kinesis.FirehoseDeliveryStream:
        """Create the delivery stream, its role, log group and log stream."""
        name, pipeline = f"{lake_table.name}-delivery", lake_table.pipeline
        args, table, tags = lake_table.args, lake_table.table, dict(pipeline.tags)
        opts = pulumi.ResourceOptions(parent=self.parent)
        role = pipeline.roles.role(f"{name}-role", "firehose.amazonaws.com", self.parent)
        log_group = create_log_group(
            f"{name}-logs", pipeline, self.parent, log_group_class=pipeline.log_group_class
        )
        log_stream = aws.cloudwatch.LogStream(
            f"{name}-log-stream", name="delivery", log_group_name=log_group.name, opts=opts
        )
        log_group_arn = pipeline.named_arn(log_group.arn, f"{name}-logs", "logs", "log-group:")
        statements = self.statements(lake_table, bucket, entry, errors_path, log_group_arn)
        policies = role.allow(f"{name}-policy", statements, self.parent)

        destination: kinesis.FirehoseDeliveryStreamExtendedS3ConfigurationArgsDict = {
            "bucket_arn": bucket.arn,
            "role_arn": role.arn,
            "prefix": pulumi.Output.concat(entry.data_path, table.prefix_expression),
            "error_output_prefix": pulumi.Output.concat(errors_path, ERROR_SUFFIX),
            "custom_time_zone": args.partitions.time_zone,
            "buffering_size": args.buffers.delivery_mib,
            "buffering_interval": args.buffers.delivery_seconds,
            "compression_format": table.compression,
            "processing_configuration": {
                "enabled": True,
                "processors": self.processors(args),
            },
            "cloudwatch_logging_options": {
                "enabled": True,
                "log_group_name": log_group.name,
                "log_stream_name": log_stream.name,
            },
        }
        if table.file_extension is not None:
            destination["file_extension"] = table.file_extension
        if table.format == "parquet":
            destination["data_format_conversion_configuration"] = parquet_conversion(entry, role)
        if args.partitions.dynamic:
            # Adding the block replaces the delivery stream, even with `enabled: False`.
            destination["dynamic_partitioning_configuration"] = {"enabled": True}
        return aws.kinesis.FirehoseDeliveryStream(
            f"{name}-stream",
            destination="extended_s3",
            extended_s3_configuration=destination,
            server_side_encryption=encryption(pipeline.args.kms_key_arn),
            tags=tags,
            # IAM is eventually consistent: create the role's policy before the stream.
            opts=pulumi.ResourceOptions(parent=self.parent, depends_on=policies),
        )

    def statements(
        self,
        lake_table: LakeTableContext,
        bucket: LakeBucket,
        entry: CatalogEntry,
        errors_path: pulumi.Output[str],
        log_group: iam.ResourceArn,
    ) -> list[iam.Statement]:
        """Allow to deliver, to call the transform and to log errors.

        https://docs.aws.amazon.com/firehose/latest/dev/controlling-access.html#using-iam-s3
        """
        function, pipeline = self.transform.arn, lake_table.pipeline
        statements = [
            iam.allow(
                ["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"],
                [bucket.named_arn],
            ),
            iam.allow(
                ["s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"],
                [bucket.objects(entry.data_path), bucket.objects(errors_path)],
            ),
            iam.allow(
                ["lambda:GetFunctionConfiguration", "lambda:InvokeFunction"],
                [function, function.join(":$LATEST")],
            ),
            iam.allow(["logs:PutLogEvents"], [log_group.join(":*")]),
            *pipeline.allow_lake_key("kms:Decrypt", "kms:GenerateDataKey"),
        ]
        if lake_table.table.format == "parquet":
            versions = ["glue:GetTable", "glue:GetTableVersion", "glue:GetTableVersions"]
            statements.append(iam.allow(versions, entry.arns))
        return statements

    def processors(self, args: LakeTableArgs) -> list[ProcessorArgs]:
        """Return the processors of a record, in order."""
        transform = self.processor(args.transform, args.buffers.transform_seconds)
        # Required even without aggregation: records from before the update, and replayed records,
        # may be aggregated.
        return [DEAGGREGATION, transform] if args.partitions.dynamic else [transform]

    def processor(self, args: TransformArgs, buffer_seconds: int) -> ProcessorArgs:
        """Return the processor that calls the transform, without default parameters."""
        parameters = {
            "NumberOfRetries": str(args.maximum_retry_attempts),
            "BufferSizeInMBs": f"{args.buffer_mib:g}",
            "BufferIntervalInSeconds": str(buffer_seconds),
        }
        changed: dict[str, pulumi.Input[str]] = {
            "LambdaArn": pulumi.Output.concat(self.transform.resource.arn, ":$LATEST"),
            **{
                key: value
                for key, value in parameters.items()
                if value != DEFAULT_PROCESSOR_PARAMETERS[key]
            },
        }
        return {
            "type": "Lambda",
            "parameters": [
                {"parameter_name": key, "parameter_value": value} for key, value in changed.items()
            ],
        }


def encryption(
    kms_key_arn: Optional[pulumi.Input[str]],
) -> kinesis.FirehoseDeliveryStreamServerSideEncryptionArgsDict:
    """Return the encryption of records in the stream's buffer.

    Firehose uses a customer key by a grant, so that who sends needs no permission on the key.
    https://docs.aws.amazon.com/firehose/latest/APIReference/API_DeliveryStreamEncryptionConfigurationInput.html
    """
    if kms_key_arn is None:
        return {"enabled": True, "key_type": "AWS_OWNED_CMK"}
    return {"enabled": True, "key_type": "CUSTOMER_MANAGED_CMK", "key_arn": kms_key_arn}


def parquet_conversion(entry: CatalogEntry, role: Role) -> ConversionArgs:
    """Return the conversion to Parquet by the Glue table's columns."""
    return {
        "enabled": True,
        # By default Firehose lower-cases the keys of maps.
        # https://docs.aws.amazon.com/firehose/latest/APIReference/API_OpenXJsonSerDe.html
        "input_format_configuration": {
            "deserializer": {"open_x_json_ser_de": {"case_insensitive": False}}
        },
        "output_format_configuration": {
            "serializer": {"parquet_ser_de": {"compression": "SNAPPY"}},
        },
        "schema_configuration": {
            "database_name": entry.database_name,
            "table_name": entry.table_name,
            "role_arn": role.arn,
        },
    }
