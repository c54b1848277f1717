"""Stage 4: Glue database, lake table and crawler."""

from collections.abc import Mapping, Sequence
from typing import Optional

import pulumi
import pulumi_aws as aws

from streaming_etl.components.stages import iam
from streaming_etl.components.stages.references import (
    CatalogEntry,
    LakeBucket,
    LakeTableContext,
    PipelineContext,
)
from streaming_etl.components.table.column_types import glue_type
from streaming_etl.components.table.lake_table import LakeTable
from streaming_etl.components.table.layout import (
    DATA_PREFIX,
    PARTITION_KEY_TYPE,
    projection_parameters,
)
from streaming_etl.components.table.serdes import SERDES

# Partitions inherit the columns of the table; for CSV the crawler would add col0, col1, ...
# https://docs.aws.amazon.com/glue/latest/dg/crawler-configuration.html
CRAWLER_CONFIGURATION = (
    '{"Version":1.0,'
    '"CrawlerOutput":{"Partitions":{"AddOrUpdateBehavior":"InheritFromTable"}},'
    '"Grouping":{"TableGroupingPolicy":"CombineCompatibleSchemas"}}'
)


def create_database(pipeline: PipelineContext, parent: pulumi.Resource) -> pulumi.Output[str]:
    """Return the name of the Glue database, which exists or is created."""
    if pipeline.args.database_name is not None:
        return pulumi.Output.from_input(pipeline.args.database_name)
    return aws.glue.CatalogDatabase(
        f"{pipeline.name}-catalog-database",
        name=pipeline.database_name,
        tags=dict(pipeline.tags),
        opts=pulumi.ResourceOptions(parent=parent),
    ).name


class Catalog:
    """The Glue table of a lake table, and its crawler."""

    entry: CatalogEntry
    crawler_name: Optional[pulumi.Output[str]] = None

    def __init__(
        self,
        lake_table: LakeTableContext,
        database_name: pulumi.Output[str],
        bucket: LakeBucket,
        parent: pulumi.Resource,
    ) -> None:
        self.parent = parent
        pipeline, table = lake_table.pipeline, lake_table.table
        name = f"{lake_table.name}-catalog"
        data_path = pulumi.Output.concat(DATA_PREFIX, pipeline.database_name, f"/{table.name}/")
        table_name = pulumi.Output.from_input(table.name)
        depends_on: tuple[pulumi.Resource, ...] = ()
        if table.columns is not None:
            location = bucket.location(data_path)
            resource = create_table(f"{name}-table", lake_table, database_name, location, parent)
            table_name, depends_on = resource.name, (resource,)
            if table.objects_name is not None:
                objects = f"{name}-objects"
                depends_on += (
                    glue_table(objects, table, table.objects_name, database_name, location, parent),
                )
        self.entry = CatalogEntry(
            database_name=database_name,
            table_name=table_name,
            data_path=data_path,
            depends_on=depends_on,
            arns=(
                pipeline.account.arn("glue", "catalog"),
                pipeline.account.arn("glue", "database/", pipeline.database_name),
                pipeline.account.arn("glue", "table/", pipeline.database_name, f"/{table.name}"),
            ),
        )
        if lake_table.args.catalog == "crawler":
            self.crawler_name = self.create_crawler(f"{name}-crawler", lake_table, bucket)

    def create_crawler(
        self, name: str, lake_table: LakeTableContext, bucket: LakeBucket
    ) -> pulumi.Output[str]:
        """Create a crawler of partitions, and of the table without COLUMNS."""
        pipeline = lake_table.pipeline
        role = pipeline.roles.role(f"{name}-role", "glue.amazonaws.com", self.parent)
        statements = self.crawler_statements(lake_table, bucket)
        policies = role.allow(f"{name}-policy", statements, self.parent)
        declared = lake_table.table.columns is not None
        by_table = aws.glue.CrawlerCatalogTargetArgs(
            database_name=self.entry.database_name, tables=[self.entry.table_name]
        )
        by_path = aws.glue.CrawlerS3TargetArgs(path=bucket.location(self.entry.data_path))
        crawler = aws.glue.Crawler(
            name,
            database_name=self.entry.database_name,
            role=role.arn,
            schedule=lake_table.args.crawler_schedule,
            catalog_targets=[by_table] if declared else None,
            s3_targets=None if declared else [by_path],
            configuration=CRAWLER_CONFIGURATION,
            schema_change_policy=aws.glue.CrawlerSchemaChangePolicyArgs(
                # Crawlers of catalog tables support no other delete behavior.
                delete_behavior="LOG",
                update_behavior="LOG" if declared else "UPDATE_IN_DATABASE",
            ),
            security_configuration=self.create_security_configuration(name, pipeline),
            tags=dict(pipeline.tags),
            # IAM is eventually consistent: create the role's policy before the crawler.
            opts=pulumi.ResourceOptions(parent=self.parent, depends_on=policies),
        )
        return crawler.name

    def create_security_configuration(
        self, name: str, pipeline: PipelineContext
    ) -> Optional[pulumi.Output[str]]:
        """Encrypt the crawler's logs with the customer key, if any.

        A crawler writes nothing else, but the two other modes are required arguments.
        """
        key = pipeline.args.kms_key_arn
        if key is None:
            return None
        return aws.glue.SecurityConfiguration(
            f"{name}-security",
            encryption_configuration={
                "cloudwatch_encryption": {
                    "cloudwatch_encryption_mode": "SSE-KMS",
                    "kms_key_arn": key,
                },
                "job_bookmarks_encryption": {
                    "job_bookmarks_encryption_mode": "CSE-KMS",
                    "kms_key_arn": key,
                },
                "s3_encryption": {"s3_encryption_mode": "SSE-KMS", "kms_key_arn": key},
            },
            opts=pulumi.ResourceOptions(parent=self.parent),
        ).name

    def crawler_statements(
        self, lake_table: LakeTableContext, bucket: LakeBucket
    ) -> list[iam.Statement]:
        """Allow to read the table's objects and to write partitions and logs."""
        pipeline = lake_table.pipeline
        actions = [
            "glue:BatchCreatePartition",
            "glue:BatchGetPartition",
            "glue:BatchUpdatePartition",
            "glue:CreatePartition",
            "glue:GetDatabase",
            "glue:GetPartition",
            "glue:GetPartitions",
            "glue:GetTable",
            "glue:GetTables",
            "glue:UpdatePartition",
            "glue:UpdateTable",
        ]
        if lake_table.table.columns is None:
            actions.append("glue:CreateTable")
        listed = {"StringLike": {"s3:prefix": [pulumi.Output.concat(self.entry.data_path, "*")]}}
        write_logs = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"]
        if pipeline.args.kms_key_arn is not None:
            # https://docs.aws.amazon.com/glue/latest/dg/encryption-security-configuration.html
            write_logs.append("logs:AssociateKmsKey")
        # All crawlers of an account write to log groups with this fixed prefix.
        logs = pipeline.account.arn("logs", "log-group:/aws-glue/crawlers*")
        return [
            iam.allow(["s3:ListBucket"], [bucket.named_arn], listed),
            iam.allow(["s3:GetBucketLocation"], [bucket.named_arn]),
            iam.allow(["s3:GetObject"], [bucket.objects(self.entry.data_path)]),
            iam.allow(actions, self.entry.arns),
            iam.allow(write_logs, [logs]),
            *pipeline.allow_lake_key("kms:Decrypt"),
        ]


