"""Backfill by an export: options, plan, runs and result."""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from math import ceil
from typing import Any, Optional

import click

from streaming_etl.handlers.wire.change_line import stream_created
from streaming_etl.ops.backfill.by_scan import (
    copies,
    duration,
    selection_line,
    show_lake_tables,
    show_plan,
)
from streaming_etl.ops.backfill.export_runs import ExportRuns, File, Run
from streaming_etl.ops.backfill.source_table import (
    SourceTable,
    require_stream_reader,
    source_table,
)
from streaming_etl.ops.firehose_writer import routes_to
from streaming_etl.ops.merge.following import FollowingMerges
from streaming_etl.ops.merge.runs import BACKFILL
from streaming_etl.ops.next_command import NextCommands
from streaming_etl.stack import console
from streaming_etl.stack.errors import EXIT_PARTIAL, CommandError
from streaming_etl.stack.outputs import DeployedPipeline, DeployedStack

POLL_SECONDS = 5.0
EMBEDDED_POLL_SECONDS = 0.2


@dataclass(frozen=True, kw_only=True)
class ExportOptions:
    """Command-line options."""

    lake_tables: Sequence[str] = ()
    """Empty for all."""
    restart: bool = False
    dry_run: bool = False
    json: bool = False


@dataclass(frozen=True)
class Remainder:
    """Remainder of an earlier run."""

    export_arn: str
    files: Optional[list[File]]
    """None for all files, while DynamoDB still exports."""


@dataclass(frozen=True)
class Work:
    """What a new run does."""

    lake_tables: list[str]
    """Empty for a pipeline with one lake table."""
    copies: int
    """Estimate of the lake tables that have an item."""
    number: int
    """N of `run-N`."""


@dataclass(frozen=True)
class ExportPlan:
    """Estimate of a run, from DynamoDB's counts."""

    pipeline: str
    table: str
    lake_tables: list[str]
    """Empty for a pipeline with one lake table."""
    items: int
    bytes: int
    files_left: Optional[int]
    """Of an earlier export; None for all files."""
    kib_per_second: int
    seconds: int
    """To send all items; the duration of an export is unknown."""

    def lines(self) -> list[str]:
        """Describe the plan for people."""
        size = (
            f"{self.table} has about {self.items:,} items, {self.bytes / 2**30:,.2f} GiB "
            "(DynamoDB updates these counts about every six hours)."
        )
        selection = [selection_line(self.lake_tables)] if self.lake_tables else []
        if self.files_left is not None:
            left = f"{self.files_left:,} files of its last export are left to send."
            return [size, left, *selection]
        return [
            size,
            "An export uses no read capacity and is billed by the table's size. Sending the items "
            f"with at most {self.kib_per_second:,} KiB per second takes about "
            f"{duration(self.seconds)}.",
            *selection,
        ]


@dataclass(frozen=True)
class ExportResult:
    """Result of a run."""

    pipeline: str
    run: str
    status: str
    """Step Functions' status: SUCCEEDED, FAILED, TIMED_OUT or ABORTED."""
    files: int
    files_succeeded: int
    items: int
    """Items that Firehose has accepted, of the files that succeeded."""
    lake_tables: dict[str, int]
    """Of these, the items of each lake table; empty for a pipeline with one."""
    unmatched: int
    """Items that none of the lake tables has."""
    dead_lettered: int
    """Lines of the export in the error prefix."""
    errors: dict[str, int]
    """Errors of failed files, with the number of files."""
    execution_arn: str


