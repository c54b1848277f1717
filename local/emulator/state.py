"""Remembers the embedded AWS that `make local` keeps running, for the commands that use it."""

import contextlib
import json
from collections.abc import Iterator

from local import LocalError
from local.emulator.process import Emulator, is_ready
from streaming_etl.stack.clients import Clients
from streaming_etl.stack.outputs import STATE_FILE, Pipeline, pipelines_of


@contextlib.contextmanager
def remembered(emulator: Emulator, pipelines: list[Pipeline]) -> Iterator[None]:
    """Write the state file, and remove it at the end."""
    outputs = {pipeline.name: dict(pipeline.outputs) for pipeline in pipelines}
    state = {"endpoint": emulator.endpoint, "region": emulator.region, "outputs": outputs}
    STATE_FILE.parent.mkdir(parents=True, exist_ok=True)
    STATE_FILE.write_text(json.dumps(state, indent=1) + "\n")
    try:
        yield
    finally:
        STATE_FILE.unlink(missing_ok=True)


def running() -> tuple[Clients, list[Pipeline]]:
    """The embedded AWS that is up, and its pipelines; raises LocalError when none is."""
    state = json.loads(STATE_FILE.read_text()) if STATE_FILE.exists() else None
    if state is None or not is_ready(state["endpoint"]):
        raise LocalError("No embedded AWS is running. Start one with `make local`.")
    return Clients(state["endpoint"], state["region"]), pipelines_of(state["outputs"])


def refuse_second() -> None:
    """Raises LocalError when one is up already: the commands could reach only one of them."""
    try:
        clients, _ = running()
    except LocalError:
        return
    raise LocalError(
        f"An embedded AWS is up already, on {clients.endpoint}. Use that one, or end it first "
        "with Ctrl-C where it runs."
    )
