"""`streaming-etl merge` on the command line."""

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from streaming_etl.ops.__main__ import main
from streaming_etl.ops.merge import command, run, status
from streaming_etl.ops.merge.plan import MergeOptions
from streaming_etl.ops.merge.run import merge_lake_tables
from streaming_etl.stack.errors import EXIT_FAILURE, EXIT_PARTIAL, EXIT_USAGE, CommandError
from streaming_etl.stack.outputs import DeployedStack, open_stack
from tests.support.deployed import deployed_shop
from tests.support.merge_runs import MACHINE, MIB, NOW, MergeWorld

DAYS = ["year=2026/month=10/day=01", "year=2026/month=11/day=01"]
RANGES = [
    {"first": "2026-11-01", "last": "2026-11-30", "bytes": MIB},
    {"first": "2026-10-01", "last": "2026-10-31", "bytes": MIB},
]
INPUT = [{name: each[name] for name in ("first", "last")} for each in RANGES]
EXECUTION = MACHINE.replace("stateMachine", "execution")
SMALL = "0.001"


class FixedTime:
    """The class `datetime` with a fixed present."""

    @staticmethod
    def now(zone: Any) -> Any:
        return NOW.astimezone(zone)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> MergeWorld:
    world = MergeWorld()
    world.log.add(*DAYS)

    def open_stack(*arguments: Any) -> DeployedStack:
        assert arguments == ("dev", None, None)
        return DeployedStack("dev", {world.pipeline.name: world.pipeline.outputs})

    monkeypatch.setattr(command, "open_stack", open_stack)
    monkeypatch.setattr(DeployedStack, "clients", lambda *_: world)
    monkeypatch.setattr(command, "datetime", FixedTime)
    monkeypatch.setattr(run, "datetime", FixedTime)
    monkeypatch.setattr(run, "POLL_SECONDS", 0)
    return world


def merge(*args: str, pipeline: str = "orders") -> int:
    return main(["merge", pipeline, *args, "--stack", "dev"])


def result(capsys: pytest.CaptureFixture[str], key: str = "lake-table") -> Any:
    document = json.loads(capsys.readouterr().out)
    return document["lake_tables"][key]


def call(
    world: MergeWorld, sleep: Callable[[float], None] = lambda _: None, **options: Any
) -> None:
    merge_lake_tables(
        [world.table],
        MergeOptions(**options),
        pipeline="orders",
        embedded=False,
        as_json=False,
        sleep=sleep,
        now=lambda: NOW,
    )


def failure(world: MergeWorld) -> CommandError:
    with pytest.raises(CommandError) as error:
        call(world)
    return error.value


