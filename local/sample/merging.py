"""Merge the sample's change log, expire it, and compare the current state."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

from local.emulator.crawl import list_objects
from local.sample.lake import Lake
from local.sample.run import PipelineRun
from streaming_etl.stack.clients import Clients
from streaming_etl.stack.errors import CommandError

MERGE_SECONDS = 60.0
POLL_SECONDS = 0.1


@dataclass(frozen=True)
class MergeState:
    """A lake table and its merged table at one moment."""

    moment: str
    log_rows: int
    merged_rows: int
    tombstones: int
    """Merged rows of deleted items."""
    items: int
    """Rows of the current state."""
    different_ids: list[str]
    """Items in which the current state differs from the source table."""


@dataclass(frozen=True)
class MergeReport:
    """States of a lake table before and after its merge."""

    name: str
    states: list[MergeState]

    @property
    def problems(self) -> dict[tuple[str, str], str]:
        """Deviations from the source table: name and code to sentence."""
        return {
            (self.name, f"merge-{number}"): (
                f"{self.name}, {state.moment}: source table and current state differ in "
                f"{', '.join(state.different_ids[:5])}."
            )
            for number, state in enumerate(self.states)
            if state.different_ids
        }


def merge_reports(runs: list[PipelineRun]) -> Iterator[MergeReport]:
    """Merge each lake table with a merged table, then delete its log."""
    for run in runs:
        for lake in run.lakes:
            if arn := lake.table.merge_state_machine_arn:
                states = [merge_state(run, lake, "before the merge")]
                merge(run.clients, arn)
                states.append(merge_state(run, lake, "after the merge"))
                expire(run.clients, lake)
                states.append(merge_state(run, lake, "after the log expired"))
                yield MergeReport(lake.name, states)


def merge(clients: Clients, state_machine_arn: str) -> None:
    """Run a merge to its end; raises CommandError when it fails."""
    states = clients("stepfunctions")
    execution = states.start_execution(stateMachineArn=state_machine_arn, input="{}")
    deadline = time.monotonic() + MERGE_SECONDS
    while True:
        run = states.describe_execution(executionArn=execution["executionArn"])
        if run["status"] == "SUCCEEDED":
            return
        if run["status"] != "RUNNING" or time.monotonic() > deadline:
            reason = run.get("cause", f"{run['status']} after {MERGE_SECONDS:.0f} s")
            raise CommandError(f"The merge failed: {reason}", code="merge-failed", reason=reason)
        time.sleep(POLL_SECONDS)


def expire(clients: Clients, lake: Lake) -> None:
    """Delete all objects of the change log, as a lifecycle rule does."""
    s3, bucket = clients("s3"), lake.pipeline.bucket
    for key in list_objects(clients, lake.location()):
        s3.delete_object(Bucket=bucket, Key=key)


def merge_state(run: PipelineRun, lake: Lake, moment: str) -> MergeState:
    """Count the rows, and compare the current state with the source table."""
    merged = f'"{lake.pipeline.database}"."{lake.table.merged_table}"'
    tombstones = f"""SELECT count(*) AS "rows" FROM {merged} WHERE "_op" = 'REMOVE'"""
    different_ids, rows = run.compare(lake)
    return MergeState(
        moment=moment,
        log_rows=count(lake, f'SELECT count(*) AS "rows" FROM {lake.sql_name}'),
        merged_rows=count(lake, f'SELECT count(*) AS "rows" FROM {merged}'),
        tombstones=count(lake, tombstones),
        items=len(rows),
        different_ids=different_ids,
    )


def count(lake: Lake, sql: str) -> int:
    return int(lake.query(sql).rows[0]["rows"] or 0)
