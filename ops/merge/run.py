"""Starts merges and waits for them."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Optional

import click

from streaming_etl.ops.merge.lake_tables import MergedLakeTable
from streaming_etl.ops.merge.plan import MergeOptions, MergePlan, plan_of
from streaming_etl.ops.merge.ranges import GIB
from streaming_etl.ops.merge.runs import REBUILD, Run
from streaming_etl.ops.next_command import show_next_command
from streaming_etl.stack import console
from streaming_etl.stack.errors import CommandError

POLL_SECONDS = 5.0
EMBEDDED_POLL_SECONDS = 0.2

SWITCH_VIEW = (
    "The current state does not read the merged table yet: set `query.current_state_source: "
    "merged`, or remove it, and run `pulumi up`."
)


@dataclass(frozen=True)
class MergeResult:
    """Result of one lake table."""

    plan: MergePlan
    run: Run
    error: Optional[str]
    """Of a run that did not succeed."""

    @property
    def succeeded(self) -> bool:
        return self.run.status == "SUCCEEDED"

    @property
    def switch_view(self) -> bool:
        """Whether the current state can read the merged table from now on."""
        return self.succeeded and self.plan.table.can_switch and self.run.kind == REBUILD

    @property
    def as_json(self) -> dict[str, Any]:
        return {
            **plan_json(self.plan),
            "status": self.run.status,
            "execution_arn": self.run.arn,
            "error": self.error,
            "next_step": "switch-view" if self.switch_view else None,
        }


def plan_json(plan: MergePlan) -> dict[str, Any]:
    """Return a plan for scripts."""
    return {
        "run": plan.name,
        "continues": plan.continued.name if plan.continued else None,
        "ranges": [each.as_json for each in plan.ranges],
    }


def plan_lines(plan: MergePlan) -> list[str]:
    """Describe a plan for people."""
    title = plan.table.title
    if plan.running is not None:
        return [f"{title}: {plan.running.name} is running; this command watches it."]
    lines = []
    if plan.continued is not None:
        lines.append(
            f"{title}: continues {plan.continued.name}, which ended as {plan.continued.status}."
        )
    if plan.early_begin:
        lines.append(
            f"{title}: the merge begins with the first day of the change log. With ingestion-time "
            "prefixes, days before the window need the rows of all days before them."
        )
    if not plan.ranges:
        return [*lines, f"{title}: merges the window of the change log."]
    size = sum(each.size for each in plan.ranges)
    return [
        *lines,
        f"{title}: merges the window of the change log, and {plan.ranges[-1].first} to "
        f"{plan.ranges[0].last} in {console.counted(len(plan.ranges), 'range')}, "
        f"{size / GIB:,.2f} GiB.",
    ]


def merge_lake_tables(
    tables: Sequence[MergedLakeTable],
    options: MergeOptions,
    *,
    pipeline: str,
    embedded: bool,
    as_json: bool,
    sleep: Callable[[float], None] = time.sleep,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> None:
    """Merge the lake tables and print the results.

    Raises CommandError if one does not succeed.
    """
    plans = [plan_of(table, options, now()) for table in tables]
    if options.dry_run:
        show_plans(pipeline, plans, as_json=as_json)
        return
    for plan in plans:
        for line in plan_lines(plan):
            console.show_progress(line)
    started = [
        (plan, plan.running or plan.table.runs.start(plan.name, plan.run_input, now()))
        for plan in plans
    ]
    seconds = EMBEDDED_POLL_SECONDS if embedded else POLL_SECONDS
    results = watch(started, lambda: sleep(seconds))
    show_results(pipeline, results, as_json=as_json)
    raise_if_failed(results)


def raise_if_failed(results: Sequence[MergeResult]) -> None:
    """Raise CommandError if a run did not succeed."""
    failed = [each for each in results if not each.succeeded]
    if failed:
        reasons = "; ".join(
            f"{each.plan.table.title}: {each.run.name} ended as {each.run.status}"
            + (f" ({each.error})" if each.error else "")
            for each in failed
        )
        raise CommandError(
            f"{reasons}. Remove the cause, then run the same command again: it continues after the "
            "ranges that are merged. If a query is too large or too slow, add a smaller --max-gib.",
            code="merge-failed",
            runs=[each.run.name for each in failed],
            errors=[each.error for each in failed],
        )


def watch(started: Sequence[tuple[MergePlan, Run]], pause: Callable[[], None]) -> list[MergeResult]:
    """Show progress until all runs have ended."""
    results: dict[str, MergeResult] = {}
    done = dict.fromkeys((run.arn for _, run in started), 0)
    total = sum(len(plan.ranges) for plan, _ in started)
    try:
        with console.progress("Merging", total or None, unit="ranges") as advance:
            while True:
                for plan, run in started:
                    if run.arn in results:
                        continue
                    details = plan.table.runs.details(run)
                    merged = plan.table.runs.ranges_done(run, plan.ranges) if plan.ranges else 0
                    advance(merged - done[run.arn])
                    done[run.arn] = merged
                    if details.status != "RUNNING":
                        ended = Run(run.arn, run.name, details.status, run.started)
                        results[run.arn] = MergeResult(plan, ended, details.error)
                if len(results) == len(started):
                    return [*results.values()]
                pause()
    except KeyboardInterrupt:
        for _, run in started:
            if run.arn not in results:
                console.show_progress(
                    f"{run.name} continues without this command; run it again to watch. To stop "
                    f"the run: {run.stop_command}"
                )
        raise


def show_plans(pipeline: str, plans: Sequence[MergePlan], *, as_json: bool) -> None:
    """Print the result of a dry run."""
    if as_json:
        tables = {plan.table.key: plan_json(plan) for plan in plans}
        console.show_json({"pipeline": pipeline, "lake_tables": tables})
        return
    for plan in plans:
        for line in plan_lines(plan):
            click.echo(line)
        if plan.ranges:
            rows = [
                (each.first.isoformat(), each.last.isoformat(), round(each.size / GIB, 2))
                for each in plan.ranges
            ]
            console.show_table(f"\n{plan.table.title}", ["First day", "Last day", "GiB"], rows)
    show_next_command("Start the merge")


def show_results(pipeline: str, results: Sequence[MergeResult], *, as_json: bool) -> None:
    """Print the results."""
    if as_json:
        tables = {each.plan.table.key: each.as_json for each in results}
        console.show_json({"pipeline": pipeline, "lake_tables": tables})
        return
    for each in results:
        title = each.plan.table.title
        if each.succeeded:
            ranges = console.counted(len(each.plan.ranges), "range")
            more = f" and {ranges}" if each.plan.ranges else ""
            click.echo(f"{title}: {each.run.name} has merged the window{more}.")
        if each.switch_view:
            click.echo(f"{title}: {SWITCH_VIEW}")
