"""The component of a lake table and its resources."""

from collections.abc import Mapping
from typing import Any, Optional

import pulumi

from streaming_etl.components.stages.catalog import Catalog
from streaming_etl.components.stages.delivery import Delivery
from streaming_etl.components.stages.references import (
    CatalogEntry,
    DeliveryStream,
    Function,
    LakeBucket,
    PipelineContext,
)
from streaming_etl.components.stages.view import create_view


class LakeTableComponent(pulumi.ComponentResource):
    """Glue table, view, delivery stream and transform function.

    layout: how the objects are stored, as plain data. Pulumi keeps it in the stack's state.
    """

    entry: CatalogEntry
    crawler_name: Optional[pulumi.Output[str]]
    stream: DeliveryStream
    errors_path: pulumi.Output[str]
    errors_location: pulumi.Output[str]
    transform: Function
    view_name: Optional[pulumi.Output[str]] = None

    def __init__(
        self,
        pipeline: PipelineContext,
        database_name: pulumi.Output[str],
        bucket: LakeBucket,
        layout: Mapping[str, Any],
        opts: pulumi.ResourceOptions,
    ) -> None:
        name = f"{pipeline.name}-lake-table"
        super().__init__("streaming-etl:index:LakeTable", name, dict(layout), opts)
        catalog = Catalog(pipeline, database_name, bucket, self)
        delivery = Delivery(pipeline, bucket, catalog.entry, self)
        if pipeline.table.view_name is not None:
            self.view_name = create_view(pipeline, catalog.entry, self)
        self.entry, self.crawler_name = catalog.entry, catalog.crawler_name
        self.stream, self.transform = delivery.stream, delivery.transform
        self.errors_path, self.errors_location = delivery.errors_path, delivery.errors_location
        self.register_outputs({})
