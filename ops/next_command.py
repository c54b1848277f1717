"""The command that an operator runs next."""

import shlex
import shutil
import sys
from pathlib import Path
from typing import Optional

import click

PROGRAM = "streaming-etl"


def program() -> str:
    """Return the command, as typed if it is not on the PATH."""
    typed = sys.argv[0]
    is_typed = Path(typed).name == PROGRAM and shutil.which(PROGRAM) is None
    return shlex.quote(typed) if is_typed else PROGRAM


def same_command(*, without: str) -> Optional[str]:
    """Return the running command without an option, quoted for a shell.

    None outside of the command line.
    """
    context = click.get_current_context(silent=True)
    arguments = context.find_root().obj if context else None
    if arguments is None:
        return None
    return f"{program()} {shlex.join(each for each in arguments if each != without)}"


def show_next_command(doing: str) -> None:
    """Print the command that does what a dry run has shown."""
    if command := same_command(without="--dry-run"):
        click.echo(f"\n{doing}:\n  {command}")
