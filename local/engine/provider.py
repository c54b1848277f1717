"""The AWS provider's gRPC service, as the Pulumi engine calls it."""

import contextlib
import re
import secrets
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from google.protobuf import empty_pb2, json_format, struct_pb2
from pulumi.runtime import rpc
from pulumi.runtime.proto import plugin_pb2, provider_pb2_grpc, status_pb2
from pulumi.runtime.proto import provider_pb2 as messages

from local.deploy.changes import changed_paths, replaced_by
from local.deploy.operations import RESOURCE_TYPES
from local.deploy.resources.resource_type import ResourceType
from local.engine.backend import Backend, NotReadyError, State

PACKAGE = "aws"
PARALLEL_CALLS = 64


class AwsProvider(provider_pb2_grpc.ResourceProviderServicer):
    """Checks and compares resources; the backend creates them."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend

    def Handshake(self, _request: Any, _context: Any) -> Any:
        return messages.ProviderHandshakeResponse()

    def GetPluginInfo(self, _request: Any, _context: Any) -> Any:
        # Attached providers have no version of a plugin file.
        return plugin_pb2.PluginInfo(version="7.51.1")

    def Attach(self, _request: Any, _context: Any) -> Any:
        return empty_pb2.Empty()

    def Cancel(self, _request: Any, _context: Any) -> Any:
        return empty_pb2.Empty()

    def CheckConfig(self, request: Any, _context: Any) -> Any:
        return messages.CheckResponse(inputs=request.news)

    def DiffConfig(self, _request: Any, _context: Any) -> Any:
        return messages.DiffResponse(changes=messages.DiffResponse.DIFF_NONE)

    def Configure(self, _request: Any, _context: Any) -> Any:
        return messages.ConfigureResponse(supportsPreview=True)

    def Check(self, request: Any, _context: Any) -> Any:
        type_, name = type_and_name(request.urn)
        inputs, olds = plain(request.news), plain(request.olds)
        key = resource_type(type_).auto_name
        if key is not None and key not in inputs:
            inputs[key] = olds.get(key) or automatic_name(name)
        failures = []
        if key is not None and isinstance(inputs[key], str) and inputs[key] != rpc.UNKNOWN:
            most = resource_type(type_).max_name
            if len(inputs[key]) > most:
                reason = f"{inputs[key]} has more than {most} characters"
                failures.append(messages.CheckFailure(property=key, reason=reason))
        return messages.CheckResponse(inputs=struct_of(inputs), failures=failures)

    def Diff(self, request: Any, _context: Any) -> Any:
        type_, name = type_and_name(request.urn)
        olds, news = plain(request.old_inputs), plain(request.news)
        changed = sorted(changed_paths(olds, news))
        ignored = {*request.ignoreChanges, *resource_type(type_).ignored}
        changed = [path for path in changed if path.partition(".")[0] not in ignored]
        replaces = [path for path in changed if replaced_by(type_, path)]
        details = {
            path: messages.PropertyDiff(
                kind=messages.PropertyDiff.UPDATE_REPLACE
                if path in replaces
                else messages.PropertyDiff.UPDATE,
                inputDiff=True,
            )
            for path in changed
        }
        kinds = messages.DiffResponse
        return messages.DiffResponse(
            changes=kinds.DIFF_SOME if changed else kinds.DIFF_NONE,
            replaces=replaces,
            deleteBeforeReplace=bool(replaces) and has_fixed_name(type_, name, news),
            diffs=sorted({path.partition(".")[0] for path in changed}),
            detailedDiff=details,
            hasDetailedDiff=True,
        )

    def Create(self, request: Any, context: Any) -> Any:
        type_, name = type_and_name(request.urn)
        inputs = plain(request.properties)
        if request.preview:
            return messages.CreateResponse(properties=struct_of(previewed(type_, inputs, {})))
        with reported(context):
            id_, state = self.backend.create(type_, name, inputs)
        return messages.CreateResponse(id=id_, properties=struct_of(state))

    def Read(self, request: Any, context: Any) -> Any:
        type_, name = type_and_name(request.urn)
        with reported(context):
            state = self.backend.read(type_, name, request.id, plain(request.properties))
        if state is None:
            return messages.ReadResponse()
        # The next preview compares these with the program.
        inputs = {key: state.get(key) for key in plain(request.inputs)}
        return messages.ReadResponse(
            id=request.id, properties=struct_of(state), inputs=struct_of(inputs)
        )

    def Update(self, request: Any, context: Any) -> Any:
        type_, name = type_and_name(request.urn)
        olds, news = plain(request.olds), plain(request.news)
        if request.preview:
            return messages.UpdateResponse(properties=struct_of(previewed(type_, news, olds)))
        with reported(context):
            state = self.backend.update(type_, name, request.id, olds, news)
        return messages.UpdateResponse(properties=struct_of(state))

    def Delete(self, request: Any, context: Any) -> Any:
        type_, name = type_and_name(request.urn)
        with reported(context):
            self.backend.delete(type_, name, request.id, plain(request.properties))
        return empty_pb2.Empty()

    def Invoke(self, request: Any, context: Any) -> Any:
        with reported(context):
            result = self.backend.invoke(request.tok, plain(request.args))
        return messages.InvokeResponse(**{"return": struct_of(result)})


@contextlib.contextmanager
def reported(context: Any) -> Iterator[None]:
    """Return an error of the backend to the engine."""
    try:
        yield
    except NotReadyError as error:
        # The engine keeps the resource in the stack's state and updates it the next time.
        details = messages.ErrorResourceInitFailed(
            id=error.id, properties=struct_of(error.state), reasons=[str(error)]
        )
        status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=str(error))
        status.details.add().Pack(details)
        context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
        context.abort(grpc.StatusCode.UNKNOWN, str(error))
    except Exception as error:
        context.abort(grpc.StatusCode.UNKNOWN, f"{type(error).__name__}: {error}")


def type_and_name(urn: str) -> tuple[str, str]:
    """Return a resource's type and logical name from its URN."""
    parts = urn.split("::")
    return parts[2].rpartition("$")[2], "::".join(parts[3:])


