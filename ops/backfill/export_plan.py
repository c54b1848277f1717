"""What a run over an export is going to do: all items of the table, or the files that are left."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from math import ceil
from typing import Optional

import click

from streaming_etl.ops.backfill.export_run import File, Run, Runs
from streaming_etl.ops.backfill.plan import CHANGE_BYTES, JSON_GROWTH, span
from streaming_etl.ops.backfill.table import SourceTable
from streaming_etl.stack import console as screen
from streaming_etl.stack.clients import Clients
from streaming_etl.stack.errors import CommandError


@dataclass(frozen=True, kw_only=True)
class ExportOptions:
    """What the command line asks for."""

    restart: bool = False
    dry_run: bool = False
    json: bool = False


@dataclass(frozen=True)
class Left:
    """What an earlier run has left to do."""

    export_arn: str
    files: Optional[list[File]]
    """None while DynamoDB still exports: all of them."""


def is_of_before(clients: Clients, runs: Runs, run: Run, stream_arn: str) -> bool:
    """Whether the run's export is older than the stream.

    The changes between the two are nowhere: the table was made anew, or its stream was.
    """
    export_arn = runs.export_arn(run)
    if export_arn is None:
        return False
    export = clients("dynamodb").describe_export(ExportArn=export_arn)["ExportDescription"]
    # The last part of a stream's ARN is the moment since when it tells of changes, UTC.
    since = datetime.fromisoformat(stream_arn.rpartition("/")[2]).replace(tzinfo=UTC)
    taken: datetime = export.get("ExportTime", export["StartTime"])
    return taken < since


def left_by(clients: Clients, runs: Runs, failed: Run) -> Optional[Left]:
    """What a run that has not succeeded has left; None when it left no export to take up.

    Raises CommandError when it has passed all files on.
    """
    export_arn = runs.export_arn(failed)
    if export_arn is None:
        return None
    export = clients("dynamodb").describe_export(ExportArn=export_arn)["ExportDescription"]
    if export["ExportStatus"] == "FAILED":
        return None
    if export["ExportStatus"] == "IN_PROGRESS":
        return Left(export_arn, None)
    passed = runs.results(failed).passed
    files = [file for file in runs.files(failed) if file.key not in passed]
    if not files:
        raise CommandError(
            f"{failed.name} has ended as {failed.status}, but nothing is left of its export: "
            f"{failed.error}: {failed.cause} To take all items again, add --restart."
        )
    return Left(export_arn, files)


def require_backups(clients: Clients, table: SourceTable) -> None:
    """Raises CommandError unless the table has point-in-time recovery, from which it is exported."""
    told = clients("dynamodb").describe_continuous_backups(TableName=table.name)
    recovery = told["ContinuousBackupsDescription"].get("PointInTimeRecoveryDescription", {})
    if recovery.get("PointInTimeRecoveryStatus") != "ENABLED":
        raise CommandError(
            f"{table.name} has no point-in-time recovery, from which DynamoDB exports a table. "
            "Switch it on (aws dynamodb update-continuous-backups --table-name "
            f"{table.name} --point-in-time-recovery-specification PointInTimeRecoveryEnabled=true),"
            " then run this command again. Without --export the table is scanned."
        )


@dataclass(frozen=True)
class ExportPlan:
    """A run's plan, as far as DynamoDB's own counts tell: they are hours old."""

    pipeline: str
    table: str
    items: int
    bytes: int
    files_left: Optional[int]
    """Of an earlier export; None for all files of a new one, or of one under way."""
    kib_per_second: int
    seconds: int
    """To pass all items on; DynamoDB does not tell how long an export takes."""

    def lines(self) -> list[str]:
        """The plan for a person."""
        size = (
            f"{self.table} has about {self.items:,} items, {self.bytes / 2**30:,.2f} GiB, as "
            "DynamoDB last counted them; it does so about every six hours."
        )
        if self.files_left is not None:
            return [size, f"Of its last export, {self.files_left:,} files are left to pass on."]
        return [
            size,
            "An export takes no read capacity and is billed by the table's size. The items go to "
            f"Firehose at no more than {self.kib_per_second:,} KiB a second: about "
            f"{span(self.seconds)}.",
        ]


def export_plan(
    pipeline: str, table: SourceTable, left: Optional[Left], kib_per_second: int
) -> ExportPlan:
    kib = (table.size * JSON_GROWTH + table.items * CHANGE_BYTES) / 1024
    return ExportPlan(
        pipeline=pipeline,
        table=table.name,
        items=table.items,
        bytes=table.size,
        files_left=None if left is None or left.files is None else len(left.files),
        kib_per_second=kib_per_second,
        seconds=ceil(kib / kib_per_second),
    )


def show_plan(plan: ExportPlan, options: ExportOptions) -> None:
    """What is going to happen: the result of a dry run, else a word before it begins."""
    if options.dry_run and options.json:
        screen.show_json(asdict(plan))
        return
    for line in plan.lines():
        click.echo(line, err=not options.dry_run)
