"""Schedules of Glue's crawlers, as cron expressions of AWS."""

from collections.abc import Iterator

from aws_croniter import AwsCroniter  # type: ignore[import-untyped]

from streaming_etl.components.settings.cron import parse_cron
from streaming_etl.components.settings.validation import Problem, invalid

# https://docs.aws.amazon.com/glue/latest/dg/monitor-data-warehouse-schedule.html
MIN_MINUTES = 5


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
