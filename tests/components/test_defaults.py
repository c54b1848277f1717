"""Settings that all tables of a stack share, and a map of tables that is refused as a whole."""

import json
from typing import Any

import pytest

from streaming_etl import SettingsError, pipelines_from_config
from streaming_etl.components.settings.stack_config import settings_from_config
from streaming_etl.stack.outputs import StackConfig
from streaming_etl.stack.program import program_graph
from tests.components.pipelines import Pipelines

TABLE = {"table_name": "orders", "transform_module": "orders.py", "partitions": {}}


def settings(table: dict[str, Any], defaults: Any) -> Any:
    """What a table has of its own settings and of the defaults."""
    return settings_from_config({"shop": {**TABLE, **table}}, defaults)["shop"]


def refusal(tables: Any, defaults: Any) -> str:
    with pytest.raises(SettingsError) as refused:
        settings_from_config(tables, defaults)
    return str(refused.value)


@pytest.mark.parametrize(
    ("table", "defaults", "same_as"),
    [
        # A whole setting, and one of a group.
        ({}, {"runtime": "python3.12"}, {"runtime": "python3.12"}),
        ({}, {"forwarder": {"batch_size": 10}}, {"forwarder": {"batch_size": 10}}),
        # What a table sets goes before, setting by setting.
        ({"runtime": "python3.14"}, {"runtime": "python3.12"}, {"runtime": "python3.14"}),
        (
            {"forwarder": {"batch_size": 20}},
            {"forwarder": {"batch_size": 10, "memory_mib": 512}},
            {"forwarder": {"batch_size": 20, "memory_mib": 512}},
        ),
        # A table takes a default back.
        (
            {"lake": {"data_retention_days": None}},
            {"lake": {"data_retention_days": 30}},
            {},
        ),
        ({"runtime": None}, {"runtime": "python3.12"}, {}),
        ({"lake": None}, {"lake": {"data_retention_days": 30}}, {}),
        ({"tags": None}, {"tags": {"team": "a"}}, {}),
        (
            {"tags": {"team": None}},
            {"tags": {"team": "a", "cost": "9"}},
            {"tags": {"cost": "9"}},
        ),
        # Tags come together; any other map or list is one value.
        (
            {"tags": {"team": "b", "tier": "1"}},
            {"tags": {"team": "a", "cost": "9"}},
            {"tags": {"team": "b", "tier": "1", "cost": "9"}},
        ),
        (
            {"partitions": {"dynamic_partition_keys": {"kind": ["x"]}}},
            {"partitions": {"dynamic_partition_keys": {"carrier": []}, "granularity": "hour"}},
            {"partitions": {"dynamic_partition_keys": {"kind": ["x"]}, "granularity": "hour"}},
        ),
        (
            {"monitoring": {"alarm_emails": ["b@example.com"]}},
            {"monitoring": {"alarm_emails": ["a@example.com"]}},
            {"monitoring": {"alarm_emails": ["b@example.com"]}},
        ),
    ],
)
def test_a_table_has_the_defaults_and_before_them_its_own(
    table: dict[str, Any], defaults: dict[str, Any], same_as: dict[str, Any]
) -> None:
    assert settings(table, defaults) == settings(same_as, None)


def test_partitions_and_the_transform_module_may_stand_in_the_defaults_alone() -> None:
    defaults = {"transform_module": "all.py", "partitions": {"granularity": "hour"}}
    found = settings_from_config({"shop": {"table_name": "orders"}}, defaults)["shop"]
    assert (found.transform_module, found.partitions.granularity) == ("all.py", "hour")


