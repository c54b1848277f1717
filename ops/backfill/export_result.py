"""A run over an export as it goes on, and what came of it."""

from collections.abc import Callable
from dataclasses import asdict, dataclass

import click

from streaming_etl.ops.backfill.export_run import Run, Runs
from streaming_etl.stack import console as screen
from streaming_etl.stack.errors import EXIT_PARTIAL, CommandError


def watch(runs: Runs, run: Run, pause: Callable[[], None]) -> Run:
    """Show how far the run is until it has ended; the run as it ended."""
    screen.say(f"{run.name} runs on AWS, with or without this command.")
    try:
        with screen.progress("Exporting", None, unit="files"):
            while run.status == "RUNNING" and runs.counts(run) is None:
                pause()
                run = runs.describe(run.arn)
        with screen.progress("Passing on", len(runs.files(run)), unit="files") as advance:
            shown = 0
            while run.status == "RUNNING":
                done = (runs.counts(run) or {}).get("succeeded", 0)
                advance(done - shown)
                shown = done
                pause()
                run = runs.describe(run.arn)
    except KeyboardInterrupt:
        screen.say(
            f"{run.name} goes on without this command; run it again to watch. To stop the run: "
            f"{stop_command(run)}"
        )
        raise
    return run


def stop_command(run: Run) -> str:
    return f"aws stepfunctions stop-execution --execution-arn {run.arn}"


@dataclass(frozen=True)
class ExportResult:
    """What came of a run."""

    pipeline: str
    run: str
    status: str
    """As Step Functions tells it: SUCCEEDED, FAILED, TIMED_OUT or ABORTED."""
    files: int
    files_passed: int
    items: int
    """Items that Firehose has accepted, from the files that are done."""
    dead_lettered: int
    """Lines of the export that lie below the errors location."""
    errors: dict[str, int]
    """Errors by which files failed, and how many did."""
    execution_arn: str


def report(pipeline: str, run: Run, runs: Runs, *, as_json: bool) -> int:
    """Show what came of the run; the exit code. Raises CommandError when no file was begun."""
    if run.status != "SUCCEEDED" and runs.counts(run) is None:
        export_arn = runs.export_arn(run)
        remedy = f" (aws dynamodb describe-export --export-arn {export_arn})" if export_arn else ""
        raise CommandError(
            f"{run.name} has ended as {run.status} before any file was passed on: {run.error}: "
            f"{run.cause}{remedy} Run this command again once that is mended."
        )
    results = runs.results(run)
    result = ExportResult(
        pipeline=pipeline,
        run=run.name,
        status=run.status,
        files=len(runs.files(run)),
        files_passed=len(results.passed),
        items=results.items,
        dead_lettered=results.dead_lettered,
        errors=results.errors,
        execution_arn=run.arn,
    )
    if as_json:
        screen.show_json(asdict(result))
    else:
        show(result)
    return 0 if run.status == "SUCCEEDED" and not result.dead_lettered else EXIT_PARTIAL


def show(result: ExportResult) -> None:
    """The result for people."""
    click.echo(
        f"{result.pipeline}: {result.items:,} items are on their way through Firehose, from "
        f"{result.files_passed:,} of {result.files:,} files of the export."
    )
    if result.dead_lettered:
        click.echo(
            f"{result.dead_lettered:,} lines of the export are no items that can be passed on; they "
            "lie whole in backfill-failed/ below the errors location."
        )
    if result.status != "SUCCEEDED":
        for error, count in sorted(result.errors.items()):
            click.echo(f"Failed by {error}: {count:,} files")
        click.echo(
            f"{result.run} has ended as {result.status}. Run this command again: it takes up the "
            "files that are left."
        )
