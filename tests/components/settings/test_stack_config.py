"""Settings from a stack's config, with defaults, paths and all problems."""

from typing import Any

import pytest

from streaming_etl import QueryArgs, StreamingEtlPipelineArgs, args_from_config
from streaming_etl.components.settings.renamed import RENAMED_SETTINGS, RENAMED_VALUES
from streaming_etl.components.settings.stack_config import (
    GROUPS,
    read_stack,
    settings_from_config,
)
from tests.components.settings.test_rules import CASES, ORDERS
from tests.support.problems import places, problems_of


def settings(table: dict[str, Any], defaults: Any) -> StreamingEtlPipelineArgs:
    """Settings of one table with defaults."""
    return settings_from_config({"shop": {**ORDERS, **table}}, defaults)["shop"]


def test_config_and_python_give_the_same_settings() -> None:
    args = args_from_config("tables.shop", {**ORDERS, "tags": {"team": "a"}})
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
    known = sorted(QueryArgs.__dataclass_fields__)
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


def test_rejects_a_renamed_setting_with_a_renamed_value_once() -> None:
    partitions = {"time_source": "arrival"}
    for problem in (
        *problems_of(settings, {"partitions": partitions}, None),
        *problems_of(GROUPS["partitions"], **partitions),
    ):
        assert (problem.field, problem.rule) == ("time_source", "renamed-setting")
        assert problem.details["new"] == "partition_time: ingestion"


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
        ({"shop": {**ORDERS, "lake": None}}, [("tables.shop", "lake", "type")]),
        ({"shop": {**ORDERS, "partitions": ["day"]}}, [("tables.shop", "partitions", "type")]),
        ({"shop": {**ORDERS, "format": None}}, [("tables.shop", "format", "choice")]),
        (
            {"shop": {**ORDERS, "tags": {"aws:a": "1"}}},
            [("tables.shop", "tags[aws:a]", "reserved-name")],
        ),
    ],
)
def test_reports_problems_of_the_structure(tables: Any, expected: list[tuple[str, str]]) -> None:
    assert places(problems_of(settings_from_config, tables)) == expected


@pytest.mark.parametrize(("table", "defaults", "same_as"), CASES["merged"])
def test_merges_defaults_into_a_table(
    table: dict[str, Any], defaults: dict[str, Any], same_as: dict[str, Any]
) -> None:
    assert settings(table, defaults) == settings(same_as, None)


def test_required_settings_may_be_in_the_defaults_only() -> None:
    defaults = {"transform_module": "all.py", "partitions": {"granularity": "hour"}}
    args = settings_from_config({"shop": {"table_name": "orders"}}, defaults)["shop"]
    assert (args.transform_module, args.partitions.granularity) == ("all.py", "hour")


@pytest.mark.parametrize(("defaults", "expected"), CASES["defaults"])
def test_reports_a_problem_of_the_defaults_once(defaults: Any, expected: str) -> None:
    problems = problems_of(settings_from_config, {"a": ORDERS, "b": ORDERS}, defaults)
    assert [" ".join(place) for place in places(problems)] == [expected]


@pytest.mark.parametrize(("table", "defaults", "expected", "related"), CASES["located"])
def test_reports_the_path_at_which_the_value_is_set(
    table: dict[str, Any], defaults: dict[str, Any], expected: str, related: list[str]
) -> None:
    [problem] = problems_of(settings, table, defaults)
    assert " ".join(*places([problem])) == expected
    assert [other.path for other in problem.related] == related


def test_lists_the_tables_for_which_a_default_is_invalid() -> None:
    tables = {name: {**ORDERS, "format": "parquet"} for name in ("a", "b", "c")}
    _, [problem] = read_stack({**tables, "d": ORDERS}, {"delivery": {"buffer_mib": 5}})
    assert problem.pipelines == ("tables.a", "tables.b", "tables.c")


def test_reports_all_problems_of_a_stack() -> None:
    tables = {
        "orders": {
            "fromat": "csv",
            "query": {"bytes_scanned_cutoff_mib": 1},
            "lake": {"version": True},
        },
        "valid": ORDERS,
        "shop": {**ORDERS, "runtime": "python2.7", "catalog": "none"},
        "none": None,
    }
    problems = problems_of(
        settings_from_config, tables, {"zone": 1, "transform": {"memory_mib": 1}}
    )
    assert sorted(places(problems)) == [
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
