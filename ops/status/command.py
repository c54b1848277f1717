"""`streaming-etl status`: options of the command."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Optional

import click

from streaming_etl.ops.aws_errors import aws_error
from streaming_etl.stack.console import show_json, show_progress
from streaming_etl.stack.errors import EXIT_PARTIAL, CommandError
from streaming_etl.stack.outputs import open_stack, stack_options

if TYPE_CHECKING:
    from streaming_etl.ops.status.collect import StackStatus

# CloudWatch reports a metric every five minutes, and bills each that is read.
LEAST_WATCH_SECONDS = 10


@click.command(short_help="Show all pipelines of a stack on one screen.")
@click.argument("pipelines", nargs=-1, metavar="[PIPELINE]...")
@stack_options
@click.option(
    "--watch",
    type=click.FloatRange(min=LEAST_WATCH_SECONDS),
    metavar="SECONDS",
    help=f"Read again every SECONDS, at least {LEAST_WATCH_SECONDS}, until Ctrl-C.",
)
@click.option(
    "--html",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    metavar="FILE",
    help="Also write the status as a page to FILE, which a browser shows without a network.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def status(
    pipelines: tuple[str, ...],
    stack: str,
    outputs: Optional[Path],
    endpoint_url: Optional[str],
    *,
    watch: Optional[float],
    html: Optional[Path],
    as_json: bool,
) -> int:
    """Show alarms, ages, failures and deliveries of pipelines, by default all.

    A problem is listed with the command to run next. The command changes nothing, and starts no
    query. CloudWatch bills a cent for 200 pipelines each time, or fewer with several lake tables.

    \b
    Show the stack:
      streaming-etl status --stack prod
    Show two pipelines, again every minute:
      streaming-etl status orders shop --stack prod --watch 60
    Write a page to open in a browser:
      streaming-etl status --stack prod --html status.html
    List what needs attention, for a script:
      streaming-etl status --stack prod --json | jq '.pipelines[].problems[]'

    Exit code 3: something needs attention. With --watch the exit code is 0 after Ctrl-C.
    """
    deployed = open_stack(stack, outputs, endpoint_url)
    names = [*dict.fromkeys(pipelines)]
    chosen = [deployed.pipeline(name) for name in names] if names else deployed.pipelines
    if not chosen:
        raise CommandError(
            f"The stack {stack} has no pipeline among its outputs. Export `pipeline.outputs` in "
            "the program and run `pulumi up`.",
            code="no-pipelines",
            stack=stack,
        )
    # Imports Pulumi, which `--help` does not need.
    from streaming_etl.ops.status.collect import StatusReader
    from streaming_etl.ops.status.page import write_page
    from streaming_etl.ops.status.render import render

    reader = StatusReader(deployed, chosen)

    def show() -> "StackStatus":
        result = reader.read(datetime.now(UTC))
        if html is not None:
            write_page(html, result, watch)
        if watch is not None and not as_json:
            # Does nothing unless the output is a terminal.
            click.clear()
        if as_json:
            show_json(result.as_json)
        else:
            render(result)
        return result

    if watch is None:
        return EXIT_PARTIAL if show().problems else 0
    repeat(show, watch, time.sleep)
    return 0


def repeat(show: Callable[[], object], seconds: float, sleep: Callable[[float], None]) -> None:
    """Show the status repeatedly until Ctrl-C.

    Later errors of AWS are shown, and do not end the command; the first one does.
    """
    try:
        show()
        while True:
            sleep(seconds)
            try:
                show()
            except Exception as error:
                reason = aws_error(error)
                if reason is None:
                    raise
                show_progress(f"{reason}. The next attempt is in {seconds:g} s.")
    except KeyboardInterrupt:
        return
