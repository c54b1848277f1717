"""SQL of the merged table, for several partitions and formats."""

from streaming_etl.components.settings.lake_table_names import ONLY_LAKE_TABLE
from streaming_etl.components.settings.partitions import PartitionArgs
from streaming_etl.components.settings.pipeline import StreamingEtlPipelineArgs
from streaming_etl.components.table.column_types import Column, parse_type
from streaming_etl.components.table.lake_table import LakeTable, plan_lake_table
from streaming_etl.components.table.merge import (
    expire_tombstones_sql,
    merge_sql,
    merged_state_sql,
    optimize_sql,
    vacuum_sql,
)
from streaming_etl.components.table.transform_module import TransformModule
from streaming_etl.components.table.window import DayWindow, RecentWindow, Window

DATABASE = "shop_prod"
COLUMNS = {"id": "string", "total": "decimal(10,2)"}
MANY_TYPES = {
    **COLUMNS,
    "quantity": "smallint",
    "created": "timestamp",
    "lines": "array<struct<sku:string,quantity:tinyint>>",
}
RECENT = RecentWindow(hours=50, time_zone="Asia/Tokyo")
DAYS = DayWindow(first="2026-11-29", last="2026-12-02")
ANY_DAYS = DayWindow()


def table(columns: dict[str, str], partitions: PartitionArgs, file_format: str) -> LakeTable:
    """A lake table of a module with these COLUMNS."""
    typed = tuple(Column(name, parse_type(text)) for name, text in columns.items())
    args = StreamingEtlPipelineArgs(
        table_name="orders",
        transform_module="transforms/orders.py",
        partitions=partitions,
        format=file_format,
    )
    module = TransformModule(args.transform_module, typed, pure=True)
    return plan_lake_table("orders", args.tables[ONLY_LAKE_TABLE], module)


def messages() -> dict[str, str]:
    """The statements by name."""
    dates = PartitionArgs(layout="date", granularity="hour", dynamic_partition_keys={"store": []})
    tables = {
        "json, many types": table(MANY_TYPES, PartitionArgs(), "json"),
        "csv by month": table(COLUMNS, PartitionArgs(granularity="month"), "csv"),
        "parquet by date, hour and store": table(COLUMNS, dates, "parquet"),
    }
    windows: dict[str, Window] = {
        "json, many types": DAYS,
        "csv by month": RECENT,
        "parquet by date, hour and store": RecentWindow(
            hours=50, time_zone="UTC", injected={"store": ["tokyo", "osaka"]}
        ),
    }
    texts = {}
    for name, lake_table in tables.items():
        texts[f"{name}: merge"] = merge_sql(DATABASE, lake_table, windows[name])
        texts[f"{name}: view"] = merged_state_sql(DATABASE, lake_table, windows[name])
    minimal = tables["csv by month"]
    return {
        **texts,
        "expire tombstones": expire_tombstones_sql(DATABASE, minimal, 30),
        "merge of a range": merge_sql(DATABASE, minimal, ANY_DAYS),
        "optimize": optimize_sql(DATABASE, minimal),
        "vacuum": vacuum_sql(DATABASE, minimal),
    }
