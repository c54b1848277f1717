"""Merge stage of a lake table, and the checks of its state.

The stage only reads the bucket, so its time follows that of the world: `advance` runs everything
until a time. Of its scheduled runs only those are executed that can change something. After the
world's end `finish` continues until nothing is in the window.
"""

import heapq
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import count
from math import ceil, inf
from zoneinfo import ZoneInfo

import duckdb

from tests.simulation.current_state import shown_row
from tests.simulation.expected import TIME_FORMATS
from tests.simulation.lake import Lake, Row
from tests.simulation.merge_model import MergedTable, ModelTable
from tests.simulation.merge_plan import DAY, HOUR, RETRY_SECONDS, MergePlan
from tests.simulation.merge_rows import Days, LoggedRow, difference, state_of
from tests.simulation.merge_tables import SqlTable
from tests.simulation.scenario import Scenario
from tests.simulation.world import START, World

MOST_LATE_OBJECTS = 6
# From a record's arrival to its object, without Firehose's retries.
PROCESSING_SECONDS = 0.5 * HOUR
# Commands wait for Firehose's buffers, and run a failed merge again.
WAIT_SECONDS = 900.0

Step = Callable[[], None]


class MergeStage:
    """Schedule, commands, failures and checks of the merge stage."""

    def __init__(self, world: World, scenario: Scenario, lake: Lake, plan: MergePlan) -> None:
        self.world, self.scenario, self.lake, self.plan = world, scenario, lake, plan
        self.violations: list[str] = []
        self.now = START
        self._chance = world.chance(f"merges of {scenario.name}")
        partitions = scenario.args.partitions
        self.zone = ZoneInfo(partitions.time_zone)
        self._has_event_time = partitions.partition_time == "event"
        self._table = self.merged_table()
        self._rows: list[LoggedRow] = []
        """The entire change log, also what has expired."""
        self._read: set[str] = set()
        """Keys of the objects in it."""
        self._late_objects = 0
        self.last_success = plan.begins
        """Start of the last successful run, or the creation of the state machine."""
        self.earlier_success = plan.begins
        """Start of the successful run before it, or the creation."""
        self._waits_for: list[date] = []
        """First days of requested merges without which the state is not complete."""
        self._is_changed = False
        """Whether a run can change something."""
        self._expiries: list[float] = []
        """When tombstones expire."""
        self._events: list[tuple[float, int, Step]] = []
        self._order = count()
        self._at(plan.begins, lambda: self._rebuild(is_needed=True))
        self._at(plan.begins + plan.interval, self._scheduled)
        for at in plan.commands:
            self._at(max(at, plan.begins), self._command)
        for at in plan.copies:
            self._at(at, self._copy_rows)
        if scenario.deploy is not None:
            self._at(scenario.deploy.table_at, self._table.add_column)

    def merged_table(self) -> MergedTable:
        return SqlTable(self.scenario) if self.plan.is_sql else ModelTable(self.zone)

    # Time

    def advance(self, until: float) -> None:
        """Run everything until a time."""
        self._read_objects()
        self._run(until)

    def finish(self) -> None:
        """Run everything after the world's end."""
        self._run(inf)

    def merge_replayed(self) -> None:
        """Read the objects of a replay, and merge their days."""
        # Firehose's retries would make them appear after this merge.
        rows = self._read_objects(can_be_late=not self._has_event_time)
        if rows and self._has_event_time:
            first = min(first_date(row.day) for row in rows)
            self._request(first, self.world.now + WAIT_SECONDS, is_needed=True)

    def _run(self, until: float) -> None:
        try:
            while self._events and self._events[0][0] <= until:
                self.now, _, action = heapq.heappop(self._events)
                action()
        except duckdb.Error as error:
            self._events.clear()
            self.violations.append(f"a statement fails: {type(error).__name__}")

    def _at(self, at: float, action: Step) -> None:
        heapq.heappush(self._events, (at, next(self._order), action))

    def _count(self, what: str, number: int = 1) -> None:
        self.world.events[f"merge: {what}"] += number

    # Change log

    def _read_objects(self, *, can_be_late: bool = True) -> list[LoggedRow]:
        """Add the new objects to the change log."""
        added: list[LoggedRow] = []
        for key, rows in self.lake.rows_by_key():
            if key not in self._read:
                self._read.add(key)
                appears = self.lake.written[key]
                if can_be_late and self._is_late():
                    self._count("late objects")
                    appears += self._chance.random() * RETRY_SECONDS
                added += (self._logged(row, self._appears(row, appears)) for row in rows)
        for appears in sorted({row.appears for row in added}):
            self._at(appears, self._appear)
        self._log(added)
        return added

    def _appears(self, row: Row, written: float) -> float:
        """Return when a row appears: its object's time, or later.

        A later version of the transform may return more rows for the same change.
        """
        if row.values["_row"] in (0, "0") or self._chance.random() < 0.8:
            return written
        self._count("rows of a later version")
        return written + self._chance.random() * 2 * HOUR

    def _is_late(self) -> bool:
        late = self._chance.random() < self.plan.late and self._late_objects < MOST_LATE_OBJECTS
        self._late_objects += late
        return late

    def _logged(self, row: Row, appears: float) -> LoggedRow:
        values, days = row.values, self.plan.log_days
        changed_at = datetime.fromisoformat(str(values["_changed_at"])).replace(tzinfo=UTC)
        return LoggedRow(
            row=row,
            appears=appears,
            expires=inf if days is None else appears + days * DAY,
            key=str(values["_key"]),
            position=(str(values["_stream_epoch"]), int(values["_sequence_number"])),
            number=int(values["_row"]),
            op=str(values["_op"]),
            changed_at=changed_at.timestamp(),
            shown=shown_row(values, self.scenario.table),
        )

    def _log(self, rows: list[LoggedRow]) -> None:
        self._rows += rows
        self._table.log(rows)

    def _appear(self) -> None:
        self._is_changed = True
        if self._chance.random() < 0.2:
            self._check_view()

    def _copy_rows(self) -> None:
        """Write some old rows again."""
        oldest = self.now - self.plan.replay_days * DAY
        known = [row for row in self._rows if row.appears <= self.now and row.changed_at >= oldest]
        for old in self._chance.sample(known, min(len(known), self._chance.randint(1, 3))):
            self._count("rows written again")
            self._log([self._logged(Row(old.row.values, self._folder(old)), self.now)])
            self._appear()
            if self._has_event_time:
                self._request(first_date(old.day), self.now + WAIT_SECONDS, is_needed=True)

    def _folder(self, old: LoggedRow) -> dict[str, str]:
        """Return the partition of a copy."""
        if self._has_event_time:
            return old.row.folder
        at = datetime.fromtimestamp(self.now, self.zone)
        times = {name: f"{at:{TIME_FORMATS[name]}}" for name in self._time_keys}
        return old.row.folder | times

    @property
    def _time_keys(self) -> Sequence[str]:
        return self.scenario.args.partitions.time_keys

    # Runs

    def _scheduled(self) -> None:
        """Run the schedule; without a change the run only succeeds."""
        if self.now >= self.plan.ends:
            return
        self._at(self.now + self.plan.interval, self._scheduled)
        if self._outage_end() is not None:
            self._count("missed runs")
        elif self._is_changed or (self._expiries and self._expiries[0] <= self.now):
            self._execute()
        elif not self._waits_for:
            self.earlier_success, self.last_success = self.last_success, self.now

    def _command(self) -> None:
        """Merge the last days or everything.

        Without the first days of the change log, it may lack the removal of an item that a late row
        revives.
        """
        if self._chance.random() < 0.5:
            self._rebuild()
        else:
            days = self._chance.randint(0, self.plan.window_hours // 24)
            self._request(self.date(self.now) - timedelta(days), self.now)

    def _rebuild(self, *, is_needed: bool = False) -> None:
        days = [first_date(row.day) for row in self._rows if row.appears <= self.now]
        self._request(min(days, default=self.date(self.now)), self.now, is_needed=is_needed)

    def _request(self, first: date, at: float, *, is_needed: bool = False) -> None:
        """Request a merge from a day to the present.

        is_needed: whether the state is not complete before.
        """
        if is_needed:
            self._waits_for.append(first)
        self._at(at, lambda: self._execute(first))

    def _outage_end(self) -> float | None:
        """Return when the present outage ends."""
        outages = self.plan.outages
        return next((end for start, end in outages if start <= self.now < end), None)

    def _execute(self, first: date | None = None) -> None:
        """Run the state machine, perhaps with faults.

        first: first day of a command's merge.
        """
        end = self._outage_end()
        if end is not None:
            self._at(end + WAIT_SECONDS, lambda: self._execute(first))
            return
        kind = self._chance.random()
        steps = self._steps([] if first is None else self.ranges(first))
        if kind < self.plan.failing:
            self._count("failed runs")
            for step in steps[: self._chance.randint(1, len(steps) - 1)]:
                step()
            if first is not None:
                self._at(self.now + WAIT_SECONDS, lambda: self._execute(first))
            return
        if kind > 0.8:
            steps.append(self._repeat)
        elif kind > 0.65:
            self._count("runs at once")
            steps = [*self._mixed(steps, self._steps([]))]
        for step in steps:
            step()
            # Between two ranges of a rebuild an item may be there without its removal.
            if first is None and self._chance.random() < 0.1:
                self._check_view()
        self._succeed(first)

    def _succeed(self, first: date | None) -> None:
        self.earlier_success, self.last_success = self.last_success, self.now
        self._is_changed = False
        if first in self._waits_for:
            self._waits_for.remove(first)
        # Tombstones that this run has inserted.
        days = self.tombstone_days() + 2
        expiry = ceil((self.now - START) / DAY + days) * DAY + START
        if expiry not in self._expiries and expiry < self.plan.ends:
            self._expiries.append(expiry)
        while self._expiries and self._expiries[0] <= self.now:
            self._expiries.pop(0)
        self._check_merged()
        if self._chance.random() < 0.5:
            self._check_view()

    def _steps(self, ranges: Sequence[Days]) -> list[Step]:
        self._count("runs")
        now = self.now
        last = self.date(now) + timedelta(1)
        window = Days(self.first_day(), last)
        if self._chance.random() < 0.1:
            self._count("merges of one snapshot")
            merges = [lambda: self._table.merge_at_once(window, now)]
        else:
            merges = [lambda: self._table.merge(window, now)]
        for days in ranges:
            self._count("merged ranges")
            merges.append(lambda days=days: self._table.merge(days, now))
        success_day = self.success_day()
        return [*merges, lambda: self._table.expire(self.tombstone_days(), success_day)]

    def _repeat(self) -> None:
        """Merge the window again, which must change nothing."""
        self._count("repeated runs")
        before = self._table.merged_keys()
        self._table.merge(Days(self.first_day(), self.date(self.now) + timedelta(1)), self.now)
        if self._table.merged_keys() != before:
            self._report("a repeated merge changes rows")

    def _mixed(self, some: list[Step], others: list[Step]) -> Iterator[Step]:
        """Yield the steps of two runs at once."""
        some, others = some[::-1], others[::-1]
        while some or others:
            is_first = others and self._chance.random() < 0.5
            yield (others if is_first or not some else some).pop()

    def first_day(self) -> date:
        """Return the first day of a scheduled merge."""
        start = self.last_success - self.plan.window_hours * HOUR
        return self.date(start) - timedelta(1)

    def ranges(self, first: date) -> list[Days]:
        """Return the ranges from a day to the present, the newest first."""
        last = self.date(self.now) + timedelta(1)
        count = self._chance.randint(0, min(2, (last - first).days))
        parts = self._chance.sample(range(1, (last - first).days + 1), count)
        begins = [first, *(first + timedelta(part) for part in sorted(parts))]
        ends = [*(begin - timedelta(1) for begin in begins[1:]), last]
        return [Days(*days) for days in zip(begins, ends, strict=True)][::-1]

    def success_day(self) -> date:
        """Return the day from which a run counts the days of tombstones."""
        return self.date(self.earlier_success)

    def tombstone_days(self) -> int:
        return self.plan.tombstone_days

    def view_hours(self) -> int:
        return self.plan.window_hours

    @staticmethod
    def date(at: float) -> date:
        return datetime.fromtimestamp(at, UTC).date()

    # Checks

    def _check_merged(self) -> None:
        """Compare the merged rows with the state of the entire change log."""
        if not self._waits_for:
            self._count("checks of the merged table")
            self._compare("the merged table", self._table.merged_state())

    def _check_view(self) -> None:
        """Compare the view, unless the alarm has fired because no run succeeds."""
        slack = self.plan.window_hours - self.plan.late_hours
        since = self.now - self.last_success
        if self._waits_for or since + PROCESSING_SECONDS > slack * HOUR:
            return
        self._count("checks of the view")
        self._compare("the view", self._table.state(self.view_hours(), self.now))

    def _compare(self, name: str, state: list[tuple[object, ...]]) -> None:
        expected = state_of(row for row in self._rows if row.appears <= self.now)
        text = difference(state, expected)
        if text:
            self._report(f"{name} {text}")

    def _report(self, text: str) -> None:
        """Note a violation and end; others may follow from it."""
        self.violations.append(f"after {(self.now - START) / DAY:.2f} days {text}")
        self._events.clear()


def first_date(day: str) -> date:
    """Return the first date of a day, month or year."""
    return date.fromisoformat(f"{day}-01-01"[:10])
