"""Columns, field ids and statements of the merged table.

The results of the statements are in test_merge_worlds.py, their texts in tests/golden/merge.txt.
"""

from dataclasses import replace

import pytest
import sqlglot
from sqlglot import exp

from streaming_etl import PartitionArgs
from streaming_etl.components.table.column_types import METADATA
from streaming_etl.components.table.merge import (
    FIRST_PARTITION_KEY_ID,
    MERGED_AT_ID,
    METADATA_IDS,
    MergedColumn,
    field_ids,
    merged_columns,
    optimize_sql,
    vacuum_sql,
)
from tests.support.pipeline_settings import lake_table
from tools.messages.merge import messages

STATEMENTS = {"MERGE": exp.Merge, "SELECT": exp.Select, "DELETE": exp.Delete}
# Trino has other statements for these.
ATHENA_ONLY = ("OPTIMIZE", "VACUUM")
TEXTS = {name: sql for name, sql in messages().items() if not sql.startswith(ATHENA_ONLY)}


@pytest.mark.parametrize("name", TEXTS)
def test_trino_can_parse_every_statement(name: str) -> None:
    parsed = sqlglot.parse_one(TEXTS[name], dialect="trino")
    assert type(parsed) is STATEMENTS[TEXTS[name].split()[0]]


def test_a_merge_reads_the_change_log_once() -> None:
    for name in TEXTS:
        if TEXTS[name].startswith("MERGE"):
            parsed = sqlglot.parse_one(TEXTS[name], dialect="trino")
            assert [table.name for table in parsed.find_all(exp.Table)].count("orders") == 1


def test_names_that_need_quotes_have_them_in_optimize() -> None:
    table = lake_table()
    assert optimize_sql("shop", table) == "OPTIMIZE shop.orders_merged REWRITE DATA USING BIN_PACK"
    assert optimize_sql("2026", table).split()[1] == '"2026".orders_merged'


def test_the_table_has_backticks_in_vacuum_if_it_needs_them() -> None:
    assert vacuum_sql("_shop", lake_table()) == "VACUUM _shop.orders_merged"
    table = replace(lake_table(), name="_orders")
    assert vacuum_sql("shop", table) == "VACUUM shop.`_orders_merged`"


def test_the_merged_table_has_columns_partition_keys_and_metadata() -> None:
    keys = PartitionArgs(dynamic_partition_keys={"store": []}, granularity="month")
    columns = merged_columns(lake_table({"id": "string", "count": "bigint"}, partitions=keys))
    assert [(column.id, column.name, column.schema_type) for column in columns] == [
        (100, "id", "string"),
        (101, "count", "long"),
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


def test_a_table_without_columns_has_no_merged_table() -> None:
    with pytest.raises(ValueError, match="COLUMNS"):
        merged_columns(lake_table(None, catalog="crawler"))


def test_types_that_iceberg_lacks_become_wider_ones() -> None:
    types = {
        "tiny": "tinyint",
        "small": "smallint",
        "amount": "decimal(10,2)",
        "flag": "boolean",
        "single": "float",
        "precise": "double",
        "when": "date",
    }
    columns = merged_columns(lake_table(types))[: len(types)]
    assert [column.schema_type for column in columns] == [
        "int",
        "int",
        "decimal(10, 2)",
        "boolean",
        "float",
        "double",
        "date",
    ]


def test_nested_types_have_ids_of_their_column() -> None:
    columns = {"lines": "array<struct<sku:string,n:smallint>>", "labels": "map<string,bigint>"}
    assert merged_columns(lake_table(columns))[:2] == [
        MergedColumn(
            100,
            "lines",
            {"array": {"struct": [["sku", "string"], ["n", "int"]]}},
            {
                "type": "list",
                "element-id": 100_001,
                "element": {
                    "type": "struct",
                    "fields": [
                        {"id": 100_002, "name": "sku", "required": False, "type": "string"},
                        {"id": 100_003, "name": "n", "required": False, "type": "int"},
                    ],
                },
                "element-required": False,
            },
        ),
        MergedColumn(
            101,
            "labels",
            {"map": ["string", "bigint"]},
            {
                "type": "map",
                "key-id": 101_001,
                "key": "string",
                "value-id": 101_002,
                "value": "long",
                "value-required": False,
            },
        ),
    ]


OLD = {"id": "string", "total": "int", "lines": "array<struct<sku:string,n:int>>"}


def test_an_appended_column_has_a_new_id_and_moves_no_other() -> None:
    before = field_ids(lake_table(OLD))
    assert field_ids(lake_table({**OLD, "more": "string"})) == {**before, "more": 103}


def test_pinned_ids_survive_a_new_order_and_a_removal() -> None:
    pinned = field_ids(lake_table(OLD))
    struct = "array<struct<new:int,n:int>>"
    columns = {"first": "int", "lines": struct, "id": "string"}
    changed = field_ids(lake_table(columns, field_ids=pinned))
    assert changed == {
        "first": 103,
        "lines": 102,
        "lines.element": 102_001,
        "lines.element.new": 102_004,
        "lines.element.n": 102_003,
        "id": 100,
    }
    # The ids of `total` and of `lines.element.sku` stay reserved.
    assert not {pinned["total"], pinned["lines.element.sku"]} & set(changed.values())


def test_an_id_is_never_used_again() -> None:
    pinned = field_ids(lake_table(OLD))
    without = {name: OLD[name] for name in ("id", "lines")}
    first = {**pinned, **field_ids(lake_table({**without, "a": "int"}, field_ids=pinned))}
    second = field_ids(lake_table({**without, "b": "int"}, field_ids=first))
    assert (first["a"], second["b"]) == (103, 104)


def test_the_ids_of_a_table_are_unique() -> None:
    keys = {f"key_{number}": ["a"] for number in range(46)}
    partitions = PartitionArgs(granularity="hour", dynamic_partition_keys=keys)
    columns = {f"c_{number}": "map<string,array<int>>" for number in range(900)}
    table = lake_table(columns, partitions=partitions)
    top = [column.id for column in merged_columns(table)]
    nested = [number for path, number in field_ids(table).items() if "." in path]
    assert len({*top, *nested}) == len([*top, *nested]) == 900 * 4 + 50 + len(METADATA) + 1


def test_the_ids_of_metadata_columns_never_change() -> None:
    assert METADATA_IDS == {
        "_op": 1,
        "_key": 2,
        "_row": 3,
        "_event_id": 4,
        "_stream_epoch": 5,
        "_sequence_number": 6,
        "_changed_at": 7,
    }
    assert max(METADATA_IDS.values()) < MERGED_AT_ID == 19 < FIRST_PARTITION_KEY_ID
