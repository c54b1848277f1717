"""Messages about removed lake tables, one for each rule."""

from typing import Any

from streaming_etl.components.pipeline_guard import PipelineGuardError
from streaming_etl.components.removal_guard import removed_lake_tables
from streaming_etl.components.settings.lake_table_names import ONLY_LAKE_TABLE


def messages() -> dict[str, str]:
    """The message of every rule."""
    updates = {
        "lake-table-removed": (lake_tables("orders", "items"), lake_tables("orders")),
        "lake-tables-added": (lake_tables(ONLY_LAKE_TABLE), lake_tables("orders")),
        "lake-tables-dropped": (lake_tables("orders", "items"), lake_tables(ONLY_LAKE_TABLE)),
    }
    return {
        name: str(PipelineGuardError("shop", list(removed_lake_tables(old, new))))
        for name, (old, new) in updates.items()
    }


def lake_tables(*keys: str) -> dict[str, Any]:
    """Lake tables as Pulumi's state has them."""
    return {
        key: {
            "glue_table": "shop" if key == ONLY_LAKE_TABLE else key,
            "allow_layout_change": False,
            "renamed_from": [],
        }
        for key in keys
    }
