"""Stage 5: Athena workgroup and saved queries."""

from collections.abc import Callable
from functools import partial
from typing import Optional

import pulumi
import pulumi_aws as aws

from streaming_etl.components.stages.references import (
    CatalogEntry,
    LakeBucket,
    LakeTableContext,
    PipelineContext,
)
from streaming_etl.components.stages.workgroup import create_workgroup
from streaming_etl.components.table.layout import default_workgroup_name
from streaming_etl.components.table.queries import SAVED_QUERIES


def create_query_workgroup(
    pipeline: PipelineContext, bucket: LakeBucket, parent: pulumi.Resource
) -> pulumi.Output[str]:
    """Return the name of the workgroup for queries of people.

    It exists or is created.
    """
    if pipeline.args.query.workgroup_name is not None:
        return pulumi.Output.from_input(pipeline.args.query.workgroup_name)
    return create_workgroup(
        f"{pipeline.name}-query-workgroup",
        default_workgroup_name(pipeline.physical_name),
        pipeline,
        bucket,
        parent,
        force_destroy=pipeline.protection.workgroup_force_destroy,
        cutoff_mib=pipeline.args.query.bytes_scanned_cutoff_mib,
    )


def save_queries(
    lake_table: LakeTableContext,
    workgroup: pulumi.Output[str],
    entry: CatalogEntry,
    parent: pulumi.Resource,
) -> Optional[pulumi.Output[str]]:
    """Save a lake table's queries; return the id of the current state's."""
    table, saved_queries = lake_table.table, lake_table.args.query.saved_queries
    database = pulumi.Output.from_input(lake_table.pipeline.database_name)

    def save(kind: str, description: str, text: Callable[[str], str]) -> pulumi.Output[str]:
        return aws.athena.NamedQuery(
            f"{lake_table.name}-query-{kind}",
            name=f"{lake_table.physical_name}-{kind}",
            description=description,
            database=entry.database_name,
            workgroup=workgroup,
            query=database.apply(text),
            opts=pulumi.ResourceOptions(parent=parent),
        ).id

    current_state_query_id = None
    # The view has the same SQL.
    if table.current_state and (saved_queries or table.view_name is None):
        description = "Current state of each item"
        current_state_query_id = save("current-state", description, lake_table.state_sql)
    for kind, (description, text) in SAVED_QUERIES.items() if saved_queries else ():
        save(kind, description, partial(text, table=table))
    return current_state_query_id