@pytest.mark.parametrize(
    ("table", "defaults", "same_as"),
    [
        # In the group itself: for the tables whose backfill is enabled.
        ({}, {"backfill": {"concurrency": 8}}, {}),
        (
            {"backfill": {"enabled": True}},
            {"backfill": {"concurrency": 8}},
            {"backfill": {"enabled": True, "concurrency": 8}},
        ),
        # Across groups: for the tables with a crawler, and for those without.
        ({}, {"crawler_schedule": "cron(0 1 * * ? *)"}, {}),
        (
            {"catalog": "crawler"},
            {"partitions": {"projection_start_year": 2020}},
            {"catalog": "crawler"},
        ),
        (
            {"format": "parquet"},
            {"delivery": {"compression": "GZIP"}},
            {"format": "parquet"},
        ),
        (
            {"monitoring": {"alarm_topic_arn": "arn:aws:sns:eu-west-1:123456789012:theirs"}},
            {"monitoring": {"alarm_emails": ["a@example.com"]}},
            {"monitoring": {"alarm_topic_arn": "arn:aws:sns:eu-west-1:123456789012:theirs"}},
        ),
        (
            {"lake": {"bucket_name": "theirs"}},
            {"lake": {"versioning": False, "data_retention_days": 9}},
            {"lake": {"bucket_name": "theirs"}},
        ),
    ],
)
def test_a_default_without_effect_on_a_table_is_meant_for_others(
    table: dict[str, Any], defaults: dict[str, Any], same_as: dict[str, Any]
) -> None:
    assert settings(table, defaults) == settings(same_as, None)


def test_a_setting_of_the_tables_own_without_effect_is_refused_all_the_same() -> None:
    given = {**TABLE, "backfill": {"concurrency": 8}}
    assert refusal({"shop": given}, {"backfill": {"concurrency": 4}}) == (
        "tables.shop.backfill: concurrency=8 has no effect: backfill.enabled is false; drop it."
    )


@pytest.mark.parametrize(
    ("defaults", "message"),
    [
        (["a"], "defaults: ['a'] is no map of settings; write `name: value` lines."),
        ({"fromat": 1}, "defaults: there is no setting 'fromat': did you mean format?"),
        (
            {"forwarder": {"parallelization_factor": 12}},
            "defaults.forwarder: parallelization_factor=12 is out of range: Lambda runs 1 to 10"
            " batches per shard; use 10 or fewer.",
        ),
        (
            {"format": "parquet", "delivery": {"buffer_mib": 5}},
            "defaults: buffer_mib=5 is too small for Parquet: Firehose asks for 64 or more;"
            " use 64 to 128.",
        ),
        ({"lake": 5}, "defaults.lake: 5 is no map of settings; write `name: value` lines."),
        ({"table_name": "orders"}, "defaults: table_name is each table's own; set it there."),
        ({"glue_table_name": "t"}, "defaults: glue_table_name is each table's own; set it there."),
    ],
)
def test_defaults_are_refused_once_and_not_at_every_table(defaults: Any, message: str) -> None:
    assert refusal({"a": TABLE, "b": TABLE}, defaults) == message


def test_an_error_tells_which_of_its_settings_stand_in_the_defaults() -> None:
    tables = {"shop": {**TABLE, "format": "parquet"}}
    assert refusal(tables, {"delivery": {"buffer_mib": 5}}) == (
        "tables.shop: buffer_mib=5 is too small for Parquet: Firehose asks for 64 or more;"
        " use 64 to 128. (`defaults` sets buffer_mib.)"
    )
    tables = {"shop": {**TABLE, "forwarder": {"max_record_kib": 5}}}
    assert refusal(tables, {"forwarder": {"max_changes_per_record": 1}}) == (
        "tables.shop.forwarder: max_record_kib=5 has no effect: max_changes_per_record=1 packs nothing;"
        " drop it. (`defaults` sets max_changes_per_record.)"
    )


