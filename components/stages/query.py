"""Stage 5: Athena workgroup, saved queries and current-state view."""

from functools import partial
from typing import Optional

import pulumi
import pulumi_aws as aws

from streaming_etl.components.stages.references import CatalogEntry, LakeBucket, PipelineContext
from streaming_etl.components.table.column_types import glue_type
from streaming_etl.components.table.layout import QUERY_RESULTS_PREFIX, default_workgroup_name
from streaming_etl.components.table.queries import (
    SAVED_QUERIES,
    current_state_sql,
    view_columns,
    view_text,
)

MIB = 1024 * 1024


class Query(pulumi.ComponentResource):
    """Component of the Athena workgroup, the saved queries and the view."""

    workgroup_name: pulumi.Output[str]
    current_state_query_id: Optional[pulumi.Output[str]] = None
    view_name: Optional[pulumi.Output[str]] = None

    def __init__(
        self,
        pipeline: PipelineContext,
        bucket: LakeBucket,
        entry: CatalogEntry,
        opts: pulumi.ResourceOptions,
    ) -> None:
        name, table = f"{pipeline.name}-query", pipeline.table
        super().__init__("streaming-etl:index:Query", name, None, opts)
        self.workgroup_name = self.create_workgroup(f"{name}-workgroup", pipeline, bucket)
        sql = entry.database_name.apply(lambda database: current_state_sql(database, table))
        if table.current_state:
            self.current_state_query_id = self.save(
                pipeline.name,
                "current-state",
                "Current state of each item",
                sql,
                entry.database_name,
            )
        for kind, (description, text) in SAVED_QUERIES.items():
            sql_of_table = entry.database_name.apply(partial(text, table=table))
            self.save(pipeline.name, kind, description, sql_of_table, entry.database_name)
        if table.view_name is not None:
            self.view_name = self.create_view(f"{name}-view", pipeline, entry.database_name, sql)
        self.register_outputs({"workgroupName": self.workgroup_name, "viewName": self.view_name})

    def create_workgroup(
        self, name: str, pipeline: PipelineContext, bucket: LakeBucket
    ) -> pulumi.Output[str]:
        """Create a workgroup whose result configuration users cannot override."""
        args, key = pipeline.args.query, pipeline.args.lake.kms_key_arn
        physical = default_workgroup_name(pipeline.name)
        return aws.athena.Workgroup(
            name,
            name=physical,
            force_destroy=pipeline.protection.workgroup_force_destroy,
            configuration={
                "enforce_workgroup_configuration": True,
                "publish_cloudwatch_metrics_enabled": True,
                "bytes_scanned_cutoff_per_query": args.bytes_scanned_cutoff_mib * MIB,
                "result_configuration": {
                    "output_location": bucket.location(QUERY_RESULTS_PREFIX, physical, "/"),
                    "encryption_configuration": {
                        "encryption_option": "SSE_S3" if key is None else "SSE_KMS",
                        "kms_key_arn": key,
                    },
                },
            },
            tags=dict(pipeline.tags),
            opts=pulumi.ResourceOptions(parent=self),
        ).name

    def save(
        self,
        pipeline: str,
        kind: str,
        description: str,
        sql: pulumi.Input[str],
        database_name: pulumi.Output[str],
    ) -> pulumi.Output[str]:
        """Create a saved query of the workgroup; return its id."""
        return aws.athena.NamedQuery(
            f"{pipeline}-query-{kind}",
            name=f"{pipeline}-{kind}",
            description=description,
            database=database_name,
            workgroup=self.workgroup_name,
            query=sql,
            opts=pulumi.ResourceOptions(parent=self),
        ).id

    def create_view(
        self,
        name: str,
        pipeline: PipelineContext,
        database_name: pulumi.Output[str],
        sql: pulumi.Output[str],
    ) -> pulumi.Output[str]:
        """Create the Athena view, a Glue table of type VIRTUAL_VIEW.

        The table has no description, because Trino shows no view with one.
        """
        table = pipeline.table
        columns = view_columns(table)
        text = pulumi.Output.all(sql, database_name).apply(
            lambda values: view_text(values[0], values[1], columns)
        )
        view = aws.glue.CatalogTable(
            name,
            name=table.view_name,
            database_name=database_name,
            table_type="VIRTUAL_VIEW",
            parameters={"presto_view": "true", "comment": "Presto View"},
            view_original_text=text,
            view_expanded_text="/* Presto View */",
            storage_descriptor=aws.glue.CatalogTableStorageDescriptorArgs(
                columns=[
                    aws.glue.CatalogTableStorageDescriptorColumnArgs(
                        name=column.name, type=glue_type(column.type)
                    )
                    for column in columns
                ],
                # Athena requires a SerDe, and the provider omits an empty one.
                # https://github.com/hashicorp/terraform-provider-aws/issues/28517
                ser_de_info=aws.glue.CatalogTableStorageDescriptorSerDeInfoArgs(
                    name="-", serialization_library="-"
                ),
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        return view.name
