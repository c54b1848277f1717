"""Merge stage: the Iceberg table, and the state machine that keeps it."""

import json
from collections.abc import Callable

import pulumi
import pulumi_aws as aws
from pulumi_aws import glue

from streaming_etl.components.stages import iam
from streaming_etl.components.stages.merge_state_machine import MergeInputs, definition
from streaming_etl.components.stages.references import (
    CatalogEntry,
    LakeBucket,
    LakeTableContext,
    PipelineContext,
)
from streaming_etl.components.stages.state_machine import create_state_machine, state_machine_arn
from streaming_etl.components.stages.workgroup import create_workgroup
from streaming_etl.components.table.iceberg import FORMAT_VERSION, PROPERTIES, iceberg_schema
from streaming_etl.components.table.layout import (
    MERGED_PREFIX,
    QUERY_RESULTS_PREFIX,
    merge_workgroup_name,
)
from streaming_etl.components.table.merge import (
    expire_tombstones_sql,
    merge_sql,
    optimize_sql,
    vacuum_sql,
)
from streaming_etl.components.table.window import DayWindow

READ_TABLE = ["glue:GetTable", "glue:GetTables"]
READ_PARTITIONS = ["glue:BatchGetPartition", "glue:GetPartition", "glue:GetPartitions"]


def create_merge_workgroup(
    pipeline: PipelineContext, bucket: LakeBucket, parent: pulumi.Resource
) -> pulumi.Output[str]:
    """Create the workgroup of all merges of a pipeline; return its name.

    It has no limit of scanned bytes, which protects from queries of people.
    """
    return create_workgroup(
        f"{pipeline.name}-merge-workgroup",
        merge_workgroup_name(pipeline.physical_name),
        pipeline,
        bucket,
        parent,
        # Its queries are the program's own.
        force_destroy=True,
    )


class Merge:
    """Merged table, state machine and schedule of a lake table."""

    table: aws.glue.CatalogTable
    state_machine: aws.sfn.StateMachine

    def __init__(
        self,
        lake_table: LakeTableContext,
        bucket: LakeBucket,
        entry: CatalogEntry,
        workgroup: pulumi.Output[str],
        parent: pulumi.Resource,
    ) -> None:
        self.parent = parent
        name, pipeline = f"{lake_table.name}-merge", lake_table.pipeline
        path = pulumi.Output.concat(
            MERGED_PREFIX, pipeline.database_name, f"/{lake_table.table.name}/"
        )
        self.table = create_merged_table(
            f"{lake_table.name}-merged-table", lake_table, bucket.location(path), entry, parent
        )
        self.state_machine, policies = self.create_machine(
            name, lake_table, bucket, entry, workgroup, path
        )
        self.create_schedule(name, lake_table, self.state_machine, policies)

    def create_machine(
        self,
        name: str,
        lake_table: LakeTableContext,
        bucket: LakeBucket,
        entry: CatalogEntry,
        workgroup: pulumi.Output[str],
        path: pulumi.Output[str],
    ) -> tuple[aws.sfn.StateMachine, list[pulumi.Resource]]:
        """Create the state machine and its role; return the policies, too."""
        machine, role = create_state_machine(
            name,
            lake_table.pipeline,
            definition=definition(merge_inputs(lake_table, workgroup), lake_table.args.merge),
            statements=machine_statements(lake_table, bucket, entry, path),
            # A merge selects columns that both tables must have.
            depends_on=[self.table, *entry.depends_on],
            parent=self.parent,
        )
        # A separate policy, because it contains the ARN of the state machine.
        arn = state_machine_arn(name, machine, lake_table.pipeline)
        own = [
            iam.allow(["states:DescribeStateMachine", "states:ListExecutions"], [arn]),
            *lake_table.pipeline.allow_state_machine_key(arn),
        ]
        return machine, role.allow(f"{name}-own-policy", own, self.parent)

    def create_schedule(
        self,
        name: str,
        lake_table: LakeTableContext,
        machine: aws.sfn.StateMachine,
        machine_policies: list[pulumi.Resource],
    ) -> None:
        """Create the schedule and its role."""
        pipeline, args = lake_table.pipeline, lake_table.args.merge
        role = pipeline.roles.role(f"{name}-schedule-role", "scheduler.amazonaws.com", self.parent)
        arn = state_machine_arn(name, machine, pipeline)
        statements = [
            iam.allow(["states:StartExecution"], [arn]),
            *pipeline.allow_schedule_key(),
        ]
        policies = role.allow(f"{name}-schedule-policy", statements, self.parent)
        aws.scheduler.Schedule(
            f"{name}-schedule",
            schedule_expression=f"rate({args.interval_minutes} minutes)",
            flexible_time_window={"mode": "OFF"},
            kms_key_arn=pipeline.args.kms_key_arn,
            target={
                "arn": machine.arn,
                "role_arn": role.arn,
                # https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html
                "input": json.dumps({"scheduled": "<aws.scheduler.scheduled-time>"}),
                # A later run merges the same days.
                "retry_policy": {
                    "maximum_event_age_in_seconds": args.interval_minutes * 60,
                    "maximum_retry_attempts": 3,
                },
            },
            opts=pulumi.ResourceOptions(
                parent=self.parent, depends_on=[*policies, *machine_policies]
            ),
        )


