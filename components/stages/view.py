"""The Athena view of the current state."""

from collections.abc import Sequence

import pulumi
import pulumi_aws as aws

from streaming_etl.components.stages.references import LakeTableContext
from streaming_etl.components.table.column_types import glue_type
from streaming_etl.components.table.queries import view_columns, view_text


def create_view(
    lake_table: LakeTableContext,
    database_name: pulumi.Output[str],
    selected: Sequence[pulumi.Resource],
    parent: pulumi.Resource,
) -> pulumi.Output[str]:
    """Create the view, a Glue table of type VIRTUAL_VIEW; return its name.

    selected: the tables that it reads. The table has no description, because Trino shows no view
    with one.
    """
    table = lake_table.table
    columns = view_columns(table)
    text = pulumi.Output.from_input(lake_table.pipeline.database_name).apply(
        lambda database: view_text(lake_table.state_sql(database), database, columns)
    )
    return aws.glue.CatalogTable(
        f"{lake_table.name}-query-view",
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
        # A query of the view fails while a table has no column that the view selects.
        opts=pulumi.ResourceOptions(parent=parent, depends_on=selected),
    ).name