def backfill_by_export(
    stack: DeployedStack,
    pipeline: DeployedPipeline,
    clients: Callable[[str], Any],
    options: ExportOptions,
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Send the table's items by an export; return the exit code.

    An earlier run is watched or continued. Raises CommandError before a run starts when a
    precondition is not met.
    """
    routes = routes_to(pipeline, options.lake_tables)
    lake_tables = [route.name for route in routes] if pipeline.lake_tables else []
    runs = ExportRuns(clients, pipeline, state_machine_arn(stack.name, pipeline))
    latest = next(runs.all(), None)
    embedded = getattr(clients, "endpoint", None) is not None

    def merge_and_report(run: Run) -> int:
        merges = FollowingMerges(
            pipeline, clients, BACKFILL, commands=NextCommands(stack, pipeline.name)
        )
        merge_exported(merges, pipeline, runs, run)
        return report(pipeline.name, run, runs, as_json=options.json)

    def watch_and_report(run: Run) -> int:
        pause = EMBEDDED_POLL_SECONDS if embedded else POLL_SECONDS
        return merge_and_report(watch(runs, run, lambda: sleep(pause)))

    if latest is not None and latest.status == "RUNNING":
        require_only_watching(latest, lake_tables, options)
        return watch_and_report(latest)
    # The backfills of different lake tables are independent.
    last = next((run for run in runs.all() if run.lake_tables == lake_tables), None)
    if last is not None and is_older_than_stream(runs, last, pipeline.source_stream_arn):
        console.show_progress(f"{last.name} is older than the stream; all items are sent again.")
        options = replace(options, restart=True)
    if last is not None and last.status == "SUCCEEDED" and not options.restart:
        console.show_progress(
            f"This backfill is done ({last.name}). To send all items again, add --restart."
        )
        return merge_and_report(last)
    number = 1 if latest is None else latest.number + 1
    work = Work(lake_tables, copies(routes), number)
    started = start(pipeline, clients, runs, last, work, options)
    return 0 if started is None else watch_and_report(started)


def merge_exported(
    merges: FollowingMerges, pipeline: DeployedPipeline, runs: ExportRuns, run: Run
) -> None:
    """Start a merge of the export's day, unless the schedule reads it.

    With event-time prefixes the rows are below the day of the export, which may be weeks ago when
    a run continues. An earlier call may have started the merge.
    """
    export = runs.export(run) if merges.lake_tables else None
    if export is None or "ExportTime" not in export:
        return
    for key in run.lake_tables or pipeline.tables:
        merges.add(key, export["ExportTime"].timestamp())
    merges.start(unless_since=run.stopped)


def state_machine_arn(stack: str, pipeline: DeployedPipeline) -> str:
    """Return the pipeline's state machine; raises CommandError when it has none."""
    if not pipeline.backfill_state_machine_arn:
        message = (
            f"The pipeline {pipeline.name} has no state machine for an export. Set `backfill: "
            f"{{enabled: true}}` in the stack {stack}, run `pulumi up`, then run this command "
            "again. Without --export the table is scanned."
        )
        raise CommandError(message, code="backfill-not-enabled", pipeline=pipeline.name)
    return pipeline.backfill_state_machine_arn


def require_only_watching(run: Run, lake_tables: Sequence[str], options: ExportOptions) -> None:
    """Raise CommandError for options other than watching the current run."""
    if run.lake_tables != lake_tables:
        message = (
            f"{run.name} is running for the lake tables {', '.join(run.lake_tables) or 'all'}. Two "
            "runs would exceed the rate. Wait until it ends, or watch it with the same "
            f"--lake-table options, or stop it first: {run.stop_command}"
        )
        raise CommandError(
            message, code="other-lake-tables", run=run.name, lake_tables=run.lake_tables
        )
    for option, is_set in (("--restart", options.restart), ("--dry-run", options.dry_run)):
        if is_set:
            message = (
                f"{run.name} is running. Watch it without {option}, or stop it first: "
                f"{run.stop_command}"
            )
            raise CommandError(message, code="run-in-progress", run=run.name, option=option)


def is_older_than_stream(runs: ExportRuns, run: Run, stream_arn: str) -> bool:
    """Return whether the run's export is older than the stream.

    Changes between the two are in neither: the table or its stream was created again.
    """
    export = runs.export(run)
    if export is None:
        return False
    exported: datetime = export.get("ExportTime", export["StartTime"])
    return exported < stream_created(stream_arn)


def start(
    pipeline: DeployedPipeline,
    clients: Callable[[str], Any],
    runs: ExportRuns,
    last: Optional[Run],
    work: Work,
    options: ExportOptions,
) -> Optional[Run]:
    """Start a run over all items or the last run's remainder.

    last: the last run for the same lake tables.
    """
    require_stream_reader(clients, pipeline)
    table = source_table(clients, pipeline)
    remainder = None if last is None or options.restart else remainder_of(runs, last)
    if remainder is None:
        runs.require_backups(table)
    plan = export_plan(pipeline.name, table, remainder, pipeline.args.backfill.kib_per_second, work)
    show_plan(plan, plan.lines(), dry_run=options.dry_run, as_json=options.json)
    if options.dry_run:
        return None
    run_input: dict[str, Any] = {"lake_tables": work.lake_tables} if work.lake_tables else {}
    if remainder is not None:
        run_input["export_arn"] = remainder.export_arn
        if remainder.files is not None:
            run_input["manifest"] = runs.write_list(work.number, remainder.files)
    return runs.start(work.number, run_input)


def remainder_of(runs: ExportRuns, failed: Run) -> Optional[Remainder]:
    """Return the remainder of a failed run.

    None when it has no usable export. Raises CommandError when all its files have succeeded.
    """
    export = runs.export(failed)
    if export is None or export["ExportStatus"] == "FAILED":
        return None
    export_arn = str(runs.export_arn(failed))
    if export["ExportStatus"] == "IN_PROGRESS":
        return Remainder(export_arn, None)
    succeeded = runs.results(failed).succeeded
    files = [file for file in runs.files(failed) if file.key not in succeeded]
    if not files:
        raise CommandError(
            f"{failed.name} ended as {failed.status}, but all files of its export are sent: "
            f"{failed.error}: {failed.cause} To send all items again, add --restart.",
            code="nothing-left",
            run=failed.name,
            status=failed.status,
            error=failed.error,
        )
    return Remainder(export_arn, files)


def export_plan(
    pipeline: str,
    table: SourceTable,
    remainder: Optional[Remainder],
    kib_per_second: int,
    work: Work,
) -> ExportPlan:
    files = None if remainder is None else remainder.files
    return ExportPlan(
        pipeline=pipeline,
        table=table.name,
        lake_tables=work.lake_tables,
        items=table.items,
        bytes=table.size,
        files_left=None if files is None else len(files),
        kib_per_second=kib_per_second,
        seconds=ceil(table.kib_of_changes * work.copies / kib_per_second),
    )


def watch(runs: ExportRuns, run: Run, pause: Callable[[], None]) -> Run:
    """Show progress until the run ends; return its final state."""
    console.show_progress(f"{run.name} runs on AWS, also after this command ends.")
    try:
        with console.progress("Exporting", None, unit="files"):
            while run.status == "RUNNING" and runs.succeeded(run) is None:
                pause()
                run = runs.describe(run.arn)
        with console.progress("Sending", len(runs.files(run)), unit="files") as advance:
            shown = 0
            while run.status == "RUNNING":
                succeeded = runs.succeeded(run) or 0
                advance(succeeded - shown)
                shown = succeeded
                pause()
                run = runs.describe(run.arn)
    except KeyboardInterrupt:
        console.show_progress(
            f"{run.name} continues without this command; run it again to watch. To stop the run: "
            f"{run.stop_command}"
        )
        raise
    return run


def report(pipeline: str, run: Run, runs: ExportRuns, *, as_json: bool) -> int:
    """Print the result; return the exit code.

    Raises CommandError when no file was started.
    """
    if run.status != "SUCCEEDED" and runs.succeeded(run) is None:
        export_arn = runs.export_arn(run)
        hint = f" See aws dynamodb describe-export --export-arn {export_arn}." if export_arn else ""
        raise CommandError(
            f"{run.name} ended as {run.status} before the first file: {run.error}: {run.cause}"
            f"{hint} Remove the cause, then run this command again.",
            code="export-failed",
            run=run.name,
            status=run.status,
            error=run.error,
            export_arn=export_arn,
        )
    results = runs.results(run)
    result = ExportResult(
        pipeline=pipeline,
        run=run.name,
        status=run.status,
        files=len(runs.files(run)),
        files_succeeded=len(results.succeeded),
        items=results.items,
        lake_tables={name: results.sent[name] for name in run.lake_tables},
        unmatched=results.unmatched,
        dead_lettered=results.dead_lettered,
        errors=results.errors or {},
        execution_arn=run.arn,
    )
    if as_json:
        console.show_json(asdict(result))
    else:
        render(result)
    return 0 if run.status == "SUCCEEDED" and not result.dead_lettered else EXIT_PARTIAL


def render(result: ExportResult) -> None:
    """Print the result for people."""
    click.echo(
        f"{result.pipeline}: Firehose accepted {console.counted(result.items, 'item')}, from "
        f"{result.files_succeeded:,} of {console.counted(result.files, 'file')} of the export."
    )
    show_lake_tables(result.lake_tables, result.unmatched)
    if result.dead_lettered:
        click.echo(
            f"{result.dead_lettered:,} lines of the export cannot be sent; they are dead-lettered "
            "below the output `backfill_errors_location`."
        )
    if result.status != "SUCCEEDED":
        for error, count in sorted(result.errors.items()):
            click.echo(f"Failed with {error}: {console.counted(count, 'file')}")
        click.echo(
            f"{result.run} ended as {result.status}. Run this command again to send the remaining "
            "files."
        )
