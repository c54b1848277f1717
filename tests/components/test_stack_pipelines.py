"""Pipelines of a stack's config, with transform modules, packages and conflicts."""

import json
import re
from pathlib import Path
from typing import Any

import pulumi
import pytest

from streaming_etl import StreamingEtlPipeline, pipelines_from_config
from streaming_etl.components import stack_pipelines
from streaming_etl.components.packaging.dependencies import (
    Packages,
    Target,
    ensure_dependencies,
)
from streaming_etl.components.settings.validation import SettingsError, invalid
from streaming_etl.components.table.layout import default_database_name
from streaming_etl.stack.config import StackConfig
from streaming_etl.stack.program import program_graph
from streaming_etl.stack.recorder import Graph, build
from tests.support.pipelines import Pipelines, dev_config
from tests.support.problems import places, problems_of

TABLE: dict[str, Any] = {
    "table_name": "orders",
    "transform_module": "missing.py",
    "partitions": {},
}


@pytest.fixture
def packages(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lock file of the transform is invalid."""

    def ensure(target: Target, requirements: str | None) -> Packages:
        if requirements is not None:
            raise SettingsError(
                invalid("requirements", requirements, "known-value", path="transform")
            )
        return ensure_dependencies(target, None)

    monkeypatch.setattr(stack_pipelines, "ensure_dependencies", ensure)


@pytest.mark.usefixtures("packages")
def test_reports_settings_modules_packages_and_conflicts_together(tmp_path: Path) -> None:
    module = tmp_path / "m.py"
    module.write_text("COLUMNS = {'id': 'string'}\n\n\ndef transform(change):\n    return []\n")
    valid = {**TABLE, "transform_module": str(module)}
    shared = {"database_name": "lake"}
    tables = {
        "a": {**TABLE, "fromat": 1},
        "b": {**TABLE, "table_name": "b-table"},
        "c": {**valid, "table_name": "my-orders", **shared},
        "d": {**valid, "table_name": "my.orders", **shared},
        "e": {**valid, "table_name": "my-orders"},
        "f": {**valid, "table_name": "f-table", "transform": {"requirements": "lock.txt"}},
        "Third_Table": {**valid, "table_name": "g-table"},
    }
    assert places(problems_of(pipelines_from_config, tables)) == [
        ("tables.a", "fromat", "unknown-setting"),
        ("tables.a", "transform_module", "module-missing"),
        ("tables.f.transform", "requirements", "known-value"),
        ("tables.Third_Table", "name", "pipeline-name"),
        ("tables.d", "glue_table_name", "lake-table-shared"),
        ("tables.e", "table_name", "table-created-twice"),
    ]


def test_rejects_lake_tables_with_the_name_of_a_view_in_their_database(
    pipelines: Pipelines,
) -> None:
    typed = {"transform_module": pipelines.module(), "partitions": {}}
    lake = {**typed, "database_name": "lake"}
    by_partition = {"query": {"current_state_source": "partitions"}}
    injected = {**lake, **by_partition, "partitions": {"dynamic_partition_keys": {"store": []}}}
    tables = {
        "a": {**lake, "table_name": "orders_current"},
        "b": {**lake, "table_name": "orders"},
        "c": {**lake, "table_name": "c-orders", "glue_table_name": "orders_current_current"},
        # In another database, which is d's own.
        "d": {**typed, "table_name": "d-orders", "glue_table_name": "orders_current"},
        "e": {
            **typed,
            "table_name": "e-orders",
            "glue_table_name": "e",
            "database_name": default_database_name("f"),
        },
        "f": {**typed, "table_name": "f-orders", "glue_table_name": "e_current"},
        # No view of partitions with an injected key.
        "g": {**injected, "table_name": "g-orders", "glue_table_name": "g"},
        "h": {**lake, "table_name": "g_current"},
    }
    tables |= {
        # No objects table if the view reads partitions.
        "m": {**lake, **by_partition, "table_name": "m-orders", "glue_table_name": "m"},
        "n": {**lake, "table_name": "n-orders", "glue_table_name": "m_objects"},
        "i": {**lake, "table_name": "e-orders_objects", "glue_table_name": "orders_objects"},
        "j": {**lake, "table_name": "j-orders", "query": {"current_state": False}},
        "k": {**lake, "table_name": "j-orders_current"},
        "l": {**lake, "table_name": "j-orders-objects"},
    }
    found = problems_of(pipelines_from_config, tables)
    assert [(problem.path, problem.value, problem.details) for problem in found] == [
        ("tables.a", "orders_current", {"kind": "view", "other": "tables.b"}),
        ("tables.c", "orders_current_current", {"kind": "view", "other": "tables.a"}),
        ("tables.f", "e_current", {"kind": "view", "other": "tables.e"}),
        ("tables.i", "orders_objects", {"kind": "objects table", "other": "tables.b"}),
    ]
    assert {problem.rule for problem in found} == {"lake-table-is-derived"}


def test_rejects_a_lake_table_with_the_name_of_the_view_of_another_one(
    pipelines: Pipelines,
) -> None:
    typed = {"transform_module": pipelines.module(), "partitions": {}}
    tables: dict[str, Any] = {
        "a": typed,
        "b": {**typed, "glue_table_name": "a_current"},
        "c": {**typed, "glue_table_name": "b_objects"},
        "b-objects": {**typed, "glue_table_name": "a_objects"},
        "d": {**typed, "query": {"current_state": False}},
        "d-current": typed,
        "e": {**typed, "where": {"type": []}},
    }
    found = problems_of(
        pipelines_from_config, {"shop": {"table_name": "shop", "lake_tables": tables}}
    )
    assert [(*places([each])[0], each.details.get("other")) for each in found] == [
        ("tables.shop.lake_tables.e", "where[type]", "where-empty", None),
        (
            "tables.shop.lake_tables.b",
            "glue_table_name",
            "lake-table-is-derived",
            "tables.shop.lake_tables.a",
        ),
        (
            "tables.shop.lake_tables.b-objects",
            "glue_table_name",
            "lake-table-is-derived",
            "tables.shop.lake_tables.a",
        ),
    ]


@pytest.mark.parametrize(
    ("lake_tables", "expected"),
    [
        (None, ("tables.shop", "lake_tables", "type")),
        ([], ("tables.shop", "lake_tables", "type")),
        ("reserved", ("tables.shop", "lake_tables[lake-table]", "reserved-name")),
    ],
    ids=str,
)
def test_reports_invalid_lake_tables_once(
    pipelines: Pipelines, lake_tables: Any, expected: tuple[str, str, str]
) -> None:
    if lake_tables == "reserved":
        typed = {"transform_module": pipelines.module(), "partitions": {}}
        lake_tables = {"lake-table": typed}
    tables = {"shop": {"table_name": "shop", "lake_tables": lake_tables}}
    assert places(problems_of(pipelines_from_config, tables)) == [expected]


def test_rejects_former_names_that_another_pipeline_has_or_had(pipelines: Pipelines) -> None:
    module = {"transform_module": pipelines.module(), "partitions": {}}
    former = {
        "a": [],
        "b": ["a"],
        "c": ["old", "older"],
        "d": ["older"],
        # Renamed back.
        "e": ["e", "e2"],
        "f": ["f0", "f"],
        "g": "g",
        # An invalid name is not compared.
        "h": ["A", "a"],
    }
    tables = {
        name: {**module, "table_name": f"table-{name}", "renamed_from": names}
        for name, names in former.items()
    }
    found = problems_of(pipelines_from_config, tables)
    assert [(problem.path, problem.rule, problem.value) for problem in found] == [
        ("tables.h", "pattern", "A"),
        ("tables.f", "own-name", "f"),
        ("tables.g", "own-name", "g"),
        ("tables.b", "former-name-in-use", "a"),
        ("tables.d", "former-name-in-use", "older"),
    ]
    assert {problem.field for problem in found} == {"renamed_from"}
    assert [problem.details for problem in found[3:]] == [
        {"other": "tables.a"},
        {"other": "tables.c"},
    ]


def test_compares_lake_tables_in_the_database_of_the_oldest_name(pipelines: Pipelines) -> None:
    module = {"transform_module": pipelines.module(), "partitions": {}, "glue_table_name": "t"}
    tables = {
        "a": {**module, "table_name": "a-table", "renamed_from": ["oldest", "old"]},
        "b": {**module, "table_name": "b-table", "database_name": default_database_name("oldest")},
        "c": {**module, "table_name": "c-table", "database_name": default_database_name("a")},
    }
    assert places(problems_of(pipelines_from_config, tables)) == [
        ("tables.b", "glue_table_name", "lake-table-shared")
    ]


def test_rejects_equal_lake_tables_by_default_and_given_names(pipelines: Pipelines) -> None:
    module = {"transform_module": pipelines.module(), "partitions": {}}
    tables: dict[str, dict[str, Any]] = {
        "a": {**module, "table_name": "My-Orders", "database_name": "lake"},
        "b": {**module, "table_name": "my.orders", "database_name": "lake"},
        "c": {
            **module,
            "table_name": "c-orders",
            "glue_table_name": "my_orders",
            "database_name": "lake",
        },
        # In the database that e creates.
        "d": {**module, "table_name": "e-orders", "database_name": default_database_name("e")},
        "e": {**module, "table_name": "e.orders"},
        # In the database that f creates, under e's name.
        "f": {**module, "table_name": "E-orders"},
        # A database that is given under an invalid name of a pipeline.
        "G": {**module, "table_name": "MY_ORDERS", "database_name": "lake"},
    }
    found = problems_of(pipelines_from_config, tables)
    assert [(problem.path, problem.rule, problem.details) for problem in found] == [
        ("tables.G", "pipeline-name", {}),
        ("tables.b", "lake-table-shared", {"other": "tables.a"}),
        ("tables.c", "lake-table-shared", {"other": "tables.a"}),
        ("tables.e", "lake-table-shared", {"other": "tables.d"}),
        ("tables.G", "lake-table-shared", {"other": "tables.a"}),
    ]


def several(*names: str, **renamed: str) -> dict[str, Any]:
    """Settings with lake tables; `renamed_from` by name."""
    part = {"transform_module": "missing.py", "partitions": {}}
    tables = {name: {**part, "renamed_from": renamed.get(name, [])} for name in names}
    return {"table_name": "shop", "source": {"use_existing": True}, "lake_tables": tables}


SHARED_NAMES: list[tuple[dict[str, Any], list[tuple[str, str, str]]]] = [
    (
        {"shop": several("orders", "items"), "shop-orders": TABLE},
        [("tables.shop", "lake_tables", "resource-names-shared")],
    ),
    (
        {"shop": several("a-b"), "shop-a": several("b")},
        [("tables.shop-a", "lake_tables", "resource-names-shared")],
    ),
    # Pulumi would take the resources of one for those of the other.
    (
        {"shop": several("orders"), "new": {**TABLE, "renamed_from": "shop-orders"}},
        [("tables.shop", "lake_tables", "resource-names-shared")],
    ),
    (
        {"shop-sales": TABLE, "shop": several("orders", orders="sales")},
        [("tables.shop.lake_tables.orders", "renamed_from", "former-name-in-use")],
    ),
    (
        {"shop": {**several("b"), "renamed_from": "old"}, "old-b": TABLE},
        [("tables.shop.lake_tables.b", "renamed_from", "former-name-in-use")],
    ),
    (
        {"shop": {**several("b", "a-b"), "renamed_from": "shop-a"}},
        [("tables.shop.lake_tables.b", "renamed_from", "former-name-in-use")],
    ),
    ({"shop": several("orders", orders="lake-table"), "shop-items": TABLE}, []),
    ({"shop": {**several("orders", orders="lake-table"), "renamed_from": "old"}}, []),
]


@pytest.mark.parametrize(("tables", "expected"), SHARED_NAMES, ids=str)
def test_rejects_a_lake_table_with_the_resources_of_something_else(
    tables: dict[str, Any], expected: list[tuple[str, str, str]]
) -> None:
    found = places(problems_of(pipelines_from_config, tables))
    assert [place for place in found if place[2] != "module-missing"] == expected


def readers(number: int, module: str) -> dict[str, dict[str, Any]]:
    """Pipelines of one table, and one of another."""
    one = {"table_name": "orders", "transform_module": module, "source": {"use_existing": True}}
    tables = {f"p{each}": {**one, "partitions": {}} for each in range(number)}
    return {**tables, "other": {**one, "partitions": {}, "table_name": "ORDERS"}}


@pytest.mark.parametrize(("number", "warnings"), [(1, []), (2, [("tables.p0", "tables.p1")])])
def test_warns_of_two_readers_of_a_stream(
    number: int,
    warnings: list[tuple[str, ...]],
    pipelines: Pipelines,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    logged: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", logged.append)
    assert pipelines_from_config(readers(number, pipelines.module()))
    assert [tuple(re.findall(r"tables\.\w+", text)) for text in logged] == warnings


def test_rejects_more_than_two_readers_of_a_stream(
    pipelines: Pipelines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulumi.log, "warn", None)
    found = problems_of(pipelines_from_config, readers(4, pipelines.module()))
    details = {"most": 2, "others": ["tables.p0", "tables.p1"]}
    assert [(problem.path, problem.rule, problem.details) for problem in found] == [
        ("tables.p2", "too-many-readers", details),
        ("tables.p3", "too-many-readers", details),
    ]


@pytest.mark.usefixtures("packages")
def test_checks_modules_and_conflicts_despite_invalid_settings() -> None:
    tables = {
        "a": {**TABLE, "format": "xml"},
        "b": {**TABLE, "transform_module": "other.py"},
    }
    found = problems_of(pipelines_from_config, tables, {"log_retention_days": 2})
    assert sorted(places(found)) == [
        ("defaults", "log_retention_days", "choice"),
        ("tables.a", "format", "choice"),
        ("tables.a", "transform_module", "module-missing"),
        ("tables.b", "table_name", "table-created-twice"),
        ("tables.b", "transform_module", "module-missing"),
    ]


SAME_LAKE_TABLE = {
    "table_name": "orders",
    "database_name": "lake",
    "source": {"use_existing": True},
}
INVALID_SETTINGS: list[tuple[dict[str, Any], object, tuple[str, str, str]]] = [
    ({"format": "xml", "catalog": "crawler"}, None, ("tables.b", "format", "choice")),
    ({"format": "xml"}, None, ("tables.b", "format", "choice")),
    ({"catalog": "glue"}, None, ("tables.b", "catalog", "choice")),
    ({"catlog": "crawler"}, None, ("tables.b", "catlog", "unknown-setting")),
    ({}, {"catlog": "crawler"}, ("defaults", "catlog", "unknown-setting")),
    ({}, [1], ("", "defaults", "type")),
    (
        {"catalog": "crawler", "source": ["use_existing"], "table_name": "orders"},
        None,
        ("tables.b", "source", "type"),
    ),
    (
        {"catalog": "crawler", "source": {"existing": True}, "table_name": "orders"},
        None,
        ("tables.b.source", "existing", "renamed-setting"),
    ),
    (
        {"catalog": "crawler", **SAME_LAKE_TABLE, "glue_table_name": "My"},
        None,
        ("tables.b", "glue_table_name", "pattern"),
    ),
    (
        {"catalog": "crawler", "partitions": {"dynamic_partition_keys": {"store": 5}}},
        None,
        ("tables.b.partitions", "dynamic_partition_keys[store]", "type"),
    ),
    (
        {"catalog": "crawler", "runtime": "python2", "transform": {"requirements": "lock.txt"}},
        None,
        ("tables.b", "runtime", "choice"),
    ),
]


@pytest.mark.usefixtures("packages")
@pytest.mark.parametrize(("settings", "defaults", "expected"), INVALID_SETTINGS)
def test_an_invalid_setting_causes_no_further_problem(
    settings: dict[str, Any],
    defaults: object,
    expected: tuple[str, str, str],
    pipelines: Pipelines,
) -> None:
    # A module without columns, which needs a crawler and JSON.
    module = pipelines.module("def transform(change):\n    return []\n")
    valid = {**TABLE, "transform_module": module}
    first = {**valid, "catalog": "crawler", "format": "json", "database_name": "lake"}
    second = {**valid, "table_name": "b-table", **settings}
    tables = {"a": {**first, "partitions": {}}, "b": second}
    assert places(problems_of(pipelines_from_config, tables, defaults)) == [expected]


@pytest.mark.usefixtures("packages")
def test_checks_columns_against_the_valid_settings(pipelines: Pipelines) -> None:
    columns = "COLUMNS = {'day': 'string', 'parts': 'array<string>'}"
    module = pipelines.module(f"{columns}\ndef transform(change):\n    return []\n")
    table = {**TABLE, "transform_module": module, "format": "csv"}
    tables = {"a": {**table, "partitions": {"granularity": "second"}}}
    assert [problem.rule for problem in problems_of(pipelines_from_config, tables)] == [
        "choice",
        "nested-column",
    ]


@pytest.mark.parametrize(
    ("key", "text", "path", "field", "value", "rule"),
    [
        ("tables", "hello", "", "tables", "hello", "no-tables"),
        ("tables", "[1]", "", "tables", [1], "no-tables"),
        ("defaults", "[1]", "", "defaults", [1], "type"),
        ("defaults", "hello", "", "defaults", "hello", "type"),
    ],
)
def test_reports_config_that_is_no_json_object(
    key: str, text: str, path: str, field: str, value: object, rule: str
) -> None:
    [problem] = problems_of(program_graph, {**dev_config(), f"streaming-etl:{key}": text})
    assert (problem.path, problem.field, problem.value, problem.rule) == (path, field, value, rule)


MISSING_IMPORT = "import yaml\n\n\ndef transform(change):\n    return yaml.safe_load('')\n"


def test_the_config_rejects_a_module_with_a_missing_import(pipelines: Pipelines) -> None:
    module = pipelines.module(MISSING_IMPORT)
    table = {"table_name": "orders", "transform_module": module, "partitions": {}}
    [problem] = problems_of(pipelines_from_config, {"shop": {**table, "catalog": "crawler"}})
    assert (problem.path, problem.rule, problem.details["imports"]) == (
        "tables.shop",
        "module-imports",
        ("yaml",),
    )


@pytest.mark.parametrize("preview", [True, False])
def test_the_component_rejects_a_module_with_a_missing_import(
    preview: bool, pipelines: Pipelines
) -> None:
    args = pipelines.args(MISSING_IMPORT, catalog="crawler")
    graph = Graph()
    [problem] = problems_of(
        build, lambda: StreamingEtlPipeline("shop", args), preview=preview, into=graph
    )
    assert (problem.field, problem.rule) == ("transform_module", "module-imports")
    assert graph.nodes == []


@pytest.mark.usefixtures("packages")
@pytest.mark.parametrize("in_defaults", [True, False])
def test_reports_a_module_of_many_tables_once(in_defaults: bool) -> None:
    shared = {"transform_module": "missing.py", "partitions": {}}
    tables = {
        f"t{number}": {"table_name": f"table-{number}", **({} if in_defaults else shared)}
        for number in range(1200)
    }
    defaults = shared if in_defaults else None
    [problem] = problems_of(pipelines_from_config, tables, defaults)
    assert problem.path == ("defaults" if in_defaults else "tables.t0")
    assert problem.pipelines == tuple(f"tables.t{number}" for number in range(1200))


def test_an_invalid_table_creates_no_resource_of_any_table() -> None:
    tables = json.loads(dev_config()["streaming-etl:tables"])
    broken = {**tables["orders"], "transform_module": "transforms/missing.py"}
    graph = Graph()
    config = {"streaming-etl:tables": json.dumps({**tables, "third": broken})}
    problems = problems_of(program_graph, config, into=graph)
    assert ("tables.third", "transform_module", "module-missing") in places(problems)
    assert graph.nodes == []


def test_program_and_commands_read_the_defaults(pipelines: Pipelines) -> None:
    values = {
        "streaming-etl:tables": json.dumps({"shop": {"table_name": "orders"}}),
        "streaming-etl:defaults": json.dumps(
            {"transform_module": pipelines.module(), "partitions": {}, "log_retention_days": 7}
        ),
    }
    graph = program_graph(values)
    assert {node.inputs["retentionInDays"] for node in graph.of("LogGroup")} == {7}
    args = StackConfig("streaming-etl", "dev", values).pipelines["shop"]
    assert args.log_retention_days == 7


@pytest.mark.parametrize("args", [None, [], "orders"])
def test_rejects_other_arguments_than_settings(args: Any) -> None:
    graph = Graph()
    [problem] = problems_of(build, lambda: StreamingEtlPipeline("shop", args), into=graph)
    assert (problem.field, problem.value, problem.rule) == ("args", args, "type")
    assert graph.nodes == []


@pytest.mark.usefixtures("packages")
def test_an_empty_section_of_defaults_is_none() -> None:
    tables = {"orders": {**TABLE, "transform_module": "transforms/orders.py"}}
    assert pipelines_from_config(json.dumps(tables), "") == pipelines_from_config(tables, None)
    assert places(problems_of(pipelines_from_config, "")) == [("", "tables", "no-tables")]
