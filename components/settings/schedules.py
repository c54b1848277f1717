"""Schedules of Glue's crawlers, as cron expressions of AWS."""

import re
from collections.abc import Iterator

from aws_croniter import AwsCroniter  # type: ignore[import-untyped]

from streaming_etl.components.settings.validation import Problem, invalid

CRON = re.compile(r"cron\((\S+ ){5}\S+\)")
# https://docs.aws.amazon.com/glue/latest/dg/monitor-data-warehouse-schedule.html
MIN_MINUTES = 5
# Values that AWS accepts and aws-croniter does not: a day of the month that is one weekday, too,
# and the last day of the week.
DAY_OF_MONTH = {"LW": "1W"}
DAY_OF_WEEK = {"L": "7"}


def parse_cron(schedule: str) -> AwsCroniter:
    """Parse `cron(<six fields>)`; raises ValueError for an invalid field.

    The last weekday of the month is parsed as the first.
    """
    minutes, hours, day, month, weekday, year = schedule[5:-1].split(" ")
    days = DAY_OF_MONTH.get(day, day), month, DAY_OF_WEEK.get(weekday, weekday)
    return AwsCroniter(" ".join([minutes, hours, *days, year]))


def schedule_problems(name: str, schedule: str) -> Iterator[Problem]:
    """Problems of a schedule that Glue rejects."""
    _, _, day, _, weekday, _ = schedule[5:-1].split(" ")
    if (day == "?") == (weekday == "?"):
        yield invalid(name, schedule, "schedule-days")
        return
    try:
        cron = parse_cron(schedule)
    except ValueError as error:
        yield invalid(name, schedule, "schedule", reason=str(error).rstrip("."))
        return
    if (minutes := shortest_interval(cron)) < MIN_MINUTES:
        yield invalid(name, schedule, "schedule-interval", low=MIN_MINUTES, minutes=minutes)


def shortest_interval(cron: AwsCroniter) -> int:
    """Fewest minutes between two runs, at most a day."""
    times: list[int] = sorted(
        {60 * hour + minute for hour in cron.hours for minute in cron.minutes}
    )
    following = [*times[1:], times[0] + 24 * 60]
    return min(later - time for time, later in zip(times, following, strict=True))
