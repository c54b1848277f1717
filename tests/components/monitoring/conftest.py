"""Pipelines with every alarm and with none."""

import pytest

from streaming_etl import BackfillArgs, MergeArgs, MonitoringArgs, PartitionArgs
from streaming_etl.stack.recorder import Graph
from tests.support.pipelines import Pipelines, several_lake_tables


@pytest.fixture(scope="package")
def every_alarm(pipelines: Pipelines) -> Graph:
    return pipelines.build(
        format="parquet",
        catalog="crawler",
        partitions=PartitionArgs(dynamic_partition_keys={"kind": ["a"]}),
        backfill=BackfillArgs(enabled=True),
        monitoring=MonitoringArgs(alarms="all", max_lag_seconds=300),
    )


@pytest.fixture(scope="package")
def no_alarm(pipelines: Pipelines) -> Graph:
    return pipelines.build(monitoring=MonitoringArgs(alarms="none"))


@pytest.fixture(scope="package")
def merging(pipelines: Pipelines) -> Graph:
    """Two lake tables with a merge stage, and one without."""
    enabled = {"merge": MergeArgs(enabled=True)}
    tables = pipelines.lake_tables(
        orders={"where": {"a": [1]}, **enabled},
        items={
            "where": {"a": [2]},
            "merge": MergeArgs(enabled=True, window_hours=200, interval_minutes=30),
        },
        others={"where": {"a": [3]}},
    )
    return pipelines.build(**tables, monitoring=MonitoringArgs(alarms="all"))


@pytest.fixture(scope="package")
def several(pipelines: Pipelines) -> Graph:
    return pipelines.build(**several_lake_tables(pipelines))
