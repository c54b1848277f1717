"""`streaming-etl backfill --export`: what it starts, what it takes up, and what it tells."""

import json
from typing import Any

import pytest
from click.testing import CliRunner

from streaming_etl.ops.__main__ import commands
from streaming_etl.ops.backfill.export import backfill_by_export
from streaming_etl.ops.backfill.export_plan import ExportOptions
from streaming_etl.stack.errors import EXIT_PARTIAL, CommandError
from tests.ops.backfill_export_fakes import (
    EXPORT,
    MANIFEST,
    MAPPING,
    PATH,
    STATES,
    World,
)
from tests.ops.backfill_fakes import FakeLambda

STOP = f"aws stepfunctions stop-execution --execution-arn {STATES}:execution:orders-backfill:"


def call(world: World, **options: bool) -> int:
    pauses: list[float] = []
    code = backfill_by_export(world.stack, "orders", ExportOptions(**options), sleep=pauses.append)
    assert set(pauses) <= {5.0}
    return code


def refusal(world: World, **options: bool) -> str:
    """The whole message of a call that starts nothing."""
    with pytest.raises(CommandError) as refused:
        call(world, **options)
    assert world.states.started == []
    return refused.value.message


def result(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


def told(run: str, **differing: Any) -> dict[str, Any]:
    """The result of a run that took all there was to take."""
    return {
        "pipeline": "orders",
        "run": run,
        "status": "SUCCEEDED",
        "files": 3,
        "files_passed": 3,
        "items": 30,
        "dead_lettered": 0,
        "errors": {},
        "execution_arn": f"{STATES}:execution:orders-backfill:{run}",
        **differing,
    }


def test_the_first_call_exports_the_table_and_watches_until_all_is_passed_on(
    capsys: pytest.CaptureFixture[str],
) -> None:
    world = World()

    assert call(world) == 0

    assert world.states.started == [("run-1", {})]
    shown = capsys.readouterr()
    assert shown.out == (
        "orders: 30 items are on their way through Firehose, from 3 of 3 files of the export.\n"
    )
    assert shown.err == (
        "orders has about 1,000 items, 0.01 GiB, as DynamoDB last counted them; it does so about"
        " every six hours.\n"
        "An export takes no read capacity and is billed by the table's size. The items go to"
        " Firehose at no more than 512 KiB a second: about 23 s.\n"
        "run-1 runs on AWS, with or without this command.\n"
    )


def test_the_result_is_one_json_document_on_request(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(World(), json=True) == 0
    assert result(capsys) == told("run-1")


def test_a_dry_run_starts_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    world = World()
    assert call(world, dry_run=True, json=True) == 0
    assert world.states.started == []
    assert result(capsys) == {
        "pipeline": "orders",
        "table": "orders",
        "items": 1000,
        "bytes": 8_192_000,
        "files_left": None,
        "kib_per_second": 512,
        "seconds": 23,
    }


def test_a_run_under_way_is_watched_and_no_second_one_is_started(
    capsys: pytest.CaptureFixture[str],
) -> None:
    world = World()
    world.states.add("run-4", "RUNNING")
    assert call(world, json=True) == 0
    assert world.states.started == []
    assert result(capsys) == told("run-4")


def test_two_calls_at_one_time_make_one_run() -> None:
    world = World()
    world.states.add("run-1", "SUCCEEDED")
    world.states.list_executions = lambda **_: {"executions": []}  # type: ignore[method-assign]
    with pytest.raises(CommandError, match="Somebody else has started run-1 just now"):
        call(world)


def test_interrupting_the_watch_leaves_the_run_and_says_so(
    capsys: pytest.CaptureFixture[str],
) -> None:
    world = World()

    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        backfill_by_export(world.stack, "orders", ExportOptions(), sleep=interrupt)
    [line] = [line for line in capsys.readouterr().err.splitlines() if "goes on" in line]
    assert line == (
        f"run-1 goes on without this command; run it again to watch. To stop the run: {STOP}run-1"
    )
    assert world.states.runs[0]["status"] == "RUNNING"


def test_what_a_failed_run_has_left_is_taken_up_by_the_same_command(
    capsys: pytest.CaptureFixture[str],
) -> None:
    world = World()
    world.states.ends = ("FAILED", ["b"], ["a", "c"])
    assert call(world) == EXIT_PARTIAL
    assert capsys.readouterr().out == (
        "orders: 10 items are on their way through Firehose, from 1 of 3 files of the export.\n"
        "Failed by NoProgressError: 2 files\n"
        "run-1 has ended as FAILED. Run this command again: it takes up the files that are left.\n"
    )

    world.states.ends = ("SUCCEEDED", ["a", "c"], [])
    assert call(world, json=True) == 0

    given = {"export_arn": EXPORT, "manifest": f"{PATH}/lists/run-2.json"}
    assert world.states.started == [("run-1", {}), ("run-2", given)]
    listed = world.bucket.objects[f"{PATH}/lists/run-2.json"].decode()
    assert listed == f"{world.lines['a']}\n{world.lines['c']}\n"
    assert result(capsys) == told("run-2", files=2, files_passed=2, items=20)


def test_a_run_that_took_up_some_files_leaves_only_those_of_its_own() -> None:
    world = World()
    world.bucket.objects[f"{PATH}/lists/run-2.json"] = f"{world.lines['a']}\n".encode()
    given = {"export_arn": EXPORT, "manifest": f"{PATH}/lists/run-2.json"}
    world.states.ended("run-2", "FAILED", [], ["a"], **given)
    world.states.ends = ("SUCCEEDED", ["a"], [])
    assert call(world) == 0
    assert world.states.started == [("run-3", {**given, "manifest": f"{PATH}/lists/run-3.json"})]
    assert world.bucket.objects[f"{PATH}/lists/run-3.json"].decode() == f"{world.lines['a']}\n"


def test_a_run_without_results_is_taken_up_whole() -> None:
    world = World()
    world.states.ended("run-1", "ABORTED", ["a"], [])
    del world.bucket.objects[f"{PATH}/results/run-1-uuid/manifest.json"]
    world.states.ends = ("SUCCEEDED", ["a", "b", "c"], [])
    assert call(world) == 0
    listed = world.bucket.objects[f"{PATH}/lists/run-2.json"]
    assert listed == world.bucket.objects[MANIFEST]


def test_an_export_still_under_way_is_waited_for_rather_than_made_again() -> None:
    world = World()
    world.states.ended("run-1", "ABORTED", [], [])
    world.dynamodb.status = "IN_PROGRESS"
    world.states.ends = ("SUCCEEDED", ["a", "b", "c"], [])
    assert call(world) == 0
    assert world.states.started == [("run-2", {"export_arn": EXPORT})]


def test_an_export_that_failed_is_made_again() -> None:
    world = World()
    world.states.ended("run-1", "FAILED", [], [])
    world.dynamodb.status = "FAILED"
    world.states.ends = ("SUCCEEDED", ["a", "b", "c"], [])
    assert call(world) == 0
    assert world.states.started == [("run-2", {})]


def test_when_all_is_passed_on_a_second_call_says_so_and_starts_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    world = World()
    world.states.ended("run-1", "SUCCEEDED", "abc", [])
    assert call(world, json=True) == 0
    assert world.states.started == []
    shown = capsys.readouterr()
    assert shown.err == ("This backfill is done (run-1). To take all items again, add --restart.\n")
    assert json.loads(shown.out) == told("run-1")


@pytest.mark.parametrize("status", ["SUCCEEDED", "FAILED"])
def test_restart_takes_all_items_again(status: str) -> None:
    world = World()
    world.states.ended("run-7", status, "ab", "c")
    world.states.ends = ("SUCCEEDED", ["a", "b", "c"], [])
    assert call(world, restart=True) == 0
    assert world.states.started == [("run-8", {})]


def test_an_export_of_before_the_stream_counts_for_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    world = World()
    world.states.ended("run-1", "SUCCEEDED", "abc", [])
    # The stream tells of changes since nine.
    world.dynamodb.exported_at = world.dynamodb.exported_at.replace(hour=8, minute=59)
    assert call(world) == 0
    assert world.states.started == [("run-2", {})]
    assert capsys.readouterr().err.startswith(
        "run-1 is of a time before the stream; all items are taken again.\n"
    )


def test_lines_that_were_set_aside_need_a_look(capsys: pytest.CaptureFixture[str]) -> None:
    world = World()
    run = world.states.ended("run-1", "SUCCEEDED", "abc", [])
    key = f"{PATH}/results/{run['name']}-uuid/SUCCEEDED_0.json"
    world.bucket.objects[key] = world.bucket.objects[key].replace(
        b'\\"dead_lettered\\": 0', b'\\"dead_lettered\\": 2', 1
    )
    assert call(world) == EXIT_PARTIAL
    assert capsys.readouterr().out.splitlines()[1] == (
        "2 lines of the export are no items that can be passed on; they lie whole in"
        " backfill-failed/ below the errors location."
    )


def test_a_run_that_failed_before_any_file_is_an_error_with_its_reason() -> None:
    world = World()
    world.states.ended("run-1", "FAILED", [], [])
    world.states.runs[0]["described"] = 1

    def nothing(**_: Any) -> dict[str, Any]:
        return {"mapRuns": []}

    world.states.list_map_runs = nothing  # type: ignore[method-assign]
    world.states.runs[0]["status"] = "RUNNING"
    with pytest.raises(CommandError) as refused:
        call(world)
    assert refused.value.message == (
        "run-1 has ended as FAILED before any file was passed on:"
        " States.ExceedToleratedFailureThreshold: Too many. (aws dynamodb describe-export"
        f" --export-arn {EXPORT}) Run this command again once that is mended."
    )


@pytest.mark.parametrize("arn", [None, ""])
def test_a_pipeline_without_a_state_machine_is_refused(arn: str | None) -> None:
    assert refusal(World(backfill_state_machine_arn=arn)) == (
        "The pipeline orders has no state machine for an export: give it `backfill: {enabled:"
        " true}` in Pulumi.dev.yaml, run `pulumi up`, then run this command again. Without"
        " --export the table is scanned."
    )


def test_a_table_without_point_in_time_recovery_is_refused() -> None:
    world = World()
    world.dynamodb.backups = "DISABLED"
    assert refusal(world) == (
        "orders has no point-in-time recovery, from which DynamoDB exports a table. Switch it on"
        " (aws dynamodb update-continuous-backups --table-name orders"
        " --point-in-time-recovery-specification PointInTimeRecoveryEnabled=true), then run this"
        " command again. Without --export the table is scanned."
    )


def test_a_stream_that_nobody_reads_is_refused() -> None:
    world = World()
    world.mappings = FakeLambda({MAPPING: "Disabled"})
    assert refusal(world).startswith("The event source mapping of orders is Disabled, not Enabled")


def test_a_restart_of_a_run_under_way_is_refused() -> None:
    world = World()
    world.states.add("run-4", "RUNNING")
    assert refusal(world, restart=True) == (
        f"run-4 is under way. Watch it without --restart, or stop it first: {STOP}run-4"
    )
    assert refusal(world, dry_run=True) == "run-4 is under way. Watch it without --dry-run."


@pytest.mark.parametrize(
    "option",
    ["--segments=2", "--read-units=5", "--kib-per-second=100", "--checkpoint=file"],
)
def test_an_option_of_the_scan_does_not_go_with_an_export(option: str) -> None:
    arguments = ["backfill", "orders", "--stack", "dev", "--export", option]
    answer = CliRunner().invoke(commands, arguments)
    name = option.partition("=")[0]
    assert answer.exit_code == 2
    assert answer.output.splitlines()[-1] == (
        f"Error: {name} goes with a scan, not with --export, whose pace is the pipeline's setting"
        " `backfill`; leave it out."
    )
