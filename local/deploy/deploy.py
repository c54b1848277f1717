"""Run the stack's program; create and update its resources."""

import asyncio
import contextlib
import logging
import runpy
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pulumi
from google.protobuf import struct_pb2
from pulumi.runtime import mocks, settings, stack
from pulumi.runtime.proto import callback_pb2, callback_pb2_grpc, resource_pb2

from local.deploy import operations
from local.deploy.changes import changed_paths, replaced_by, with_hashes
from local.deploy.existing_tables import Definitions
from local.deploy.look_ups import look_up
from streaming_etl.components.packaging.dependencies import Target, install_for
from streaming_etl.stack.clients import Clients
from streaming_etl.stack.config import StackConfig
from streaming_etl.stack.errors import CommandError
from streaming_etl.stack.program import program_environment
from streaming_etl.stack.recorder import provider_outputs

OnCreated = Callable[[str, str], None]
"""Receives the type and the name of each created resource."""

WITH_DATA = (
    "aws:dynamodb/table:Table",
    "aws:glue/catalogDatabase:CatalogDatabase",
    "aws:glue/catalogTable:CatalogTable",
    "aws:s3/bucket:Bucket",
)
"""Types whose deletion loses items or rows, or what finds them."""


@dataclass(frozen=True)
class Resource:
    """A deployed resource, as JSON has it."""

    type: str
    name: str
    id: str
    """Empty for a component."""
    inputs: dict[str, Any]
    outputs: dict[str, Any]
    """What the provider adds to the inputs."""


Resources = dict[str, Resource]
"""By URN, in the order of their creation."""


@dataclass
class Deployment:
    """The resources of a stack, and their changes by one run."""

    resources: Resources = field(default_factory=dict)
    steps: dict[str, str] = field(default_factory=dict)
    """`create`, `update`, `replace`, `delete` or `same`, by URN."""
    inputs: dict[str, list[str]] = field(default_factory=dict)
    """Changed inputs of each updated or replaced resource, by URN."""
    outputs: dict[str, Any] = field(default_factory=dict)
    """The stack's outputs."""


class Provider(mocks.Mocks):
    """Replaces the AWS provider: creates and updates resources, and looks up others.

    previous: the deployed resources; none for the first deployment.
    dry_run: changes nothing; outputs of new resources are placeholders.
    """

    def __init__(
        self,
        clients: Clients,
        on_created: OnCreated = lambda *_: None,
        *,
        stack: str,
        definitions: Definitions | None = None,
        previous: Resources | None = None,
        dry_run: bool = False,
    ) -> None:
        self._clients = clients
        self._on_created = on_created
        self._stack = stack
        self._definitions = definitions or {}
        self.previous = previous or {}
        self.dry_run = dry_run
        self.deployment = Deployment()
        self.replaced: list[Resource] = []
        """Resources to delete, of which the program has a new one."""
        self.registration = threading.local()
        """`urn` and `ignored` inputs of the resource that this thread registers."""

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        urn = self.registration.urn
        old, inputs = self.previous.get(urn), with_hashes(args.inputs)
        if not args.custom:
            self.deployment.resources[urn] = Resource(args.typ, args.name, "", inputs, {})
            return None, args.inputs
        operation, changed = self._operation(args.typ, old, inputs)
        self.deployment.steps[urn], self.deployment.inputs[urn] = operation, changed
        if old is None or operation == "replace":
            id_, state = self._created(args, old)
        elif operation == "update" and not self.dry_run:
            id_ = old.id
            state = operations.update(
                self._clients,
                args.typ,
                args.name,
                id_,
                {**old.inputs, **old.outputs},
                args.inputs,
            )
        else:
            id_, state = old.id, {**old.outputs, **args.inputs}
        outputs = {key: value for key, value in state.items() if key not in args.inputs}
        self.deployment.resources[urn] = Resource(args.typ, args.name, id_, inputs, outputs)
        return id_, state

    def _operation(
        self, type_: str, old: Resource | None, inputs: dict[str, Any]
    ) -> tuple[str, list[str]]:
        """Return the operation, and the changed inputs."""
        if old is None:
            return "create", []
        ignored = {*self.registration.ignored, *operations.known_type(type_, old.name).ignored}
        paths = [
            path
            for path in sorted(changed_paths(old.inputs, inputs))
            if path.partition(".")[0] not in ignored
        ]
        names = sorted({path.partition(".")[0] for path in paths})
        if any(replaced_by(type_, path) for path in paths):
            return "replace", names
        return ("update" if paths else "same"), names

    def _created(
        self, args: mocks.MockResourceArgs, old: Resource | None
    ) -> tuple[str, dict[str, Any]]:
        if self.dry_run:
            # AWS would add other values; the dependent resources change too.
            return "new", {**args.inputs, **provider_outputs(args.typ, args.name, args.inputs)}
        if old is not None and has_fixed_name(old):
            self.delete(old)
        elif old is not None:
            self.replaced.append(old)
        id_, state = operations.create(self._clients, args.typ, args.name, args.inputs)
        self._on_created(args.typ, args.name)
        return id_, state

    def delete(self, resource: Resource) -> None:
        """Delete one resource of AWS."""
        operations.delete(
            self._clients,
            resource.type,
            resource.name,
            resource.id,
            {**resource.inputs, **resource.outputs},
        )

    def call(self, args: mocks.MockCallArgs) -> Any:
        return look_up(self._clients, args.token, args.args, self._definitions, self._stack)


def has_fixed_name(resource: Resource) -> bool:
    """Whether the program chose the physical name, which is unique."""
    key = operations.known_type(resource.type, resource.name).auto_name
    return key in resource.inputs


