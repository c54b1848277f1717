"""`python -m tools.graph`: a stack's resource graph as text, or one pipeline's as a picture."""

import sys
from collections.abc import Sequence
from typing import Optional

import click

from streaming_etl.stack.errors import EXIT_INTERRUPTED, CommandError
from streaming_etl.stack.outputs import ROOT, stacks_in

EPILOG = """\b
Examples:
  python -m tools.graph                                every stack that has a Pulumi.<stack>.yaml
  python -m tools.graph dev > dev.txt                  to compare with another commit's
  python -m tools.graph dev | grep orders-forwarder    all of one stage
  python -m tools.graph dev --picture orders           a Mermaid flowchart
"""


@click.command(
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.argument("stacks", nargs=-1, metavar="[STACK]...")
@click.option("--picture", "pipeline", metavar="PIPELINE", help="Draw one pipeline in Mermaid.")
def command(stacks: tuple[str, ...], pipeline: Optional[str]) -> None:
    """Tell what `pulumi up` would register: types, names and settings, one fact a line.

    It asks neither AWS nor Pulumi. Tables that exist already are taken to have a stream of new
    and old images. Exit codes: 0 told; 1 a stack or its settings are refused; 2 wrong usage.
    """
    # Not above: it loads Pulumi, for which `--help` need not wait.
    import pulumi

    from streaming_etl.components.settings.validation import SettingsError
    from streaming_etl.stack.program import stack_graph
    from tools.graph.picture import picture
    from tools.graph.text import stack_text

    chosen = stacks or tuple(stacks_in(ROOT))
    if not chosen:
        raise CommandError("There is no Pulumi.<stack>.yaml beside the program.")
    if pipeline is not None and len(chosen) != 1:
        raise click.UsageError(f"--picture draws one stack; name it, of {', '.join(chosen)}.")
    told = []
    for stack in chosen:
        try:
            if pipeline is None:
                told.append(stack_text(stack, ROOT))
            else:
                told.append(f"{picture(stack_graph(stack, ROOT), pipeline)}\n")
        except SettingsError as error:
            refused = (f"Pulumi.{stack}.yaml: {problem}" for problem in error.problems)
            raise CommandError("\n".join(refused)) from None
        except pulumi.RunError as error:
            # What Pulumi itself refuses: a config that is no JSON, for instance.
            raise CommandError(f"Pulumi.{stack}.yaml: {error}") from None
    # Only now: half a text would look like a stack that lost resources.
    click.echo("\n".join(told), nl=False)


def main(args: Optional[Sequence[str]] = None) -> int:
    """Run the command with these arguments, the process's own by default; its exit code."""
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
