"""Result of a replay: counts and problems, without content of a change."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import click

from streaming_etl.ops.replay.entries import OTHER_PIPELINE, Problem
from streaming_etl.stack.console import counted, show_table

SHOWN_PROBLEMS = 20


@dataclass(frozen=True)
class EntryProblem:
    """An entry that cannot be replayed; its object stays."""

    key: str
    entry: int
    """Its number in the object, from 1."""
    problem: Problem


@dataclass
class Report:
    """Counts of one run, or of what a dry run would do."""

    pipeline: str
    dry_run: bool
    objects: int = 0
    size: int = 0
    objects_replayed: int = 0
    skipped: list[str] = field(default_factory=list)
    """Keys of objects of other pipelines, in no other count; they are not changed."""
    changes: int = 0
    """Changes sent to Firehose."""
    from_stream: int = 0
    """Of these, recovered from the table's stream."""
    from_table: int = 0
    """Of these, recovered from the table, with the item's present attributes."""
    without_old_image: int = 0
    """Of these, without an old image that `old_image` requires."""
    filtered: int = 0
    """Changes in failed batches that `event_names` excludes; they are not sent."""
    deleted_since: int = 0
    """Rows of items that are deleted by now, which need no replay."""
    by_error: Counter[str] = field(default_factory=Counter)
    """All entries that are not replayed yet, by AWS's error code."""
    by_day: Counter[str] = field(default_factory=Counter)
    """Objects by the UTC day when they were written."""
    problems: list[EntryProblem] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Return the result for scripts."""
        return {
            "pipeline": self.pipeline,
            "dry_run": self.dry_run,
            "objects": {
                "matched": self.objects,
                "bytes": self.size,
                "replayed": self.objects_replayed,
                "skipped": len(self.skipped),
                "by_day": dict(sorted(self.by_day.items())),
            },
            "entries_by_error": dict(sorted(self.by_error.items())),
            "changes": {
                "sent": self.changes,
                "from_stream": self.from_stream,
                "from_table": self.from_table,
                "without_old_image": self.without_old_image,
                "filtered": self.filtered,
                "deleted_since": self.deleted_since,
            },
            "skipped": [{"key": key, "code": OTHER_PIPELINE.code} for key in self.skipped],
            "problems": [
                {
                    "key": each.key,
                    "entry": each.entry,
                    "code": each.problem.code,
                    "reason": each.problem.reason,
                }
                for each in self.problems
            ],
        }


def render(report: Report) -> None:
    """Print the result for people."""
    if report.objects:
        days, codes = sorted(report.by_day.items()), sorted(report.by_error.items())
        show_table("Objects by day", ["Day (UTC)", "Objects"], days)
        show_table("\nEntries by error", ["Error", "Entries"], codes)
    if report.problems:
        rows = [
            (each.key, each.entry, each.problem.reason) for each in report.problems[:SHOWN_PROBLEMS]
        ]
        show_table("\nNot replayed", ["Object", "Entry", "Reason"], rows)
        if more := len(report.problems) - len(rows):
            click.echo(f"... and {more:,} more; --json lists all.")
    sent, moved = ("To send", "to move") if report.dry_run else ("Sent", "moved")
    click.echo(
        f"\n{sent} again: {counted(report.changes, 'change')}; {moved} below replayed/: "
        f"{report.objects_replayed:,} of {counted(report.objects, 'object')}."
    )
    if report.skipped:
        click.echo(
            f"{counted(len(report.skipped), 'object')} skipped: {OTHER_PIPELINE.reason}. --json "
            "lists them."
        )
    if report.filtered:
        click.echo(
            f"{counted(report.filtered, 'change')} of failed batches filtered: `event_names` "
            "excludes them."
        )
    if report.without_old_image:
        click.echo(
            f"{counted(report.without_old_image, 'change')} without the old image that `old_image` "
            "requires: a transform that needs `change.old` fails on it."
        )
    if rows_of := report.from_stream + report.from_table + report.deleted_since:
        click.echo(
            f"{rows_of:,} of the changes were stored as rows: {report.from_stream:,} recovered "
            f"from the stream, {report.from_table:,} from the table, {report.deleted_since:,} of "
            "items that are deleted by now."
        )
    if report.problems:
        click.echo(f"{len(report.problems):,} entries cannot be replayed: see docs/replay.md.")
