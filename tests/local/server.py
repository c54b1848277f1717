"""A running `python -m local serve`, and commands that use it."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from local.emulator.process import ROOT
from tests.support.processes import end, wait_until


def run(state: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command with this state file."""
    return subprocess.run(
        [sys.executable, "-m", "local", *arguments],
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "200", "STREAMING_ETL_LOCAL_STATE": str(state)},
        capture_output=True,
        text=True,
    )


class Server:
    """A server with a directory for all its files."""

    def __init__(self, directory: Path, *options: str) -> None:
        self.directory = directory
        self.state = directory / "local.json"
        with (directory / "output").open("w") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "local", "serve", *options],
                cwd=ROOT,
                env={
                    **os.environ,
                    "TMPDIR": str(directory),
                    "STREAMING_ETL_LOCAL_STATE": str(self.state),
                },
                stdout=file,
                stderr=subprocess.STDOUT,
                text=True,
            )

    def started(self, seconds: float = 60) -> "Server":
        """Return the server when it has printed its commands."""
        # The first import of Pulumi is slow where no .pyc files exist.
        if not wait_until(lambda: "until Ctrl-C" in self.output, seconds):
            end(self.process)
            raise AssertionError(self.output)
        return self

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return run(self.state, *arguments)

    @property
    def output(self) -> str:
        return (self.directory / "output").read_text()

    def commands(self) -> list[list[str]]:
        """Return the arguments of the printed commands, as a shell splits them."""
        lines = re.findall(r"^  \S*python\S* -m local (.*)$", self.output, re.MULTILINE)
        return [shlex.split(line) for line in lines]

    def children(self) -> list[int]:
        """Return the processes that the server has started, each with a group."""
        pid = self.process.pid
        return list(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))
