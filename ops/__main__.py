"""The commands: `streaming-etl replay | backfill | cost | transform-test`."""

import sys
from collections.abc import Sequence
from typing import Optional

import click

from streaming_etl.ops.backfill.command import backfill
from streaming_etl.ops.cost.command import cost
from streaming_etl.ops.replay.command import replay
from streaming_etl.ops.transform_test.command import transform_test
from streaming_etl.stack.errors import EXIT_INTERRUPTED


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def commands() -> None:
    """Operate the pipelines of a stack.

    Results go to the standard output, as JSON with --json; progress and errors go to the standard
    error. Exit codes: 0 done; 1 failed, with the reason; 2 wrong usage; 3 done, and something was
    left that needs a look; 130 interrupted, run it again to go on.
    """


for command in (replay, backfill, cost, transform_test):
    commands.add_command(command)


def main(args: Optional[Sequence[str]] = None) -> int:
    """Run the command that `args` name, the process's own by default; its exit code."""
    try:
        result = commands.main(args, prog_name="streaming-etl", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted; the same command goes on where this one stopped.", err=True)
        return EXIT_INTERRUPTED
    except Exception as error:
        reason = refusal(error)
        if reason is None:
            raise
        click.echo(f"Error: {reason}", err=True)
        return 1
    return result if isinstance(result, int) else 0


def refusal(error: Exception) -> Optional[str]:
    """What AWS, or the way to it, refused; None for an error of another kind."""
    # Not above: it takes longer to load than `--help` should take.
    from botocore.exceptions import BotoCoreError, ClientError

    if isinstance(error, ClientError):
        code = error.response["Error"].get("Code", "")
        # Who may not do what to what. Other messages may quote what was sent.
        denied = any(word in code for word in ("Denied", "Token", "Unauthorized"))
        message = f": {error.response['Error'].get('Message', '')}" if denied else ""
        return f"AWS refuses {error.operation_name} with {code}{message}"
    return str(error) if isinstance(error, BotoCoreError) else None


if __name__ == "__main__":
    sys.exit(main())
