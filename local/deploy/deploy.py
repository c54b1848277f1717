"""Run the stack's program and create its resources on the embedded AWS."""

import asyncio
import contextlib
import logging
import runpy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pulumi
from pulumi.runtime import mocks, settings, stack

from local.deploy.look_ups import look_up
from local.deploy.operations import create
from streaming_etl.components.packaging.dependencies import Target, install_for
from streaming_etl.stack.clients import Clients
from streaming_etl.stack.config import StackConfig
from streaming_etl.stack.errors import CommandError
from streaming_etl.stack.program import program_environment

OnCreated = Callable[[str, str], None]
"""Receives the type and the name of each created resource."""


class Provider(mocks.Mocks):
    """Replaces the AWS provider: creates resources and returns look-ups."""

    def __init__(self, clients: Clients, on_created: OnCreated) -> None:
        self._clients = clients
        self._on_created = on_created

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        if not args.custom:
            return None, args.inputs
        id_, state = create(self._clients, args.typ, args.name, args.inputs)
        self._on_created(args.typ, args.name)
        return id_, state

    def call(self, args: mocks.MockCallArgs) -> Any:
        return look_up(self._clients, args.token, args.args)


class Monitor(mocks.MockMonitor):
    """Pulumi's mock monitor, which also rejects duplicate resources and closes its loops."""

    def __init__(self, provider: Provider) -> None:
        super().__init__(provider)
        self._urns: set[str] = set()

    def RegisterResource(self, request: Any) -> Any:
        urn = self.make_urn(request.parent, request.type, request.name)
        if urn in self._urns:
            raise CommandError(
                f"The name of a resource must be unique (got {request.name} twice for "
                f"{request.type}).",
                code="duplicate-resource",
                type=request.type,
                name=request.name,
            )
        self._urns.add(urn)
        with loop_of_this_thread():
            return super().RegisterResource(request)  # type: ignore[no-untyped-call]

    def Invoke(self, request: Any) -> Any:
        with loop_of_this_thread():
            return super().Invoke(request)  # type: ignore[no-untyped-call]


@contextlib.contextmanager
def loop_of_this_thread() -> Iterator[None]:
    """Close the event loop that the mock monitor opens per thread."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        yield
    finally:
        asyncio.set_event_loop(None)
        loop.close()


def deploy(
    directory: Path, config: StackConfig, clients: Clients, on_created: OnCreated = lambda *_: None
) -> dict[str, Any]:
    """Run `__main__.py` of the directory and return the stack's outputs."""
    monitor = Monitor(Provider(clients, on_created))
    # The functions run in this Python.
    with program_environment(directory), install_for(Target.host()):
        return asyncio.run(run_program(directory / "__main__.py", config, monitor))


async def run_program(program: Path, config: StackConfig, monitor: Monitor) -> dict[str, Any]:
    """Run the program in this event loop; Pulumi requires a single one."""
    # Pulumi keeps its settings in context variables: they end with this task.
    quiet = logging.getLogger("local.pulumi")
    quiet.addHandler(logging.NullHandler())
    quiet.propagate = False
    settings.reset_options()
    mocks.set_mocks(monitor.mocks, config.project, config.stack, logger=quiet, monitor=monitor)
    pulumi.runtime.set_all_config(dict(config.values))
    # After a failure every dependent future repeats the error that Pulumi raises below.
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)

    def run_file() -> None:
        runpy.run_path(str(program))

    await stack.run_pulumi_func(run_file)
    root = settings.get_root_resource()
    assert isinstance(root, stack.Stack)
    return dict(await pulumi.Output.from_input(root.outputs).future() or {})
