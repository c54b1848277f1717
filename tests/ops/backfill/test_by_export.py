"""`streaming-etl backfill --export`: runs that it starts, continues and watches."""

import json
from datetime import datetime
from typing import Any

import pytest

from streaming_etl.ops.__main__ import main
from streaming_etl.ops.backfill import by_export
from streaming_etl.ops.backfill.by_export import ExportOptions, backfill_by_export
from streaming_etl.stack.errors import EXIT_PARTIAL, EXIT_USAGE, CommandError
from streaming_etl.stack.outputs import DeployedStack
from tests.support.backfill import FakeLambda
from tests.support.deployed import MAPPING, deployed_shop
from tests.support.export_runs import EXPORT, EXPORTED_AT, MANIFEST, PATH, STATES, STOPPED_AT, World

STACK = DeployedStack("dev", {})


def call(world: World, **options: Any) -> int:
    pauses: list[float] = []
    code = backfill_by_export(
        STACK, world.pipeline, world, ExportOptions(**options), sleep=pauses.append
    )
    assert set(pauses) <= {5.0}
    return code


def failure(world: World, **options: Any) -> CommandError:
    """The error of a call that starts no run."""
    with pytest.raises(CommandError) as error:
        call(world, **options)
    assert world.states.started == []
    return error.value


