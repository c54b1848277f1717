"""Definition of the merged table: Glue's Iceberg input as plain data."""

import json
from typing import NotRequired, TypedDict

from streaming_etl.components.table.lake_table import LakeTable
from streaming_etl.components.table.merge import MERGED_AT, MergedColumn, merged_columns

# Athena writes no other version.
# https://docs.aws.amazon.com/athena/latest/ug/querying-iceberg-creating-tables.html
FORMAT_VERSION = "2"

PROPERTIES = {
    "write.format.default": "parquet",
    "write.parquet.compression-codec": "zstd",
    # OPTIMIZE rewrites each file with deleted rows, so that erased rows are in no file.
    "optimize_rewrite_delete_file_threshold": "1",
    # VACUUM deletes the files of older snapshots and older orphan files. A query may take 30
    # minutes; each merge has a snapshot. The default is five days.
    # https://docs.aws.amazon.com/athena/latest/ug/vacuum-statement.html
    "vacuum_max_snapshot_age_seconds": "86400",
    "vacuum_min_snapshots_to_keep": "1",
}
"""Table properties. VACUUM and OPTIMIZE of Athena read their own; `write.` is Iceberg's."""

# For engines that read the merged table without the view; at most 255 characters.
DOCS = {
    "_op": "Last change of the item; REMOVE and BACKFILL are not part of the current state",
    MERGED_AT.name: "Time of the merge that inserted the row, in UTC",
}


class IcebergField(TypedDict):
    """A field as in Glue's IcebergStructField."""

    id: int
    name: str
    required: bool
    type: str
    """JSON document, which is in quotes for a primitive type."""
    doc: NotRequired[str]


class IcebergSchema(TypedDict):
    """A schema as in Glue's IcebergSchema."""

    fields: list[IcebergField]


def iceberg_schema(table: LakeTable) -> IcebergSchema:
    """Schema of the merged table, with pinned field ids.

    Raises ValueError for a lake table without COLUMNS.
    """
    return {"fields": [_field(column) for column in merged_columns(table)]}


def _field(column: MergedColumn) -> IcebergField:
    # The provider compares and sends the type as a JSON document, also that of a scalar.
    # https://www.pulumi.com/registry/packages/aws/api-docs/glue/catalogtable/
    field: IcebergField = {
        "id": column.id,
        "name": column.name,
        "required": False,
        "type": json.dumps(column.schema_type, separators=(",", ":"), sort_keys=True),
    }
    if column.name in DOCS:
        field["doc"] = DOCS[column.name]
    return field
