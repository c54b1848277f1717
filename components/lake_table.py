"""The component of a lake table and its resources."""

from typing import Optional

import pulumi

from streaming_etl.components.layout_hook import layout_hook
from streaming_etl.components.stages.catalog import Catalog
from streaming_etl.components.stages.delivery import Delivery
from streaming_etl.components.stages.merge import Merge
from streaming_etl.components.stages.references import (
    CatalogEntry,
    DeliveryStream,
    Function,
    LakeBucket,
    LakeTableContext,
)
from streaming_etl.components.stages.view import create_view
from streaming_etl.components.table.layout_guard import layout_of


class LakeTableComponent(pulumi.ComponentResource):
    """Glue tables, view, delivery stream, transform function and merge stage.

    Its inputs are the layout, which Pulumi keeps in the stack's state. Its resources are updated
    after the hook has accepted the layout.
    """

    entry: CatalogEntry
    crawler_name: Optional[pulumi.Output[str]]
    stream: DeliveryStream
    errors_location: pulumi.Output[str]
    transform: Function
    view_name: Optional[pulumi.Output[str]] = None
    merged_table: Optional[pulumi.Output[str]] = None
    merge_state_machine_arn: Optional[pulumi.Output[str]] = None

    def __init__(
        self,
        lake_table: LakeTableContext,
        database_name: pulumi.Output[str],
        bucket: LakeBucket,
        merge_workgroup: Optional[pulumi.Output[str]],
        opts: pulumi.ResourceOptions,
    ) -> None:
        name, pipeline = f"{lake_table.name}-lake-table", lake_table.pipeline
        layout = layout_of(
            lake_table.table,
            pipeline.args,
            lake_table.key,
            database=database_name,
            bucket=bucket.name,
        )
        allow_change = lake_table.args.allow_layout_change
        hook = layout_hook(pipeline.name, lake_table.key, name, allow_change=allow_change)
        hooks = pulumi.ResourceOptions(hooks=pulumi.ResourceHookBinding(before_update=[hook]))
        opts = pulumi.ResourceOptions.merge(opts, hooks)
        super().__init__("streaming-etl:index:LakeTable", name, layout, opts)
        catalog = Catalog(lake_table, database_name, bucket, self)
        selected, written = [*catalog.entry.depends_on], [*catalog.entry.depends_on]
        if merge_workgroup is not None and lake_table.table.merge:
            merge = Merge(lake_table, bucket, catalog.entry, merge_workgroup, self)
            selected.append(merge.table)
            written.append(merge.state_machine)
            self.merged_table = merge.table.name
            self.merge_state_machine_arn = merge.state_machine.arn
        delivery = Delivery(lake_table, bucket, catalog.entry, written, self)
        if lake_table.table.view_name is not None:
            self.view_name = create_view(lake_table, catalog.entry.database_name, selected, self)
        self.entry, self.crawler_name = catalog.entry, catalog.crawler_name
        self.stream, self.transform = delivery.stream, delivery.transform
        self.errors_location = delivery.errors_location
        self.register_outputs({})
