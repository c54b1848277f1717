"""Names of lake tables, for settings, messages and commands. Imports no Pulumi."""

ONLY_LAKE_TABLE = "lake-table"
"""Name of the lake table of a pipeline without `lake_tables`."""


def lake_table_title(pipeline: str, key: str) -> str:
    """Return the name that people read and type, such as `shop.orders`."""
    return pipeline if key == ONLY_LAKE_TABLE else f"{pipeline}.{key}"
