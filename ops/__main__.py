"""The commands: `python -m ops replay | backfill | cost`."""

import sys

import click

from ops import INTERRUPTED


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def commands() -> None:
    """Operate the pipelines of a stack.

    Results go to the standard output, as JSON with --json; progress and errors go to the standard
    error. Exit codes: 0 done; 1 failed, with the reason; 2 wrong usage; 3 done, and something was
    left that needs a look; 130 interrupted, run it again to go on.
    """


def main() -> int:
    try:
        result = commands.main(prog_name="python -m ops", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted; the same command goes on where this one stopped.", err=True)
        return INTERRUPTED
    return result if isinstance(result, int) else 0


if __name__ == "__main__":
    sys.exit(main())
