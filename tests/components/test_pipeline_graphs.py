"""Graphs of example pipelines are those of the golden files.

A failure shows what the graph changes; `make golden` accepts it. Inputs that AWS rejects are found
by mypy (names and types) and by the engine tests only.
"""

import dataclasses
import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from streaming_etl import StreamingEtlPipelineArgs
from streaming_etl.components.settings.stack_config import GROUPS
from streaming_etl.components.settings.validation import group_class
from tools.pipeline_graphs.__main__ import GOLDEN, golden_files
from tools.pipeline_graphs.cases import CASES


@pytest.fixture(scope="module")
def files() -> dict[str, str]:
    return golden_files()


@pytest.mark.parametrize("name", ["minimal_graph.json", "setting_changes.json"])
def test_graphs_are_those_of_the_golden_file(files: Mapping[str, str], name: str) -> None:
    assert files[name] == (GOLDEN / name).read_text(), "run `make golden` and review"


def settings_of(cls: Any, path: str = "") -> Iterator[str]:
    """All settings; those of a group as `group.setting`."""
    for field in dataclasses.fields(cls):
        if (group := group_class(field)) is not None:
            yield from settings_of(group, f"{path}{field.name}.")
        else:
            yield f"{path}{field.name}"


def test_every_setting_has_a_case() -> None:
    covered = {
        f"{name}.{key}" if isinstance(value, dict) and name in GROUPS else name
        for case in CASES.values()
        for name, value in case.settings.items()
        for key in (value if isinstance(value, dict) and value else {"": None})
    }
    assert set(settings_of(StreamingEtlPipelineArgs)) - covered == set()


def test_every_setting_changes_the_graph(files: Mapping[str, str]) -> None:
    changes = json.loads(files["setting_changes.json"])
    # The view type of a stream is only checked.
    unchanged = [case for case, changed in changes.items() if not changed]
    assert unchanged == ["source.stream_view_type (base: source.stream_arn)"]


def test_only_the_table_and_the_mapping_are_deleted_before_they_are_replaced(
    files: Mapping[str, str],
) -> None:
    # AWS rejects a second table of this name, and a second mapping of this stream and function.
    resources = json.loads(files["minimal_graph.json"])["resources"]
    deleted_first = [name for name, node in resources.items() if "delete_before_replace" in node]
    assert deleted_first == ["shop-forwarder-mapping", "shop-source-table"]
