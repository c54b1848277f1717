"""State file of the embedded AWS that `make local` keeps running."""

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.emulator.process import is_ready
from streaming_etl.stack.errors import CommandError
from streaming_etl.stack.outputs import STATE_FILE, DeployedStack


@dataclass(frozen=True)
class RunningProgram:
    """The Pulumi program of the running stack."""

    stack: str
    directory: Path
    port: int | None = None
    """Of the stand-in provider; None without the Pulumi engine."""

    @property
    def folder(self) -> Path:
        """For the files of the Pulumi CLI."""
        return STATE_FILE.parent.absolute() / "local-pulumi"


@contextlib.contextmanager
def state_file(stack: DeployedStack, program: RunningProgram | None = None) -> Iterator[None]:
    """Write the state file, and remove it at the end."""
    state: dict[str, Any] = {
        "stack": stack.name,
        "endpoint": stack.endpoint,
        "outputs": stack.exports,
    }
    if program is not None:
        state["program"] = {"directory": str(program.directory), "port": program.port}
    STATE_FILE.parent.mkdir(parents=True, exist_ok=True)
    _write(state)
    try:
        yield
    finally:
        STATE_FILE.unlink(missing_ok=True)


def load_running() -> DeployedStack:
    """Return the stack of the running emulator; raises CommandError without one."""
    state = _running_state()
    return DeployedStack(state["stack"], state["outputs"], state["endpoint"])


def load_program() -> RunningProgram:
    """Return the running stack's program; raises CommandError without one."""
    state = _running_state()
    program = state["program"]
    return RunningProgram(state["stack"], Path(program["directory"]), program["port"])


def load_resources() -> dict[str, Any]:
    """Return the resources that were deployed without the Pulumi engine, by URN."""
    return dict(_running_state()["resources"])


def save(**values: Any) -> None:
    """Replace values in the state file, such as the stack's `outputs`."""
    _write({**_running_state(), **values})


def _running_state() -> dict[str, Any]:
    state: dict[str, Any] | None = None
    if STATE_FILE.exists():
        state = json.loads(STATE_FILE.read_text())
    if state is None or not is_ready(state["endpoint"]):
        raise CommandError(
            "No embedded AWS is running. Start one with `make local`.", code="not-running"
        )
    return state


def _write(state: Mapping[str, Any]) -> None:
    # Other commands read the file at any time.
    incomplete = STATE_FILE.with_suffix(".incomplete")
    incomplete.write_text(json.dumps(state, indent=1) + "\n")
    os.replace(incomplete, STATE_FILE)


def ensure_none_running() -> None:
    """Raise CommandError when an emulator is running: there is one state file."""
    try:
        stack = load_running()
    except CommandError:
        return
    raise CommandError(
        f"An embedded AWS is already running on {stack.endpoint}. Use it, or stop it with "
        "Ctrl-C in its terminal.",
        code="already-running",
        endpoint=stack.endpoint,
    )
