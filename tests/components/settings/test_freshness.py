"""Buffers of each freshness, by format, partitions and lake table."""

from typing import Any

import pytest

from streaming_etl.components.settings.freshness import PRESETS
from streaming_etl.components.settings.pipeline import StreamingEtlPipelineArgs
from streaming_etl.components.settings.stack_config import settings_from_config

ORDERS: dict[str, Any] = {"transform_module": "orders.py", "partitions": {}}
DYNAMIC = {"partitions": {"dynamic_partition_keys": {"kind": ["a", "b"]}}}
EVENT_TIME = {"partitions": {"partition_time": "event"}}

Buffers = tuple[int, int, int]
"""Seconds of the transform's buffer, then seconds and MiB of the delivery's buffer."""


def shop(defaults: Any = None, **settings: Any) -> StreamingEtlPipelineArgs:
    return settings_from_config({"shop": {"table_name": "shop", **settings}}, defaults)["shop"]


def buffers(args: StreamingEtlPipelineArgs) -> dict[str, Buffers]:
    return {
        key: (
            table.buffers.transform_seconds,
            table.buffers.delivery_seconds,
            table.buffers.delivery_mib,
        )
        for key, table in args.tables.items()
    }


def test_freshness_sets_window_and_buffers() -> None:
    found = {}
    for freshness in PRESETS:
        args = shop(freshness=freshness, **ORDERS)
        [values] = buffers(args).values()
        found[freshness] = (args.batching_window_seconds, *values)
    assert found == {
        "seconds": (1, 0, 0, 64),
        "minutes": (5, 60, 120, 64),
        "economy": (60, 60, 900, 128),
    }
    assert shop(**ORDERS).batching_window_seconds == 5


@pytest.mark.parametrize("settings", [{"format": "parquet"}, DYNAMIC, EVENT_TIME], ids=str)
def test_seconds_are_a_minute_where_objects_cannot_be_small(settings: dict[str, Any]) -> None:
    args = shop(freshness="seconds", **(ORDERS | settings))
    assert [*buffers(args).values()] == [(0, 60, 64)]


def test_values_that_are_set_override_those_of_freshness() -> None:
    args = shop(
        freshness="economy",
        forwarder={"batching_window_seconds": 2},
        transform={"buffer_seconds": 0},
        delivery={"buffer_seconds": 0, "buffer_mib": 5},
        **ORDERS,
    )
    assert args.batching_window_seconds == 2
    assert [*buffers(args).values()] == [(0, 0, 5)]


def test_the_window_is_shorter_than_the_record_age() -> None:
    forwarder = {"maximum_record_age_seconds": 60}
    assert shop(freshness="economy", forwarder=forwarder, **ORDERS).batching_window_seconds == 59


def test_a_lake_table_has_the_freshness_of_the_pipeline_or_another() -> None:
    fresh = {**ORDERS, "freshness": "seconds"}
    args = shop(freshness="economy", lake_tables={"orders": fresh, "items": ORDERS})
    assert args.batching_window_seconds == 60
    assert buffers(args) == {"items": (60, 900, 128), "orders": (0, 0, 64)}


def test_the_freshness_of_the_defaults_applies_to_pipeline_and_lake_tables() -> None:
    slow = {**ORDERS, "freshness": "economy"}
    args = shop({"freshness": "seconds"}, lake_tables={"orders": ORDERS, "items": slow})
    assert args.batching_window_seconds == 1
    assert buffers(args) == {"items": (60, 900, 128), "orders": (0, 0, 64)}
    args = shop({"freshness": "seconds"}, freshness="economy", lake_tables={"orders": ORDERS})
    assert (args.batching_window_seconds, buffers(args)) == (60, {"orders": (60, 900, 128)})
    args = shop({"freshness": "seconds"}, freshness=None, **ORDERS)
    assert args.batching_window_seconds == 5


def test_a_buffer_of_the_defaults_overrides_freshness_until_it_is_reset() -> None:
    defaults = {"delivery": {"buffer_seconds": 300}}
    args = shop(defaults, freshness="seconds", **ORDERS)
    assert [*buffers(args).values()] == [(0, 300, 64)]
    args = shop(defaults, freshness="seconds", delivery={"buffer_seconds": None}, **ORDERS)
    assert [*buffers(args).values()] == [(0, 0, 64)]
