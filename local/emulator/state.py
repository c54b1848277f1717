"""State file of the embedded AWS that `make local` keeps running."""

import contextlib
import json
from collections.abc import Iterator

from local.emulator.process import Emulator, is_ready
from streaming_etl.stack.clients import Clients
from streaming_etl.stack.errors import CommandError
from streaming_etl.stack.outputs import STATE_FILE, Pipeline, pipelines_of


@contextlib.contextmanager
def state_file(emulator: Emulator, pipelines: list[Pipeline]) -> Iterator[None]:
    """Write the state file, and remove it at the end."""
    outputs = {pipeline.name: dict(pipeline.outputs) for pipeline in pipelines}
    state = {"endpoint": emulator.endpoint, "region": emulator.region, "outputs": outputs}
    STATE_FILE.parent.mkdir(parents=True, exist_ok=True)
    STATE_FILE.write_text(json.dumps(state, indent=1) + "\n")
    try:
        yield
    finally:
        STATE_FILE.unlink(missing_ok=True)


def load_running() -> tuple[Clients, list[Pipeline]]:
    """Return clients and pipelines of the running emulator; raises CommandError without one."""
    state = json.loads(STATE_FILE.read_text()) if STATE_FILE.exists() else None
    if state is None or not is_ready(state["endpoint"]):
        raise CommandError(
            "No embedded AWS is running. Start one with `make local`.", code="not-running"
        )
    return Clients(state["endpoint"], state["region"]), pipelines_of(state["outputs"])


def ensure_none_running() -> None:
    """Raise CommandError when an emulator is running: the state file holds only one."""
    try:
        clients, _ = load_running()
    except CommandError:
        return
    raise CommandError(
        f"An embedded AWS is already running on {clients.endpoint}. Use it, or stop it with "
        "Ctrl-C in its terminal.",
        code="already-running",
        endpoint=clients.endpoint,
    )
