"""Settings from a stack's config: defaults, paths and problems of all tables together."""

from typing import Any

import pytest

from streaming_etl import StreamingEtlPipelineArgs, args_from_config
from streaming_etl.components.settings.renamed import RENAMED_SETTINGS, RENAMED_VALUES
from streaming_etl.components.settings.stack_config import (
    GROUPS,
    read_stack,
    settings_from_config,
)
from tests.support.problems import places, problems_of

TABLE: dict[str, Any] = {
    "table_name": "orders",
    "transform_module": "orders.py",
    "partitions": {},
}


def settings(table: dict[str, Any], defaults: Any) -> StreamingEtlPipelineArgs:
    """The settings of one table with these of its own and these defaults."""
    return settings_from_config({"shop": {**TABLE, **table}}, defaults)["shop"]


def problems(table: dict[str, Any], defaults: Any = None) -> list[tuple[str, str, str]]:
    return places(problems_of(settings, table, defaults))


def test_config_and_python_give_the_same_settings() -> None:
    args = args_from_config("tables.shop", {**TABLE, "tags": {"team": "a"}})
    partitions = GROUPS["partitions"]()
    assert args == StreamingEtlPipelineArgs(
        table_name="orders",
        transform_module="orders.py",
        partitions=partitions,  # type: ignore[arg-type]
        tags={"team": "a"},
    )


@pytest.mark.parametrize(
    ("table", "place", "suggestions"),
    [
        ({"fromat": "csv"}, ("tables.shop", "fromat"), ["format"]),
        (
            {"forwarder": {"batchsize": 1}},
            ("tables.shop.forwarder", "batchsize"),
            ["batch_size"],
        ),
        ({"query": {"zzz": 1}}, ("tables.shop.query", "zzz"), None),
        ({"zzz": 1}, ("tables.shop", "zzz"), None),
    ],
)
def test_reports_an_unknown_setting_with_the_nearest_known_one(
    table: dict[str, Any], place: tuple[str, str], suggestions: list[str] | None
) -> None:
    [problem] = problems_of(settings, table, None)
    assert (problem.path, problem.field, problem.rule) == (*place, "unknown-setting")
    known = ["bytes_scanned_cutoff_mib", "force_destroy"]
    expected = suggestions or (known if "query" in table else problem.details["suggestions"])
    assert problem.details["suggestions"] == expected
    assert suggestions or len(expected) > 1


OLD_NAMES = [
    (name, old, new)
    for name, cls in GROUPS.items()
    for old, new in RENAMED_SETTINGS.get(cls.__name__, {}).items()
]


@pytest.mark.parametrize(("group", "old", "new"), OLD_NAMES)
def test_rejects_a_renamed_setting_with_the_new_name(group: str, old: str, new: str) -> None:
    assert new in {item.name for item in GROUPS[group].__dataclass_fields__.values()}  # type: ignore[attr-defined]
    first, *rest = old.split("_")
    for spelled in (old, first + "".join(part.capitalize() for part in rest)):
        [problem] = problems_of(settings, {group: {spelled: 1}}, None)
        assert (problem.path, problem.rule) == (f"tables.shop.{group}", "renamed-setting")
        assert (problem.details["old"], problem.details["new"]) == (old, new)
    # In Python, too.
    [problem] = problems_of(GROUPS[group], **{old: 1})
    assert (problem.rule, problem.details["new"]) == ("renamed-setting", new)


def test_every_renamed_setting_belongs_to_a_group() -> None:
    assert len(OLD_NAMES) == sum(map(len, RENAMED_SETTINGS.values())) == 15


@pytest.mark.parametrize(
    ("group", "field", "old", "new"),
    [
        (group, field, old, new)
        for group, cls in GROUPS.items()
        for (name, field), values in RENAMED_VALUES.items()
        if name == cls.__name__
        for old, new in values.items()
    ],
)
def test_rejects_a_renamed_value_with_the_new_one(
    group: str, field: str, old: str, new: str
) -> None:
    [problem] = problems_of(settings, {group: {field: old}}, None)
    assert (problem.field, problem.rule) == (field, "renamed-setting")
    assert problem.details["new"] == f"{field}: {new}"
    assert settings({group: {field: new}}, None)


