"""Days and bytes of a change log's objects."""

from datetime import date
from typing import Any

import pytest

from streaming_etl.ops.merge.change_log import ChangeLog
from tests.support.merge_runs import DATA, MIB, FakeLog


def log(bucket: FakeLog, *keys: str) -> ChangeLog:
    return ChangeLog(bucket, "lake", DATA, keys)


@pytest.mark.parametrize(
    ("keys", "folders", "sizes"),
    [
        (
            ("year", "month", "day"),
            ["year=2026/month=02/day=28", "year=2026/month=11/day=01"],
            {date(2026, 2, 28): MIB, date(2026, 11, 1): MIB},
        ),
        (("year", "month"), ["year=2026/month=02"] * 2, {date(2026, 2, 1): 2 * MIB}),
        (("year",), ["year=2026", "year=2025"], {date(2025, 1, 1): MIB, date(2026, 1, 1): MIB}),
        (("dt",), ["dt=2026-02-28"], {date(2026, 2, 28): MIB}),
        # The hours of a day, and the values of a dynamic key, count to one day.
        (("dt", "hour"), ["dt=2026-02-28/hour=01", "dt=2026-02-28/hour=23"], {
            date(2026, 2, 28): 2 * MIB
        }),
        (("store", "dt"), ["store=a/dt=2026-02-28", "store=b/dt=2026-02-28"], {
            date(2026, 2, 28): 2 * MIB
        }),
    ],
)  # fmt: skip
def test_counts_the_bytes_of_each_day(
    keys: tuple[str, ...], folders: list[str], sizes: dict[date, int]
) -> None:
    bucket = FakeLog()
    bucket.add(*folders)
    assert log(bucket, *keys).sizes() == sizes


def test_reads_no_folder_before_the_first_day() -> None:
    bucket = FakeLog()
    bucket.add(
        "year=2025/month=12/day=31", "year=2026/month=01/day=31", "year=2026/month=02/day=01"
    )
    sizes = log(bucket, "year", "month", "day").sizes(date(2026, 2, 1))
    assert sizes == {date(2026, 2, 1): MIB}
    assert not [
        prefix for prefix in bucket.listed if "year=2025" in prefix or "month=01/" in prefix
    ]


def test_ignores_objects_that_no_partition_has() -> None:
    bucket = FakeLog()
    bucket.add("dt=2026-02-30", "dt=__HIVE_DEFAULT_PARTITION__", "dt=20260228", "year=2026")
    assert log(bucket, "dt").sizes() == {}
    assert log(bucket, "dt").limits() is None


@pytest.mark.parametrize(
    ("keys", "folders", "limits"),
    [
        (
            ("store", "year", "month", "day"),
            [
                "store=a/year=2026/month=01/day=09",
                "store=a/year=2026/month=10/day=02",
                "store=b/year=2025/month=12/day=31",
                "store=b/year=2026/month=02/day=27",
            ],
            (date(2025, 12, 31), date(2026, 10, 2)),
        ),
        (
            ("year", "month"),
            ["year=2025/month=12", "year=2026/month=02"],
            (date(2025, 12, 1), date(2026, 2, 28)),
        ),
        (("year", "month"), ["year=2025/month=12"], (date(2025, 12, 1), date(2025, 12, 31))),
        (("year",), ["year=2025"], (date(2025, 1, 1), date(2025, 12, 31))),
    ],
)
def test_finds_the_oldest_and_the_newest_day(
    keys: tuple[str, ...], folders: list[str], limits: Any
) -> None:
    bucket = FakeLog()
    bucket.add(*folders)
    assert log(bucket, *keys).limits() == limits
    # No object is listed.
    assert all(prefix.endswith("=") for prefix in bucket.listed)
