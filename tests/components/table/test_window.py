"""Days of a window, as DuckDB finds them by its condition."""

import atexit
from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streaming_etl import PartitionArgs
from streaming_etl.components.table.lake_table import LakeTable
from streaming_etl.components.table.window import DayWindow, RecentWindow, Window
from tests.support.pipeline_settings import lake_table

# Day and hour of the partitions of each granularity and layout.
FORMATS = {
    ("year", "year_month_day"): "%Y",
    ("month", "year_month_day"): "%Y/%m",
    ("day", "year_month_day"): "%Y/%m/%d",
    ("hour", "year_month_day"): "%Y/%m/%d/%H",
    ("day", "date"): "%Y-%m-%d",
    ("hour", "date"): "%Y-%m-%d/%H",
}
EVERY_LAYOUT = pytest.mark.parametrize(("granularity", "layout"), FORMATS)


def table_of(granularity: str, layout: str) -> LakeTable:
    return lake_table(partitions=PartitionArgs(granularity=granularity, layout=layout))


@cache
def database() -> duckdb.DuckDBPyConnection:
    """Database of the process: opening one takes longer than a query."""
    connection = duckdb.connect(config={"threads": 1})
    atexit.register(database.cache_clear)
    return connection


def selected(window: Window, table: LakeTable, partitions: set[str], now: datetime) -> set[str]:
    """The partitions, as `value/value`, in the window of a query at `now`."""
    keys = ", ".join(f'"{key}"' for key in table.partition_keys)
    values = ", ".join(
        f"split_part(partition, '/', {number})" for number, _ in enumerate(table.partition_keys, 1)
    )
    sql = (
        f"SELECT concat_ws('/', {keys}) FROM (SELECT {values} FROM unnest(?) AS p(partition))"
        f" AS t({keys}) WHERE {window.condition(table)}"
    )
    sql = sql.replace("current_timestamp", f"TIMESTAMPTZ '{now:%Y-%m-%d %H:%M:%S}+00'")
    return {row[0] for row in database().execute(sql, [sorted(partitions)]).fetchall()}


def selected_by(term: str, value: str) -> bool:
    """Whether a condition of one key is true for its value."""
    [key, *_] = term.split()
    sql = f"SELECT count(*) FROM (SELECT '{value}' AS {key}) WHERE {term}"
    return database().execute(sql).fetchone() == (1,)


ZONES = st.sampled_from(["UTC", "Asia/Tokyo", "America/New_York", "Australia/Lord_Howe"])
# Clocks change in March, April, October and November; a leap day; the end of a year.
TIMES = st.datetimes(datetime(2027, 10, 1), datetime(2028, 12, 31))


@EVERY_LAYOUT
@settings(derandomize=True, database=None, deadline=None, max_examples=15)
@given(now=TIMES, zone=ZONES, hours=st.integers(1, 24 * 40))
def test_a_recent_window_has_every_partition_of_its_hours(
    granularity: str, layout: str, now: datetime, zone: str, hours: int
) -> None:
    table, pattern = table_of(granularity, layout), FORMATS[granularity, layout]
    now = now.replace(tzinfo=UTC)

    def partitions(pattern: str, first: int, last: int = 0) -> set[str]:
        """Partitions from `first` to `last` hours before now, in the zone."""
        times = (now - timedelta(hours=hour) for hour in range(last, first + 1))
        return {time.astimezone(ZoneInfo(zone)).strftime(pattern) for time in times}

    window = RecentWindow(hours=hours, time_zone=zone)
    found = selected(window, table, partitions(pattern, hours + 24 * 40, -24), now)
    assert partitions(pattern, hours) <= found
    # The window has full days, and one more because clocks change.
    full = pattern.removesuffix("/%H")
    days = {partition.rsplit("/", 1)[0] if pattern != full else partition for partition in found}
    assert days <= partitions(full, hours + 49)


