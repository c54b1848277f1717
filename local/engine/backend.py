"""Backends of the provider: their interface, and one in memory."""

import threading
import uuid
from collections.abc import Mapping
from typing import Any, Protocol

from local.deploy.operations import RESOURCE_TYPES
from local.emulator.process import ACCOUNT
from streaming_etl.stack.recorder import provider_outputs

State = dict[str, Any]
"""Inputs and outputs of a resource, in camelCase, as plain data."""


class ResourceNotFoundError(Exception):
    """A resource or a looked-up table does not exist."""


class ResourceExistsError(Exception):
    """A resource with this name exists already."""


class DeletionProtectedError(Exception):
    """A table with deletion protection cannot be deleted."""


class NotReadyError(Exception):
    """A new resource exists, but AWS did not report it as ready."""

    def __init__(self, reason: str, id_: str, state: State) -> None:
        super().__init__(reason)
        self.id, self.state = id_, state


# AWS overwrites these instead of rejecting a second one.
SETTINGS_OF_OTHERS = frozenset(
    type_ for type_ in RESOURCE_TYPES if ":bucket" in type_.lower() or ":topicPolicy" in type_
) - {"aws:s3/bucket:Bucket"}


# AWS generates an id, and accepts another resource with the same name or the same inputs.
WITHOUT_NAME = (
    "aws:athena/namedQuery:NamedQuery",
    "aws:lambda/eventSourceMapping:EventSourceMapping",
    "aws:sns/topicSubscription:TopicSubscription",
)

# Another key replaces a table, but two tables cannot have the same name.
IDENTITY = {"aws:dynamodb/table:Table": ("name",)}


def resource_id(type_: str, inputs: State, outputs: State) -> str:
    """Return the id of a new resource, unique by type.

    By default the inputs whose change replaces a resource identify it.
    """
    if type_ in WITHOUT_NAME:
        return str(uuid.uuid4())
    keys = IDENTITY.get(type_, RESOURCE_TYPES[type_].replace)
    parts = [inputs[key] for key in keys if key in inputs]
    names = [part for part in parts if isinstance(part, str)]
    return ":".join([*names, outputs["name"]] if type_.endswith(":EventTarget") else names)


class Backend(Protocol):
    """Creates, updates and deletes resources for the provider."""

    def create(self, type_: str, name: str, inputs: State) -> tuple[str, State]: ...

    def read(self, type_: str, name: str, id_: str, state: State) -> State | None: ...

    def update(self, type_: str, name: str, id_: str, state: State, inputs: State) -> State: ...

    def delete(self, type_: str, name: str, id_: str, state: State) -> None: ...

    def invoke(self, token: str, arguments: State) -> State: ...


class RecordingBackend:
    """Creates nothing: it keeps the state of each resource in memory.

    tables: results of getTable by name, for existing source tables.
    """

    def __init__(
        self, region: str = "ap-northeast-1", tables: Mapping[str, State] | None = None
    ) -> None:
        self.region = region
        self.tables = dict(tables or {})
        self.resources: dict[tuple[str, str], State] = {}
        """State by type and id."""
        self._lock = threading.Lock()

    def create(self, type_: str, name: str, inputs: State) -> tuple[str, State]:
        outputs = provider_outputs(type_, name, inputs)
        id_ = resource_id(type_, inputs, outputs)
        state = {**inputs, **outputs}
        with self._lock:
            if (type_, id_) in self.resources and type_ not in SETTINGS_OF_OTHERS:
                raise ResourceExistsError(f"{id_} already exists")
            self.resources[type_, id_] = state
        return id_, state

    def read(self, type_: str, _name: str, id_: str, _state: State) -> State | None:
        return self.resources.get((type_, id_))

    def update(self, type_: str, name: str, id_: str, state: State, inputs: State) -> State:
        with self._lock:
            # Outputs that AWS added stay; inputs that the program removed do not.
            kept = {**provider_outputs(type_, name, inputs), **inputs}
            computed = {key: value for key, value in state.items() if key in ("arn", "streamArn")}
            self.resources[type_, id_] = {**kept, **computed}
            return self.resources[type_, id_]

    def delete(self, type_: str, _name: str, id_: str, state: State) -> None:
        if state.get("deletionProtectionEnabled"):
            raise DeletionProtectedError(f"{id_} has deletion protection")
        with self._lock:
            self.resources.pop((type_, id_), None)

    def invoke(self, token: str, arguments: State) -> State:
        match token:
            case "aws:index/getCallerIdentity:getCallerIdentity":
                return {"id": ACCOUNT, "accountId": ACCOUNT}
            case "aws:index/getRegion:getRegion":
                return {"id": self.region, "region": self.region, "name": self.region}
            case "aws:index/getPartition:getPartition":
                return {"id": "aws", "partition": "aws"}
            case "aws:dynamodb/getTable:getTable":
                if arguments["name"] not in self.tables:
                    raise ResourceNotFoundError(f"table {arguments['name']} does not exist")
                return self.tables[arguments["name"]]
        raise NotImplementedError(token)
