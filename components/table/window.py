"""Window: the days of the change log that merge and view read."""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from streaming_etl.components.table.lake_table import LakeTable
from streaming_etl.components.table.queries import MARKER_PARTITION, quoted

# Position and length of each time key in the text of a date.
DATE_PARTS = {"year": (1, 4), "month": (6, 2), "day": (9, 2), "dt": (1, 10)}
# Days between two reads of the calendar that miss no period.
SHORTEST_PERIOD = {"year": 365, "month": 28, "day": 1, "dt": 1}
# A change of the clocks moves a time by one hour.
CLOCK_CHANGE_HOURS = 1
# First and last value of the time keys within another one.
ALL_VALUES = {"month": ("01", "12"), "day": ("01", "31")}
# Placeholders of a window's first and last day, for a statement that runs with several windows.
FIRST_DAY, LAST_DAY = "{first}", "{last}"
# Placeholder of the UTC day of the successful run before the last one.
SUCCESS_DAY = "{success}"


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
    """All days from the first to the last one.

    Raises ValueError for a text that is neither an ISO date nor its placeholder.
    """

    first: str = FIRST_DAY
    """ISO date or FIRST_DAY."""
    last: str = LAST_DAY
    """ISO date or LAST_DAY."""

    def __post_init__(self) -> None:
        for name, text, placeholder in (
            ("first", self.first, FIRST_DAY),
            ("last", self.last, LAST_DAY),
        ):
            if text != placeholder and not _is_iso_date(text):
                raise ValueError(f"`{name}` must be an ISO date or {placeholder} (got {text!r})")

    def _days(self, keys: Sequence[str]) -> str:
        # The condition of all keys is exact. Those of one key each are for the pruning of projected
        # partitions; Trino computes their limits, because these have no columns.
        terms = [self._range(key, keys[:position]) for position, key in enumerate(keys)]
        if len(keys) > 1:
            start, length = DATE_PARTS[keys[-1]]
            text = " || '-' || ".join(quoted(key) for key in keys)
            terms.append(_between(text, *self._limits(1, start - 1 + length)))
        return "(" + "\n    AND ".join(terms) + ")"

    def _range(self, key: str, parents: Sequence[str]) -> str:
        """Condition of one key; all values if parents differ."""
        first, last = self._limits(*DATE_PARTS[key])
        if parents:
            start, length = DATE_PARTS[parents[-1]]
            first_parent, last_parent = self._limits(1, start - 1 + length)
            is_same = f"{first_parent} = {last_parent}"
            least, most = ALL_VALUES[key]
            first = f"CASE WHEN {is_same} THEN {first} ELSE '{least}' END"
            last = f"CASE WHEN {is_same} THEN {last} ELSE '{most}' END"
        return _between(quoted(key), first, last)

    def _limits(self, start: int, length: int) -> tuple[str, str]:
        """A part of the first and of the last date."""
        if length == len("2026-11-29"):
            return f"'{self.first}'", f"'{self.last}'"
        return (
            f"substr('{self.first}', {start}, {length})",
            f"substr('{self.last}', {start}, {length})",
        )


def _is_iso_date(text: str) -> bool:
    try:
        # Python reads other forms too, such as 20261129.
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _between(text: str, first: str, last: str) -> str:
    return f"{text} BETWEEN {first} AND {last}"


def _in(key: str, values: Sequence[str]) -> str:
    literals = [f"'{value.replace(chr(39), chr(39) * 2)}'" for value in values]
    if len(literals) == 1:
        return f"{quoted(key)} = {literals[0]}"
    return f"{quoted(key)} IN ({', '.join(literals)})"


def _any(terms: Iterator[str]) -> str:
    return "(" + "\n    OR ".join(f"({term})" for term in terms) + ")"
