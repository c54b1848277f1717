"""Lake tables that an update removes from the settings.

That the engine calls the hook is tested in tests/engine/test_lake_tables.py.
"""

from typing import Any

import pytest

from streaming_etl import LakeTableArgs, PartitionArgs, StreamingEtlPipelineArgs
from streaming_etl.components.removal_guard import (
    MESSAGES,
    RemovedLakeTable,
    lake_tables_of,
    removed_lake_tables,
)
from streaming_etl.components.settings.lake_table_names import ONLY_LAKE_TABLE
from tests.support.pipeline_settings import pipeline_args
from tools.messages.removal import messages

ALLOWED = {"allow_layout_change": True}


def short(**settings: Any) -> dict[str, Any]:
    """The guard's input of a pipeline without `lake_tables`."""
    return lake_tables_of(pipeline_args(**settings))


def several(**tables: dict[str, Any]) -> dict[str, Any]:
    """The guard's input of a pipeline with these lake tables."""
    args = {
        key: LakeTableArgs(transform_module="m.py", partitions=PartitionArgs(), **settings)
        for key, settings in tables.items()
    }
    return lake_tables_of(StreamingEtlPipelineArgs(table_name="shop", lake_tables=args))


def removed(old: dict[str, Any], new: dict[str, Any]) -> list[tuple[str, str]]:
    return [(finding.rule, finding.key) for finding in removed_lake_tables(old, new)]


def former(*names: str) -> dict[str, Any]:
    return {"renamed_from": names}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (several(a={}, b={}, c={}), several(c={}), [("lake-table-removed", key) for key in "ab"]),
        (several(a={}), several(b={}), [("lake-table-removed", "a")]),
        (short(), several(a={}, b={}), [("lake-tables-added", ONLY_LAKE_TABLE)]),
        (several(a={}, b={}), short(), [("lake-tables-dropped", key) for key in "ab"]),
        # Permission in the same update would never fail a preview.
        (several(a={}, b={}), several(b=ALLOWED), [("lake-table-removed", "a")]),
        (short(), several(a=ALLOWED), [("lake-tables-added", ONLY_LAKE_TABLE)]),
        # One lake table continues one, under the first of its names that the state has.
        (several(a={}, b={}), several(c=former("a", "b")), [("lake-table-removed", "b")]),
        (several(a={}, b={}), several(a=former("b", "c")), [("lake-table-removed", "b")]),
        (several(b={}), several(c=former("a")), [("lake-table-removed", "b")]),
    ],
    ids=str,
)
def test_a_removed_lake_table_is_a_finding(
    old: dict[str, Any], new: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    assert removed(old, new) == expected


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (several(a={}), several(a={"format": "csv"}, b={})),
        (several(a={}, b={}), several(c=former("a"), b={})),
        (several(a={}), several(c=former("x", "a"))),
        (several(c=former("a")), several(c={})),
        (several(b={}), several(a=former("a", "b"))),
        (short(), several(a=former(ONLY_LAKE_TABLE), b={})),
        (short(), short(glue_table_name="other")),
        (several(a=ALLOWED, b={}), several(b={})),
        (several(a=ALLOWED), short()),
        (short(**ALLOWED), several(a={})),
        ({}, several(a={})),
        ({}, short()),
    ],
    ids=str,
)
def test_other_updates_pass(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert removed(old, new) == []


def test_a_finding_has_the_glue_table() -> None:
    old = several(orders={"glue_table_name": "sales"}, items={})
    found = list(removed_lake_tables(old, several(items={})))
    assert found == [RemovedLakeTable("lake-table-removed", "orders", "sales")]


def test_the_golden_file_has_an_example_of_every_rule() -> None:
    assert set(messages()) == set(MESSAGES)
