"""Name, inputs and result of a lake table's hook.

That the engine calls it is tested in tests/engine/test_guards.py.
"""

import functools
from typing import Any
from unittest import mock

import pulumi
import pytest
from pulumi.output import Unknown

from streaming_etl import StreamingEtlPipeline
from streaming_etl.components.layout_hook import LayoutError, check_layout, known
from streaming_etl.components.settings.lake_table_names import ONLY_LAKE_TABLE
from streaming_etl.components.table.layout_guard import Finding, layout_of
from streaming_etl.components.table.layout_messages import Place, new_table, overridden
from streaming_etl.stack.recorder import UNKNOWN, build
from tests.support.pipeline_settings import lake_table, pipeline_args
from tests.support.pipelines import ROOT, Pipelines

OLD = {"format": "json", "glue_table": "orders", "bucket": "lake", "database": "shop"}
NEW = {**OLD, "format": "csv"}
FINDING = Finding("format", "format", "json", "csv", "all")


PLACE = Place("dev", "shop", ONLY_LAKE_TABLE)


def checked(new: dict[str, Any], *, allow_change: bool = False) -> list[str]:
    """The warnings of a check against OLD."""
    with mock.patch("pulumi.log.warn") as warn:
        check_layout(PLACE, OLD, new, allow_change=allow_change)
    return [call.args[0] for call in warn.call_args_list]


def test_the_inputs_of_a_lake_table_are_its_layout(pipelines: Pipelines) -> None:
    expected = layout_of(
        lake_table(),
        pipeline_args(),
        ONLY_LAKE_TABLE,
        database="shop_test",
        bucket="shop-lake-bucket-0000000",
    )
    assert pipelines.build()["shop-lake-table"].inputs == expected
    preview = pipelines.build(preview=True)["shop-lake-table"].inputs
    assert preview == {**expected, "bucket": UNKNOWN}


def test_each_pipeline_has_a_hook_of_another_name(pipelines: Pipelines) -> None:
    def program() -> None:
        for name in ("orders", "shop"):
            StreamingEtlPipeline(name, pipelines.args(table_name=name))

    hooks = {node.name: node.options["hooks"] for node in build(program).of("LakeTable")}
    assert hooks == {
        f"{name}-lake-table": {"before_update": [f"{name}-lake-table-layout-guard"]}
        for name in ("orders", "shop")
    }


def test_the_hook_of_a_permitted_change_has_another_name(pipelines: Pipelines) -> None:
    node = pipelines.build(allow_layout_change=True)["shop-lake-table"]
    assert node.options["hooks"] == {"before_update": ["shop-lake-table-layout-warning"]}


def test_rejects_a_change_with_its_findings() -> None:
    with pytest.raises(LayoutError) as error:
        checked(NEW)
    assert error.value.findings == [FINDING]


def test_warns_of_a_permitted_change() -> None:
    assert checked(NEW, allow_change=True) == [overridden(PLACE, OLD, [FINDING])]
    assert checked(OLD, allow_change=True) == []


def test_a_permitted_change_deletes_no_bucket() -> None:
    created = {**OLD, "bucket_created": True}
    new = {**NEW, "bucket": "other", "bucket_created": False}
    for further in ({}, {"glue_table": "orders_2"}):
        with mock.patch("pulumi.log.warn") as warn, pytest.raises(LayoutError) as error:
            check_layout(PLACE, created, {**new, **further}, allow_change=True)
        assert "bucket-deleted" in {finding.rule for finding in error.value.findings}
        assert not warn.called


def test_warns_of_a_new_table() -> None:
    new = {**NEW, "glue_table": "orders_2"}
    assert checked(new) == [new_table(PLACE, OLD, new)]


def test_a_value_that_a_preview_does_not_know_is_left_out() -> None:
    def program() -> None:
        inputs = {"format": "csv", "bucket": Unknown(), "database": pulumi.Output.secret("a")}
        assert known(inputs) == {"format": "csv"}
        assert known(None) == {}

    build(program)


def test_warns_in_every_run_while_the_guard_is_off() -> None:
    for allowed in (False, True):
        args = pipeline_args(
            transform_module=str(ROOT / "transforms" / "orders.py"), allow_layout_change=allowed
        )
        with mock.patch("pulumi.log.warn") as warn:
            build(functools.partial(StreamingEtlPipeline, "shop", args))
        assert warn.called is allowed
