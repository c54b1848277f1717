"""Problems that a report of the sample finds."""

import dataclasses
from typing import Any

import pytest

from local.sample.lake import FailedChange
from local.sample.report import Partition, PipelineReport, TableReport

TABLE = TableReport(
    name="shop.orders",
    rules={},
    bucket="bucket",
    location="s3://bucket/data/",
    compared_columns=(),
    expected={"event-1": "INSERT", "event-2": "MODIFY", "event-3": "REMOVE"},
    event_types={"event-2": "MODIFY", "event-3": "REMOVE"},
    missing=0,
    partitions=[Partition("day=23", objects=1, size=10, rows=2)],
    items=1,
    current_state=[],
    different_ids=[],
    failed_changes=[FailedChange("event-1", "Lambda.ProcessingFailedStatus", "errors/key")],
    expected_failures=1,
    failure_logs={"event-1": "{}"},
)
REPORT = PipelineReport(
    name="shop",
    tables=[TABLE],
    is_routed=True,
    changes=4,
    unmatched=1,
    counted_unmatched=1,
    moved=[],
)


@pytest.mark.parametrize(
    ("fields", "problems"),
    [
        ({}, []),
        ({"missing": 2}, ["missing-changes"]),
        ({"event_types": {"event-2": "INSERT"}}, ["misrouted-changes"]),
        ({"event_types": {"event-4": "MODIFY"}}, ["misrouted-changes"]),
        ({"different_ids": ["o-1"]}, ["different-items"]),
        ({"partitions": [Partition("day=24", 1, 10, 0)]}, ["empty-partitions"]),
        ({"failed_changes": []}, ["failed-changes"]),
        ({"failure_logs": {"event-1": None}}, ["unlogged-failures"]),
    ],
)
def test_each_deviation_is_one_problem(fields: dict[str, Any], problems: list[str]) -> None:
    assert list(dataclasses.replace(TABLE, **fields).problems) == problems


def test_the_problems_of_a_pipeline_are_those_of_all_lake_tables() -> None:
    tables = [dataclasses.replace(TABLE, name=name, missing=1) for name in ("a.b", "a.c")]
    problems = dataclasses.replace(REPORT, tables=tables).problems
    assert list(problems) == [("a.b", "missing-changes"), ("a.c", "missing-changes")]


@pytest.mark.parametrize("counted", [0, 2])
def test_unmatched_changes_are_counted_once(counted: int) -> None:
    report = dataclasses.replace(REPORT, counted_unmatched=counted)
    assert list(report.problems) == [("shop", "unmatched-changes")]
