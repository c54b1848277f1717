"""Backend of the stand-in provider that deploys to the embedded AWS."""

from pathlib import Path
from typing import Any

import pulumi
from pulumi.runtime import rpc

from local.deploy import operations
from local.deploy.existing_tables import Definitions
from local.deploy.look_ups import look_up
from local.engine.backend import State
from streaming_etl.stack.clients import Clients


class EmbeddedBackend:
    """Creates, updates, reads and deletes resources of the embedded AWS.

    directory: of the program, to which paths of archives are relative.
    definitions: of existing tables. stack: for messages.
    """

    def __init__(
        self,
        clients: Clients,
        directory: Path,
        definitions: Definitions | None = None,
        *,
        stack: str,
    ) -> None:
        self._clients = clients
        self._directory = directory
        self._definitions, self._stack = definitions or {}, stack

    def create(self, type_: str, name: str, inputs: State) -> tuple[str, State]:
        id_, state = operations.create(self._clients, type_, name, self._with_archives(inputs))
        return id_, {**state, **inputs}

    def read(self, type_: str, name: str, id_: str, state: State) -> State | None:
        return operations.read(self._clients, type_, name, id_, state)

    def update(self, type_: str, name: str, id_: str, state: State, inputs: State) -> State:
        updated = operations.update(
            self._clients, type_, name, id_, state, self._with_archives(inputs)
        )
        return {**updated, **inputs}

    def delete(self, type_: str, name: str, id_: str, state: State) -> None:
        operations.delete(self._clients, type_, name, id_, state)

    def invoke(self, token: str, arguments: State) -> State:
        return look_up(self._clients, token, arguments, self._definitions, self._stack)

    def _with_archives(self, inputs: State) -> State:
        """Return the inputs with archives as the program sets them."""
        return {key: self._archive(value) for key, value in inputs.items()}

    def _archive(self, value: Any) -> Any:
        if isinstance(value, dict) and value.get(rpc._special_sig_key) == rpc._special_archive_sig:
            return pulumi.FileArchive(str(self._directory / value["path"]))
        return value
