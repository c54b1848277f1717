"""Several lake tables of a pipeline, in Python and YAML."""

from typing import Any

import pytest

from streaming_etl import (
    ForwarderArgs,
    LakeTableArgs,
    PartitionArgs,
    QueryArgs,
    SourceArgs,
    StreamingEtlPipelineArgs,
)
from streaming_etl.components.settings.lake_table_names import ONLY_LAKE_TABLE
from streaming_etl.components.settings.stack_config import settings_from_config
from streaming_etl.stack.pulumi_yaml import load
from tests.support.pipeline_settings import pipeline_args
from tests.support.problems import places, problems_of

ORDERS = {"transform_module": "orders.py", "partitions": {}}


def shop(defaults: Any = None, **settings: Any) -> StreamingEtlPipelineArgs:
    return settings_from_config({"shop": {"table_name": "shop", **settings}}, defaults)["shop"]


def problems(defaults: Any = None, **settings: Any) -> list[tuple[str, str, str]]:
    return places(problems_of(shop, defaults, **settings))


def args(**settings: Any) -> LakeTableArgs:
    return LakeTableArgs(transform_module="m.py", partitions=PartitionArgs(), **settings)


def test_a_pipeline_without_lake_tables_has_one() -> None:
    settings = {"format": "csv", "where": {"id": ["a"]}, "glue_table_name": "sales"}
    short = pipeline_args(**settings, query=QueryArgs(current_state=False))
    [(key, table)] = short.tables.items()
    assert key == ONLY_LAKE_TABLE
    assert (table.transform_module, table.partitions) == ("m.py", PartitionArgs())
    assert {name: getattr(table, name) for name in settings} == settings
    assert table.query.current_state is False


def test_python_and_yaml_give_the_same_settings() -> None:
    where = {"type": ["order", 5, True], "sk": {"prefix": "ORDER#"}}
    from_yaml = shop(lake_tables={"orders": {**ORDERS, "where": where, "delivery": {}}})
    table = LakeTableArgs(transform_module="orders.py", partitions=PartitionArgs(), where=where)
    assert from_yaml == StreamingEtlPipelineArgs(table_name="shop", lake_tables={"orders": table})


def test_defaults_apply_to_each_lake_table() -> None:
    defaults = {"partitions": {"granularity": "hour"}, "transform": {"memory_mib": 1024}}
    orders = {"transform_module": "o.py", "partitions": {"layout": "date"}}
    items = {"transform_module": "i.py", "transform": None}
    tables = shop(defaults, lake_tables={"orders": orders, "items": items}).lake_tables
    assert tables["orders"].partitions == PartitionArgs(granularity="hour", layout="date")
    assert tables["items"].partitions == PartitionArgs(granularity="hour")
    assert [table.transform.memory_mib for table in tables.values()] == [1024, 512]


def test_a_default_without_effect_on_a_lake_table_is_dropped() -> None:
    defaults = {
        "delivery": {"compression": "UNCOMPRESSED"},
        "crawler_schedule": "cron(0 3 * * ? *)",
    }
    orders = {**ORDERS, "format": "parquet"}
    tables = shop(defaults, lake_tables={"orders": orders, "items": ORDERS}).lake_tables
    assert [table.delivery.compression for table in tables.values()] == [None, "UNCOMPRESSED"]


def test_a_problem_of_the_defaults_is_located_there() -> None:
    defaults = {"delivery": {"buffer_mib": 5}}
    tables = {"orders": {**ORDERS, "format": "parquet"}, "items": {**ORDERS, "format": "parquet"}}
    assert problems(defaults, lake_tables=tables) == [
        ("defaults.delivery", "buffer_mib", "minimum")
    ]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, ["shop transform_module required", "shop partitions required"]),
        ({"lake_tables": {}}, ["shop transform_module required", "shop partitions required"]),
        ({"lake_tables": ["orders"]}, ["shop lake_tables type"]),
        ({"lakeTables": {"orders": ORDERS}}, ["shop lakeTables unknown-setting"]),
        ({"lake_tables": {"": ORDERS}}, ["shop lake_tables lake-table-name"]),
        ({"lake_tables": {"orders": "m.py"}}, ["shop.lake_tables orders type"]),
        ({"lake_tables": {"Orders": ORDERS}}, ["shop lake_tables lake-table-name"]),
        ({"lake_tables": {"lake-table": ORDERS}}, ["shop lake_tables[lake-table] reserved-name"]),
        (
            {"lake_tables": {"orders": ORDERS}, "format": "csv", "query": {"saved_queries": True}},
            ["shop format lake-table-setting", "shop.query saved_queries lake-table-setting"],
        ),
        (
            {"lake_tables": {"orders": ORDERS}, **ORDERS},
            ["shop transform_module lake-table-setting", "shop partitions lake-table-setting"],
        ),
        (
            {"lake_tables": {f"t{number}": ORDERS for number in range(21)}},
            ["shop lake_tables too-many"],
        ),
        (
            {"lake_tables": {"orders": {**ORDERS, "fromat": "csv", "lake": {}}}},
            [
                "shop.lake_tables.orders fromat unknown-setting",
                "shop.lake_tables.orders lake unknown-setting",
            ],
        ),
        (
            {"lake_tables": {"orders": {"partitions": {"granularity": "week"}}}},
            [
                "shop.lake_tables.orders.partitions granularity choice",
                "shop.lake_tables.orders transform_module required",
            ],
        ),
        (
            {"lake_tables": {"a": {**ORDERS, "renamed_from": "b"}, "b": ORDERS}},
            ["shop.lake_tables.a renamed_from former-name-in-use"],
        ),
        (
            {
                "lake_tables": {f"t{number}": ORDERS for number in range(20)},
                "forwarder": {"timeout_seconds": 51},
            },
            ["shop.forwarder timeout_seconds minimum"],
        ),
        (
            {"lake_tables": {"orders": ORDERS}, "lake": {"data_retention_days": 5}},
            ["shop.lake data_retention_days expires-current-state"],
        ),
        (
            {
                "lake_tables": {"orders": {**ORDERS, "transform": {"buffer_mib": 0.2}}},
                "forwarder": {"unmatched": "fail"},
            },
            ["shop.forwarder max_record_kib maximum", "shop.forwarder unmatched never-unmatched"],
        ),
    ],
    ids=str,
)
def test_rejects_invalid_lake_tables(settings: dict[str, Any], expected: list[str]) -> None:
    found = [" ".join(place).removeprefix("tables.") for place in problems(**settings)]
    assert found == expected


