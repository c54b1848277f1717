"""`streaming-etl merge`: options of the command."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Optional

import click

from streaming_etl.ops.merge.ranges import DEFAULT_MAX_GIB
from streaming_etl.ops.next_command import NextCommands
from streaming_etl.stack.console import show_json
from streaming_etl.stack.errors import EXIT_PARTIAL, UsageError
from streaming_etl.stack.outputs import open_stack, stack_options

# A statement over more exceeds the 30 minutes of Athena.
MAX_GIB = 1024.0


def iso_day(text: str) -> date:
    """Parse an ISO 8601 date."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(
            f"must be a day (got {text!r}). Write it as 2026-11-23, in the partitions' time zone."
        ) from None


@click.command(short_help="Merge the change log into the merged table.")
@click.argument("pipeline")
@stack_options
@click.option(
    "--lake-table",
    "lake_tables",
    multiple=True,
    metavar="NAME",
    help="Only this lake table of several; repeat the option for more.  "
    "[default: all with a merge stage]",
)
@click.option(
    "--from",
    "first",
    type=iso_day,
    metavar="DAY",
    help="Also merge the days from then on, in ranges, the newest first.",
)
@click.option(
    "--rebuild",
    is_flag=True,
    help="Also merge all days of the change log: the first build, and repairs.",
)
@click.option("--optimize", is_flag=True, help="Compact the merged table's files, too.")
@click.option(
    "--max-gib",
    type=click.FloatRange(0, MAX_GIB, min_open=True),
    default=DEFAULT_MAX_GIB,
    show_default=True,
    metavar="N",
    help="Objects of a range in GiB. Athena stops a query after 30 minutes.",
)
@click.option(
    "--start-over", is_flag=True, help="Ignore an earlier run of the same command that failed."
)
@click.option("--status", is_flag=True, help="Show runs, change log and the next step only.")
@click.option("--dry-run", is_flag=True, help="Show the ranges only; start nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def merge(
    pipeline: str,
    stack: str,
    outputs: Optional[Path],
    endpoint_url: Optional[str],
    lake_tables: tuple[str, ...],
    *,
    status: bool,
    as_json: bool,
    **options: Any,
) -> int:
    """Merge the change log of PIPELINE into its merged tables.

    A run merges the days since the last successful run and its window, as the schedule does. The
    command waits for it; the run continues on AWS when the command is interrupted, and the same
    command watches it again. A failed --rebuild or --from continues after the ranges that are
    merged. Merging a day again changes nothing.

    \b
    Merge now:
      streaming-etl merge orders --stack prod
    Show the last run, and what to do next:
      streaming-etl merge orders --stack prod --status
    Build the merged table of a lake table with rows, or repair it:
      streaming-etl merge orders --stack prod --rebuild
    Show the ranges of days from 1 October on, then merge them:
      streaming-etl merge orders --stack prod --from 2026-10-01 --dry-run
      streaming-etl merge orders --stack prod --from 2026-10-01

    Exit code 3: with --status, the next step is a repair.
    """
    # These import boto3 and Pulumi, which `--help` does not need.
    from streaming_etl.ops.merge.lake_tables import merged_lake_tables
    from streaming_etl.ops.merge.plan import MergeOptions
    from streaming_etl.ops.merge.run import merge_lake_tables
    from streaming_etl.ops.merge.status import show_status, status_of

    chosen = MergeOptions(**options)
    chosen.check()
    if status and chosen != MergeOptions():
        raise UsageError(
            "--status must be used without options of a run. Omit the others.",
            code="status-with-run-options",
        )
    deployed = open_stack(stack, outputs, endpoint_url)
    target = deployed.pipeline(pipeline)
    tables = merged_lake_tables(target, deployed.clients(target), lake_tables, stack=stack)
    if not status:
        merge_lake_tables(
            tables,
            chosen,
            pipeline=target.name,
            embedded=endpoint_url is not None,
            as_json=as_json,
        )
        return 0
    now = datetime.now(UTC)
    commands = NextCommands(deployed, target.name)
    statuses = []
    for table in tables:
        selected = table.key if target.lake_tables else None
        statuses.append(status_of(table, commands.own("merge", lake_table=selected), now))
    if as_json:
        result = {each.table.key: each.as_json for each in statuses}
        show_json({"pipeline": target.name, "lake_tables": result})
    else:
        for each in statuses:
            show_status(each)
    return EXIT_PARTIAL if any(each.needs_attention for each in statuses) else 0
