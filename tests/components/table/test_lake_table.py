"""Lake tables of settings and columns, and combinations that are rejected."""

from pathlib import Path
from typing import Any

import pytest

from streaming_etl import PartitionArgs, QueryArgs, TransformArgs
from streaming_etl.components.table.column_types import Column
from streaming_etl.components.table.declared_columns import AttributeSource
from streaming_etl.components.table.lake_table import resolve
from streaming_etl.components.table.transform_module import TransformModule
from tests.support.pipeline_settings import lake_table, pipeline_args, plan
from tests.support.problems import places, problems_of


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, ("", "catalog", "catalog-needs-columns")),
        ({"format": "parquet"}, ("", "format", "needs-columns")),
        ({"format": "csv"}, ("", "format", "needs-columns")),
        ({"format": "csv", "catalog": "crawler"}, ("", "format", "needs-columns")),
    ],
)
def test_rejects_a_module_without_columns_where_they_are_needed(
    settings: dict[str, Any], expected: tuple[str, str, str]
) -> None:
    assert places(problems_of(lake_table, None, **settings)) == [expected]


def test_json_with_a_crawler_needs_no_columns() -> None:
    table = lake_table(None, catalog="crawler")
    assert (table.columns, table.view_name) == (None, None)


def test_rejects_nested_columns_in_csv() -> None:
    nested = ["array<string>", "map<string,int>", "struct<a:int>", "array<array<int>>"]
    columns = {"id": "string", **{f"c{index}": kind for index, kind in enumerate(nested)}}
    problems = problems_of(lake_table, columns, format="csv")
    assert [(problem.rule, problem.details["column"]) for problem in problems] == [
        ("nested-column", f"c{index}") for index in range(len(nested))
    ]
    assert lake_table(columns, format="parquet")


@pytest.mark.parametrize(
    ("column", "partitions"),
    [
        ("day", PartitionArgs()),
        ("hour", PartitionArgs(granularity="hour")),
        ("dt", PartitionArgs(layout="date")),
        ("store_id", PartitionArgs(dynamic_partition_keys={"store_id": []})),
    ],
)
def test_rejects_a_column_that_is_also_a_partition_key(
    column: str, partitions: PartitionArgs
) -> None:
    [problem] = problems_of(lake_table, {"id": "string", column: "string"}, partitions=partitions)
    assert (problem.rule, problem.details["column"]) == ("column-is-partition-key", column)


def test_accepts_a_column_with_the_name_of_an_unused_time_key() -> None:
    columns = lake_table({"id": "string", "hour": "int", "dt": "date"}).all_columns
    assert [column.name for column in columns][:3] == ["id", "hour", "dt"]


@pytest.mark.parametrize(
    ("keys", "catalog", "injected"),
    [
        ({"store_id": [], "kind": ["a"]}, "projection", ("store_id",)),
        ({"store_id": []}, "crawler", ()),
        ({"kind": ["a"]}, "projection", ()),
    ],
)
def test_keys_with_any_value_are_injected_by_projection(
    keys: dict[str, list[str]], catalog: str, injected: tuple[str, ...]
) -> None:
    partitions = PartitionArgs(dynamic_partition_keys=keys)
    table = lake_table(partitions=partitions, catalog=catalog)
    assert table.injected_keys == injected
    assert (table.view_name, table.objects_name) == ("orders_current", "orders_objects")
    by_partition = lake_table(
        partitions=partitions,
        catalog=catalog,
        query=QueryArgs(current_state_source="partitions"),
    )
    # Every query of an injected key needs its value, which a view does not have.
    assert by_partition.view_name == (None if injected else "orders_current")
    assert by_partition.objects_name is None


def test_a_table_without_current_state_has_no_view() -> None:
    table = lake_table(query=QueryArgs(current_state=False))
    assert (table.current_state, table.view_name) == (False, None)


def test_reports_problems_of_the_name_with_those_of_the_module(tmp_path: Path) -> None:
    module = tmp_path / "m.py"
    module.write_text("COLUMNS = {}\n")
    args = pipeline_args(transform_module=str(module))
    assert places(problems_of(resolve, "Orders", args)) == [
        ("", "name", "pipeline-name"),
        ("", "transform_module", "columns-empty"),
    ]


def columns_only(types: dict[str, Any], **sources: AttributeSource) -> TransformModule:
    """A module without `transform`."""
    columns = tuple(Column(name, kind) for name, kind in types.items())
    read = {name: sources.get(name, AttributeSource((name,))) for name in types}
    return TransformModule("m.py", columns, False, read)


def test_without_transform_the_function_reads_paths_and_units() -> None:
    module = columns_only(
        {"id": "string", "city": "string", "created": "timestamp"},
        city=AttributeSource(("shop.address", 0, "city")),
        created=AttributeSource(("created",), "seconds"),
    )
    config = plan(pipeline_args(), module).transform_config
    assert config["columns"] == [
        {"name": "id", "type": "string"},
        {"name": "city", "type": "string"},
        {"name": "created", "type": {"timestamp": "seconds"}},
    ]
    assert config["sources"] == {
        "id": ["id"],
        "city": ["shop.address", 0, "city"],
        "created": ["created"],
    }
    # Only a module of the user may read an item in another way than by its methods.
    assert config["lazy_items"] is True
    assert lake_table().transform_config["sources"] is None


def test_without_transform_a_partition_key_is_read_as_in_columns_or_by_its_name() -> None:
    module = columns_only(
        {"id": "string", "store_id": "string"}, store_id=AttributeSource(("storeId",))
    )
    partitions = PartitionArgs(dynamic_partition_keys={"store_id": [], "kind": ["a"]})
    table = plan(pipeline_args(partitions=partitions), module)
    assert table.columns == (Column("id", "string"),)
    assert table.transform_config["columns"] == [{"name": "id", "type": "string"}]
    assert table.transform_config["sources"] == {
        "id": ["id"],
        "store_id": ["storeId"],
        "kind": ["kind"],
    }


def test_without_transform_a_partition_key_in_columns_is_a_string() -> None:
    partitions = PartitionArgs(dynamic_partition_keys={"store": []})
    module = columns_only({"store": "int", "day": "string"})
    problems = problems_of(plan, pipeline_args(partitions=partitions), module)
    assert [(problem.rule, problem.details["column"]) for problem in problems] == [
        ("partition-key-type", "store"),
        ("column-is-partition-key", "day"),
    ]


def test_without_transform_packages_have_no_effect() -> None:
    args = pipeline_args(transform=TransformArgs(requirements="lock.txt"))
    problems = problems_of(plan, args, columns_only({"id": "string"}))
    assert places(problems) == [("transform", "requirements", "requirements-without-transform")]
