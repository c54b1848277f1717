"""How often a crawler runs: Glue's cron expressions as runs a month."""

from datetime import date, timedelta

from streaming_etl.stack.errors import CommandError

MONTH_NAMES = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
MONTHS = {name: number for number, name in enumerate(MONTH_NAMES, 1)}
# Glue counts the days of the week from Sunday.
# https://docs.aws.amazon.com/glue/latest/dg/monitor-data-warehouse-schedule.html
WEEKDAYS = {"SUN": 1, "MON": 2, "TUE": 3, "WED": 4, "THU": 5, "FRI": 6, "SAT": 7}
# A month in 12 of a year without a leap day; which year shifts weekdays by a run at most.
FIRST_DAY = date(2026, 1, 1)
DAYS = 365


def runs_per_month(schedule: str) -> float:
    """Mean runs a month of `cron(minutes hours day-of-month month day-of-week year)`.

    Any year counts as every year. Raises CommandError for what is no such expression.
    """
    fields = schedule.removeprefix("cron(").removesuffix(")").split()
    try:
        minutes, hours, days, months, weekdays, _ = fields
        a_day = len(_values(minutes, 0, 59, {})) * len(_values(hours, 0, 23, {}))
        return a_day * _days_a_year(days, _values(months, 1, 12, MONTHS), weekdays) / 12
    except ValueError as error:
        raise CommandError(
            f"crawler_schedule={schedule!r} cannot be counted: {error}; six fields in UTC are"
            " allowed, such as cron(10 * * * ? *)."
        ) from None


def _days_a_year(days: str, months: set[int], weekdays: str) -> int:
    # The last day, the weekday nearest to a day, the third Friday: one day a month each.
    if any(letter in days for letter in "LW") or "#" in weekdays or weekdays.endswith("L"):
        return len(months)
    of_month, of_week = _values(days, 1, 31, {}), _values(weekdays, 1, 7, WEEKDAYS)
    year = (FIRST_DAY + timedelta(days=number) for number in range(DAYS))
    return sum(
        day.month in months and day.day in of_month and day.isoweekday() % 7 + 1 in of_week
        for day in year
    )


def _values(field: str, low: int, high: int, names: dict[str, int]) -> set[int]:
    """Every value that a field of the expression allows."""
    found: set[int] = set()
    for part in field.split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        if first in ("*", "?"):
            begin, end = low, high
        else:
            begin = _number(first, names)
            end = _number(last, names) if last else high if step else begin
        if not low <= begin <= end <= high:
            raise ValueError(f"{part!r} is not within {low} to {high}")
        found.update(range(begin, end + 1, _step(step)))
    return found


def _number(text: str, names: dict[str, int]) -> int:
    if text.upper() in names:
        return names[text.upper()]
    if not text.isdecimal():
        raise ValueError(f"{text!r} is no number")
    return int(text)


def _step(text: str) -> int:
    if text and (not text.isdecimal() or int(text) == 0):
        raise ValueError(f"/{text} is no step")
    return int(text or 1)
