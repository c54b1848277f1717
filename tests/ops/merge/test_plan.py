"""Plans of a merge: new ranges, or those of a failed run."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from streaming_etl.ops.merge.plan import MergeOptions, MergePlan, plan_of
from streaming_etl.stack.errors import CommandError, UsageError
from tests.support.merge_runs import MIB, NOW, MergeWorld

ONE_MIB = MIB / 2**30
MONTHS = ["year=2026/month=09/day=01", "year=2026/month=10/day=01", "year=2026/month=11/day=01"]
RANGES = [
    {"first": "2026-11-01", "last": "2026-11-30"},
    {"first": "2026-10-01", "last": "2026-10-31"},
    {"first": "2026-09-01", "last": "2026-09-30"},
]
EVENT = {"partitions": {"partition_time": "event"}}


@pytest.fixture
def world() -> MergeWorld:
    world = MergeWorld()
    world.log.add(*MONTHS)
    return world


def plan(world: MergeWorld, **options: Any) -> MergePlan:
    return plan_of(world.table, MergeOptions(**{"max_gib": ONE_MIB, **options}), NOW)


def ranges(planned: MergePlan) -> list[dict[str, str]]:
    return [each.as_input for each in planned.ranges]


def test_a_plain_run_has_no_ranges_and_lists_no_objects(world: MergeWorld) -> None:
    planned = plan(world)
    assert (planned.name, planned.run_input) == ("run-20261129T123000Z", {})
    assert plan(world, optimize=True).run_input == {"optimize": True}
    assert world.log.listed == []


def test_a_rebuild_has_all_days_until_tomorrow(world: MergeWorld) -> None:
    planned = plan(world, rebuild=True)
    assert planned.name == "rebuild-20261129T123000Z"
    assert planned.run_input == {"ranges": RANGES, "begun": NOW.isoformat()}
    assert ranges(plan(world, rebuild=True, max_gib=1)) == [
        {"first": "2026-09-01", "last": "2026-11-30"}
    ]


def test_days_are_those_of_the_partitions_time_zone() -> None:
    world = MergeWorld({"partitions": {"time_zone": "Asia/Tokyo"}})
    world.log.add("year=2026/month=11/day=30")
    now = datetime(2026, 11, 29, 16, 0, tzinfo=UTC)
    [only] = plan_of(world.table, MergeOptions(rebuild=True), now).ranges
    assert only.last == date(2026, 12, 1)


def test_a_rebuild_of_an_empty_log_merges_the_window() -> None:
    assert plan(MergeWorld(), rebuild=True).ranges == []


def test_a_merge_from_a_day_has_the_days_since_then() -> None:
    world = MergeWorld(EVENT)
    world.log.add(*MONTHS)
    planned = plan(world, first=date(2026, 10, 15))
    assert planned.name == "from-2026-10-15-20261129T123000Z"
    assert ranges(planned) == [{"first": "2026-10-15", "last": "2026-11-30"}]
    assert planned.early_begin is False


@pytest.mark.parametrize(
    ("settings", "first", "begin"),
    [
        # Removals may be in a day before, and their tombstones expired.
        ({}, "2026-11-26", "2026-09-01"),
        ({}, "2026-11-27", "2026-11-27"),
        # Tombstones that are kept for ten more days.
        ({"merge": {"enabled": True, "tombstone_days": 51}}, "2026-11-17", "2026-11-17"),
        ({"merge": {"enabled": True, "tombstone_days": 51}}, "2026-11-16", "2026-09-01"),
        # Tombstones that outlive all rows.
        ({"merge": {"enabled": True, "change_log_retention_days": 40}}, "2026-10-20", "2026-10-20"),
        # Tombstones never expire.
        ({"lake": {}}, "2026-10-15", "2026-10-15"),
    ],
)
def test_with_ingestion_time_old_days_need_all_days_before(
    settings: dict[str, Any], first: str, begin: str
) -> None:
    world = MergeWorld({"lake": {"failures_retention_days": 30}, **settings})
    world.log.add(*MONTHS)
    planned = plan(world, first=date.fromisoformat(first), max_gib=1)
    assert ranges(planned) == [{"first": begin, "last": "2026-11-30"}]
    assert planned.early_begin is (begin != first)


def test_continues_a_failed_rebuild_after_its_merged_ranges(world: MergeWorld) -> None:
    given = {"ranges": RANGES, "begun": NOW.isoformat(), "optimize": True}
    world.states.add("rebuild-20261129T090000Z", "FAILED", given, hours_ago=3, done=1)
    planned = plan(world, rebuild=True)
    assert ranges(planned) == RANGES[1:]
    assert planned.continued is not None
    assert planned.run_input["optimize"] is True
    # A smaller range after a failure.
    world.log.add("year=2026/month=10/day=15")
    assert [each["first"] for each in ranges(plan(world, rebuild=True))] == [
        "2026-10-15",
        "2026-10-01",
        "2026-09-01",
    ]
    assert ranges(plan(world, rebuild=True, start_over=True))[0]["last"] == "2026-11-30"


def test_starts_over_after_a_failure_before_the_first_range(world: MergeWorld) -> None:
    failed = world.states.add("rebuild-20261129T090000Z", "FAILED", {"ranges": RANGES})
    failed["status"] = "ABORTED"
    assert ranges(plan(world, rebuild=True)) == RANGES
    assert plan(world, rebuild=True).continued is None


def test_continues_a_rebuild_that_failed_after_its_ranges(world: MergeWorld) -> None:
    given = {"ranges": RANGES}
    world.states.add("rebuild-20261129T090000Z", "FAILED", given, hours_ago=3, done=3)
    planned = plan(world, rebuild=True)
    assert planned.ranges == []
    assert planned.continued is not None


@pytest.mark.parametrize(
    ("name", "status", "hours_ago", "begun", "done"),
    [
        # Another command.
        ("from-2026-10-01-20261129T090000Z", "FAILED", 3, NOW, 1),
        ("fb7a8d6e", "FAILED", 3, NOW, 1),
        # Nothing to continue.
        ("rebuild-20261129T090000Z", "SUCCEEDED", 3, NOW, 3),
        ("rebuild-20261129T090000Z", "FAILED", 3, NOW, 0),
        # Tombstones of its first range may have expired.
        ("rebuild-20261121T090000Z", "FAILED", 8 * 24, None, 1),
        ("rebuild-20261128T090000Z", "FAILED", 24, datetime(2026, 11, 21, tzinfo=UTC), 1),
    ],
)
def test_starts_over_without_a_recent_failure_of_the_same_command(
    world: MergeWorld, name: str, status: str, hours_ago: int, begun: datetime | None, done: int
) -> None:
    given = {"ranges": RANGES} | ({"begun": begun.isoformat()} if begun else {})
    world.states.add(name, status, given, hours_ago=hours_ago, done=done)
    planned = plan(world, rebuild=True)
    assert ranges(planned) == RANGES
    assert (planned.continued, planned.begun) == (None, NOW)


def test_a_continued_run_keeps_the_begin_of_the_first(world: MergeWorld) -> None:
    begun = datetime(2026, 11, 27, tzinfo=UTC)
    given = {"ranges": RANGES, "begun": begun.isoformat()}
    world.states.add("rebuild-20261128T090000Z", "ABORTED", given, hours_ago=24, done=1)
    assert plan(world, rebuild=True).begun == begun


def test_watches_a_run_of_the_same_command(world: MergeWorld) -> None:
    world.states.add("rebuild-20261129T090000Z", "RUNNING", {"ranges": RANGES}, hours_ago=3)
    planned = plan(world, rebuild=True)
    assert planned.running is not None
    assert ranges(planned) == RANGES
    assert plan(world).running is None
    with pytest.raises(CommandError) as error:
        plan(world, rebuild=True, start_over=True)
    assert error.value.code == "merge-in-progress"


def test_rejects_more_ranges_than_an_execution_has_events_for(world: MergeWorld) -> None:
    world.log.add(*[f"year={year}/month={month:02}/day=01" for year in range(1980, 2025)
                    for month in range(1, 13)])  # fmt: skip
    with pytest.raises(CommandError) as error:
        plan(world, rebuild=True)
    assert (error.value.code, error.value.details["ranges"]) == ("too-many-ranges", 543)


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"rebuild": True, "first": date(2026, 10, 1)}, "from-with-rebuild"),
        ({"start_over": True}, "start-over-without-ranges"),
    ],
)
def test_rejects_options_that_exclude_each_other(options: dict[str, Any], code: str) -> None:
    with pytest.raises(UsageError) as error:
        MergeOptions(**options).check()
    assert error.value.code == code