@pytest.mark.parametrize(
    ("tables", "expected"),
    [
        (None, [("", "tables", "no-tables")]),
        ({}, [("", "tables", "no-tables")]),
        ([], [("", "tables", "no-tables")]),
        ("orders", [("", "tables", "no-tables")]),
        ({"shop": None}, [("tables", "shop", "type")]),
        (
            {"shop": {}},
            [
                ("tables.shop", name, "required")
                for name in ("table_name", "transform_module", "partitions")
            ],
        ),
        ({"shop": {**TABLE, "lake": None}}, [("tables.shop", "lake", "type")]),
        ({"shop": {**TABLE, "partitions": ["day"]}}, [("tables.shop", "partitions", "type")]),
        ({"shop": {**TABLE, "format": None}}, [("tables.shop", "format", "choice")]),
        (
            {"shop": {**TABLE, "tags": {"aws:a": "1"}}},
            [("tables.shop", "tags[aws:a]", "reserved-name")],
        ),
    ],
)
def test_reports_problems_of_the_structure(tables: Any, expected: list[tuple[str, str]]) -> None:
    assert places(problems_of(settings_from_config, tables)) == expected


@pytest.mark.parametrize(
    ("table", "defaults", "same_as"),
    [
        ({}, {"runtime": "python3.12"}, {"runtime": "python3.12"}),
        ({}, {"forwarder": {"batch_size": 10}}, {"forwarder": {"batch_size": 10}}),
        # A table's own settings override the defaults, setting by setting.
        ({"runtime": "python3.14"}, {"runtime": "python3.12"}, {"runtime": "python3.14"}),
        (
            {"forwarder": {"batch_size": 20}},
            {"forwarder": {"batch_size": 10, "memory_mib": 512}},
            {"forwarder": {"batch_size": 20, "memory_mib": 512}},
        ),
        # A table resets a default by null.
        ({"lake": {"data_retention_days": None}}, {"lake": {"data_retention_days": 30}}, {}),
        ({"runtime": None}, {"runtime": "python3.12"}, {}),
        ({"lake": None}, {"lake": {"data_retention_days": 30}}, {}),
        ({"tags": None}, {"tags": {"team": "a"}}, {}),
        ({"tags": {"team": None}}, {"tags": {"team": "a", "cost": "9"}}, {"tags": {"cost": "9"}}),
        # Tags are merged; other maps and lists are one value.
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
        # A default without effect for a table is for other tables, within a group ...
        ({}, {"backfill": {"concurrency": 8}}, {}),
        (
            {"backfill": {"enabled": True}},
            {"backfill": {"concurrency": 8}},
            {"backfill": {"enabled": True, "concurrency": 8}},
        ),
        (
            {"lake": {"bucket_name": "shared"}},
            {"lake": {"versioning": False, "data_retention_days": 9}},
            {"lake": {"bucket_name": "shared"}},
        ),
        # ... and across groups.
        ({}, {"crawler_schedule": "cron(0 1 * * ? *)"}, {}),
        (
            {"catalog": "crawler"},
            {"partitions": {"projection_start_year": 2020}},
            {"catalog": "crawler"},
        ),
        ({"format": "parquet"}, {"delivery": {"compression": "GZIP"}}, {"format": "parquet"}),
    ],
)
def test_merges_defaults_into_a_table(
    table: dict[str, Any], defaults: dict[str, Any], same_as: dict[str, Any]
) -> None:
    assert settings(table, defaults) == settings(same_as, None)


def test_required_settings_may_be_in_the_defaults_only() -> None:
    defaults = {"transform_module": "all.py", "partitions": {"granularity": "hour"}}
    args = settings_from_config({"shop": {"table_name": "orders"}}, defaults)["shop"]
    assert (args.transform_module, args.partitions.granularity) == ("all.py", "hour")


@pytest.mark.parametrize(
    ("defaults", "expected"),
    [
        (["a"], ("", "defaults", "type")),
        ({"fromat": 1}, ("defaults", "fromat", "unknown-setting")),
        ({"partitions": {"layout": "dt"}}, ("defaults.partitions", "layout", "renamed-setting")),
        (
            {"forwarder": {"parallelization_factor": 12}},
            ("defaults.forwarder", "parallelization_factor", "range"),
        ),
        (
            {"format": "parquet", "delivery": {"buffer_mib": 5}},
            ("defaults.delivery", "buffer_mib", "minimum"),
        ),
        ({"lake": 5}, ("defaults", "lake", "type")),
        ({"tags": {"aws:a": "1"}}, ("defaults", "tags[aws:a]", "reserved-name")),
        ({"table_name": "orders"}, ("defaults", "table_name", "per-table-setting")),
        ({"glue_table_name": "t"}, ("defaults", "glue_table_name", "per-table-setting")),
    ],
)
def test_reports_a_problem_of_the_defaults_once(
    defaults: Any, expected: tuple[str, str, str]
) -> None:
    found = problems_of(settings_from_config, {"a": TABLE, "b": TABLE}, defaults)
    assert places(found) == [expected]


