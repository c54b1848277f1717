"""The status on the screen."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Optional

import click

from streaming_etl.ops.status.collect import (
    FailureCount,
    LakeTableStatus,
    LastRun,
    PipelineStatus,
    StackStatus,
)
from streaming_etl.stack.console import Cell, counted, printable, show_table

HEAD = (
    "Pipeline",
    "Status",
    "Alarms",
    "Stream age",
    "Failed batches",
    "Changes today",
    "Lake table",
    "Lag p90",
    "Firehose age",
    "Error objects",
    "Records today",
    "Last delivery",
    "Merge or crawl",
)
NO_DATA = "-"


def render(status: StackStatus) -> None:
    """Print the status for people."""
    rows = [row for pipeline in status.pipelines for row in pipeline_rows(pipeline, status.read_at)]
    show_table(f"{status.stack} at {status.read_at:%Y-%m-%d %H:%M:%S} UTC", HEAD, rows)
    click.echo(f"\n{summary(status)}")
    for pipeline in status.pipelines:
        for each in pipeline.problems:
            title = f"{pipeline.name}.{each.lake_table}" if each.lake_table else pipeline.name
            see = f" See {each.see}." if each.see else ""
            click.echo(f"  {title}: {each.text}{see}")
            if each.command:
                click.echo(f"    {printable(each.command)}")


def summary(status: StackStatus) -> str:
    """Return the sentence below the table."""
    bad = sum(bool(pipeline.problems) for pipeline in status.pipelines)
    if not bad:
        return "Nothing needs attention."
    verb = "needs" if bad == 1 else "need"
    return f"{bad:,} of {counted(len(status.pipelines), 'pipeline')} {verb} attention:"


def pipeline_rows(pipeline: PipelineStatus, now: datetime) -> list[Sequence[Cell]]:
    """Return a row for each lake table, the first with the pipeline."""
    first: Sequence[Cell] = (
        pipeline.name,
        pipeline.state,
        alarm_cell(pipeline),
        seconds_cell(pipeline.iterator_age_seconds),
        failures_cell(pipeline.failed_batches),
        number_cell(pipeline.changes_today),
    )
    empty: Sequence[Cell] = ("",) * len(first)
    return [
        (*(empty if index else first), *lake_table_cells(table, now))
        for index, table in enumerate(pipeline.lake_tables.values())
    ]


def lake_table_cells(table: LakeTableStatus, now: datetime) -> Sequence[Cell]:
    return (
        table.title,
        seconds_cell(table.lag_seconds),
        seconds_cell(table.data_freshness_seconds),
        failures_cell(table.error_records),
        number_cell(table.records_today),
        ago_cell(table.last_delivery, now),
        run_cell(table.last_run, now),
    )


def alarm_cell(pipeline: PipelineStatus) -> str:
    if not pipeline.alarms:
        return "none"
    return f"{len(pipeline.in_alarm)} of {pipeline.alarms}"


def number_cell(number: Optional[int]) -> str:
    return NO_DATA if number is None else f"{number:,}"


def failures_cell(count: Optional[FailureCount]) -> str:
    if count is None:
        return "unknown"
    return f"{count.objects:,}{'' if count.complete else '+'}"


def seconds_cell(seconds: Optional[float]) -> str:
    return NO_DATA if seconds is None else duration(timedelta(seconds=seconds))


def ago_cell(time: Optional[datetime], now: datetime) -> str:
    return NO_DATA if time is None else f"{duration(now - time)} ago"


def run_cell(run: Optional[LastRun], now: datetime) -> str:
    """Return what became of the last run, and when."""
    if run is None:
        return NO_DATA
    if run.failed is not None:
        text = f"{run.kind} failed {ago_cell(run.failed, now)}"
    elif run.succeeded is not None:
        text = f"{run.kind} {ago_cell(run.succeeded, now)}"
    else:
        text = f"no {run.kind} yet"
    return f"{text}, running" if run.running else text


def duration(time: timedelta) -> str:
    """Return a time in its two largest units at most."""
    seconds = max(0, round(time.total_seconds()))
    if seconds < 120:
        return f"{seconds} s"
    minutes = seconds // 60
    if minutes < 120:
        return f"{minutes} min"
    hours = minutes // 60
    return f"{hours} h {minutes % 60} min" if hours < 48 else f"{hours // 24} days"