def create_table(
    name: str,
    lake_table: LakeTableContext,
    database_name: pulumi.Output[str],
    location: pulumi.Output[str],
    parent: pulumi.Resource,
) -> aws.glue.CatalogTable:
    """Create the Glue table over the lake's objects."""
    table = lake_table.table
    parameters: dict[str, pulumi.Input[str]] = {}
    if lake_table.args.catalog == "projection":
        template = "".join(f"{key}=${{{key}}}/" for key in table.partition_keys)
        parameters = {
            **projection_parameters(lake_table.args.partitions),
            "storage.location.template": pulumi.Output.concat(location, template),
        }
    return glue_table(
        name, table, table.name, database_name, location, parent, table.partition_keys, parameters
    )


def glue_table(
    name: str,
    table: LakeTable,
    table_name: str,
    database_name: pulumi.Output[str],
    location: pulumi.Output[str],
    parent: pulumi.Resource,
    partition_keys: Sequence[str] = (),
    parameters: Mapping[str, pulumi.Input[str]] | None = None,
) -> aws.glue.CatalogTable:
    """Create a Glue table with columns and SerDe of the objects.

    Without partition keys Athena reads the subfolders of the location, so a query lists the
    objects instead of every prefix of a projection, and needs no value of an injected key.
    https://docs.aws.amazon.com/athena/latest/ug/tables-location-format.html
    """
    serde = SERDES[table.format]
    return aws.glue.CatalogTable(
        name,
        name=table_name,
        database_name=database_name,
        table_type="EXTERNAL_TABLE",
        parameters={"EXTERNAL": "TRUE", "classification": table.format, **(parameters or {})},
        partition_keys=[
            aws.glue.CatalogTablePartitionKeyArgs(name=key, type=PARTITION_KEY_TYPE)
            for key in partition_keys
        ]
        or None,
        storage_descriptor=aws.glue.CatalogTableStorageDescriptorArgs(
            location=location,
            input_format=serde.input_format,
            output_format=serde.output_format,
            columns=[
                aws.glue.CatalogTableStorageDescriptorColumnArgs(
                    name=column.name, type=glue_type(column.type)
                )
                for column in table.all_columns
            ],
            ser_de_info=aws.glue.CatalogTableStorageDescriptorSerDeInfoArgs(
                serialization_library=serde.library, parameters=serde.parameters
            ),
        ),
        opts=pulumi.ResourceOptions(parent=parent),
    )