def create_merged_table(
    name: str,
    lake_table: LakeTableContext,
    location: pulumi.Output[str],
    entry: CatalogEntry,
    parent: pulumi.Resource,
) -> aws.glue.CatalogTable:
    """Create the Iceberg table.

    Glue creates the metadata, and a change of the columns is an update of the table's input. The
    resource has no other arguments: the provider sends them with an update, which then replaces
    parameters that make the table an Iceberg table.
    """
    fields = iceberg_schema(lake_table.table)["fields"]
    table = glue.CatalogTableOpenTableFormatInputIcebergInputIcebergTableInputArgs(
        location=location,
        properties=dict(PROPERTIES),
        schema=glue.CatalogTableOpenTableFormatInputIcebergInputIcebergTableInputSchemaArgs(
            fields=[
                glue.CatalogTableOpenTableFormatInputIcebergInputIcebergTableInputSchemaFieldArgs(
                    **field
                )
                for field in fields
            ]
        ),
    )
    iceberg = glue.CatalogTableOpenTableFormatInputIcebergInputArgs(
        metadata_operation="CREATE", version=FORMAT_VERSION, iceberg_table_input=table
    )
    return aws.glue.CatalogTable(
        name,
        name=lake_table.table.merged_name,
        database_name=entry.database_name,
        open_table_format_input=glue.CatalogTableOpenTableFormatInputArgs(iceberg_input=iceberg),
        opts=pulumi.ResourceOptions(parent=parent),
    )


def merge_inputs(lake_table: LakeTableContext, workgroup: pulumi.Output[str]) -> MergeInputs:
    """Return what the definition contains."""
    pipeline, table = lake_table.pipeline, lake_table.table
    failures_days = pipeline.args.lake.failures_retention_days
    days = lake_table.args.merge.expiry_days(failures_days)
    database = pulumi.Output.from_input(pipeline.database_name)

    def sql(text: Callable[[str], str]) -> pulumi.Output[str]:
        return database.apply(text)

    return MergeInputs(
        partition=pipeline.account.partition,
        workgroup=workgroup,
        merge=sql(lambda name: merge_sql(name, table, DayWindow())),
        expire=sql(lambda name: expire_tombstones_sql(name, table, days)),
        optimize=sql(lambda name: optimize_sql(name, table)),
        vacuum=sql(lambda name: vacuum_sql(name, table)),
    )


def machine_statements(
    lake_table: LakeTableContext,
    bucket: LakeBucket,
    entry: CatalogEntry,
    path: pulumi.Output[str],
) -> list[iam.Statement]:
    """Allow to query, to read the log and to write merged rows.

    https://docs.aws.amazon.com/athena/latest/ug/fine-grained-access-to-glue-resources.html
    https://docs.aws.amazon.com/athena/latest/ug/querying-iceberg-fine-grained-access.html
    https://docs.aws.amazon.com/step-functions/latest/dg/connect-athena.html
    """
    pipeline = lake_table.pipeline
    account, database = pipeline.account, pipeline.database_name
    workgroup = merge_workgroup_name(pipeline.physical_name)
    results = f"{QUERY_RESULTS_PREFIX}{workgroup}/"
    merged = account.arn("glue", "table/", database, f"/{lake_table.table.merged_name}")
    catalog, database_arn, _ = entry.arns
    workgroup_arn = account.arn("athena", f"workgroup/{workgroup}")
    prefixes: list[pulumi.Input[str]] = [
        pulumi.Output.concat(each, "*") for each in (entry.data_path, path)
    ]
    if pipeline.args.results_in_bucket:
        prefixes.append(f"{results}*")
    listed = {"StringLike": {"s3:prefix": prefixes}}
    write = ["s3:AbortMultipartUpload", "s3:ListMultipartUploadParts", "s3:PutObject"]
    return [
        iam.allow(
            ["athena:GetQueryExecution", "athena:StartQueryExecution", "athena:StopQueryExecution"],
            [workgroup_arn],
        ),
        iam.allow(["athena:GetDataCatalog"], [account.arn("athena", "datacatalog/AwsDataCatalog")]),
        iam.allow(["glue:GetDatabase", *READ_TABLE, *READ_PARTITIONS], entry.arns),
        # Athena looks up the default database for each query, and creates it if there is none.
        iam.allow(
            ["glue:CreateDatabase", "glue:GetDatabase"],
            [catalog, account.arn("glue", "database/default")],
        ),
        iam.allow([*READ_TABLE, "glue:UpdateTable"], [catalog, database_arn, merged]),
        iam.allow(["s3:ListBucket"], [bucket.named_arn], listed),
        iam.allow(["s3:GetBucketLocation", "s3:ListBucketMultipartUploads"], [bucket.named_arn]),
        iam.allow(["s3:GetObject"], [bucket.objects(entry.data_path)]),
        # The statements of expiry and compaction delete files.
        iam.allow([*write, "s3:DeleteObject", "s3:GetObject"], [bucket.objects(path)]),
        *(
            [iam.allow([*write, "s3:GetObject"], [bucket.objects(results)])]
            if pipeline.args.results_in_bucket
            else pipeline.allow_managed_results_key(workgroup_arn)
        ),
        *pipeline.allow_lake_key("kms:Decrypt", "kms:GenerateDataKey"),
    ]
