"""Choices of a seed for the merge stage of a lake table."""

import math
from dataclasses import dataclass
from random import Random

from streaming_etl.components.table.lake_table import LakeTable
from tests.simulation.world import START

HOUR = 3600.0
DAY = 24 * HOUR
# Firehose retries an object for this long, below the prefix of its records' arrival.
# https://docs.aws.amazon.com/firehose/latest/dev/retry.html
RETRY_SECONDS = 24 * HOUR
# Days of an outage of the stage. A row expires only if it is merged before, so the change log does
# not expire with the last one.
OUTAGES = (0.1, 0.5, 3, 9)
# Days of a partition, by its shortest key.
PERIODS = {"day": 1, "dt": 1, "month": 31, "year": 366}


@dataclass(frozen=True, kw_only=True)
class MergePlan:
    """Settings of the merge stage, and what happens to it."""

    is_sql: bool
    """Whether the project's SQL runs, in DuckDB; otherwise a model of it."""
    interval: float
    """Seconds between scheduled runs."""
    window_hours: int
    """Hours that merge and view read."""
    late_hours: float
    """The longest time from a prefix to its object; part of the window."""
    tombstone_days: int
    replay_days: int
    """Days after a change in which its rows may be written."""
    log_days: int | None
    """Retention of the change log; None if it does not expire."""
    begins: float
    """When the stage is turned on; a rebuild follows."""
    commands: tuple[float, ...]
    """When an operator runs the command of the stage."""
    outages: tuple[tuple[float, float], ...]
    """Times without runs."""
    late: float
    """Share of the objects that Firehose retries."""
    failing: float
    """Share of the runs that fail after some of their statements."""
    copies: tuple[float, ...]
    """When old rows are written again, as by a replay."""
    ends: float
    """When nothing is in the window or expires any more."""


def merge_plan_of(
    chance: Random, table: LakeTable, age: float, seconds: float, ends: float, *, has_marker: bool
) -> MergePlan | None:
    """Return the plan of a lake table; None for about half.

    age: the longest time from a change to its arrival, if prefixes have the change's time; else 0.
    seconds: duration of the writes.
    ends: a time after all writes and replays.
    has_marker: whether a marker may hide the rows of an earlier stream, which is rare.
    """
    if table.columns is None or table.injected_keys or chance.random() < 0.5:
        return None
    interval = chance.choice((0.25, 1, 1, 6)) * HOUR
    late = age + RETRY_SECONDS
    # The least that the settings accept, or more.
    least = late + 2 * interval + chance.choice((1, 6, 24)) * HOUR
    window_hours = math.ceil(least / HOUR) + chance.choice((0, 0, 20))
    window_days = math.ceil(window_hours / 24)
    replay_days = math.ceil((ends - START) / DAY) + chance.choice((0, 3, 6))
    expires = chance.random() < 0.4
    log_days = window_days + 6 if expires else None
    # A window reads full partitions, so a late row may remain in it for a partition's time longer.
    period = next(days for key, days in PERIODS.items() if key in table.partition_keys)
    # A rebuild reads a late row until it expires.
    tombstone_days = replay_days + (log_days or window_days) + period
    days = replay_days + (log_days or window_days) + window_days + 4
    outages = []
    if chance.random() < 0.5:
        # Most rows appear on the first day.
        begin = START + chance.random() * chance.choice((0.1, 1, days)) * DAY
        outages.append((begin, begin + chance.choice(OUTAGES[:-1] if expires else OUTAGES) * DAY))
    commands = [START + chance.random() * 2 * seconds for _ in range(chance.randint(0, 4))]
    commands += [START + chance.random() * days * DAY for _ in range(chance.randint(0, 2))]
    times = [chance.uniform(0.2, 1) for _ in range(chance.randint(4 * has_marker, 6))]
    return MergePlan(
        is_sql=chance.random() < (0.8 if has_marker else 0.12),
        interval=interval,
        window_hours=window_hours,
        late_hours=late / HOUR,
        tombstone_days=tombstone_days,
        replay_days=replay_days,
        log_days=log_days,
        begins=START + chance.choice((0, 0, chance.random())) * seconds,
        commands=tuple(commands),
        outages=tuple(outages),
        late=chance.choice((0.0, 0.1, 0.5)),
        failing=chance.choice((0.0, 0.2)),
        copies=tuple(START + part * replay_days * DAY for part in times),
        ends=START + days * DAY,
    )
