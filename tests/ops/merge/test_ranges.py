"""Ranges of a merge."""

import itertools
from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from streaming_etl.ops.merge.ranges import DayRange, split

JAN, FEB, MAR = date(2026, 1, 1), date(2026, 2, 1), date(2026, 3, 1)


def test_the_newest_range_is_the_first_and_ends_with_the_last_day() -> None:
    sizes = {JAN: 30, FEB: 30, MAR: 50}
    assert split(sizes, JAN, date(2026, 3, 31), 80) == [
        DayRange(FEB, date(2026, 3, 31), 80),
        DayRange(JAN, date(2026, 1, 31), 30),
    ]


def test_a_partition_above_the_limit_is_a_range() -> None:
    sizes = {JAN: 30, FEB: 300, MAR: 50}
    assert [each.size for each in split(sizes, JAN, MAR, 80)] == [50, 300, 30]


def test_days_without_objects_belong_to_a_range() -> None:
    assert split({}, JAN, MAR, 80) == [DayRange(JAN, MAR, 0)]
    assert split({FEB: 9}, JAN, MAR, 80) == [DayRange(JAN, MAR, 9)]


@given(st.dictionaries(st.integers(0, 60), st.integers(0, 100), max_size=20), st.integers(1, 200))
def test_ranges_have_each_day_once(numbers: dict[int, int], most: int) -> None:
    sizes = {JAN + timedelta(days=number): size for number, size in numbers.items()}
    last = JAN + timedelta(days=70)

    ranges = split(sizes, JAN, last, most)

    assert (ranges[0].last, ranges[-1].first) == (last, JAN)
    for newer, older in itertools.pairwise(ranges):
        assert older.last + timedelta(days=1) == newer.first
    for each in ranges:
        inside = [size for day, size in sizes.items() if each.first <= day <= each.last]
        assert each.first <= each.last
        assert each.size == sum(inside)
        assert each.size <= most or len([size for size in inside if size]) == 1
