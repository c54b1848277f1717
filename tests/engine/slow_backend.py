"""A stand-in AWS that is slow and fails as a test configures."""

import contextlib
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from local.engine.backend import NotReadyError, RecordingBackend, State
from tests.support.deployment_order import Pair, Resource, pairs

MAX_DELAY_SECONDS = 2.0

Kind = Literal["create", "update", "delete"]
Delay = Callable[[Kind, str, str], float]
"""Seconds of an operation, by its kind and the resource's type and logical name."""

Failure = Literal["rejected", "not ready", "lost"]
"""`rejected`: AWS does nothing. `not ready`: AWS creates the resource, and the provider, which
waits for it, returns it together with an error. `lost`: AWS creates the resource, and the provider
never receives the response."""


class RejectedError(Exception):
    """AWS rejects a call, for example because of a quota."""


class LostResponseError(Exception):
    """The connection fails after AWS received a call."""


@dataclass(frozen=True)
class Operation:
    """One call of the provider, with its times in seconds."""

    run: int
    kind: Kind
    type: str
    name: str
    start: float
    end: float
    complete: bool
    """False if it was rejected, or if the resource was not ready."""


def random_delays(seed: int) -> Delay:
    """Return delays that depend on seed and resource only."""

    def delay(kind: Kind, type_: str, name: str) -> float:
        return random.Random(f"{seed} {kind} {type_} {name}").uniform(0, MAX_DELAY_SECONDS)

    return delay


class SlowBackend(RecordingBackend):
    """Takes time for each operation, and records when each started and ended.

    failures: by kind of operation and logical name; each happens once.
    """

    def __init__(
        self,
        delay: Delay,
        failures: Mapping[tuple[Kind, str], Failure] | None = None,
        tables: Mapping[str, State] | None = None,
    ) -> None:
        super().__init__(tables=tables)
        self.delay, self.failures = delay, dict(failures or {})
        self.run = 0
        """Number of the engine's run, which a test increases."""
        self.operations: list[Operation] = []
        self.latest: dict[tuple[str, str], Resource] = {}
        """Each resource as it was created or updated last, by type and logical name."""

    def create(self, type_: str, name: str, inputs: State) -> tuple[str, State]:
        with self.recorded("create", type_, name) as failure:
            id_, state = super().create(type_, name, inputs)
            self.latest[type_, name] = Resource(type_, name, state)
            if failure == "not ready":
                raise NotReadyError(f"{name} is not ready", id_, state)
            if failure == "lost":
                raise LostResponseError(f"no response about {name}")
        return id_, state

    def update(self, type_: str, name: str, id_: str, state: State, inputs: State) -> State:
        with self.recorded("update", type_, name):
            new = super().update(type_, name, id_, state, inputs)
            self.latest[type_, name] = Resource(type_, name, new)
        return new

    def delete(self, type_: str, name: str, id_: str, state: State) -> None:
        with self.recorded("delete", type_, name):
            super().delete(type_, name, id_, state)

    def wait(self, kind: Kind, type_: str, name: str) -> None:
        time.sleep(self.delay(kind, type_, name))

    @contextlib.contextmanager
    def recorded(self, kind: Kind, type_: str, name: str) -> Iterator[Failure | None]:
        """Delay an operation, perhaps reject it, and record it."""
        failure, complete = self.failures.pop((kind, name), None), False
        start = time.monotonic()
        try:
            self.wait(kind, type_, name)
            if failure == "rejected":
                raise RejectedError(f"{name} is rejected")
            yield failure
            complete = True
        finally:
            end = time.monotonic()
            self.operations.append(Operation(self.run, kind, type_, name, start, end, complete))

    def of(self, resource: Resource, *kinds: Kind) -> list[Operation]:
        """Return the operations of a resource."""
        return [
            operation
            for operation in self.operations
            if (operation.type, operation.name) == (resource.type, resource.name)
            and operation.kind in kinds
        ]

    def misordered(self) -> list[Pair]:
        """Return the resources that were created or deleted in a wrong order."""
        return [pair for pair in pairs(list(self.latest.values())) if self.is_misordered(pair)]

    def is_misordered(self, pair: Pair) -> bool:
        """Whether operations on two resources had another order than their rule."""
        resource, needed = pair.resource, pair.needed
        ready = [
            operation.end for operation in self.of(needed, "create", "update") if operation.complete
        ]
        created = self.of(resource, "create")
        if created and not (ready and min(ready) <= min(start_times(created))):
            return True
        updated = {operation.run: operation for operation in self.of(needed, "update")}
        if any(
            operation.run in updated and operation.start < updated[operation.run].end
            for operation in self.of(resource, "update")
        ):
            return True
        deleted = [operation.end for operation in self.of(resource, "delete") if operation.complete]
        deletions = self.of(needed, "delete")
        return bool(deletions) and not (deleted and max(deleted) <= min(start_times(deletions)))


def start_times(operations: Sequence[Operation]) -> list[float]:
    return [operation.start for operation in operations]
