"""Derived names, S3 prefixes and partition projection."""

import re

import pulumi
import pytest

from streaming_etl import PartitionArgs
from streaming_etl.components.settings.lake_table_names import ONLY_LAKE_TABLE
from streaming_etl.components.settings.names import MAX_PIPELINE_NAME
from streaming_etl.components.table.layout import (
    MAX_PREFIX,
    firehose_prefix,
    glue_name,
    name_problems,
    prefix_length,
    projection_parameters,
)
from tests.support.pipeline_settings import pipeline_args
from tests.support.problems import places

TIME = {
    "year": {
        "type": "date",
        "format": "yyyy",
        "range": "2026,NOW+1DAY",
        "interval": "1",
        "interval.unit": "YEARS",
    },
    "month": {"type": "integer", "range": "1,12", "digits": "2"},
    "day": {"type": "integer", "range": "1,31", "digits": "2"},
    "hour": {"type": "integer", "range": "0,23", "digits": "2"},
    "dt": {
        "type": "date",
        "format": "yyyy-MM-dd",
        "range": "2026-01-01,NOW+1DAY",
        "interval": "1",
        "interval.unit": "DAYS",
    },
}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("orders", "orders"),
        ("Orders", "orders"),
        ("my-app.Orders_v2", "my_app_orders_v2"),
        ("123", "123"),
        ("A" * 240, "a" * 240),
        # Cut, with a hash of the complete name.
        ("A" * 255, "a" * 231 + "_ae53ef4f"),
        ("A" * 254 + "B", "a" * 231 + "_d39a8fc3"),
    ],
)
def test_any_table_name_gives_a_name_that_glue_accepts(name: str, expected: str) -> None:
    assert glue_name(name) == expected


@pytest.mark.parametrize(
    ("partitions", "prefix"),
    [
        (PartitionArgs(granularity="year"), "year=!{timestamp:yyyy}/"),
        (
            PartitionArgs(layout="date", granularity="hour"),
            "dt=!{timestamp:yyyy-MM-dd}/hour=!{timestamp:HH}/",
        ),
        (
            PartitionArgs(dynamic_partition_keys={"kind": [], "store": ["1"]}, layout="date"),
            "kind=!{partitionKeyFromLambda:kind}/store=!{partitionKeyFromLambda:store}/"
            "dt=!{timestamp:yyyy-MM-dd}/",
        ),
        # Firehose appends folders to a prefix without a timestamp.
        (
            PartitionArgs(partition_time="event", granularity="month"),
            "year=!{partitionKeyFromLambda:year}/month=!{partitionKeyFromLambda:month}/"
            "arrived-!{timestamp:yyyy-MM-dd}-",
        ),
    ],
)
def test_the_prefix_has_every_partition_key(partitions: PartitionArgs, prefix: str) -> None:
    assert firehose_prefix(partitions) == prefix
    assert re.findall(r"(\w+)=", prefix) == list(partitions.keys)


@pytest.mark.parametrize("layout", ["year_month_day", "date"])
def test_projection_has_every_partition_key(layout: str) -> None:
    partitions = PartitionArgs(
        layout=layout, granularity="hour", dynamic_partition_keys={"kind": ["a", "b"], "store": []}
    )
    expected = {
        "projection.enabled": "true",
        "projection.kind.type": "enum",
        "projection.kind.values": "a,b",
        "projection.store.type": "injected",
    }
    for key in partitions.time_keys:
        expected |= {f"projection.{key}.{option}": it for option, it in TIME[key].items()}
    assert projection_parameters(partitions) == expected


def test_rejects_prefixes_longer_than_firehose_writes() -> None:
    def keys(count: int) -> PartitionArgs:
        names = [f"key_{number}" for number in range(count)]
        return PartitionArgs(dynamic_partition_keys={name: ["v" * 60] for name in names})

    [problem] = name_problems("shop", pipeline_args(partitions=keys(7)))
    assert (problem.field, problem.rule) == ("table_name", "prefix-length")
    assert problem.details["length"] > problem.details["most"] == MAX_PREFIX
    assert list(name_problems("shop", pipeline_args(partitions=keys(6)))) == []


def test_the_longest_names_give_a_prefix_that_firehose_accepts() -> None:
    args = pipeline_args(table_name="A" * 255, partitions=PartitionArgs(granularity="hour"))
    assert prefix_length("a" * MAX_PIPELINE_NAME, args, ONLY_LAKE_TABLE) <= MAX_PREFIX


def test_rejects_a_workgroup_name_longer_than_athenas_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name = "p" * MAX_PIPELINE_NAME
    for length, expected in ((92, []), (93, [("", "name", "workgroup-name-length")])):
        stack = "s" * length
        monkeypatch.setattr(pulumi, "get_stack", lambda stack=stack: stack)
        assert places(name_problems(name, pipeline_args())) == expected