def test_starts_one_run_and_waits_for_it(
    world: MergeWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    assert merge("--json") == 0
    name = "run-20261129T123000Z"
    assert world.states.started == [(name, {})]
    assert result(capsys) == {
        "run": name,
        "continues": None,
        "ranges": [],
        "status": "SUCCEEDED",
        "execution_arn": f"{EXECUTION}:{name}",
        "error": None,
        "next_step": None,
    }


def test_a_rebuild_merges_all_days(world: MergeWorld, capsys: pytest.CaptureFixture[str]) -> None:
    assert merge("--rebuild", "--max-gib", SMALL, "--json") == 0
    [(name, given)] = world.states.started
    assert (name, given["ranges"]) == ("rebuild-20261129T123000Z", INPUT)
    shown = result(capsys)
    assert (shown["ranges"], shown["next_step"]) == (RANGES, None)


def test_a_rebuild_names_the_next_step_while_the_view_reads_objects(
    world: MergeWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    world.pipeline = MergeWorld({"query": {"current_state_source": "objects"}}).pipeline
    assert merge("--rebuild", "--json") == 0
    assert result(capsys)["next_step"] == "switch-view"
    assert merge("--json") == 0
    assert result(capsys)["next_step"] is None


def test_a_dry_run_shows_the_ranges_and_starts_nothing(
    world: MergeWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    assert merge("--rebuild", "--max-gib", SMALL, "--dry-run", "--json") == 0
    assert world.states.started == []
    assert result(capsys)["ranges"] == RANGES
    assert merge("--rebuild", "--max-gib", SMALL, "--dry-run") == 0
    shown = capsys.readouterr().out
    assert all(each["first"] in shown for each in RANGES)
    command = ["streaming-etl", "merge", "orders", "--rebuild", "--max-gib", SMALL]
    assert shown.splitlines()[-1].split() == [*command, "--stack", "dev"]


def test_a_failed_rebuild_continues_with_the_same_command(
    world: MergeWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    world.states.fails_after = 1
    assert merge("--rebuild", "--max-gib", SMALL, "--json") == EXIT_FAILURE
    failed = result(capsys)
    assert (failed["status"], failed["error"]) == ("FAILED", "States.TaskFailed")

    # The time of the next command is another one.
    world.states.runs[0] |= {
        "name": "rebuild-20261129T080000Z",
        "executionArn": f"{EXECUTION}:rebuild-20261129T080000Z",
    }
    assert merge("--rebuild", "--max-gib", SMALL, "--json") == 0
    assert world.states.started[1][1]["ranges"] == INPUT[1:]
    continued = result(capsys)
    assert (continued["status"], continued["continues"]) == (
        "SUCCEEDED",
        "rebuild-20261129T080000Z",
    )


def test_the_error_of_a_failed_query_has_no_value_of_a_row(world: MergeWorld) -> None:
    reason = "HIVE_BAD_DATA: Malformed value 'secret'"
    status_ = {"State": "FAILED", "StateChangeReason": reason}
    world.states.cause = json.dumps({"QueryExecutionId": "id-1", "Status": status_})
    world.states.fails_after = 0
    error = failure(world)
    assert error.code == "merge-failed"
    assert error.details == {
        "runs": ["run-20261129T123000Z"],
        "errors": ["States.TaskFailed: HIVE_BAD_DATA (Athena query id-1)"],
    }
    assert "secret" not in error.message


def test_an_interrupted_watch_leaves_the_run(
    world: MergeWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        call(world, sleep=interrupt, rebuild=True)
    name = "rebuild-20261129T123000Z"
    command = f"stop-execution --execution-arn {EXECUTION}:{name} --region ap-northeast-1\n"
    assert command in capsys.readouterr().err
    assert world.states.runs[0]["status"] == "RUNNING"
    # The same command watches it.
    assert merge("--rebuild", "--json") == 0
    assert len(world.states.started) == 1
    assert result(capsys)["run"] == name


def test_two_commands_at_once_start_one_run(world: MergeWorld) -> None:
    world.states.add("run-20261129T123000Z", "SUCCEEDED")
    assert failure(world).code == "run-already-started"


def test_requires_a_merge_stage(world: MergeWorld) -> None:
    world.pipeline = MergeWorld(merge_state_machine_arn=None).pipeline
    assert merge() == EXIT_FAILURE
    with pytest.raises(CommandError) as error:
        _ = world.table
    assert (error.value.code, error.value.details["lake_tables"]) == (
        "merge-not-enabled",
        ["lake-table"],
    )


def test_merges_the_lake_tables_with_a_merge_stage(
    world: MergeWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    shop = deployed_shop()
    settings: dict[str, Any] = {**shop.settings["lake_tables"]}
    settings["orders"] = {**settings["orders"], "merge": {"enabled": True}}
    outputs = {**(shop.lake_tables or {})}
    outputs["orders"] = {**outputs["orders"], "merge_state_machine_arn": MACHINE}
    world.pipeline = deployed_shop({"lake_tables": settings}, lake_tables=outputs)

    assert merge("--json", pipeline="shop") == 0
    assert result(capsys, "orders")["status"] == "SUCCEEDED"
    world.states.runs.clear()
    assert merge("--lake-table", "orders", pipeline="shop") == 0
    assert len(world.states.started) == 2
    assert merge("--lake-table", "events", pipeline="shop") == EXIT_FAILURE
    assert merge("--lake-table", "carts", pipeline="shop") == EXIT_FAILURE


def test_the_next_step_of_the_status_reads_the_same_stack(
    world: MergeWorld,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    monkeypatch.setattr("sys.argv", ["pytest"])
    outputs, endpoint = tmp_path / "out puts.json", "http://127.0.0.1:4566/?a&b"
    outputs.write_text(json.dumps({"orders": world.pipeline.outputs}))
    monkeypatch.setattr(command, "open_stack", open_stack)
    world.states.add("rebuild-20261129T080000Z", "FAILED", hours_ago=5)
    options = ["--stack", "my dev", "--outputs", str(outputs), "--endpoint-url", endpoint]

    assert main(["merge", "orders", "--status", *options]) == EXIT_PARTIAL

    [step] = [line for line in capsys.readouterr().out.splitlines() if "Next step" in line]
    assert shlex.split(step.split("`")[1]) == [
        *("streaming-etl", "merge", "orders", *options, "--rebuild")
    ]


@pytest.mark.parametrize(
    "args", [["--status", "--rebuild"], ["--from", "yesterday"], ["--max-gib", "0"]]
)
def test_rejects_wrong_options(world: MergeWorld, args: list[str]) -> None:
    assert merge(*args) == EXIT_USAGE
    assert world.states.started == []


def test_shows_the_status_for_scripts(
    world: MergeWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    world.states.add("rebuild-20261129T080000Z", "SUCCEEDED", hours_ago=5)
    world.states.add("scheduled-1", "SUCCEEDED", hours_ago=1.5)
    world.states.add("scheduled-2", "FAILED", hours_ago=0.5)
    assert merge("--status", "--json") == EXIT_PARTIAL
    assert result(capsys) == {
        "last_success": "2026-11-29T11:00:00+00:00",
        "last_success_age_seconds": 5400,
        "failed_since": 1,
        "last_failure": {"run": "scheduled-2", "error": "States.TaskFailed"},
        "running": [],
        "window_hours": 50,
        "current_state_source": "merged",
        "first_day": "2026-10-01",
        "last_day": "2026-11-01",
        "next_step": "remove-cause",
    }
    assert world.states.started == []


def test_shows_a_run_in_progress_with_its_range(
    world: MergeWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    world.states.add("rebuild-20261129T080000Z", "RUNNING", {"ranges": INPUT}, done=1)
    world.states.describe_execution = world.states.run_of  # type: ignore[method-assign]
    assert merge("--status", "--json") == 0
    shown = result(capsys)
    assert shown["running"] == [
        {"run": "rebuild-20261129T080000Z", "ranges": 2, "ranges_done": 1, "range": INPUT[1]}
    ]
    assert shown["next_step"] is None
    assert merge("--status") == 0
    assert INPUT[1]["first"] in capsys.readouterr().out


REBUILT = ("rebuild-20261129T080000Z", "SUCCEEDED", 5)
TIME = "20261129T113000Z"
REPLAYED = ("replay-2026-10-01-20261129T103000Z", "FAILED", 2)
RECENT = ("scheduled-1", "SUCCEEDED", 1)


@pytest.mark.parametrize(
    ("runs", "settings", "created_days_ago", "step"),
    [
        ([], {}, 10, "first-run"),
        ([RECENT], {}, 10, "rebuild"),
        # The window before the state machine reaches the oldest day.
        ([RECENT], {}, 60, None),
        # Step Functions no longer has the runs of the first days.
        ([RECENT], {}, 91, None),
        ([REBUILT, RECENT], {}, 10, None),
        ([REBUILT], {}, 10, None),
        ([("from-2026-10-01-20261129T080000Z", "SUCCEEDED", 5)], {}, 10, None),
        ([("from-2026-10-02-20261129T080000Z", "SUCCEEDED", 5)], {}, 10, "rebuild"),
        ([("rebuild-20261129T080000Z", "FAILED", 5), RECENT], {}, 10, "continue-rebuild"),
        ([REBUILT, ("scheduled-1", "FAILED", 1)], {}, 10, "remove-cause"),
        # The schedule does not merge the days of a failed replay.
        ([REBUILT, REPLAYED, RECENT], {}, 10, "merge-days"),
        ([REPLAYED, ("rebuild-20261129T080000Z", "SUCCEEDED", 1)], {}, 10, None),
        ([REBUILT, REPLAYED, ("from-2026-10-01-1", "SUCCEEDED", 1)], {}, 10, "merge-days"),
        ([REBUILT, REPLAYED, (f"from-2026-10-01-{TIME}", "SUCCEEDED", 1)], {}, 10, None),
        ([REBUILT, REPLAYED, (f"from-2026-10-02-{TIME}", "SUCCEEDED", 1)], {}, 10, "merge-days"),
        ([("rebuild-20261129T080000Z", "SUCCEEDED", 7)], {}, 10, "check-schedule"),
        ([REBUILT, RECENT], {"query": {"current_state_source": "objects"}}, 10, "switch-view"),
        ([RECENT], {"query": {"current_state_source": "objects"}}, 10, "rebuild"),
        ([REBUILT], {"query": {"current_state": False}}, 10, None),
    ],
)
def test_the_status_has_the_next_step(
    runs: list[tuple[str, str, float]],
    settings: dict[str, Any],
    created_days_ago: int,
    step: str | None,
) -> None:
    world = MergeWorld(settings)
    world.log.add(*DAYS)
    world.states.created = NOW - status.timedelta(days=created_days_ago)
    for name, state, hours_ago in runs:
        world.states.add(name, state, hours_ago=hours_ago)
    found = status.status_of(world.table, "streaming-etl merge orders", NOW)
    assert (found.next_step.code if found.next_step else None) == step
    assert found.needs_attention == (step not in (None, "first-run", "switch-view"))
