"""Settings and lake tables without a transform module on disk."""

from collections.abc import Mapping
from typing import Any, Optional

from streaming_etl import PartitionArgs, StreamingEtlPipelineArgs
from streaming_etl.components.settings.lake_table import LakeTableArgs
from streaming_etl.components.settings.lake_table_names import ONLY_LAKE_TABLE
from streaming_etl.components.table.column_types import Column, parse_type
from streaming_etl.components.table.lake_table import LakeTable, plan_lake_table
from streaming_etl.components.table.layout import lake_table_name
from streaming_etl.components.table.transform_module import TransformModule

COLUMNS = {"id": "string", "total": "decimal(10,2)", "created": "timestamp"}


def pipeline_args(**settings: Any) -> StreamingEtlPipelineArgs:
    """The required settings, and `settings`."""
    required = {"table_name": "orders", "transform_module": "m.py", "partitions": PartitionArgs()}
    return StreamingEtlPipelineArgs(**{**required, **settings})


def lake_table_args(**settings: Any) -> LakeTableArgs:
    """The settings of the only lake table of `pipeline_args`."""
    return pipeline_args(**settings).tables[ONLY_LAKE_TABLE]


def plan(args: StreamingEtlPipelineArgs, module: TransformModule) -> LakeTable:
    """The only lake table of a pipeline with this module."""
    return plan_lake_table(
        lake_table_name(args, ONLY_LAKE_TABLE), args.tables[ONLY_LAKE_TABLE], module
    )


def lake_table(
    columns: Optional[Mapping[str, str]] = COLUMNS,
    *,
    field_ids: Mapping[str, int] | None = None,
    **settings: Any,
) -> LakeTable:
    """The lake table of a transform module with these COLUMNS and FIELD_IDS."""
    typed = None
    if columns is not None:
        typed = tuple(Column(name, parse_type(text)) for name, text in columns.items())
    module = TransformModule("m.py", typed, pure=True, field_ids=field_ids or {})
    return plan(pipeline_args(**settings), module)
