"""Selection of a module and its settings by path or pipeline."""

import json
from typing import Any

import pytest

from streaming_etl.ops.transform_test.selection import select_transform
from streaming_etl.stack.errors import CommandError
from tests.ops.transform_test.conftest import Program
from tests.support.deployed import OUTPUTS


def rejection(*args: Any) -> CommandError:
    with pytest.raises(CommandError) as rejected:
        select_transform(*args)
    return rejected.value


def test_a_module_without_a_stack_has_the_default_settings(program: Program) -> None:
    selection = select_transform(program.module())
    assert (selection.args.format, selection.key_names) == ("json", ["id"])


def test_a_path_and_a_name_select_the_same_pipeline(program: Program) -> None:
    program.stack(format="csv", source={"hash_key": "pk", "range_key": "sk"})
    by_path, by_name = select_transform(program.module()), select_transform("shop")
    assert by_path.file.resolve() == by_name.file.resolve() == program.root / "shop.py"
    assert [it.args.format for it in (by_path, by_name)] == ["csv", "csv"]
    assert by_path.settings_source == by_name.settings_source == "shop in Pulumi.dev.yaml"
    assert by_name.key_names == ["pk", "sk"]


def test_rejects_a_module_of_two_pipelines(program: Program) -> None:
    program.stack("store", catalog="crawler")
    error = rejection(program.module())
    assert (error.code, error.details["pipelines"]) == ("ambiguous-module", ["shop", "store"])


SEVERAL: dict[str, dict[str, Any]] = {
    "orders": {"catalog": "crawler"},
    "items": {"transform_module": "shared.py", "catalog": "crawler"},
    "gifts": {"transform_module": "shared.py", "catalog": "crawler"},
}


def test_a_lake_table_is_selected_by_its_name_or_its_module(program: Program) -> None:
    program.lake_tables(SEVERAL)
    by_path = select_transform(program.module(name="orders.py"))
    by_name = select_transform("shop.orders")
    for selection in (by_path, by_name):
        assert selection.file.resolve() == program.root / "orders.py"
        assert selection.lake_table == "orders"
        assert selection.settings_source == "shop.orders in Pulumi.dev.yaml"


def test_rejects_what_may_be_several_lake_tables(program: Program) -> None:
    program.lake_tables(SEVERAL)
    error = rejection(program.module(name="shared.py"))
    names = ["shop.gifts", "shop.items"]
    assert (error.code, error.details["pipelines"]) == ("ambiguous-module", names)
    error = rejection("shop")
    names = ["shop.gifts", "shop.items", "shop.orders"]
    assert (error.code, error.details["lake_tables"]) == ("several-lake-tables", names)
    error = rejection("shop.carts")
    assert (error.code, error.details["known"]) == ("unknown-pipeline", names)
    program.lake_tables({"orders": SEVERAL["orders"]})
    assert select_transform("shop").lake_table == "orders"


def test_overrides_apply_only_to_the_selected_lake_table(program: Program) -> None:
    program.lake_tables(SEVERAL)
    overrides = {"where": {"kind": ["a"]}, "source": {"hash_key": "pk"}}
    selection = select_transform("shop.items", None, overrides)
    wheres = {key: table.where for key, table in selection.args.tables.items()}
    assert wheres == {"orders": {}, "items": {"kind": ["a"]}, "gifts": {}}
    assert selection.key_names == ["pk"]


@pytest.mark.parametrize(
    ("transform", "stack", "code"),
    [
        ("shops", None, "unknown-pipeline"),
        ("other.py", "dev", "module-not-in-stack"),
    ],
)
def test_rejects_a_module_or_pipeline_that_the_stack_lacks(
    program: Program, transform: str, stack: str | None, code: str
) -> None:
    program.stack()
    assert rejection(transform, stack).code == code


@pytest.mark.parametrize(
    ("key_names", "code"),
    [
        (["pk"], "key-mismatch"),
        (["a", "a"], "invalid-key"),
        (["a", "b", "c"], "invalid-key"),
        ([""], "invalid-key"),
    ],
)
def test_rejects_a_key_that_the_table_cannot_have(
    program: Program, key_names: list[str], code: str
) -> None:
    program.stack(catalog="crawler")
    error = rejection("shop", None, None, key_names)
    assert (error.code, error.details["key_names"]) == (code, key_names)
    assert select_transform("shop", None, None, ["id"]).key_names == ["id"]


def test_overrides_apply_only_to_the_selected_pipeline(program: Program) -> None:
    program.stack("store", catalog="crawler", source={"range_key": "n"})
    overrides = {"source": {"range_key_type": "N"}}
    for transform in ("shop", "store"):
        assert select_transform(transform, None, overrides).args.source.range_key_type == "N"
    path = program.module(name="other.py")
    assert rejection(path, None, overrides).code == "invalid-settings"
    assert select_transform(path, None, {"source": {"hash_key": "n"}}).key_names == ["n"]
    [problem] = rejection("store", None, {"source": {"hash_key": "n"}}).details["problems"]
    assert problem.rule == "same-attribute"


def test_the_settings_of_a_deployed_stack_come_from_its_outputs(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"table_name": "shop", "transform_module": "shop.py", "partitions": {}}
    outputs = {**OUTPUTS, "settings": settings}
    pulumi = program.root / "pulumi"
    pulumi.write_text(f"#!/bin/sh\necho '{json.dumps({'shop': outputs})}'\n")
    pulumi.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.root), prepend=":")
    selection = select_transform("shop", "prod", {"catalog": "crawler"})
    assert selection.settings_source == "shop in the outputs of prod"
    assert (selection.args.table_name, selection.args.catalog) == ("shop", "crawler")
