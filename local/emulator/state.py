"""State file of the embedded AWS that `make local` keeps running."""

import contextlib
import json
from collections.abc import Iterator

from local.emulator.process import is_ready
from streaming_etl.stack.errors import CommandError
from streaming_etl.stack.outputs import STATE_FILE, DeployedStack


@contextlib.contextmanager
def state_file(stack: DeployedStack) -> Iterator[None]:
    """Write the state file, and remove it at the end."""
    state = {"stack": stack.name, "endpoint": stack.endpoint, "outputs": stack.exports}
    STATE_FILE.parent.mkdir(parents=True, exist_ok=True)
    STATE_FILE.write_text(json.dumps(state, indent=1) + "\n")
    try:
        yield
    finally:
        STATE_FILE.unlink(missing_ok=True)


def load_running() -> DeployedStack:
    """Return the stack of the running emulator; raises CommandError without one."""
    state = json.loads(STATE_FILE.read_text()) if STATE_FILE.exists() else None
    if state is None or not is_ready(state["endpoint"]):
        raise CommandError(
            "No embedded AWS is running. Start one with `make local`.", code="not-running"
        )
    return DeployedStack(state["stack"], state["outputs"], state["endpoint"])


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
