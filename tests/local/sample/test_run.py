"""Problems that a report of the sample finds."""

import dataclasses
from typing import Any

import pytest

from local.sample.lake import FailedChange
from local.sample.run import Partition, TableReport
from tests.support.deployed import deployed_pipeline

REPORT = TableReport(
    pipeline=deployed_pipeline(),
    location="s3://bucket/data/",
    compared_columns=(),
    changes=3,
    missing=0,
    partitions=[Partition("day=23", objects=1, size=10, rows=2)],
    items=1,
    current_state=[],
    different_ids=[],
    failed_changes=[FailedChange("event-1", "Lambda.ProcessingFailedStatus", "errors/key")],
    expected_failures=1,
    failure_logs={"event-1": "{}"},
)


@pytest.mark.parametrize(
    ("fields", "problems"),
    [
        ({}, []),
        ({"missing": 2}, ["missing-changes"]),
        ({"different_ids": ["o-1"]}, ["different-items"]),
        ({"partitions": [Partition("day=24", 1, 10, 0)]}, ["empty-partitions"]),
        ({"failed_changes": []}, ["failed-changes"]),
        ({"failure_logs": {"event-1": None}}, ["unlogged-failures"]),
    ],
)
def test_each_deviation_is_one_problem(fields: dict[str, Any], problems: list[str]) -> None:
    assert list(dataclasses.replace(REPORT, **fields).problems) == problems
