"""Merged rows and window have the state of the full history.

A world is a table whose changes reach the change log late, repeated and in any order, while
merges run, are missed or overlap, and the change log and tombstones expire.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streaming_etl import QueryArgs
from streaming_etl.components.table.merge import RENEWED_AFTER_DAYS
from streaming_etl.components.table.window import DayWindow
from tests.support.merge_world import (
    LIVE,
    LONGER_DAYS,
    REPLAY_DAYS,
    TOMBSTONE_DAYS,
    WINDOW_DAYS,
    Change,
    MergeWorld,
    Texts,
    WrongStateError,
)
from tests.support.pipeline_settings import lake_table

COLUMNS = {"id": "string", "total": "int"}
# The full history has no objects table.
QUERY = QueryArgs(current_state_source="partitions")
TABLES = {name: lake_table(COLUMNS, format=name, query=QUERY) for name in ("json", "csv")}

# Names of steps, as often as they occur.
NAMES = {
    "change": 6,
    "late_change": 3,
    "first_row": 1,
    "late_rows": 4,
    "repeat": 3,
    "merge": 4,
    "two_merges": 1,
    "rebuild": 2,
    "day": 3,
    "days": 2,
    "snapshot": 1,
    "late_snapshot": 1,
    "new_stream": 1,
    "backfill": 1,
    "late_marker": 1,
    "expire_log": 1,
    "expire_tombstones": 2,
}
STEPS = st.tuples(
    st.sampled_from([name for name, count in NAMES.items() for _ in range(count)]),
    st.sampled_from("ab"),
    st.sampled_from(["INSERT", "MODIFY", "REMOVE"]),
    st.sampled_from([0, 1, 1, 2, 3]),
    st.integers(0, 11),
)
WORLDS = st.tuples(
    st.sampled_from(sorted(TABLES)), st.integers(0, 1), st.lists(STEPS, min_size=10, max_size=40)
)


class Run:
    """Runs the steps of a world."""

    def __init__(self, world: MergeWorld) -> None:
        self.world = world
        self._late: list[Change] = []

    def step(
        self, name: str, item: str = "a", op: str = "INSERT", rows: int = 1, number: int = 0
    ) -> None:
        """Run a step of NAMES; each uses some of the values."""
        world = self.world
        match name:
            case "change":
                world.write(world.change(item, op, rows))
            case "late_change":
                self._late.append(world.change(item, op, rows))
            case "first_row":
                # Another version of `transform` returns more rows for the same change.
                change = world.change(item, op, 1 + rows)
                world.write(change, [0])
                self._late.append(change)
            case "late_rows" if self._late:
                world.write(self._late.pop(number % len(self._late)))
            case "repeat":
                self._repeat(number, is_part=not rows)
            case "merge":
                world.merge(WINDOW_DAYS if rows else WINDOW_DAYS + number % (LONGER_DAYS + 1))
            case "rebuild":
                for window in world.ranges():
                    world.merge_range(window)
                    self._next_day()
            case "two_merges":
                world.merge_twice_at_once()
            case "day":
                self._next_day()
            case "days":
                for _ in range(WINDOW_DAYS + 1):
                    self._next_day()
            case "snapshot":
                world.write(world.snapshot(item, rows))
            case "late_snapshot":
                self._late.append(world.snapshot(item, rows))
            case "new_stream":
                world.new_stream()
            case "backfill":
                world.new_stream()
                self._late.append(world.snapshot(item, rows))
                world.write(world.marker())
            case "late_marker":
                self._late.append(world.marker())
            case "expire_log":
                world.expire_log()
            case "expire_tombstones":
                world.expire_tombstones()

    def _repeat(self, number: int, *, is_part: bool) -> None:
        """Write all rows of a change again, or one of them."""
        recent = [
            change
            for change in self.world.changes
            if (self.world.today - change.day).days <= REPLAY_DAYS and change.written
        ]
        if recent:
            change = recent[number % len(recent)]
            written = sorted(change.written)
            self.world.write(change, written[-1:] if is_part else written)

    def _next_day(self) -> None:
        for change in [*self._late]:
            if (self.world.today - change.day).days >= REPLAY_DAYS:
                self._late.remove(change)
                self.world.write(change)
        self.world.next_day()


Step = tuple[Any, ...]
"""Name of a step, item, kind, number of rows, number; the last ones may be missing."""
World = tuple[str, int, Sequence[Step]]
"""Format of the table, epoch of its first stream, steps."""


def run(world: World, texts: Texts = lambda sql: sql, kind: type[MergeWorld] = MergeWorld) -> None:
    """Run a world, and compare its states after each step."""
    file_format, epoch, steps = world
    run = Run(kind(TABLES[file_format], epoch, texts))
    for step in steps:
        run.step(*step)
        run.world.check_state()
    run.world.check_full_state()


SETTINGS = settings(
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=25,
)


@SETTINGS
@given(WORLDS)
def test_merged_rows_and_window_have_the_state_of_the_full_history(world: World) -> None:
    run(world)


EPOCH = "coalesce(\"_stream_epoch\", '')"
POSITION = f"{EPOCH} || lpad(\"_sequence_number\", 40, '0')"
AS_TEXT = f'{EPOCH} || "_sequence_number"'
MARKER = "\"_op\" = 'BACKFILL'"
MATCHED = 'WHEN MATCHED AND "changes"."_action" = \'delete\' THEN DELETE\n'


@dataclass(frozen=True)
class Break:
    """A replaced part of a statement, and steps that notice it."""

    statement: str
    old: str
    new: str
    steps: Sequence[Step]
    epoch: int = 0


CHANGE, REMOVE, MERGE, REPEAT = ("change",), ("change", "a", "REMOVE"), ("merge",), ("repeat",)
DAY, DAYS, NEW_STREAM, EXPIRE = ("day",), ("days",), ("new_stream",), ("expire_tombstones",)
REBUILD = ("rebuild",)
LATE, LATE_ROWS = ("late_change",), ("late_rows",)
# A new stream that does not have the item `a`.
NEW_TABLE = ("backfill", "b")
# The second change of the new stream has a lower number than that of the old one.
TWO_STREAMS = [CHANGE, CHANGE, NEW_STREAM, CHANGE]
# The fifth number has one digit more.
LONGER_NUMBERS = [CHANGE] * 5

BREAKS = {
    "merge of older changes": Break("MERGE", ' AND "_rank" = 1', "", [CHANGE, CHANGE, MERGE]),
    "merge of copies": Break("MERGE", ' AND "_copy" = 1', "", [CHANGE, REPEAT, MERGE]),
    "merge of changes older than merged ones": Break(
        "MERGE", '"later"."_key" IS NULL', "true", [LATE, CHANGE, DAYS, MERGE]
    ),
    "merge without deletion": Break("MERGE", MATCHED, "", [CHANGE, MERGE, CHANGE, MERGE]),
    "several deletions of a row": Break(
        "MERGE", ' AND "_number" = 1', "", [CHANGE, MERGE, ("change", "a", "INSERT", 2), MERGE]
    ),
    "deletion of the same change": Break(
        "MERGE", '< coalesce("changes"', '<= coalesce("changes"', [CHANGE, MERGE]
    ),
    "rows of a change are equal": Break(
        "MERGE",
        ' AND "merged"."_row" = "changes"."_row"',
        "",
        [("first_row",), MERGE, LATE_ROWS, DAYS],
    ),
    "positions are not compared": Break(
        "MERGE", '= coalesce("changes"', '<> coalesce("changes"', [CHANGE, MERGE]
    ),
    "merge in the order of numbers": Break(
        "MERGE", f"ORDER BY {EPOCH} ||", "ORDER BY", [*TWO_STREAMS, DAYS]
    ),
    "merge in the order of texts": Break(
        "MERGE", f"ORDER BY {POSITION}", f"ORDER BY {AS_TEXT}", [*LONGER_NUMBERS, DAYS]
    ),
    "merge compares numbers of streams": Break(
        "MERGE",
        'coalesce("later"."_stream_epoch", \'\')',
        "''",
        [LATE, CHANGE, DAYS, MERGE],
        epoch=1,
    ),
    "merge of history": Break(
        "MERGE", f"WHERE {EPOCH} >=", "WHERE '9' >=", [CHANGE, NEW_TABLE, MERGE, EXPIRE]
    ),
    "merge without markers": Break(
        "MERGE",
        'AND "_rank" = 1',
        'AND "_rank" = 1 AND "changes"."_op" <> \'BACKFILL\'',
        [CHANGE, NEW_TABLE, DAYS],
    ),
    "no renewal of tombstones": Break(
        "MERGE",
        """WHEN MATCHED AND "merged"."_op" = 'REMOVE'""",
        """WHEN MATCHED AND "merged"."_op" = 'NONE'""",
        [CHANGE, DAY, DAY, REMOVE, MERGE, DAY, DAY, DAY, DAY, REBUILD],
    ),
    "renewal with each merge": Break(
        "MERGE", f"- INTERVAL '{RENEWED_AFTER_DAYS}' DAY", "+ INTERVAL '1' DAY", [REMOVE, MERGE]
    ),
    "merge without tombstones": Break(
        "MERGE",
        'AND "_rank" = 1',
        'AND "_rank" = 1 AND "changes"."_op" <> \'REMOVE\'',
        [CHANGE, MERGE, REMOVE, DAYS],
    ),
    "view without the window": Break(
        "SELECT", 'WHERE ("year"', 'WHERE false AND ("year"', [CHANGE]
    ),
    "view without merged rows": Break(
        "SELECT",
        'FROM "live"."orders_merged"\n',
        'FROM "live"."orders_merged" WHERE false\n',
        [CHANGE, DAYS],
    ),
    "view of copies": Break("SELECT", ' AND "_copy" = 1', "", [CHANGE, REPEAT]),
    "view of older changes": Break("SELECT", '"_rank" = 1 AND ', "", [CHANGE, CHANGE]),
    "view of removed items": Break(
        "SELECT", "('REMOVE', 'BACKFILL')", "('BACKFILL')", [CHANGE, REMOVE]
    ),
    "view of markers": Break("SELECT", "('REMOVE', 'BACKFILL')", "('REMOVE')", [NEW_TABLE]),
    "view of history": Break("SELECT", f"WHERE {EPOCH} >=", "WHERE '9' >=", [CHANGE, NEW_TABLE]),
    "view without merged markers": Break(
        "SELECT",
        f'orders_merged" WHERE {MARKER}',
        'orders_merged" WHERE false',
        [CHANGE, NEW_TABLE, DAYS],
    ),
    "view without the window's markers": Break(
        "SELECT", f'orders" WHERE {MARKER}', 'orders" WHERE false', [CHANGE, NEW_TABLE]
    ),
    "view in the order of numbers": Break(
        "SELECT", f"ORDER BY {EPOCH} ||", "ORDER BY", TWO_STREAMS
    ),
    "view in the order of texts": Break(
        "SELECT", f"ORDER BY {POSITION}", f"ORDER BY {AS_TEXT}", LONGER_NUMBERS
    ),
    "expiry of items": Break(
        "DELETE", "\"_op\" = 'REMOVE' AND ", "", [CHANGE, DAYS, DAYS, DAYS, EXPIRE]
    ),
    "expiry a day too early": Break(
        "DELETE",
        f"INTERVAL '{TOMBSTONE_DAYS}' DAY",
        f"INTERVAL '{TOMBSTONE_DAYS - 1}' DAY",
        [LATE, REMOVE, MERGE, DAY, DAY, DAY, DAY, EXPIRE],
    ),
    "expiry of markers": Break(
        "DELETE", "WHERE ", f"WHERE {MARKER} OR ", [LATE, NEW_TABLE, DAY, DAY, DAY, EXPIRE]
    ),
    "no expiry of history": Break(
        "DELETE", f"OR {EPOCH} <", "OR '9' <", [CHANGE, NEW_TABLE, MERGE, EXPIRE]
    ),
}


def test_a_later_merge_renews_tombstones_only() -> None:
    world = MergeWorld(TABLES["json"])
    for item, op in (("a", "INSERT"), ("b", "REMOVE")):
        world.write(world.change(item, op, 1))
    world.merge()
    world.today += timedelta(WINDOW_DAYS)
    before = dict(world.merge_times())
    world.merge()
    after = dict(world.merge_times())
    assert [item for item in after if after[item] != before[item]] == ["b"]


@pytest.mark.parametrize(
    ("expires_since_success", "events"), [(True, ["REMOVE"]), (False, ["INSERT"])]
)
def test_runs_that_overlap_after_missed_runs_need_tombstones_since_the_last_success(
    expires_since_success: bool, events: list[str]
) -> None:
    world = MergeWorld(TABLES["json"])
    inserted, removed = world.change("a", "INSERT", 1), world.change("a", "REMOVE", 1)
    world.write(inserted)
    world.write(removed)
    world.merge()
    replay_days, missed_days = 4, 6
    world.today += timedelta(replay_days)
    success = world.today
    world.write(inserted)
    world.today += timedelta(missed_days)
    # Both begin with the window before the last success, which has no removal of the item.
    first = success - timedelta(WINDOW_DAYS + 1)
    for _ in range(2):
        expiry = success if expires_since_success else world.today
        world.run(first, expiry, replay_days + WINDOW_DAYS + 1)
    found = world.rows(f"SELECT id, _op FROM {LIVE}.orders_merged")
    assert found == [("a", event) for event in events]


@pytest.mark.parametrize("name", BREAKS)
def test_leaving_out_a_guard_breaks_a_state(name: str) -> None:
    broken = BREAKS[name]
    world = ("json", broken.epoch, broken.steps)
    run(world)

    def texts(sql: str) -> str:
        if not sql.startswith(broken.statement):
            return sql
        assert broken.old in sql
        return sql.replace(broken.old, broken.new)

    with pytest.raises((WrongStateError, duckdb.Error)):
        run(world, texts)


class ShortView(MergeWorld):
    """The view reads a day less than the merges."""

    def state(self) -> list[tuple[Any, ...]]:
        return self.state_of(self.window(WINDOW_DAYS - 1))


class ShortMerge(MergeWorld):
    """A merge reads a day less than the view."""

    def merge(self, days: int = WINDOW_DAYS) -> None:
        super().merge(days - 1)


class LongMerge(MergeWorld):
    """A merge reads a late row without the removal after it."""

    def merge(self, days: int = WINDOW_DAYS) -> None:
        super().merge(days + 1)


class NoCatchUp(MergeWorld):
    """A day may leave the window before it is merged."""

    def next_day(self) -> None:
        self.today += timedelta(1)


class OldDaysOnly(MergeWorld):
    """A merge of older days does not read the days after them."""

    def ranges(self) -> list[DayWindow]:
        return super().ranges()[-1:]


@pytest.mark.parametrize(
    ("kind", "steps"),
    [
        (ShortView, [CHANGE, DAY, DAY]),
        (ShortMerge, [CHANGE, DAYS]),
        (LongMerge, [LATE, REMOVE, MERGE, *[DAY] * 6, EXPIRE, ("merge", "a", "", 0, 1)]),
        (NoCatchUp, [CHANGE, DAYS]),
        (OldDaysOnly, [CHANGE, DAYS, REMOVE, MERGE, DAYS, DAYS, EXPIRE, REBUILD]),
    ],
)
def test_a_row_outside_of_every_window_breaks_a_state(
    kind: type[MergeWorld], steps: Sequence[Step]
) -> None:
    run(("json", 0, steps))
    with pytest.raises(WrongStateError):
        run(("json", 0, steps), kind=kind)