@pytest.mark.parametrize(
    ("table", "defaults", "message"),
    [
        # The same name in another group, and a value of the table's own.
        (
            {"delivery": {"buffer_seconds": 9999}},
            {"transform": {"buffer_seconds": 30}, "delivery": {"buffer_seconds": 60}},
            "tables.shop.delivery: buffer_seconds=9999 is out of range: Firehose buffers 0 to"
            " 900 s; use 900 or fewer.",
        ),
        # What keeps a setting from having an effect.
        (
            {"source": {"hash_key": "pk"}},
            {"source": {"use_existing": True}},
            "tables.shop.source: hash_key='pk' has no effect: an existing table is only read;"
            " drop it. (`defaults` sets existing.)",
        ),
    ],
)
def test_the_defaults_are_blamed_for_what_they_do_and_for_nothing_else(
    table: dict[str, Any], defaults: dict[str, Any], message: str
) -> None:
    assert refusal({"shop": {**TABLE, **table}}, defaults) == message


def test_everything_that_is_wrong_with_the_defaults_is_told_at_once() -> None:
    assert refusal({"a": TABLE}, {"table_name": "orders", "fromat": 1}) == (
        "2 settings are refused:\n"
        "defaults: table_name is each table's own; set it there.\n"
        "defaults: there is no setting 'fromat': did you mean format?"
    )


def test_a_module_that_many_tables_share_is_refused_once() -> None:
    tables = {f"t{number}": {"table_name": f"table-{number}"} for number in range(1200)}
    with pytest.raises(SettingsError) as refused:
        pipelines_from_config(tables, {"transform_module": "missing.py", "partitions": {}})
    [problem] = refused.value.problems
    assert problem.startswith("tables.t0 and 1,199 more: transform_module='missing.py' does not")


def test_everything_that_is_wrong_with_a_stack_is_told_at_once() -> None:
    tables = {
        "orders": {
            "fromat": "csv",
            "query": {"bytes_scanned_cutoff_mib": 1},
            "lake": {"version": True},
        },
        "fine": TABLE,
        "shop": {**TABLE, "runtime": "python2.7", "catalog": "none"},
        "none": None,
    }
    assert refusal(tables, None) == (
        "6 settings are refused:\n"
        "tables.orders: there is no setting 'fromat': did you mean format?\n"
        "tables.orders: table_name, transform_module, partitions must be set.\n"
        "tables.orders.lake: there is no setting 'version': did you mean versioning?\n"
        "tables.orders.query: bytes_scanned_cutoff_mib=1 is out of range: Athena's least limit;"
        " use 10 or more.\n"
        # One class tells the first of its own: the next may follow from it.
        "tables.shop: catalog='none' is not allowed: how Athena learns of partitions;"
        " use one of projection, crawler.\n"
        "tables.none: None is no map of settings; write `name: value` lines."
    )


def test_transform_modules_and_clashes_are_told_of_all_tables_too(pipelines: Pipelines) -> None:
    fine = {**TABLE, "transform_module": pipelines.module()}
    with pytest.raises(SettingsError) as refused:
        pipelines_from_config({"a": TABLE, "b": fine, "c": {**TABLE, "transform_module": "c.py"}})
    assert [problem.partition(" does")[0] for problem in refused.value.problems] == [
        "tables.a: transform_module='orders.py'",
        "tables.c: transform_module='c.py'",
    ]
    with pytest.raises(SettingsError) as refused:
        pipelines_from_config(dict.fromkeys(("a", "b", "c"), fine))
    assert [problem.partition(":")[0] for problem in refused.value.problems] == [
        "tables.b",
        "tables.c",
    ]


def test_the_program_and_the_operators_commands_read_the_defaults(pipelines: Pipelines) -> None:
    values = {
        "streaming-etl:tables": json.dumps({"shop": {"table_name": "orders"}}),
        "streaming-etl:defaults": json.dumps(
            {"transform_module": pipelines.module(), "partitions": {}, "log_retention_days": 7}
        ),
    }
    graph = program_graph(values)
    assert {node.inputs["retentionInDays"] for node in graph.of("LogGroup")} == {7}
    found = StackConfig("streaming-etl", "dev", values).pipelines
    assert found["shop"].log_retention_days == 7
