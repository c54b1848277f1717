"""PyIceberg reads the definition of the merged table from a catalog.

It shows that names, ids, types and docs are valid in Iceberg. What Glue makes of the definition is
not tested: the metadata file is PyIceberg's.
"""

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.exceptions import ResolveError
from pyiceberg.io import load_file_io
from pyiceberg.partitioning import UNPARTITIONED_PARTITION_SPEC
from pyiceberg.schema import Schema, promote
from pyiceberg.serializers import ToOutputFile
from pyiceberg.table import Table
from pyiceberg.table.metadata import TableMetadataV2
from pyiceberg.table.sorting import UNSORTED_SORT_ORDER

from streaming_etl import PartitionArgs
from streaming_etl.components.table.column_types import parse_type
from streaming_etl.components.table.iceberg import FORMAT_VERSION, PROPERTIES, iceberg_schema
from streaming_etl.components.table.lake_table import LakeTable
from streaming_etl.components.table.layout_guard import is_promotable
from streaming_etl.components.table.merge import field_ids, iceberg_type
from tests.support.pipeline_settings import lake_table

COLUMNS = {
    "id": "string",
    "flag": "boolean",
    "tiny": "tinyint",
    "small": "smallint",
    "whole": "int",
    "big": "bigint",
    "single": "float",
    "precise": "double",
    "day_": "date",
    "created": "timestamp",
    "total": "decimal(10,2)",
    "tags": "array<string>",
    "sizes": "map<string,smallint>",
    "address": "struct<city:string,zip:struct<code:int,since:date>>",
    "lines": "array<struct<sku:string,prices:map<string,array<decimal(38,9)>>>>",
}
PARTITIONS = PartitionArgs(dynamic_partition_keys={"store": []}, granularity="month")
DEFINED = lake_table(COLUMNS, partitions=PARTITIONS)
REMOVED = {**{name: COLUMNS[name] for name in ("lines", "id")}, "new": "int"}
PINNED = lake_table(REMOVED, partitions=PARTITIONS, field_ids=field_ids(DEFINED))


def schema_of(table: LakeTable) -> Schema:
    """The definition as a schema of Iceberg."""
    fields = [
        {**field, "type": json.loads(field["type"])} for field in iceberg_schema(table)["fields"]
    ]
    document = {"type": "struct", "schema-id": 0, "fields": fields}
    return Schema.model_validate_json(json.dumps(document))


def from_catalog(table: LakeTable, folder: Path) -> Table:
    """The table as a catalog returns it.

    PyIceberg's create_table would assign other ids, so the metadata file is registered.
    """
    options = {"py-io-impl": "pyiceberg.io.fsspec.FsspecFileIO"}
    schema, location = schema_of(table), f"file://{folder}/orders_merged"
    metadata = TableMetadataV2(
        location=location,
        last_column_id=schema.highest_field_id,
        schemas=[schema],
        current_schema_id=schema.schema_id,
        partition_specs=[UNPARTITIONED_PARTITION_SPEC],
        sort_orders=[UNSORTED_SORT_ORDER],
        properties=PROPERTIES,
    )
    file = f"{location}/metadata/00000.metadata.json"
    ToOutputFile.table_metadata(metadata, load_file_io(options).new_output(file))
    catalog = SqlCatalog("lake", uri="sqlite:///:memory:", warehouse=f"file://{folder}", **options)
    catalog.create_namespace("shop_prod")
    catalog.register_table("shop_prod.orders_merged", file)
    return catalog.load_table("shop_prod.orders_merged")


def test_a_catalog_has_the_columns_of_the_definition(tmp_path: Path) -> None:
    read = from_catalog(DEFINED, tmp_path)
    assert str(read.metadata.format_version) == FORMAT_VERSION
    assert read.properties == PROPERTIES
    fields = read.schema().fields
    assert [(field.field_id, field.name, str(field.field_type)) for field in fields] == [
        (100, "id", "string"),
        (101, "flag", "boolean"),
        (102, "tiny", "int"),
        (103, "small", "int"),
        (104, "whole", "int"),
        (105, "big", "long"),
        (106, "single", "float"),
        (107, "precise", "double"),
        (108, "day_", "date"),
        (109, "created", "timestamp"),
        (110, "total", "decimal(10, 2)"),
        (111, "tags", "list<string>"),
        (112, "sizes", "map<string, int>"),
        (
            113,
            "address",
            "struct<113001: city: optional string, 113002: zip: optional"
            " struct<113003: code: optional int, 113004: since: optional date>>",
        ),
        (
            114,
            "lines",
            "list<struct<114002: sku: optional string, 114003: prices: optional"
            " map<string, list<decimal(38, 9)>>>>",
        ),
        (20, "store", "string"),
        (21, "year", "string"),
        (22, "month", "string"),
        (1, "_op", "string"),
        (2, "_key", "string"),
        (3, "_row", "int"),
        (4, "_event_id", "string"),
        (5, "_stream_epoch", "string"),
        (6, "_sequence_number", "string"),
        (7, "_changed_at", "timestamp"),
        (19, "_merged_at", "timestamp"),
    ]
    assert not [field.name for field in fields if field.required]
    docs = [field.get("doc") for field in iceberg_schema(DEFINED)["fields"]]
    assert [field.doc for field in fields] == docs
    assert len([doc for doc in docs if doc]) == 2


@pytest.mark.parametrize("table", [DEFINED, PINNED], ids=["defined", "pinned"])
def test_a_catalog_has_every_field_id(table: LakeTable, tmp_path: Path) -> None:
    schema = from_catalog(table, tmp_path).schema()
    ids = field_ids(table)
    assert {path: schema.find_field(path).field_id for path in ids} == ids
    own = [field.field_id for field in schema.fields if field.field_id < 100]
    assert sorted(schema.field_ids) == sorted([*ids.values(), *own])


def test_the_ids_of_a_pinned_table_are_those_of_the_former_one() -> None:
    before, after = (schema_of(table) for table in (DEFINED, PINNED))
    for path in field_ids(DEFINED):
        if path.split(".")[0] in REMOVED:
            assert after.find_field(path) == before.find_field(path)
    assert after.find_field("new").field_id == 115


SCALARS = ("string", "boolean", "int", "bigint", "float", "double", "date", "timestamp")
# Of one scale, which PyIceberg does not compare.
DECIMALS = ("decimal(9,2)", "decimal(10,2)", "decimal(12,2)")
PAIRS = list(itertools.product((*SCALARS, *DECIMALS), repeat=2))


@pytest.mark.parametrize(("old", "new"), PAIRS)
def test_the_guard_knows_the_promotions_of_iceberg(old: str, new: str) -> None:
    expected = is_promotable(*(iceberg_type(parse_type(text)) for text in (old, new)))
    assert _is_promoted(_type(old), _type(new)) == expected


def _type(text: str) -> Any:
    return schema_of(lake_table({"a": text})).find_field("a").field_type


def _is_promoted(old: Any, new: Any) -> bool:
    try:
        return old == new or promote(old, new) == new
    except ResolveError:
        return False
