"""The commands that an operator runs next."""

import shlex
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

import click

from streaming_etl.stack.outputs import DeployedStack

PROGRAM = "streaming-etl"


def program() -> str:
    """Return the command, as typed if it is not on the PATH."""
    typed = sys.argv[0]
    is_typed = Path(typed).name == PROGRAM and shutil.which(PROGRAM) is None
    return shlex.quote(typed) if is_typed else PROGRAM


@dataclass(frozen=True)
class NextCommands:
    """Makes commands that read the same stack."""

    stack: DeployedStack
    pipeline: str

    def own(self, name: str, *options: str, lake_table: Optional[str] = None) -> str:
        """Return a command of this project for the pipeline."""
        selected = ["--lake-table", lake_table] if lake_table else []
        arguments = shlex.join(
            [
                *(name, self.pipeline, "--stack", self.stack.name),
                *(["--outputs", str(self.stack.file)] if self.stack.file else []),
                *self._endpoint,
                *selected,
                *options,
            ]
        )
        return f"{program()} {arguments}"

    def aws(self, *arguments: str) -> str:
        """Return a command of the AWS CLI."""
        region = self.stack.pipeline(self.pipeline).region
        return shlex.join(["aws", *self._endpoint, *arguments, "--region", region])

    def pulumi(self, *arguments: str) -> str:
        """Return a command of the Pulumi CLI."""
        return shlex.join(["pulumi", *arguments, "--stack", self.stack.name])

    @property
    def _endpoint(self) -> list[str]:
        return ["--endpoint-url", self.stack.endpoint] if self.stack.endpoint else []


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
