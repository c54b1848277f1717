"""Runs the stack's own program; each resource it registers is made on the embedded AWS."""

import asyncio
import contextlib
import logging
import runpy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pulumi
from pulumi.runtime import mocks, settings, stack

from local import LocalError
from local.deploy.creators import create
from local.emulator.process import ACCOUNT
from streaming_etl.stack.clients import Clients
from streaming_etl.stack.outputs import StackConfig
from streaming_etl.stack.program import program_environment

Created = Callable[[str, str], None]
"""Is told the type and the name of each resource that stands."""


class Provider(mocks.Mocks):
    """Stands where the AWS provider stands on a real `pulumi up`."""

    def __init__(self, clients: Clients, created: Created) -> None:
        self._clients = clients
        self._created = created

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        if not args.custom:
            return None, args.inputs
        id_, state = create(self._clients, args.typ, args.name, args.inputs)
        self._created(args.typ, args.name)
        return id_, state

    def call(self, args: mocks.MockCallArgs) -> Any:
        match args.token:
            case "aws:index/getCallerIdentity:getCallerIdentity":
                arn = f"arn:aws:iam::{ACCOUNT}:root"
                return {"id": ACCOUNT, "accountId": ACCOUNT, "arn": arn, "userId": ACCOUNT}
            case "aws:index/getRegion:getRegion":
                region = self._clients.region
                return {"id": region, "region": region, "name": region}
            case "aws:index/getPartition:getPartition":
                return {"id": "aws", "partition": "aws", "dnsSuffix": "amazonaws.com"}
            case "aws:dynamodb/getTable:getTable":
                return self._table(args.args["name"])
        raise LocalError(
            f"The embedded AWS does not know the call {args.token}. "
            "Answer it in local/deploy.py, or leave it out of the program."
        )

    def _table(self, name: str) -> dict[str, Any]:
        table = self._clients("dynamodb").describe_table(TableName=name)["Table"]
        stream = table.get("StreamSpecification", {})
        keys = {key["KeyType"]: key["AttributeName"] for key in table["KeySchema"]}
        return {
            "id": name,
            "name": name,
            "hashKey": keys["HASH"],
            "rangeKey": keys.get("RANGE", ""),
            "arn": table["TableArn"],
            "streamArn": table.get("LatestStreamArn", ""),
            "streamEnabled": stream.get("StreamEnabled", False),
            "streamViewType": stream.get("StreamViewType", ""),
        }


class Monitor(mocks.MockMonitor):
    """The mock monitor, which refuses a resource that comes twice and leaves no loop open."""

    def __init__(self, provider: Provider) -> None:
        super().__init__(provider)
        self._seen: set[str] = set()

    def RegisterResource(self, request: Any) -> Any:
        urn = self.make_urn(request.parent, request.type, request.name)
        if urn in self._seen:
            raise LocalError(f"Two resources are called {request.name} ({request.type}).")
        self._seen.add(urn)
        with loop_of_this_thread():
            return super().RegisterResource(request)  # type: ignore[no-untyped-call]

    def Invoke(self, request: Any) -> Any:
        with loop_of_this_thread():
            return super().Invoke(request)  # type: ignore[no-untyped-call]


@contextlib.contextmanager
def loop_of_this_thread() -> Iterator[None]:
    """The mock monitor opens an event loop in each of its threads, and closes none."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        yield
    finally:
        asyncio.set_event_loop(None)
        loop.close()


def deploy(
    directory: Path, config: StackConfig, clients: Clients, created: Created = lambda *_: None
) -> dict[str, Any]:
    """Run `__main__.py` of `directory`; the stack's outputs."""
    monitor = Monitor(Provider(clients, created))
    with program_environment(directory):
        return asyncio.run(run_program(directory / "__main__.py", config, monitor))


async def run_program(program: Path, config: StackConfig, monitor: Monitor) -> dict[str, Any]:
    # Pulumi keeps its settings in context variables, so those made in here end with this task.
    # All of it must run in one loop: else Pulumi waits for ever for what another one does.
    quiet = logging.getLogger("local.pulumi")
    quiet.addHandler(logging.NullHandler())
    quiet.propagate = False
    settings.reset_options()
    mocks.set_mocks(monitor.mocks, config.project, config.stack, logger=quiet, monitor=monitor)
    pulumi.runtime.set_all_config(dict(config.values))
    # After a failure Pulumi leaves the futures of all that waited; the cause is told once.
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)
    await stack.run_pulumi_func(lambda: run_file(program))
    root = settings.get_root_resource()
    assert isinstance(root, stack.Stack)
    return dict(await pulumi.Output.from_input(root.outputs).future() or {})


def run_file(program: Path) -> None:
    runpy.run_path(str(program))
