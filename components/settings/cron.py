"""Cron expressions of AWS, without an import of Pulumi."""

import re

from aws_croniter import AwsCroniter  # type: ignore[import-untyped]

CRON = re.compile(r"cron\((\S+ ){5}\S+\)")
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
