"""`python -m tools.graph`: print the resource graph of each stack as text."""

import sys
from collections.abc import Sequence
from typing import Optional

import click

from streaming_etl.stack.config import stacks_in
from streaming_etl.stack.errors import EXIT_INTERRUPTED, CommandError
from tools.project import ROOT

EPILOG = """\b
Examples:
  python -m tools.graph                every stack that has a Pulumi.<stack>.yaml
  python -m tools.graph dev > dev.txt  to compare with the text of another commit
"""


@click.command(
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.argument("stacks", nargs=-1, metavar="[STACK]...")
def command(stacks: tuple[str, ...]) -> None:
    """Print what `pulumi up` would register: a block of sorted JSON per resource.

    The command calls neither AWS nor Pulumi. It assumes that existing tables have a stream of new
    and old images. Exit codes: 0 printed; 1 a stack or its settings are invalid; 2 wrong usage.
    """
    # Imported here because Pulumi loads slowly and `--help` does not need it.
    import pulumi

    from tools.graph.text import stack_text

    selected = stacks or tuple(stacks_in(ROOT))
    if not selected:
        raise CommandError(
            "The program's folder must hold a Pulumi.<stack>.yaml (found none). Add one.",
            code="no-stacks",
        )
    texts = []
    for stack in selected:
        try:
            texts.append(stack_text(stack, ROOT))
        except pulumi.RunError as error:
            # SettingsError, and what Pulumi itself rejects, such as a config that is not JSON.
            raise CommandError(
                f"Pulumi.{stack}.yaml: {error}", code="invalid-stack", stack=stack
            ) from error
    # After the loop: part of the output would look like a stack that lost resources.
    click.echo("\n".join(texts), nl=False)


def main(args: Optional[Sequence[str]] = None) -> int:
    """Run the command and return its exit code."""
    try:
        command.main(args, prog_name="python -m tools.graph", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return EXIT_INTERRUPTED
    return 0


if __name__ == "__main__":
    sys.exit(main())
