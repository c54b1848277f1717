"""Command line: `streaming-etl status | replay | backfill | merge | ...`."""

import sys
from collections.abc import Sequence
from typing import Optional

import click

from streaming_etl.ops.aws_errors import aws_error
from streaming_etl.ops.backfill.command import backfill
from streaming_etl.ops.cost.command import cost
from streaming_etl.ops.merge.command import merge
from streaming_etl.ops.replay.command import replay
from streaming_etl.ops.role_policies import role_policies
from streaming_etl.ops.status.command import status
from streaming_etl.ops.transform_test.command import test_transform
from streaming_etl.stack.errors import EXIT_CODES, EXIT_FAILURE, EXIT_INTERRUPTED


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=EXIT_CODES,
)
def commands() -> None:
    """Operate the pipelines of a stack.

    Results go to the standard output, as JSON with --json; progress and errors go to the standard
    error.
    """


for command in (status, replay, backfill, merge, cost, role_policies, test_transform):
    commands.add_command(command)


def main(args: Optional[Sequence[str]] = None) -> int:
    """Run a command and return its exit code."""
    arguments = [*sys.argv[1:]] if args is None else [*args]
    try:
        # A dry run prints them again, without its option.
        result = commands.main(
            arguments, prog_name="streaming-etl", standalone_mode=False, obj=arguments
        )
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted. Run the same command again to continue.", err=True)
        return EXIT_INTERRUPTED
    except Exception as error:
        reason = aws_error(error)
        if reason is None:
            raise
        click.echo(f"Error: {reason}", err=True)
        return EXIT_FAILURE
    return result if isinstance(result, int) else 0


if __name__ == "__main__":
    sys.exit(main())