def result(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


def succeeded(run: str, **differing: Any) -> dict[str, Any]:
    """The result of a run in which all files succeeded."""
    return {
        "pipeline": "orders",
        "run": run,
        "status": "SUCCEEDED",
        "files": 3,
        "files_succeeded": 3,
        "items": 30,
        "lake_tables": {},
        "unmatched": 0,
        "dead_lettered": 0,
        "errors": {},
        "execution_arn": f"{STATES}:execution:orders-backfill:{run}",
        **differing,
    }


def test_the_first_call_starts_a_run_and_watches_it(capsys: pytest.CaptureFixture[str]) -> None:
    world = World()
    assert call(world, json=True) == 0
    assert world.states.started == [("run-1", {})]
    assert result(capsys) == succeeded("run-1")


def test_a_dry_run_reports_the_plan_and_starts_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    world = World()
    assert call(world, dry_run=True, json=True) == 0
    assert world.states.started == []
    assert result(capsys) == {
        "pipeline": "orders",
        "table": "orders",
        "lake_tables": [],
        "items": 1000,
        "bytes": 8_192_000,
        "files_left": None,
        "kib_per_second": 512,
        "seconds": 23,
    }


def test_watches_a_running_run_and_starts_no_other(capsys: pytest.CaptureFixture[str]) -> None:
    world = World()
    world.states.add("run-4", "RUNNING")
    assert call(world, json=True) == 0
    assert world.states.started == []
    assert result(capsys) == succeeded("run-4")


def test_two_simultaneous_calls_start_one_run() -> None:
    world = World()
    world.states.add("run-1", "SUCCEEDED")
    world.states.list_executions = lambda **_: {"executions": []}  # type: ignore[method-assign]
    error = failure(world)
    assert (error.code, error.details) == ("run-already-started", {"run": "run-1"})


def test_an_interrupted_watch_leaves_the_run_and_shows_how_to_stop_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    world = World()

    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        backfill_by_export(STACK, world.pipeline, world, ExportOptions(), sleep=interrupt)
    arn = f"{STATES}:execution:orders-backfill:run-1"
    assert f"--execution-arn {arn} --region ap-northeast-1\n" in capsys.readouterr().err
    assert world.states.runs[0]["status"] == "RUNNING"


def test_continues_with_the_files_that_a_failed_run_left(
    capsys: pytest.CaptureFixture[str],
) -> None:
    world = World()
    world.states.ends = ("FAILED", ["b"], ["a", "c"])
    assert call(world, json=True) == EXIT_PARTIAL
    counts = {"files_succeeded": 1, "items": 10, "errors": {"NoProgressError": 2}}
    assert result(capsys) == succeeded("run-1", status="FAILED", **counts)

    world.states.ends = ("SUCCEEDED", ["a", "c"], [])
    assert call(world, json=True) == 0

    run_input = {"export_arn": EXPORT, "manifest": f"{PATH}/lists/run-2.json"}
    assert world.states.started == [("run-1", {}), ("run-2", run_input)]
    listed = world.bucket.objects[f"{PATH}/lists/run-2.json"].decode()
    assert listed == f"{world.lines['a']}\n{world.lines['c']}\n"
    assert result(capsys) == succeeded("run-2", files=2, files_succeeded=2, items=20)


def test_continues_a_continued_run_with_the_files_of_that_run() -> None:
    world = World()
    world.bucket.objects[f"{PATH}/lists/run-2.json"] = f"{world.lines['a']}\n".encode()
    run_input = {"export_arn": EXPORT, "manifest": f"{PATH}/lists/run-2.json"}
    world.states.ended("run-2", "FAILED", [], ["a"], **run_input)
    world.states.ends = ("SUCCEEDED", ["a"], [])
    assert call(world) == 0
    third = {**run_input, "manifest": f"{PATH}/lists/run-3.json"}
    assert world.states.started == [("run-3", third)]
    assert world.bucket.objects[f"{PATH}/lists/run-3.json"].decode() == f"{world.lines['a']}\n"


def test_sends_all_files_again_where_a_run_wrote_no_results() -> None:
    world = World()
    world.states.ended("run-1", "ABORTED", ["a"], [])
    del world.bucket.objects[f"{PATH}/results/run-1-uuid/manifest.json"]
    world.states.ends = ("SUCCEEDED", ["a", "b", "c"], [])
    assert call(world) == 0
    listed = world.bucket.objects[f"{PATH}/lists/run-2.json"]
    assert listed == world.bucket.objects[MANIFEST]


@pytest.mark.parametrize(
    ("status", "run_input"), [("IN_PROGRESS", {"export_arn": EXPORT}), ("FAILED", {})]
)
def test_uses_an_export_in_progress_and_replaces_a_failed_one(
    status: str, run_input: dict[str, Any]
) -> None:
    world = World()
    world.states.ended("run-1", "ABORTED", [], [])
    world.dynamodb.status = status
    world.states.ends = ("SUCCEEDED", ["a", "b", "c"], [])
    assert call(world) == 0
    assert world.states.started == [("run-2", run_input)]


def test_a_call_after_success_reports_it_and_starts_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    world = World()
    world.states.ended("run-1", "SUCCEEDED", "abc", [])
    assert call(world, json=True) == 0
    assert world.states.started == []
    assert result(capsys) == succeeded("run-1")


class Merges:
    """Notes what a backfill reports."""

    def __init__(self, *lake_tables: str) -> None:
        self.lake_tables = frozenset(lake_tables)
        self.noted: list[tuple[str, float]] = []
        self.since: list[datetime | None] = []

    def add(self, lake_table: str, changed_at: float) -> None:
        self.noted.append((lake_table, changed_at))

    def start(self, unless_since: datetime | None = None) -> None:
        self.since.append(unless_since)


@pytest.mark.parametrize("times", [1, 2])
def test_a_merge_follows_a_run_and_a_call_after_its_end(
    monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    merges, world = Merges("lake-table"), World()
    monkeypatch.setattr(by_export, "FollowingMerges", lambda *_, **__: merges)
    for _ in range(times):
        assert call(world) == 0
    assert len(world.states.started) == 1
    assert merges.noted == [("lake-table", EXPORTED_AT.timestamp())] * times
    assert merges.since == [STOPPED_AT] * times


def test_a_merge_follows_for_the_lake_tables_of_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    merges, world = Merges("orders"), World(deployed_shop)
    monkeypatch.setattr(by_export, "FollowingMerges", lambda *_, **__: merges)
    assert call(world, lake_tables=["orders", "customers"]) == 0
    assert [name for name, _ in merges.noted] == ["customers", "orders"]
    # No lake table has a merge stage with event-time prefixes.
    none = Merges()
    monkeypatch.setattr(by_export, "FollowingMerges", lambda *_, **__: none)
    assert call(world, lake_tables=["orders", "customers"]) == 0
    assert (none.noted, none.since) == ([], [])


ALL = ["customers", "events", "orders"]


def test_fills_all_lake_tables_with_one_export(capsys: pytest.CaptureFixture[str]) -> None:
    world = World(deployed_shop)
    world.states.progress = {"unmatched": 1, "sent": {"orders": 7, "events": 10}}
    assert call(world, json=True) == 0
    assert world.states.started == [("run-1", {"lake_tables": ALL})]
    assert result(capsys) == succeeded(
        "run-1",
        pipeline="shop",
        unmatched=3,
        lake_tables={"orders": 21, "customers": 0, "events": 30},
    )


def test_fills_selected_lake_tables_only(capsys: pytest.CaptureFixture[str]) -> None:
    world = World(deployed_shop)
    chosen = ["orders", "customers"]
    assert call(world, lake_tables=chosen, json=True) == 0
    assert world.states.started == [("run-1", {"lake_tables": ["customers", "orders"]})]
    assert list(result(capsys)["lake_tables"]) == ["customers", "orders"]
    # In another order it is the same backfill.
    assert call(world, lake_tables=[*reversed(chosen)], json=True) == 0
    assert len(world.states.started) == 1


def test_the_plan_counts_an_item_for_each_lake_table_without_condition(
    capsys: pytest.CaptureFixture[str],
) -> None:
    everything = {key: {} for key in ("orders", "items")}
    tables = {
        key: {"transform_module": "m.py", "partitions": {}, **each}
        for key, each in everything.items()
    }
    outputs = {key: deployed_shop().outputs["lake_tables"]["orders"] for key in tables}
    settings = {"table_name": "orders", "lake_tables": tables}
    world = World(deployed_shop, settings=settings, lake_tables=outputs)
    assert call(world, dry_run=True, json=True) == 0
    planned = result(capsys)
    assert (planned["lake_tables"], planned["seconds"]) == (["items", "orders"], 45)
    assert call(world, dry_run=True, json=True, lake_tables=["items"]) == 0
    assert result(capsys)["seconds"] == 23


def test_rejects_unknown_lake_tables_before_a_run() -> None:
    assert failure(World(deployed_shop), lake_tables=["carts"]).code == "unknown-lake-table"
    assert failure(World(), lake_tables=["lake-table"]).code == "unknown-lake-table"


def test_the_backfills_of_different_lake_tables_are_independent(
    capsys: pytest.CaptureFixture[str],
) -> None:
    world = World(deployed_shop)
    world.states.ended("run-1", "FAILED", "a", "bc", lake_tables=["orders"])
    world.states.ended("run-2", "SUCCEEDED", "abc", "", lake_tables=["events"])

    # The files that the run for orders left.
    world.states.ends = ("SUCCEEDED", ["b", "c"], [])
    assert call(world, lake_tables=["orders"], json=True) == 0
    [(name, run_input)] = world.states.started
    assert (name, run_input["lake_tables"]) == ("run-3", ["orders"])
    listed = world.bucket.objects[run_input["manifest"]].decode()
    assert listed == f"{world.lines['b']}\n{world.lines['c']}\n"
    assert result(capsys)["run"] == "run-3"

    assert call(world, lake_tables=["events"], json=True) == 0
    assert result(capsys)["run"] == "run-2"
    assert len(world.states.started) == 1

    # A lake table without a run needs an export.
    world.states.ends = ("SUCCEEDED", ["a", "b", "c"], [])
    assert call(world, lake_tables=["customers"]) == 0
    assert world.states.started[1:] == [("run-4", {"lake_tables": ["customers"]})]


def test_a_run_before_the_pipeline_had_several_lake_tables_filled_none_of_them() -> None:
    world = World(deployed_shop)
    world.states.ended("run-1", "SUCCEEDED", "abc", "")
    assert call(world) == 0
    assert world.states.started == [("run-2", {"lake_tables": ALL})]


def test_a_running_run_for_other_lake_tables_is_an_error() -> None:
    world = World(deployed_shop)
    world.states.add("run-4", "RUNNING", {"lake_tables": ["orders"]})
    for options in ({}, {"lake_tables": ["orders", "events"]}, {"dry_run": True}):
        error = failure(world, **options)
        assert error.code == "other-lake-tables"
        assert error.details == {"run": "run-4", "lake_tables": ["orders"]}
    assert call(world, lake_tables=["orders"]) == 0


def test_finds_the_export_of_a_run_of_an_earlier_version() -> None:
    world = World()
    run = world.states.ended("run-1", "FAILED", "a", "bc")
    former = {"name": "Export", "output": json.dumps({"export_arn": EXPORT})}
    history = {"events": [{"stateExitedEventDetails": former}]}
    world.states.get_execution_history = lambda **_: history  # type: ignore[method-assign]
    assert run["status"] == "FAILED"
    world.states.ends = ("SUCCEEDED", ["b", "c"], [])
    assert call(world) == 0
    manifest = {"export_arn": EXPORT, "manifest": f"{PATH}/lists/run-2.json"}
    assert world.states.started == [("run-2", manifest)]


@pytest.mark.parametrize("status", ["SUCCEEDED", "FAILED"])
def test_restart_sends_all_items_again(status: str) -> None:
    world = World()
    world.states.ended("run-7", status, "ab", "c")
    world.states.ends = ("SUCCEEDED", ["a", "b", "c"], [])
    assert call(world, restart=True) == 0
    assert world.states.started == [("run-8", {})]


def test_ignores_an_export_older_than_the_stream() -> None:
    world = World()
    world.states.ended("run-1", "SUCCEEDED", "abc", [])
    # The stream was created at nine.
    world.dynamodb.exported_at = world.dynamodb.exported_at.replace(hour=8, minute=59)
    assert call(world) == 0
    assert world.states.started == [("run-2", {})]


def test_dead_lettered_lines_make_the_result_partial(capsys: pytest.CaptureFixture[str]) -> None:
    world = World()
    run = world.states.ended("run-1", "SUCCEEDED", "abc", [])
    key = f"{PATH}/results/{run['name']}-uuid/SUCCEEDED_0.json"
    world.bucket.objects[key] = world.bucket.objects[key].replace(
        b'\\"dead_lettered\\": 0', b'\\"dead_lettered\\": 2', 1
    )
    assert call(world, json=True) == EXIT_PARTIAL
    assert result(capsys) == succeeded("run-1", dead_lettered=2)


def test_a_run_that_failed_before_the_first_file_is_an_error() -> None:
    world = World()
    world.states.ended("run-1", "FAILED", [], [])
    world.states.runs[0] |= {"described": 1, "status": "RUNNING"}
    world.states.list_map_runs = lambda **_: {"mapRuns": []}  # type: ignore[method-assign]
    error = failure(world)
    assert error.code == "export-failed"
    assert error.details == {
        "run": "run-1",
        "status": "FAILED",
        "error": "States.ExceedToleratedFailureThreshold",
        "export_arn": EXPORT,
    }


def test_a_failed_run_without_remaining_files_is_an_error() -> None:
    world = World()
    world.states.ended("run-1", "FAILED", "abc", [])
    assert failure(world).code == "nothing-left"


@pytest.mark.parametrize("arn", [None, ""])
def test_requires_a_state_machine(arn: str | None) -> None:
    assert failure(World(backfill_state_machine_arn=arn)).code == "backfill-not-enabled"


def test_requires_point_in_time_recovery() -> None:
    world = World()
    world.dynamodb.backups = "DISABLED"
    error = failure(world)
    assert (error.code, error.details) == ("no-point-in-time-recovery", {"table": "orders"})


def test_requires_an_enabled_event_source_mapping() -> None:
    world = World()
    world.mappings = FakeLambda({MAPPING: "Disabled"})
    assert failure(world).code == "event-source-mapping-not-enabled"


@pytest.mark.parametrize("option", ["restart", "dry_run"])
def test_a_running_run_can_only_be_watched(option: str) -> None:
    world = World()
    world.states.add("run-4", "RUNNING")
    error = failure(world, **{option: True})
    assert error.code == "run-in-progress"
    assert error.details == {"run": "run-4", "option": f"--{option.replace('_', '-')}"}


@pytest.mark.parametrize(
    "option", ["--segments=2", "--read-units=5", "--kib-per-second=100", "--checkpoint=file"]
)
def test_options_of_the_scan_cannot_be_combined_with_export(option: str) -> None:
    assert main(["backfill", "orders", "--stack", "dev", "--export", option]) == EXIT_USAGE
