"""Glue's cron expressions as runs a month."""

import pytest

from streaming_etl.ops.cost.schedule import runs_per_month
from streaming_etl.stack.errors import CommandError


@pytest.mark.parametrize(
    ("schedule", "a_year"),
    [
        ("cron(0/5 * * * ? *)", 105_120),
        ("cron(10 * * * ? *)", 8_760),
        ("cron(0,30 8-17 ? * MON-FRI *)", 20 * 261),
        ("cron(15 12 * * ? *)", 365),
        ("cron(0 3 ? * 1 *)", 52),
        ("cron(0 3 ? * SUN *)", 52),
        ("cron(0 3 1/10 * ? *)", 12 + 12 + 12 + 7),
        ("cron(0 3 1 jan,JUL ? *)", 2),
        ("cron(0 3 L * ? *)", 12),
        ("cron(0 3 15W 3-5 ? *)", 3),
        ("cron(0 3 ? * 6#3 2027)", 12),
        ("cron(0 3 ? * 6L *)", 12),
        ("cron(0 3 ? * FRIL *)", 12),
    ],
)
def test_a_schedule_runs_so_often_in_a_year(schedule: str, a_year: int) -> None:
    assert runs_per_month(schedule) * 12 == pytest.approx(a_year)


@pytest.mark.parametrize(
    ("schedule", "reason"),
    [
        ("cron(60 * * * ? *)", "'60' is not within 0 to 59"),
        ("cron(9-5 * * * ? *)", "'9-5' is not within 0 to 59"),
        ("cron(0/0 * * * ? *)", "/0 is no step"),
        ("cron(0 noon * * ? *)", "'noon' is no number"),
        ("cron(0 3 ? * MONDAY *)", "'MONDAY' is no number"),
        ("cron(0 3 * * ?)", "not enough values to unpack (expected 6, got 5)"),
    ],
)
def test_a_schedule_that_cannot_be_counted_is_refused(schedule: str, reason: str) -> None:
    with pytest.raises(CommandError) as refused:
        runs_per_month(schedule)
    assert str(refused.value) == (
        f"crawler_schedule={schedule!r} cannot be counted: {reason}; six fields in UTC are"
        " allowed, such as cron(10 * * * ? *)."
    )