class Monitor(mocks.MockMonitor):
    """Pulumi's mock monitor, which runs hooks and rejects duplicates.

    It also closes its event loops.
    """

    def __init__(self, provider: Provider) -> None:
        super().__init__(provider)
        self.provider = provider
        self._urns: set[str] = set()
        self._hooks: dict[str, callback_pb2.Callback] = {}
        self.rejections: list[str] = []
        """Errors of the hooks."""

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
        registration = self.provider.registration
        registration.urn, registration.ignored = urn, list(request.ignoreChanges)
        with loop_of_this_thread():
            response = super().RegisterResource(request)  # type: ignore[no-untyped-call]
        if self.provider.dry_run:
            self._run_hooks(urn, request)
        return response

    def RegisterResourceHook(self, request: Any) -> Any:
        self._hooks[request.name] = request.callback
        return super().RegisterResourceHook(request)  # type: ignore[no-untyped-call]

    def _run_hooks(self, urn: str, request: Any) -> None:
        """Run the hooks of an update, as the engine does before it."""
        old = self.provider.previous.get(urn)
        new = self.provider.deployment.resources.get(urn)
        if old is None or new is None or not any(changed_paths(old.inputs, new.inputs)):
            return
        call = resource_pb2.ResourceHookRequest(
            urn=urn,
            name=request.name,
            type=request.type,
            new_inputs=request.object,
            old_inputs=struct_of(old.inputs),
        )
        for name in request.hooks.before_update:
            callback = self._hooks[name]
            with grpc.insecure_channel(callback.target) as channel:
                result = callback_pb2_grpc.CallbacksStub(channel).Invoke(
                    callback_pb2.CallbackInvokeRequest(
                        token=callback.token, request=call.SerializeToString()
                    )
                )
            if error := resource_pb2.ResourceHookResponse.FromString(result.response).error:
                self.rejections.append(error)

    def Invoke(self, request: Any) -> Any:
        with loop_of_this_thread():
            return super().Invoke(request)  # type: ignore[no-untyped-call]


def struct_of(values: Mapping[str, Any]) -> struct_pb2.Struct:
    """Return data as a Struct, without absent values."""
    struct = struct_pb2.Struct()
    struct.update({key: value for key, value in values.items() if value is not None})
    return struct


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
    directory: Path,
    config: StackConfig,
    clients: Clients,
    on_created: OnCreated = lambda *_: None,
    *,
    definitions: Definitions | None = None,
) -> Deployment:
    """Run `__main__.py` of the directory and create its resources.

    definitions: of existing tables.
    """
    provider = Provider(clients, on_created, stack=config.stack, definitions=definitions)
    run(directory, config, Monitor(provider))
    return provider.deployment


def previewed(
    directory: Path, config: StackConfig, clients: Clients, previous: Resources
) -> Deployment:
    """Return what an update would change.

    Raises CommandError if a hook rejects the update, or if it would delete data.
    """
    provider = Provider(clients, stack=config.stack, previous=previous, dry_run=True)
    monitor = Monitor(provider)
    run(directory, config, monitor)
    if monitor.rejections:
        raise CommandError(
            "The stack cannot be updated:\n" + "\n".join(monitor.rejections),
            code="update-rejected",
            errors=monitor.rejections,
        )
    deployment = provider.deployment
    for urn, resource in removed(previous, deployment).items():
        if resource.id:
            deployment.steps[urn], deployment.inputs[urn] = "delete", []
    require_no_loss(deployment.steps, previous)
    return deployment


def require_no_loss(steps: Mapping[str, str], previous: Resources) -> None:
    """Raise CommandError if the steps delete a resource with data."""
    lost = [
        f"{operation} {previous[urn].name}"
        for urn, operation in steps.items()
        if operation in ("replace", "delete") and previous[urn].type in WITH_DATA
    ]
    if lost:
        raise CommandError(
            f"The update must keep all data (got {', '.join(lost)}). Undo the change. For "
            "such updates start the stack with `make local ENGINE=pulumi`.",
            code="data-at-risk",
            operations=lost,
        )


def update(
    directory: Path,
    config: StackConfig,
    clients: Clients,
    previous: Resources,
    save: Callable[[Resources], None],
) -> Deployment:
    """Update the stack's resources; delete those that the program no longer has.

    save: receives the resources that exist at the end, also after a failure.
    Raises as `previewed`, before the first change.
    """
    previewed(directory, config, clients, previous)
    provider = Provider(clients, stack=config.stack, previous=previous)
    deployment = provider.deployment
    try:
        run(directory, config, Monitor(provider))
        for resource in reversed(provider.replaced):
            provider.delete(resource)
        for urn, resource in reversed(removed(previous, deployment).items()):
            if resource.id:
                provider.delete(resource)
                deployment.steps[urn], deployment.inputs[urn] = "delete", []
    except BaseException:
        save({**previous, **deployment.resources})
        raise
    save(deployment.resources)
    return deployment


def removed(previous: Resources, deployment: Deployment) -> Resources:
    """Return the resources that the program no longer has."""
    return {urn: one for urn, one in previous.items() if urn not in deployment.resources}


def run(directory: Path, config: StackConfig, monitor: Monitor) -> None:
    """Run the program; the monitor's provider has the deployment."""
    # The functions run in this Python.
    with program_environment(directory), install_for(Target.host()):
        outputs = asyncio.run(run_program(directory / "__main__.py", config, monitor))
    monitor.provider.deployment.outputs = outputs


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
