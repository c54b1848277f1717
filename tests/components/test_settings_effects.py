"""Every setting changes exactly the inputs that it is about, and there is none without effect."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest

from streaming_etl import StreamingEtlPipelineArgs
from streaming_etl.stack.recorder import Graph
from tests.components import (
    backfill_cases,
    crawler_cases,
    monitoring_cases,
    partition_cases,
    pipeline_cases,
    stage_cases,
)
from tests.components.differences import changes, renamed, state
from tests.components.pipelines import Pipelines
from tests.components.setting_cases import Case

CASES = [
    *pipeline_cases.CASES,
    *crawler_cases.CASES,
    *partition_cases.CASES,
    *stage_cases.CASES,
    *monitoring_cases.CASES,
    *backfill_cases.CASES,
]


def settings_of(cls: Any, path: str = "") -> Iterator[str]:
    """Every setting, those of the groups as `group.setting`."""
    for item in dataclasses.fields(cls):
        if dataclasses.is_dataclass(item.type):
            yield from settings_of(item.type, f"{path}{item.name}.")
        else:
            yield f"{path}{item.name}"


def test_every_setting_has_a_case() -> None:
    assert {case.setting for case in CASES} == set(settings_of(StreamingEtlPipelineArgs))


@pytest.mark.parametrize("case", CASES, ids=[f"{case.setting} {case.note}" for case in CASES])
def test_a_setting_changes_this_and_nothing_else(
    pipelines: Pipelines, minimal: Graph, case: Case
) -> None:
    graph = pipelines.build(
        tables=case.tables, module=case.module, module_name=case.module_name, **case.given
    )
    before = renamed(state(minimal), *case.renames)
    assert changes(before, state(graph)) == case.changes
