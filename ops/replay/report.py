"""Result of a replay: counts and problems, without content of a change."""

import json
import shlex
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Optional

import click

from streaming_etl.ops.merge.following import FollowingMerge
from streaming_etl.ops.next_command import program
from streaming_etl.ops.replay.entries import OTHER_PIPELINE, ChangeSummary, Problem
from streaming_etl.stack.console import counted, printable, show_table

SHOWN_PROBLEMS = 20
SHOWN_CHANGES = 20
SHOWN_COMMANDS = 5


@dataclass(frozen=True)
class EntryProblem:
    """An entry that cannot be replayed; its object stays."""

    key: str
    entry: int
    """Its number in the object, from 1."""
    problem: Problem


@dataclass(frozen=True)
class ListedChange:
    """One change, and what became of it."""

    object_key: str
    entry: int
    """Number of its entry in the object, from 1."""
    change: ChangeSummary
    error: str
    """AWS's code for the failure."""
    location: str
    """Key of the object after the run."""
    outcome: str
    """`sent`, `from-stream`, `from-table`, `deleted-since`, `filtered`, or a Problem's code."""
    is_row: bool = False
    lake_table: str = ""
    """Empty for a change that no lake table gets."""

    @property
    def item_key_hash(self) -> str:
        """The first 16 digits of the SHA-256 of the column `_key`."""
        return sha256(self.change.key.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class TransformTest:
    """Makes commands that run `test-transform` on an object in the bucket."""

    bucket: str
    pipeline: str
    stack: str
    endpoint_url: Optional[str] = None

    def command(self, key: str, lake_table: str = "") -> str:
        """Return a command for bash and zsh, which prints rows."""
        name = f"{self.pipeline}.{lake_table}" if lake_table else self.pipeline
        endpoint = f"--endpoint-url {quoted(self.endpoint_url)} " if self.endpoint_url else ""
        return (
            f"aws {endpoint}s3 cp {quoted(f's3://{self.bucket}/{key}')} - | {program()} "
            f"test-transform {quoted(name)} --stack {quoted(self.stack)} -"
        )


def quoted(text: str) -> str:
    """Quote a text for a shell, without control characters."""
    if printable(text) == text:
        return shlex.quote(text)
    # In bash and zsh; byte by byte, as the shell joins them.
    parts = (
        each
        if each.isascii() and each.isprintable() and each not in "\\'"
        else "".join(f"\\x{byte:02x}" for byte in each.encode())
        for each in text
    )
    return f"$'{''.join(parts)}'"


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
    lake_tables: Sequence[str] = ()
    """The selected lake tables of a pipeline with `lake_tables`."""
    error_records: Counter[str] = field(default_factory=Counter)
    """Error records that are not replayed yet, by lake table."""
    sent: Counter[str] = field(default_factory=Counter)
    """`changes` by lake table."""
    transform_test: Optional[TransformTest] = None
    """None where no commands are needed."""
    show_keys: bool = False
    """List the keys of items next to their hashes."""
    most_listed: float = 0
    """The changes to list."""
    merges: Optional[list[FollowingMerge]] = None
    """Merges that were started; None where no lake table needs one."""
    listed: list[ListedChange] = field(default_factory=list)
    not_listed: int = 0

    def list_changes(self, changes: Iterable[ListedChange]) -> None:
        """List the changes up to `most_listed`, and count the others."""
        for each in changes:
            if len(self.listed) < self.most_listed:
                self.listed.append(each)
            else:
                self.not_listed += 1

    def test_command(self, change: ListedChange) -> Optional[str]:
        """Return the command that tests the change's object; None for a row."""
        if self.transform_test is None or change.is_row:
            return None
        if self.lake_tables and not change.lake_table:
            return None
        return self.transform_test.command(
            change.location, change.lake_table if self.lake_tables else ""
        )

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
            **({"lake_tables": self._by_lake_table()} if self.lake_tables else {}),
            **(
                {"merges": [each.as_json for each in self.merges]}
                if self.merges is not None
                else {}
            ),
            "listed": [
                {
                    "key": each.object_key,
                    "entry": each.entry,
                    "event_id": each.change.event_id,
                    "event_type": each.change.kind,
                    "item_key_hash": each.item_key_hash,
                    **({"item_key": json.loads(each.change.key)} if self.show_keys else {}),
                    "error": each.error,
                    "outcome": each.outcome,
                    **({"lake_table": each.lake_table or None} if self.lake_tables else {}),
                    "test_command": self.test_command(each),
                }
                for each in self.listed
            ],
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

    def _by_lake_table(self) -> dict[str, dict[str, int]]:
        return {
            name: {"error_records": self.error_records[name], "sent": self.sent[name]}
            for name in self.lake_tables
        }


def render(report: Report) -> None:
    """Print the result for people."""
    if report.objects:
        days, codes = sorted(report.by_day.items()), sorted(report.by_error.items())
        show_table("Objects by day", ["Day (UTC)", "Objects"], days)
        show_table("\nEntries by error", ["Error", "Entries"], codes)
        if report.lake_tables:
            counts = [
                (name, report.error_records[name], report.sent[name]) for name in report.lake_tables
            ]
            sent = "Changes to send" if report.dry_run else "Changes sent"
            show_table("\nBy lake table", ["Lake table", "Error records", sent], counts)
    if report.listed:
        _render_changes(report)
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


def _render_changes(report: Report) -> None:
    rows: list[Sequence[Any]] = [
        (
            each.change.key if report.show_keys else each.item_key_hash,
            each.change.kind,
            each.error,
            each.outcome,
            *([each.lake_table] if report.lake_tables else []),
            each.object_key,
            each.entry,
        )
        for each in report.listed
    ]
    key = "Key" if report.show_keys else "Hash of key"
    lake_table = ["Lake table"] if report.lake_tables else []
    head = [key, "Event type", "Error", "Outcome", *lake_table, "Object", "Entry"]
    show_table("\nChanges", head, rows)
    if report.not_listed:
        click.echo(f"... and {report.not_listed:,} more; --json lists all.")
    commands = dict.fromkeys(filter(None, map(report.test_command, report.listed)))
    if commands:
        click.echo("\nRun the transform on the changes of an object:")
    for command in [*commands][:SHOWN_COMMANDS]:
        click.echo(f"  {command}")
