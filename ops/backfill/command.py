"""`streaming-etl backfill`: its options, and which of the two ways it goes."""

from pathlib import Path
from typing import Any, Optional

import click

from streaming_etl.stack.errors import CommandError
from streaming_etl.stack.outputs import open_stack, stack_options


@click.command("backfill", short_help="Bring in the items from before the stream.")
@click.argument("pipeline")
@stack_options
@click.option(
    "--segments",
    type=int,
    metavar="N",
    help="Scan in this many threads, 1 to 32.  [default: 4]",
)
@click.option(
    "--read-units",
    type=float,
    metavar="N",
    help="Read at most so many units a second, over all segments; a unit is 8 KB.  "
    "[default: half of what is provisioned; 100 on demand]",
)
@click.option(
    "--kib-per-second",
    type=float,
    metavar="N",
    help="Put at most so much to Firehose, which the stream's own changes share.  [default: 512]",
)
@click.option(
    "--checkpoint",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Keep here how far it has come. The file holds keys of the table: keep it private.  "
    "[default: .build/backfill/STACK-PIPELINE.json]",
)
@click.option(
    "--export",
    is_flag=True,
    help="Take the items from an export of the table, on AWS: for tables too large to scan.  "
    "Needs the pipeline's setting backfill.enabled; its pace is a setting too.",
)
@click.option("--restart", is_flag=True, help="Begin anew, whatever an earlier run has done.")
@click.option("--dry-run", is_flag=True, help="Stop after the estimate; nothing is read.")
@click.option("--json", is_flag=True, help="Print the result as JSON.")
def backfill(
    pipeline: str,
    stack: str,
    outputs: Optional[Path],
    endpoint_url: Optional[str],
    *,
    export: bool,
    **given: Any,
) -> int:
    """Bring the items that were in a table before its stream into the lake, once.

    PIPELINE is the pipeline's name, such as orders. The table is scanned; its items go through
    the pipeline's own Firehose stream and transform, as changes of kind SNAPSHOT, which come
    before every change of the same item. So the current state is right during a backfill and
    after it, while the table is written to.

    \b
    See what it would take:
      streaming-etl backfill orders --stack dev --dry-run
    Do it, using at most 50 of the table's read units a second:
      streaming-etl backfill orders --stack dev --read-units 50
    Go on after Ctrl-C, an error or a crash: the same command again.
    Begin anew, which does no harm:
      streaming-etl backfill orders --stack dev --restart
    A table too large for that: export it, and pass it on with a state machine on AWS:
      streaming-etl backfill orders --stack dev --export

    Exit code 3: done, but for items that fit into no Firehose record, which are listed; of an
    export, but for files or lines that could not be passed on.
    """
    # Not above: these load much, for which `--help` need not wait.
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        if export:
            return by_export(stack, outputs, endpoint_url, pipeline, given)
        return by_scan(stack, outputs, endpoint_url, pipeline, given)
    except ClientError as error:
        reason = error.response["Error"]
        text = f"{error.operation_name}: {reason['Code']}: {reason.get('Message', '')}"
        raise CommandError(f"AWS refuses {text}") from None
    except BotoCoreError as error:
        raise CommandError(f"AWS cannot be asked: {error}") from None


def by_scan(
    stack: str,
    outputs: Optional[Path],
    endpoint_url: Optional[str],
    pipeline: str,
    given: dict[str, Any],
) -> int:
    from streaming_etl.ops.backfill.plan import Options, check_options
    from streaming_etl.ops.backfill.run import backfill_by_scan

    options = Options(**given)
    check_options(options)
    return backfill_by_scan(open_stack(stack, outputs, endpoint_url), pipeline, options)


def by_export(
    stack: str,
    outputs: Optional[Path],
    endpoint_url: Optional[str],
    pipeline: str,
    given: dict[str, Any],
) -> int:
    from streaming_etl.ops.backfill.export import backfill_by_export
    from streaming_etl.ops.backfill.export_plan import ExportOptions

    for name in ("segments", "read_units", "kib_per_second", "checkpoint"):
        if given.pop(name) is not None:
            option = f"--{name.replace('_', '-')}"
            raise click.UsageError(
                f"{option} goes with a scan, not with --export, whose pace is the pipeline's "
                "setting `backfill`; leave it out."
            )
    options = ExportOptions(**given)
    return backfill_by_export(open_stack(stack, outputs, endpoint_url), pipeline, options)