def resource_type(type_: str) -> ResourceType:
    """Return the type's properties; raise KeyError for a type without them."""
    return RESOURCE_TYPES[type_]


def plain(struct: Any) -> State:
    """Return a Struct as data; whole numbers are floats in it."""
    return dict(json_format.MessageToDict(struct))


def struct_of(values: Mapping[str, Any]) -> struct_pb2.Struct:
    """Return data as a Struct, without absent values."""
    struct = struct_pb2.Struct()
    struct.update({key: value for key, value in values.items() if value is not None})
    return struct


def automatic_name(name: str) -> str:
    """Return a physical name as Pulumi generates it."""
    return f"{name}-{secrets.token_hex(4)[:7]}"


def has_fixed_name(type_: str, name: str, inputs: State) -> bool:
    """Whether the program chose the physical name, which is unique."""
    key = resource_type(type_).auto_name
    return key is not None and not re.fullmatch(f"{re.escape(name)}-[0-9a-f]{{7}}", inputs[key])


def previewed(type_: str, inputs: State, state: State) -> State:
    """Return the outputs of a preview.

    What only AWS knows is unknown for a new resource.
    """
    computed = resource_type(type_).computed
    return {key: state.get(key, rpc.UNKNOWN) for key in computed} | inputs


@contextlib.contextmanager
def serving(backend: Backend) -> Iterator[int]:
    """Serve the provider on the loopback; yield its port."""
    # An update runs many calls at once, and each may wait for AWS.
    server = grpc.server(
        ThreadPoolExecutor(max_workers=PARALLEL_CALLS),
        options=[("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)],
    )
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(AwsProvider(backend), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield port
    finally:
        server.stop(grace=None).wait()
