"""Merges that follow a replay or a backfill."""

import shlex
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from streaming_etl.ops.merge.following import FollowingMerge, FollowingMerges
from streaming_etl.ops.merge.runs import REPLAY
from streaming_etl.ops.next_command import NextCommands
from streaming_etl.stack.errors import CommandError
from streaming_etl.stack.outputs import DeployedPipeline, DeployedStack
from tests.support.deployed import deployed_shop
from tests.support.merge_runs import MACHINE, NOW, MergeWorld

EVENT = {"partition_time": "event"}
OLD = datetime(2026, 10, 15, 20, tzinfo=UTC)


COMMANDS = NextCommands(DeployedStack("dev", {}), "orders")


def merges(world: MergeWorld, commands: NextCommands = COMMANDS) -> FollowingMerges:
    return FollowingMerges(world.pipeline, world, REPLAY, commands=commands, now=lambda: NOW)


def started(world: MergeWorld, *times: datetime) -> list[FollowingMerge]:
    following = merges(world)
    for time in times:
        following.add("lake-table", time.timestamp())
    return following.start()


def test_merges_the_days_since_the_oldest_change() -> None:
    world = MergeWorld({"partitions": EVENT, "delivery": {"buffer_seconds": 90}})
    name = "replay-2026-10-15-20261129T123000Z"
    assert started(world, NOW, OLD, OLD + timedelta(days=3)) == [
        FollowingMerge("lake-table", name, date(2026, 10, 15), 495)
    ]
    ranges = [{"first": "2026-10-15", "last": "2026-11-30"}]
    assert world.states.started == [(name, {"ranges": ranges, "wait_seconds": 495})]


def test_splits_the_days_by_their_bytes() -> None:
    world = MergeWorld({"partitions": EVENT})
    world.log.add("year=2026/month=10/day=20", "year=2026/month=11/day=10", size=3 * 2**30)
    # Before the oldest change.
    world.log.add("year=2026/month=10/day=14")
    started(world, OLD)
    assert world.states.started[0][1]["ranges"] == [
        {"first": "2026-11-10", "last": "2026-11-30"},
        {"first": "2026-10-15", "last": "2026-11-09"},
    ]


def test_the_day_is_that_of_the_partitions_time_zone() -> None:
    world = MergeWorld({"partitions": {**EVENT, "time_zone": "Asia/Tokyo"}})
    [merge] = started(world, OLD)
    assert merge.first_day == date(2026, 10, 16)


@pytest.mark.parametrize(
    ("settings", "hours_ago", "count"),
    [
        # Of 50 hours in the window, the alarm and two intervals use eight.
        ({"partitions": EVENT}, 41.9, 0),
        ({"partitions": EVENT}, 42.1, 1),
        ({"partitions": EVENT, "merge": {"enabled": True, "window_hours": 60}}, 42.1, 0),
        # The rows arrive today.
        ({}, 24 * 40, 0),
    ],
)
def test_the_schedule_merges_changes_of_its_window(
    settings: dict[str, Any], hours_ago: float, count: int
) -> None:
    world = MergeWorld(settings)
    assert len(started(world, NOW - timedelta(hours=hours_ago))) == count
    assert len(world.states.started) == count


def test_does_nothing_without_a_merge_stage_or_a_change() -> None:
    world = MergeWorld({"partitions": EVENT}, merge_state_machine_arn=None)
    assert started(world, OLD) == []
    assert merges(world).lake_tables == frozenset()
    assert started(MergeWorld({"partitions": EVENT})) == []


def test_starts_no_second_merge_for_the_same_rows() -> None:
    world = MergeWorld({"partitions": EVENT})
    following = merges(world)
    following.add("lake-table", OLD.timestamp())
    ended = NOW - timedelta(hours=2)
    world.states.add("replay-2026-10-15-20261129T090000Z", "SUCCEEDED", hours_ago=3)
    world.states.add("replay-2026-10-16-20261129T110000Z", "SUCCEEDED", hours_ago=1)
    world.states.add("scheduled", "SUCCEEDED", hours_ago=1)
    assert len(following.start(unless_since=ended)) == 1
    assert following.start(unless_since=ended) == []


def test_a_merge_that_aws_rejects_is_an_error_with_the_day(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = MergeWorld({"partitions": EVENT})
    monkeypatch.setattr(world.states, "start_execution", reject)
    with pytest.raises(CommandError) as error:
        started(world, OLD)
    assert (error.value.code, error.value.details) == (
        "merge-not-started",
        {"lake_table": "lake-table", "first": date(2026, 10, 15), "error": "AccessDeniedException"},
    )


@pytest.mark.parametrize("several", [False, True])
def test_the_next_commands_read_the_same_stack(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], several: bool
) -> None:
    monkeypatch.setattr("sys.argv", ["pytest"])
    world, key, selected = MergeWorld({"partitions": EVENT}), "lake-table", []
    if several:
        world.pipeline, key, selected = shop(), "events", ["--lake-table", "events"]
    name, endpoint = world.pipeline.name, "http://127.0.0.1:4566/?a&b"
    stack = DeployedStack("my dev", {}, endpoint, Path("out puts.json"))
    following = merges(world, NextCommands(stack, name))
    following.add(key, OLD.timestamp())
    expected = [
        *("streaming-etl", "merge", name, "--stack", "my dev"),
        *("--outputs", "out puts.json", "--endpoint-url", endpoint, *selected),
    ]

    following.start()
    see = capsys.readouterr().err.partition("See ")[2]
    assert shlex.split(see) == [*expected, "--status"]

    monkeypatch.setattr(world.states, "start_execution", reject)
    with pytest.raises(CommandError) as error:
        following.start()
    run = error.value.message.partition(" s, run ")[2]
    assert shlex.split(run) == [*expected, "--from", "2026-10-15"]


def shop() -> DeployedPipeline:
    """The pipeline `shop`, whose lake table `events` has a merge stage."""
    deployed = deployed_shop()
    settings, outputs = dict(deployed.settings["lake_tables"]), dict(deployed.lake_tables or {})
    settings["events"] = {**settings["events"], "partitions": EVENT, "merge": {"enabled": True}}
    outputs["events"] = {**outputs["events"], "merge_state_machine_arn": MACHINE}
    return deployed_shop({"lake_tables": settings}, lake_tables=outputs)


def reject(**_: Any) -> None:
    raise ClientError({"Error": {"Code": "AccessDeniedException"}}, "StartExecution")
