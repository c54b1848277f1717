"""The source table, created or existing, and its stream."""

from typing import Optional

import pulumi
import pulumi_aws as aws

from streaming_etl.components.settings.pipeline import StreamingEtlPipelineArgs
from streaming_etl.components.settings.stages import STREAM_VIEWS
from streaming_etl.components.settings.validation import SettingsError, invalid, raise_if_any
from streaming_etl.components.stages.iam import ResourceArn
from streaming_etl.components.stages.references import PipelineContext

STREAM_VIEW = STREAM_VIEWS[0]


class Source:
    """The source table: created, looked up, or one of the same program."""

    table_name: pulumi.Output[str]
    table: ResourceArn
    stream: ResourceArn
    key_names: tuple[str, ...]
    """Hash key, and range key if the table has one."""
    kms_key_arns: tuple[pulumi.Input[str], ...] = ()
    """Keys that encrypt the table and the changes of its stream; none with a key that AWS owns."""

    def __init__(self, pipeline: PipelineContext, parent: pulumi.Resource) -> None:
        source = pipeline.args.source
        keys = [source.hash_key, source.range_key or ""]
        if source.stream_arn is not None:
            self.table_name = pulumi.Output.from_input(pipeline.args.table_name)
            stream_arn = pulumi.Output.from_input(source.stream_arn)
            table_arn = stream_arn.apply(table_of_stream)
            if source.table_kms_key_arn is not None:
                self.kms_key_arns = (source.table_kms_key_arn,)
        elif source.use_existing:
            existing = find_stream(pipeline.args, parent)
            self.table_name = pulumi.Output.from_input(existing.name)
            table_arn = pulumi.Output.from_input(existing.arn)
            stream_arn = pulumi.Output.from_input(existing.stream_arn)
            encryption = existing.server_side_encryption
            if encryption and encryption.kms_key_arn:
                self.kms_key_arns = (encryption.kms_key_arn,)
            keys = [existing.hash_key, existing.range_key]
        else:
            table = create_table(f"{pipeline.name}-source-table", pipeline, parent)
            self.table_name = table.name
            table_arn, stream_arn = table.arn, table.stream_arn
            if pipeline.args.kms_key_arn is not None:
                self.kms_key_arns = (pipeline.args.kms_key_arn,)
            # The stream has changes of the last 24 hours.
            self.kms_key_arns += tuple(pipeline.args.former_kms_key_arns)
        known_arn = pipeline.account.arn("dynamodb", "table/", pipeline.args.table_name)
        self.table = ResourceArn(table_arn, (known_arn,))
        # Another stream of the table has another label.
        self.stream = ResourceArn(stream_arn, (pulumi.Output.concat(known_arn, "/stream/*"),))
        self.key_names = tuple(key for key in keys if key)


def table_of_stream(stream_arn: str) -> str:
    """Return the ARN of a stream's table."""
    return stream_arn.partition("/stream/")[0]


def find_stream(
    args: StreamingEtlPipelineArgs, parent: pulumi.Resource
) -> aws.dynamodb.GetTableResult:
    """Look up an existing table and its stream.

    Pulumi's AWS provider cannot enable the stream of a table that it does not manage. Raises
    SettingsError for a stream that cannot feed a lake.
    """
    table_name, old_image = args.table_name, args.forwarder.old_image
    table = aws.dynamodb.get_table(name=str(table_name), opts=pulumi.InvokeOptions(parent=parent))
    got, view = table.stream_view_type, STREAM_VIEW
    if not table.stream_enabled or not table.stream_arn:
        raise SettingsError(invalid("table_name", table_name, "stream-disabled", view=view))
    if got not in STREAM_VIEWS:
        raise SettingsError(invalid("table_name", table_name, "stream-view", got=got, view=view))
    if old_image == "always" and got != STREAM_VIEW:
        details = {"got": got, "view": view}
        rule = "stream-without-old-images"
        raise SettingsError(invalid("old_image", old_image, rule, path="forwarder", **details))
    types = {attribute.name: attribute.type for attribute in table.attributes or ()}
    keys = {key: types[key] for key in (table.hash_key, table.range_key) if key in types}
    problems = [*args.where_problems_of(keys, has_old_images=got == STREAM_VIEW)]
    recovery = table.point_in_time_recovery
    if args.backfill.on_create and not (recovery and recovery.enabled):
        rule = "no-point-in-time-recovery"
        problems.append(invalid("on_create", True, rule, path="backfill", table=table_name))
    raise_if_any(problems)
    return table


def encryption(
    kms_key_arn: Optional[pulumi.Input[str]],
) -> Optional[aws.dynamodb.TableServerSideEncryptionArgs]:
    """Return the encryption of a table; None with AWS's key."""
    if kms_key_arn is None:
        return None
    return aws.dynamodb.TableServerSideEncryptionArgs(enabled=True, kms_key_arn=kms_key_arn)


def create_table(
    name: str, pipeline: PipelineContext, parent: pulumi.Resource
) -> aws.dynamodb.Table:
    """Create a table whose stream has new and old images."""
    args = pipeline.args.source
    keys = {args.hash_key: args.hash_key_type}
    if args.range_key is not None:
        keys[args.range_key] = args.range_key_type
    provisioned = args.read_capacity is not None
    ttl = args.ttl_attribute
    return aws.dynamodb.Table(
        name,
        name=pipeline.args.table_name,
        attributes=[
            aws.dynamodb.TableAttributeArgs(name=key, type=kind) for key, kind in keys.items()
        ],
        hash_key=args.hash_key,
        range_key=args.range_key,
        billing_mode="PROVISIONED" if provisioned else "PAY_PER_REQUEST",
        read_capacity=args.read_capacity,
        write_capacity=args.write_capacity,
        stream_enabled=True,
        stream_view_type=STREAM_VIEW,
        point_in_time_recovery=aws.dynamodb.TablePointInTimeRecoveryArgs(
            enabled=args.point_in_time_recovery
        ),
        server_side_encryption=encryption(pipeline.args.kms_key_arn),
        deletion_protection_enabled=pipeline.protection.deletion_protection,
        ttl=aws.dynamodb.TableTtlArgs(attribute_name=ttl, enabled=True) if ttl else None,
        tags=dict(pipeline.tags),
        opts=pulumi.ResourceOptions(
            parent=parent,
            # The provider ignores a new type of a key, which DynamoDB cannot change.
            replacement_trigger=[args.hash_key_type, args.range_key_type],
            delete_before_replace=True,
        ),
    )
