"""Changes of a protected source table, and the hook that finds them.

That the engine calls it is tested in tests/engine/test_protection.py.
"""

from typing import Any

import pytest

from streaming_etl import SourceArgs, StreamingEtlPipeline
from streaming_etl.components.settings.lake_table_names import ONLY_LAKE_TABLE
from streaming_etl.components.source_guard import (
    MESSAGES,
    SourceFinding,
    source_findings,
    source_of,
)
from streaming_etl.stack.recorder import build
from tests.support.pipeline_settings import pipeline_args
from tests.support.pipelines import Pipelines
from tools.messages.source import messages

OPEN = {"protect": False}
RETAINED = {"retain": True}


def state(settings: dict[str, Any] | None = None, **source: Any) -> dict[str, Any]:
    """The guard's input as Pulumi's state has it."""
    data = source_of(pipeline_args(**(settings or {}), source=SourceArgs(**source)))
    return {name: value for name, value in data.items() if value is not None}


def rules(old: dict[str, Any], new: dict[str, Any]) -> set[tuple[str, str]]:
    return {(finding.rule, finding.setting) for finding in source_findings(old, new)}


@pytest.mark.parametrize(
    ("keys", "settings"),
    [
        ({"hash_key": "pk"}, {"hash_key"}),
        ({"hash_key_type": "N"}, {"hash_key_type"}),
        ({"range_key": "at"}, {"range_key"}),
        ({"range_key": "at", "range_key_type": "N"}, {"range_key", "range_key_type"}),
    ],
)
@pytest.mark.parametrize("together", [{}, OPEN, RETAINED])
def test_another_key_needs_an_earlier_update_without_protection(
    keys: dict[str, Any], settings: set[str], together: dict[str, Any]
) -> None:
    expected = {("protected-keys", f"source.{name}") for name in settings}
    assert rules(state(), state(together, **keys)) == expected
    assert rules(state(**keys), state(together)) == expected
    assert rules(state(OPEN), state(together, **keys)) == set()


@pytest.mark.parametrize("together", [{}, OPEN, RETAINED])
def test_a_retained_table_keeps_its_keys(together: dict[str, Any]) -> None:
    other_key = state(together, hash_key="pk")
    assert rules(state(RETAINED), other_key) == {("retained-keys", "source.hash_key")}
    another = state({**together, "table_name": "orders-2"}, hash_key="pk")
    assert rules(state(RETAINED), another) == set()


@pytest.mark.parametrize("together", [{}, OPEN, RETAINED])
def test_another_table_needs_an_earlier_update(together: dict[str, Any]) -> None:
    renamed = state({**together, "table_name": "orders-2"}, hash_key="pk")
    existing = state(together, use_existing=True)
    assert rules(state(), renamed) == {("protected-table", "table_name")}
    assert rules(state(), existing) == {("protected-table", "source.use_existing")}
    for earlier in (OPEN, RETAINED):
        assert rules(state(earlier), renamed) == rules(state(earlier), existing) == set()


def test_other_changes_and_earlier_states_pass() -> None:
    capacity = {"read_capacity": 5, "write_capacity": 5, "ttl_attribute": "expires"}
    assert rules(state(), state({**OPEN, "format": "csv"}, **capacity)) == set()
    assert rules({}, state(hash_key="pk")) == set()
    assert rules(state(use_existing=True), state()) == set()
    assert (
        rules(state(use_existing=True), state({"table_name": "other"}, use_existing=True)) == set()
    )


def test_a_finding_has_both_values() -> None:
    [finding] = source_findings(state(), state(range_key="at"))
    assert finding == SourceFinding("protected-keys", "source.range_key", None, "at")


def test_the_golden_file_has_an_example_of_every_rule() -> None:
    assert set(messages()) == set(MESSAGES)


def test_each_pipeline_has_the_guarded_inputs_and_a_hook(pipelines: Pipelines) -> None:
    def program() -> None:
        for name in ("orders", "shop"):
            StreamingEtlPipeline(name, pipelines.args(table_name=name))

    for node in build(program).of("StreamingEtlPipeline"):
        assert node.options["hooks"] == {"before_update": [f"{node.name}-guard"]}
        assert node.inputs["source"]["table_name"] == node.name
        assert node.inputs["source"].keys() >= {"use_existing", "hash_key", "protect", "retain"}
        assert node.inputs["guarded_lake_tables"].keys() == {ONLY_LAKE_TABLE}