@pytest.mark.parametrize(
    ("where", "rule"),
    [
        ({"type": []}, "where-empty"),
        ({"type": "order"}, "where-condition"),
        ({"type": {"suffix": "x"}}, "where-operator"),
        ({"type": {"prefix": "x", "suffix": "y"}}, "where-operator"),
        ({"type": {"prefix": ""}}, "where-prefix"),
        ({"type": {"prefix": 5}}, "where-prefix"),
        ({"type": {}}, "where-prefix"),
        ({"type": [None]}, "where-value"),
        ({"type": [["a"]]}, "where-value"),
        ({"type": [float("inf")]}, "where-value"),
        ({"type": [float("nan")]}, "where-value"),
        ({"type": [10**126]}, "where-value"),
        ({"type": [1e-131]}, "where-value"),
        ({"type": [int("1" * 39)]}, "where-value"),
        ({"type": ["\ud800"]}, "where-value"),
        ({"type": {"prefix": "\ud800"}}, "where-prefix"),
        ({"\ud800": ["a"]}, "where-attribute"),
        ({"type": ["2026-11-23 00:00:00 +0000 UTC"]}, "where-date"),
        ({"type": {"prefix": "2026-11-23 09:30:00.12 +0900 +0900"}}, "where-date"),
        ({"type": [1, 1.0]}, "duplicate"),
        ({"": ["a"]}, "where-attribute"),
        ({"id": [5]}, "where-key-type"),
        ({"id": ["a", True]}, "where-key-type"),
    ],
    ids=str,
)
def test_rejects_an_invalid_condition(where: dict[str, Any], rule: str) -> None:
    found = problems(lake_tables={"orders": {**ORDERS, "where": where}})
    [name] = where
    assert found == [("tables.shop.lake_tables.orders", f"where[{name}]", rule)]


def test_a_number_key_has_numbers_and_no_texts() -> None:
    source = SourceArgs(hash_key="n", hash_key_type="N")
    assert pipeline_args(source=source, where={"n": [1, 2.5], "m": [1, True, "1"]})
    for where in ({"n": {"prefix": "1"}}, {"n": ["1"]}):
        assert places(problems_of(pipeline_args, source=source, where=where)) == [
            ("", "where[n]", "where-key-type")
        ]


def test_accepts_every_number_of_dynamodb() -> None:
    numbers = [0, int("1" * 38), -(10**125), 12 * 10**100, 1e-130, 0.1]
    assert args(where={"number": numbers}).where == {"number": numbers}


def test_unmatched_changes_fail_only_if_every_lake_table_has_a_condition() -> None:
    forwarder = ForwarderArgs(unmatched="fail")
    tables = {"orders": args(where={"type": ["order"]}), "items": args(where={"type": ["item"]})}
    assert StreamingEtlPipelineArgs(table_name="shop", lake_tables=tables, forwarder=forwarder)


def test_the_time_out_of_a_backfill_has_a_call_to_each_lake_table() -> None:
    tables = {f"table{number}": ORDERS for number in range(20)}
    backfill = {"enabled": True, "timeout_seconds": 251}
    assert problems(lake_tables=tables, backfill=backfill) == [
        ("tables.shop.backfill", "timeout_seconds", "minimum")
    ]
    accepted = shop(lake_tables=tables, backfill={**backfill, "timeout_seconds": 252})
    assert accepted.backfill.timeout_seconds == 252
    few = {key: tables[key] for key in ("table0", "table1", "table2", "table3")}
    assert shop(lake_tables=few, backfill={**backfill, "timeout_seconds": 60}).backfill.enabled


def test_rejects_something_else_than_settings_in_python() -> None:
    found = problems_of(StreamingEtlPipelineArgs, table_name="shop", lake_tables={"orders": ORDERS})
    assert places(found) == [("", "lake_tables[orders]", "type")]
    assert places(problems_of(args, query=QueryArgs())) == [("", "query", "type")]


def test_rejects_an_unquoted_date_of_a_stack() -> None:
    accepted = load('{day: ["2026-11-23", 2026-11-23 to 30], sk: {prefix: 2026-11-}}')
    assert shop(lake_tables={"orders": {**ORDERS, "where": accepted}}).tables
    unquoted = load("{day: [2026-11-23], sk: {prefix: 2026-11-23T09:30:00Z}}")
    assert problems(lake_tables={"orders": {**ORDERS, "where": unquoted}}) == [
        ("tables.shop.lake_tables.orders", f"where[{name}]", "where-date") for name in unquoted
    ]
