"""LIST requests of a query, compared with counts by hand."""

from datetime import date
from typing import Any

import pytest

from streaming_etl.components.table.layout import time_projection
from streaming_etl.ops.cost.assumptions import Assumptions
from streaming_etl.ops.cost.listings import PROJECTED_VALUES, listings_of, stored_prefixes
from tests.ops.cost.cases import CARRIERS, settings

TODAY = date(2026, 11, 28)
PER_CARRIER = {**CARRIERS, "granularity": "day"}
ANY_VALUE = {"dynamic_partition_keys": {"tenant": []}}
CRAWLER = {"catalog": "crawler", "format": "csv"}


def listings(objects: float, today: date = TODAY, **overrides: Any) -> tuple[int, int]:
    """Requests for the objects and for the partitions; objects: per month."""
    args = settings(**overrides)
    [table] = args.tables.values()
    counted = listings_of(objects, args.lake, table, Assumptions(), today)
    assert list(counted) == ["objects", "partitions", "merged"]
    return counted["objects"], counted["partitions"]


@pytest.mark.parametrize(
    ("objects", "requests"),
    # 12 months are stored.
    [(0, 1), (1, 1), (83, 1), (84, 2), (21_900, 263), (250_000, 3_000), (250_000.1, 3_001)],
)
def test_a_request_lists_a_thousand_objects(objects: float, requests: int) -> None:
    assert listings(objects)[0] == requests


@pytest.mark.parametrize(("days", "requests"), [(1, 1), (73, 53), (365, 263), (3_650, 263)])
def test_expired_rows_are_not_listed(days: int, requests: int) -> None:
    # 73 days are 2.4 months.
    lake = {"bucket_name": None, "data_retention_days": days}
    assert listings(21_900, lake=lake, query={"current_state": False})[0] == requests


@pytest.mark.parametrize(
    ("partitions", "prefixes"),
    [
        ({"granularity": "year"}, 1),
        ({"granularity": "month"}, 12),
        ({"granularity": "day"}, 372),
        (PER_CARRIER, 1_116),
        (CARRIERS, 26_784),
        ({**CARRIERS, "projection_start_year": 2024}, 80_352),
        # A query contains one value of an injected key.
        (ANY_VALUE, 372),
        # From 2026-01-01 to 2026-11-29.
        ({"layout": "date"}, 333),
        ({"layout": "date", "granularity": "hour"}, 7_992),
        ({"granularity": "day", "projection_start_year": 2030}, 1),
    ],
)
def test_projection_lists_every_prefix_of_its_ranges(
    partitions: dict[str, Any], prefixes: int
) -> None:
    assert listings(1, partitions=partitions)[1] == prefixes


def test_projection_ends_one_day_after_today() -> None:
    dates = {"layout": "date"}
    last_days = [date(2026, 12, 30), date(2026, 12, 31)]

    assert [listings(1, day, partitions=dates)[1] for day in last_days] == [365, 366]
    assert [listings(1, day, partitions=CARRIERS)[1] for day in last_days] == [26_784, 53_568]


def test_many_objects_in_few_prefixes_need_more_requests() -> None:
    assert listings(21_900, partitions={"granularity": "year"}) == (263, 263)


@pytest.mark.parametrize(
    ("partitions", "prefixes"),
    [
        ({"granularity": "year"}, 1),
        ({"granularity": "month"}, 12),
        ({"granularity": "day"}, 365),
        ({"layout": "date"}, 365),
        (PER_CARRIER, 1_095),
        ({**ANY_VALUE, "granularity": "day"}, 3_650),
        (CARRIERS, 26_280),
    ],
)
def test_a_crawler_adds_the_prefixes_of_the_stored_months(
    partitions: dict[str, Any], prefixes: int
) -> None:
    args = settings(partitions=partitions)
    assert stored_prefixes(args.partitions, 12, Assumptions()) == prefixes


def test_a_crawler_adds_no_prefix_without_objects() -> None:
    assert listings(5_000, partitions=CARRIERS, **CRAWLER) == (60, 26_280)
    assert listings(10, partitions=CARRIERS, **CRAWLER) == (1, 120)
    assert listings(0, partitions=CARRIERS, **CRAWLER) == (1, 1)


def test_the_counted_values_are_those_of_the_projected_ranges() -> None:
    counted = {}
    for key in PROJECTED_VALUES:
        first, last = map(int, time_projection(key, 2026)["range"].split(","))
        counted[key] = last - first + 1
    assert counted == PROJECTED_VALUES


def test_the_merged_state_lists_the_prefixes_of_its_window() -> None:
    args = settings(partitions=CARRIERS, merge={"enabled": True})
    [table] = args.tables.values()
    # 50 hours are in four days, with hourly prefixes of three carriers.
    assert listings_of(1e6, args.lake, table, Assumptions(), TODAY)["merged"] == 4 * 24 * 3