@pytest.mark.parametrize(
    ("now", "hours"),
    [("2028-03-13T04:30", 48), ("2028-03-13T04:59", 24), ("2027-11-08T05:30", 49)],
)
def test_a_day_with_another_number_of_hours_is_in_the_window(now: str, hours: int) -> None:
    zone = "America/New_York"
    time = datetime.fromisoformat(now).replace(tzinfo=UTC)
    first = (time - timedelta(hours=hours)).astimezone(ZoneInfo(zone)).strftime("%Y-%m-%d")
    window = RecentWindow(hours=hours, time_zone=zone)
    assert selected(window, table_of("day", "date"), {first}, time) == {first}


def test_a_short_month_is_in_the_window() -> None:
    now = datetime(2027, 3, 1, 12, tzinfo=UTC)
    table, window = (
        table_of("month", "year_month_day"),
        RecentWindow(hours=40 * 24, time_zone="UTC"),
    )
    assert selected(window, table, {"2027/02"}, now) == {"2027/02"}


def test_a_window_of_50_hours_names_four_days_or_two_months() -> None:
    window = RecentWindow(hours=50, time_zone="UTC")
    days = window.condition(table_of("hour", "date"))
    assert days.count('"dt" = ') == 4
    assert '"hour"' not in days
    assert window.condition(table_of("month", "year_month_day")).count('"month" = ') == 2


@EVERY_LAYOUT
@settings(derandomize=True, database=None, deadline=None, max_examples=10)
@given(first=st.dates(date(2027, 1, 1), date(2028, 3, 1)), length=st.integers(1, 500))
def test_a_window_of_days_has_their_partitions(
    granularity: str, layout: str, first: date, length: int
) -> None:
    table, pattern = table_of(granularity, layout), FORMATS[granularity, layout]

    def partitions(start: int, end: int) -> set[str]:
        midnight = datetime(first.year, first.month, first.day)
        return {
            (midnight + timedelta(day, hours=13)).strftime(pattern) for day in range(start, end)
        }

    window = DayWindow(first=f"{first}", last=f"{first + timedelta(length - 1)}")
    all_partitions = partitions(-400, length + 400)
    assert selected(window, table, all_partitions, datetime.now(UTC)) == partitions(0, length)


def test_each_key_of_a_window_of_days_has_a_range_for_pruning() -> None:
    table = table_of("hour", "year_month_day")
    for last, years, months, days in (
        ("2026-11-30", ["2026"], ["11"], ["29", "30"]),
        ("2026-12-01", ["2026"], ["11", "12"], ["01", "31"]),
        ("2027-01-02", ["2026", "2027"], ["01", "12"], ["01", "31"]),
    ):
        terms = DayWindow(first="2026-11-29", last=last).condition(table).strip("()").split("\n")
        for term, values, outside in zip(
            terms, (years, months, days), ("2028", "00", "32"), strict=False
        ):
            found = [
                value
                for value in (*values, outside)
                if selected_by(term.strip().removeprefix("AND "), value)
            ]
            assert found == values


def test_the_placeholders_of_a_window_are_texts_only() -> None:
    for granularity, layout in FORMATS:
        table = table_of(granularity, layout)
        text = DayWindow().condition(table)
        text = text.replace("{first}", "2026-11-29").replace("{last}", "2026-12-02")
        assert text == DayWindow(first="2026-11-29", last="2026-12-02").condition(table)


@pytest.mark.parametrize("text", ["2026-11-31", "{last}", "20261129", "' OR ''='"])
def test_a_day_that_is_not_an_iso_date_is_rejected(text: str) -> None:
    with pytest.raises(ValueError, match="`first`"):
        DayWindow(first=text)


INJECTED = lake_table(partitions=PartitionArgs(dynamic_partition_keys={"store": [], "kind": ["a"]}))


def test_an_injected_key_has_its_values_and_that_of_the_marker() -> None:
    window = RecentWindow(hours=50, time_zone="UTC", injected={"store": ["tokyo", "o'saka"]})
    condition = window.condition(INJECTED)
    assert condition.endswith(""") AND "store" IN ('tokyo', 'o''saka', 'backfill')""")
    assert '"kind"' not in condition


def test_an_injected_key_without_values_is_rejected() -> None:
    with pytest.raises(ValueError, match="store"):
        RecentWindow(hours=50, time_zone="UTC").condition(INJECTED)
