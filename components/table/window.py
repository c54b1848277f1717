"""Window: the days of the change log that merge and view read."""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from streaming_etl.components.table.lake_table import LakeTable
from streaming_etl.components.table.queries import MARKER_PARTITION, quoted

# Position and length of each time key in the text of a date.
DATE_PARTS = {"year": (1, 4), "month": (6, 2), "day": (9, 2), "dt": (1, 10)}
# Days between two reads of the calendar that miss no period.
SHORTEST_PERIOD = {"year": 365, "month": 28, "day": 1, "dt": 1}
# A change of the clocks moves a time by one hour.
CLOCK_CHANGE_HOURS = 1


@dataclass(frozen=True, kw_only=True)
class Window(ABC):
    """Days of the change log.

    A window reads full days, all hours included, so that the query names few partitions. It is a
    condition for each partition key, because Athena prunes projected partitions by these.
    """

    injected: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Values of the partition keys with any value, which projection cannot list."""

    def condition(self, table: LakeTable) -> str:
        """SQL condition of the window's partitions, of the change log's columns.

        Raises ValueError for an injected key without values.
        """
        terms = [self._days([key for key in table.partition_keys if key in DATE_PARTS])]
        for key in table.injected_keys:
            if not self.injected.get(key):
                raise ValueError(f"the window has no values of the injected key {key}")
            # The marker of a backfill has a separate value.
            terms.append(_in(key, [*self.injected[key], MARKER_PARTITION]))
        return " AND ".join(terms)

    @abstractmethod
    def _days(self, keys: Sequence[str]) -> str:
        """Condition of the days, in parentheses.

        keys: the time keys down to the day.
        """


@dataclass(frozen=True, kw_only=True)
class RecentWindow(Window):
    """The last hours before a query, in the partitions' time zone."""

    hours: int
    time_zone: str

    def _days(self, keys: Sequence[str]) -> str:
        days = math.ceil((self.hours + CLOCK_CHANGE_HOURS) / 24)
        offsets = [*range(0, days, SHORTEST_PERIOD[keys[-1]]), days]
        return _any(
            " AND ".join(f"{quoted(key)} = {self._date_part(offset, key)}" for key in keys)
            for offset in offsets
        )

    def _date_part(self, days_ago: int, key: str) -> str:
        # Trino and DuckDB have different functions that format a time; both have these.
        today = f"CAST(current_timestamp AT TIME ZONE '{self.time_zone}' AS date)"
        day = f"{today} - INTERVAL '{days_ago}' DAY" if days_ago else today
        start, length = DATE_PARTS[key]
        return f"substr(CAST({day} AS varchar), {start}, {length})"


@dataclass(frozen=True, kw_only=True)
class DayWindow(Window):
    """All days from the first to the last one."""

    first: date
    last: date

    def _days(self, keys: Sequence[str]) -> str:
        days = [self.first + timedelta(offset) for offset in range(self._length)]
        periods: dict[tuple[str, ...], list[str]] = {}
        for day in days:
            *parents, last = (_date_text(day, key) for key in keys)
            values = periods.setdefault(tuple(parents), [])
            if last not in values:
                values.append(last)
        return _any(
            " AND ".join(
                [
                    *(_in(key, [value]) for key, value in zip(keys, parents, strict=False)),
                    _in(keys[-1], values),
                ]
            )
            for parents, values in periods.items()
        )

    @property
    def _length(self) -> int:
        return (self.last - self.first).days + 1


def _date_text(day: date, key: str) -> str:
    start, length = DATE_PARTS[key]
    return day.isoformat()[start - 1 : start - 1 + length]


def _in(key: str, values: Sequence[str]) -> str:
    literals = [f"'{value.replace(chr(39), chr(39) * 2)}'" for value in values]
    if len(literals) == 1:
        return f"{quoted(key)} = {literals[0]}"
    return f"{quoted(key)} IN ({', '.join(literals)})"


def _any(terms: Iterator[str]) -> str:
    return "(" + "\n    OR ".join(f"({term})" for term in terms) + ")"
