"""Messages of `streaming-etl merge`."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from unittest.mock import Mock

from botocore.exceptions import ClientError

from streaming_etl.ops.merge import run, status
from streaming_etl.ops.merge.command import iso_day
from streaming_etl.ops.merge.following import FollowingMerges
from streaming_etl.ops.merge.lake_tables import MergedLakeTable, merged_lake_tables
from streaming_etl.ops.merge.plan import MergeOptions, MergePlan, plan_of
from streaming_etl.ops.merge.ranges import GIB, DayRange
from streaming_etl.ops.merge.runs import MergeRuns, Run
from streaming_etl.ops.next_command import NextCommands
from streaming_etl.stack.outputs import DeployedPipeline, DeployedStack
from tools.messages.commands import OUTPUTS, PIPELINE, error_of, printed

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
RANGES = [
    DayRange(date(2026, 10, 16), date(2026, 11, 24), 4 * GIB),
    DayRange(date(2026, 9, 1), date(2026, 10, 15), 3 * GIB),
]
EXECUTIONS = "arn:aws:states:eu-west-1:1:execution:orders-merge"
REBUILD_NAME = "rebuild-20261123T090000Z"
REBUILD = Run(f"{EXECUTIONS}:{REBUILD_NAME}", REBUILD_NAME, "FAILED", NOW - timedelta(hours=3))
SCHEDULED = Run(f"{EXECUTIONS}:fb7a8d6e", "fb7a8d6e", "SUCCEEDED", NOW - timedelta(hours=1))
ERROR = "States.TaskFailed: ICEBERG_COMMIT_ERROR (Athena query fb7a8d6e)"
VALUES = {
    "command": "streaming-etl merge orders --stack dev",
    "interval": 60,
    "hours": 6,
    "first": date(2026, 9, 1),
    "run": REBUILD.name,
    "error": ERROR,
}


def messages() -> dict[str, str]:
    """Return every message by its code or name."""
    table = _table({})
    plan = MergePlan(table, RANGES, REBUILD.name)
    continued = replace(plan, ranges=RANGES[1:], continued=REBUILD)
    succeeded = run.MergeResult(plan, replace(REBUILD, status="SUCCEEDED"), None)
    running = Mock(all=lambda: [replace(REBUILD, status="RUNNING")])
    many = Mock(sizes=lambda _: {date(2020, 1, 1) + timedelta(days=n): GIB for n in range(600)})
    taken = Mock()
    taken.start_execution.side_effect = ClientError(
        {"Error": {"Code": "ExecutionAlreadyExists"}}, "StartExecution"
    )
    rebuild = MergeOptions(rebuild=True)
    over = replace(table, runs=running)
    large = replace(table, runs=Mock(all=lambda: []), log=many)
    return {
        "merge-not-enabled": error_of(merged_lake_tables, PIPELINE, Mock(), stack="dev"),
        "invalid-day": error_of(iso_day, "yesterday"),
        "from-with-rebuild": error_of(replace(rebuild, first=date(2026, 9, 1)).check),
        "start-over-without-ranges": error_of(MergeOptions(start_over=True).check),
        "merge-in-progress": error_of(plan_of, over, replace(rebuild, start_over=True), NOW),
        "too-many-ranges": error_of(plan_of, large, replace(rebuild, max_gib=1), NOW),
        "run-already-started": error_of(MergeRuns(taken, "arn").start, REBUILD.name, {}, NOW),
        "merge-not-started": error_of(_rejected_merges().start),
        "merge-failed": error_of(run.raise_if_failed, [run.MergeResult(plan, REBUILD, ERROR)]),
        "plan": "\n".join(run.plan_lines(plan)),
        "plan-continued": "\n".join(run.plan_lines(continued)),
        "plan-early-begin": "\n".join(run.plan_lines(replace(plan, early_begin=True))),
        "plan-running": "\n".join(run.plan_lines(replace(plan, running=REBUILD))),
        "plan-window": "\n".join(run.plan_lines(replace(plan, ranges=[]))),
        "dry-run": printed(run.show_plans, "orders", [plan], as_json=False),
        "result": printed(run.show_results, "orders", [succeeded], as_json=False),
        **{f"next-step-{code}": text.format(**VALUES) for code, text in status.NEXT_STEPS.items()},
        "status": printed(status.show_status, _status(table)),
        "status-running": printed(status.show_status, _status(table, is_running=True)),
    }


def _rejected_merges() -> FollowingMerges:
    error = ClientError({"Error": {"Code": "AccessDeniedException"}}, "ListObjectsV2")
    event = {"partitions": {"partition_time": "event"}}
    clients = Mock()
    clients.return_value.get_paginator.side_effect = error
    commands = NextCommands(DeployedStack("dev", {}), "orders")
    merges = FollowingMerges(
        _pipeline(event), clients, "replay", commands=commands, now=lambda: NOW
    )
    merges.add("lake-table", datetime(2026, 9, 1, tzinfo=UTC).timestamp())
    return merges


def _table(settings: dict[str, Any]) -> MergedLakeTable:
    clients: Callable[[str], Any] = Mock()
    [table] = merged_lake_tables(_pipeline(settings), clients, stack="dev")
    return table


def _pipeline(settings: dict[str, Any]) -> DeployedPipeline:
    merge = {"merge": {"enabled": True}, "query": {"current_state_source": "objects"}}
    outputs = {
        **OUTPUTS,
        "settings": {**OUTPUTS["settings"], **merge, **settings},
        "merge_state_machine_arn": "arn",
    }
    return DeployedPipeline.from_outputs("orders", outputs)


def _status(table: MergedLakeTable, *, is_running: bool = False) -> status.MergeStatus:
    progress = status.Progress(replace(REBUILD, status="RUNNING"), 1, RANGES)
    step = status.NextStep("switch-view", status.NEXT_STEPS["switch-view"])
    return status.MergeStatus(
        table=table,
        now=NOW,
        last_success=SCHEDULED,
        failed_since=0 if is_running else 1,
        last_failure=None if is_running else status.Failure(REBUILD, ERROR),
        running=[progress] if is_running else [],
        first_day=date(2026, 9, 1),
        last_day=date(2026, 11, 23),
        next_step=None if is_running else step,
    )
