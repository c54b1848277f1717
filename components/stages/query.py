"""Stage 5: Athena workgroup and saved queries."""

from functools import partial
from typing import Optional

import pulumi
import pulumi_aws as aws

from streaming_etl.components.stages.references import CatalogEntry, LakeBucket, PipelineContext
from streaming_etl.components.table.layout import QUERY_RESULTS_PREFIX, default_workgroup_name
from streaming_etl.components.table.queries import SAVED_QUERIES, current_state_sql

MIB = 1024 * 1024


class Query:
    """The Athena workgroup and its saved queries."""

    workgroup_name: pulumi.Output[str]
    current_state_query_id: Optional[pulumi.Output[str]] = None

    def __init__(
        self,
        pipeline: PipelineContext,
        bucket: LakeBucket,
        entry: CatalogEntry,
        parent: pulumi.Resource,
    ) -> None:
        self.parent = parent
        table, saved_queries = pipeline.table, pipeline.args.query.saved_queries
        self.workgroup_name = self.create_workgroup(
            f"{pipeline.name}-query-workgroup", pipeline, bucket
        )
        database = pulumi.Output.from_input(pipeline.database_name)
        # The view has the same SQL.
        if table.current_state and (saved_queries or table.view_name is None):
            sql = database.apply(partial(current_state_sql, table=table))
            self.current_state_query_id = self.save(
                pipeline,
                "current-state",
                "Current state of each item",
                sql,
                entry.database_name,
            )
        for kind, (description, text) in SAVED_QUERIES.items() if saved_queries else ():
            sql_of_table = database.apply(partial(text, table=table))
            self.save(pipeline, kind, description, sql_of_table, entry.database_name)

    def create_workgroup(
        self, name: str, pipeline: PipelineContext, bucket: LakeBucket
    ) -> pulumi.Output[str]:
        """Create a workgroup whose result configuration users cannot override."""
        args, key = pipeline.args.query, pipeline.args.lake.kms_key_arn
        physical = default_workgroup_name(pipeline.physical_name)
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
            opts=pulumi.ResourceOptions(parent=self.parent),
        ).name

    def save(
        self,
        pipeline: PipelineContext,
        kind: str,
        description: str,
        sql: pulumi.Input[str],
        database_name: pulumi.Output[str],
    ) -> pulumi.Output[str]:
        """Create a saved query of the workgroup; return its id."""
        return aws.athena.NamedQuery(
            f"{pipeline.name}-query-{kind}",
            name=f"{pipeline.physical_name}-{kind}",
            description=description,
            database=database_name,
            workgroup=self.workgroup_name,
            query=sql,
            opts=pulumi.ResourceOptions(parent=self.parent),
        ).id