@pytest.mark.parametrize(
    ("table", "defaults", "expected", "related_path"),
    [
        # The table's own value, although the defaults set the same name in another group.
        (
            {"format": "parquet", "delivery": {"buffer_mib": 1}},
            {"transform": {"buffer_mib": 1}},
            ("tables.shop.delivery", "buffer_mib", "minimum"),
            "",
        ),
        (
            {"delivery": {"buffer_seconds": 9999}},
            {"transform": {"buffer_seconds": 30}, "delivery": {"buffer_seconds": 60}},
            ("tables.shop.delivery", "buffer_seconds", "range"),
            None,
        ),
        # The value of the defaults, in a table with another format.
        (
            {"format": "parquet"},
            {"delivery": {"buffer_mib": 5}},
            ("defaults.delivery", "buffer_mib", "minimum"),
            "tables.shop",
        ),
        # The table's own value, which has no effect because of the defaults.
        (
            {"forwarder": {"max_record_kib": 5}},
            {"forwarder": {"max_changes_per_record": 1}},
            ("tables.shop.forwarder", "max_record_kib", "no-effect"),
            "defaults",
        ),
        (
            {"source": {"hash_key": "pk"}},
            {"source": {"use_existing": True}},
            ("tables.shop.source", "hash_key", "no-effect"),
            "defaults",
        ),
        (
            {"backfill": {"concurrency": 8}},
            {"backfill": {"concurrency": 4}},
            ("tables.shop.backfill", "concurrency", "no-effect"),
            "",
        ),
    ],
)
def test_reports_the_path_at_which_the_value_is_set(
    table: dict[str, Any],
    defaults: dict[str, Any],
    expected: tuple[str, str, str],
    related_path: str | None,
) -> None:
    [problem] = problems_of(settings, table, defaults)
    assert places([problem]) == [expected]
    assert [other.path for other in problem.related] == [
        path for path in [related_path] if path is not None
    ]


def test_lists_the_tables_for_which_a_default_is_invalid() -> None:
    tables = {name: {**TABLE, "format": "parquet"} for name in ("a", "b", "c")}
    _, [problem] = read_stack({**tables, "d": TABLE}, {"delivery": {"buffer_mib": 5}})
    assert problem.pipelines == ("tables.a", "tables.b", "tables.c")


def test_reports_all_problems_of_a_stack() -> None:
    tables = {
        "orders": {
            "fromat": "csv",
            "query": {"bytes_scanned_cutoff_mib": 1},
            "lake": {"version": True},
        },
        "valid": TABLE,
        "shop": {**TABLE, "runtime": "python2.7", "catalog": "none"},
        "none": None,
    }
    found = problems_of(settings_from_config, tables, {"zone": 1, "transform": {"memory_mib": 1}})
    assert sorted(places(found)) == [
        ("defaults", "zone", "unknown-setting"),
        ("defaults.transform", "memory_mib", "range"),
        ("tables", "none", "type"),
        ("tables.orders", "fromat", "unknown-setting"),
        ("tables.orders", "partitions", "required"),
        ("tables.orders", "table_name", "required"),
        ("tables.orders", "transform_module", "required"),
        ("tables.orders.lake", "version", "unknown-setting"),
        ("tables.orders.query", "bytes_scanned_cutoff_mib", "range"),
        ("tables.shop", "catalog", "choice"),
        ("tables.shop", "runtime", "choice"),
    ]


def test_reports_problems_of_one_group_with_rules_across_groups() -> None:
    table = {
        "format": "parquet",
        "partitions": {"time_zone": "JST"},
        "delivery": {"buffer_seconds": -1, "buffer_mib": 1},
    }
    assert problems(table) == [
        ("tables.shop.partitions", "time_zone", "time-zone"),
        ("tables.shop.delivery", "buffer_seconds", "range"),
        ("tables.shop.delivery", "buffer_mib", "minimum"),
    ]
