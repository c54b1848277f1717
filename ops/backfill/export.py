"""The backfill of a large table: watch the run under way, take up a failed one, or start one."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Optional

from streaming_etl.components.settings.backfill import BackfillArgs
from streaming_etl.ops.backfill.export_plan import (
    ExportOptions,
    export_plan,
    is_of_before,
    left_by,
    require_backups,
    show_plan,
)
from streaming_etl.ops.backfill.export_result import report, stop_command, watch
from streaming_etl.ops.backfill.export_run import Run, Runs
from streaming_etl.ops.backfill.table import require_reading, source_table
from streaming_etl.stack import console as screen
from streaming_etl.stack.errors import CommandError
from streaming_etl.stack.outputs import Pipeline, Stack

POLL_SECONDS = 5.0
EMBEDDED_POLL_SECONDS = 0.2


def backfill_by_export(
    stack: Stack,
    name: str,
    options: ExportOptions,
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Bring the table's items into the lake by an export, as far as that is left; the exit code.

    Raises CommandError before anything is started when something would be amiss.
    """
    pipeline = stack.pipeline(name)
    runs = Runs(stack.clients, pipeline, state_machine_arn(stack, pipeline))
    run = runs.latest()
    if run is not None and run.status == "RUNNING":
        refuse_more(run, options)
        return follow(stack, name, runs, run, options, sleep)
    if run is not None and is_of_before(stack.clients, runs, run, pipeline.source_stream_arn):
        screen.say(f"{run.name} is of a time before the stream; all items are taken again.")
        options = replace(options, restart=True)
    if run is not None and run.status == "SUCCEEDED" and not options.restart:
        screen.say(f"This backfill is done ({run.name}). To take all items again, add --restart.")
        return report(name, run, runs, as_json=options.json)
    run = begin(stack, pipeline, runs, run, options)
    return 0 if run is None else follow(stack, name, runs, run, options, sleep)


def follow(
    stack: Stack,
    name: str,
    runs: Runs,
    run: Run,
    options: ExportOptions,
    sleep: Callable[[float], None],
) -> int:
    """Watch the run to its end and show what came of it."""
    every = POLL_SECONDS if stack.clients.endpoint is None else EMBEDDED_POLL_SECONDS
    ended = watch(runs, run, lambda: sleep(every))
    return report(name, ended, runs, as_json=options.json)


def state_machine_arn(stack: Stack, pipeline: Pipeline) -> str:
    """Raises CommandError when the pipeline has none."""
    arn = pipeline.outputs.get("backfill_state_machine_arn")
    if not arn:
        raise CommandError(
            f"The pipeline {pipeline.name} has no state machine for an export: give it `backfill: "
            f"{{enabled: true}}` in Pulumi.{stack.config.stack}.yaml, run `pulumi up`, then run "
            "this command again. Without --export the table is scanned."
        )
    return str(arn)


def refuse_more(run: Run, options: ExportOptions) -> None:
    """Raises CommandError when something other is asked for than to watch the run under way."""
    if options.restart:
        raise CommandError(
            f"{run.name} is under way. Watch it without --restart, or stop it first: "
            f"{stop_command(run)}"
        )
    if options.dry_run:
        raise CommandError(f"{run.name} is under way. Watch it without --dry-run.")


def begin(
    stack: Stack, pipeline: Pipeline, runs: Runs, last: Optional[Run], options: ExportOptions
) -> Optional[Run]:
    """Start a run over all items, or over what the last has left; None for a dry run."""
    require_reading(stack.clients, pipeline)
    table = source_table(stack.clients, pipeline)
    left = None if last is None or options.restart else left_by(stack.clients, runs, last)
    if left is None:
        require_backups(stack.clients, table)
    settings = stack.config.pipelines.get(pipeline.name)
    # A program of one's own may hold its settings elsewhere than in the stack's config.
    rate = (BackfillArgs() if settings is None else settings.backfill).kib_per_second
    show_plan(export_plan(pipeline.name, table, left, rate), options)
    if options.dry_run:
        return None
    number = (0 if last is None else last.number) + 1
    given: dict[str, Any] = {}
    if left is not None:
        given["export_arn"] = left.export_arn
        if left.files is not None:
            given["manifest"] = runs.write_list(number, left.files)
    return runs.start(number, given)
