"""`streaming-etl backfill`: options of the command."""

from pathlib import Path
from typing import Any, Optional

import click

from streaming_etl.stack.errors import UsageError
from streaming_etl.stack.outputs import open_stack, stack_options

SCAN_OPTIONS = ("segments", "read_units", "kib_per_second", "checkpoint")


@click.command("backfill", short_help="Send the items that were there before the stream.")
@click.argument("pipeline")
@stack_options
@click.option(
    "--lake-table",
    "lake_tables",
    multiple=True,
    metavar="NAME",
    help="Fill only this lake table of several; repeat the option for more.  [default: all]",
)
@click.option(
    "--segments",
    type=int,
    metavar="N",
    help="Threads of the scan, 1 to 32.  [default: 4]",
)
@click.option(
    "--read-units",
    type=float,
    metavar="N",
    help="Maximum of read units per second, over all segments; a unit is 8 KB.  "
    "[default: half of the provisioned capacity; 100 on demand]",
)
@click.option(
    "--kib-per-second",
    type=float,
    metavar="N",
    help="Rate limit to Firehose; the pipeline's own changes share the delivery streams.  "
    "[default: 512]",
)
@click.option(
    "--checkpoint",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File for the progress of the scan. It contains keys of the table: keep it private.  "
    "[default: .build/backfill/STACK-PIPELINE.json]",
)
@click.option(
    "--export",
    is_flag=True,
    help="Read an export of the table instead, on AWS: for tables too large to scan.  "
    "Needs the pipeline's setting backfill.enabled, which also sets the rate.",
)
@click.option("--restart", is_flag=True, help="Start over, ignoring earlier runs.")
@click.option("--dry-run", is_flag=True, help="Show the estimate only; read nothing.")
@click.option("--json", is_flag=True, help="Print the result as JSON.")
def backfill(
    pipeline: str,
    stack: str,
    outputs: Optional[Path],
    endpoint_url: Optional[str],
    *,
    export: bool,
    **options: Any,
) -> int:
    """Send the items from before the stream to the lake, once.

    PIPELINE is the pipeline's name, such as orders. The table is scanned; its items go through
    the pipeline's delivery stream and transform as changes of kind SNAPSHOT, which are older than
    every other change of the same item. The current state is therefore right during and after a
    backfill, while the table is written to.

    \b
    Show the estimate:
      streaming-etl backfill orders --stack dev --dry-run
    Scan with at most 50 of the table's read units per second:
      streaming-etl backfill orders --stack dev --read-units 50
    Continue after Ctrl-C, an error or a crash: run the same command again.
    Start over, which does no harm:
      streaming-etl backfill orders --stack dev --restart
    Export a large table, and send it with a state machine on AWS:
      streaming-etl backfill orders --stack dev --export
    Fill a new lake table of several, and leave the others as they are:
      streaming-etl backfill shop --stack dev --lake-table customers

    Exit code 3: some items exceed a Firehose record and are listed; with --export, some files or
    lines failed.
    """
    if export:
        for name in SCAN_OPTIONS:
            if options.pop(name) is not None:
                option = f"--{name.replace('_', '-')}"
                message = (
                    f"{option} must be omitted with --export, whose rate is the setting "
                    "`backfill.kib_per_second`."
                )
                raise UsageError(message, code="scan-option-with-export", option=option)
    # These import boto3 and Pulumi, which `--help` does not need.
    from streaming_etl.ops.backfill.by_export import ExportOptions, backfill_by_export
    from streaming_etl.ops.backfill.by_scan import ScanOptions, backfill_by_scan

    scan_options = None if export else ScanOptions(**options)
    if scan_options is not None:
        scan_options.check()
    deployed = open_stack(stack, outputs, endpoint_url)
    target = deployed.pipeline(pipeline)
    clients = deployed.clients(target)
    if scan_options is not None:
        return backfill_by_scan(stack, target, clients, scan_options)
    return backfill_by_export(deployed, target, clients, ExportOptions(**options))
