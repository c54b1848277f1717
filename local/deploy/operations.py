"""Create, update, read and delete the program's resources on the embedded AWS."""

import contextlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from local.deploy.inputs import FREE_KEYS, Inputs, Outputs, plain_value
from local.deploy.resources import (
    athena,
    cloudwatch,
    dynamodb,
    events,
    firehose,
    functions,
    glue,
    iam,
    logs,
    s3,
    scheduler,
    sns,
    step_functions,
)
from local.deploy.resources.resource_type import (
    ResourceType,
    is_gone,
    replacement_required,
)
from streaming_etl.stack.clients import Clients
from streaming_etl.stack.errors import CommandError

MODULES = (
    athena,
    cloudwatch,
    dynamodb,
    events,
    firehose,
    functions,
    glue,
    iam,
    logs,
    s3,
    scheduler,
    sns,
    step_functions,
)

RESOURCE_TYPES: dict[str, ResourceType] = {
    type_.token: type_ for module in MODULES for type_ in module.TYPES
}
"""By Pulumi type."""

DISABLED: tuple[Any, ...] = (False, "", {}, [], {"enabled": False})
"""Values that AWS reports for an input that the program does not set."""


def create(clients: Clients, type_: str, name: str, values: dict[str, Any]) -> tuple[str, Outputs]:
    """Create one resource; return its id and its state.

    Raises CommandError for an unknown type, an unknown input, and an error of the service.
    """
    resource_type = known_type(type_, name)
    inputs = Inputs(type_, name, values)
    with reported_failure("create", type_, name):
        outputs = resource_type.create(clients, inputs)
    inputs.require_all_used()
    return str(outputs["id"]), {**values, **outputs}


def update(
    clients: Clients, type_: str, name: str, id_: str, state: Mapping[str, Any], values: Outputs
) -> Outputs:
    """Update one resource in place; return its new state.

    state: the inputs and outputs before the update. values: the new inputs.
    Raises CommandError as `create` does, and for an input that only a replacement can change.
    """
    resource_type = known_type(type_, name)
    require_same(resource_type, name, state, values)
    require_removable(resource_type, name, state, values)
    inputs = Inputs(
        type_, name, {key: values[key] for key in values if key not in resource_type.replace}
    )
    with reported_failure("update", type_, name):
        changed = resource_type.update(clients, with_id(state, id_), inputs)
    inputs.require_all_used()
    kept = {key: state[key] for key in outputs_of(resource_type) if key in state}
    return {**kept, **values, **(changed or {})}


def read(
    clients: Clients, type_: str, name: str, id_: str, state: Mapping[str, Any]
) -> Outputs | None:
    """Return the state with the values that AWS has.

    None for a resource that does not exist. What AWS adds to nested values is omitted.
    """
    resource_type = known_type(type_, name)
    with reported_failure("read", type_, name):
        try:
            properties = resource_type.read(clients, with_id(state, id_))
        except Exception as error:
            if is_gone(error):
                return None
            raise
    result = dict(state)
    for key, value in properties.items():
        if value is None:
            result.pop(key, None)
        elif key in state or value not in DISABLED:
            result[key] = aligned(value, state.get(key), key)
    return result


def delete(clients: Clients, type_: str, name: str, id_: str, state: Mapping[str, Any]) -> None:
    """Delete one resource; accept one that does not exist."""
    resource_type = known_type(type_, name)
    with reported_failure("delete", type_, name):
        try:
            resource_type.delete(clients, with_id(state, id_))
        except Exception as error:
            if not is_gone(error):
                raise


def known_type(type_: str, name: str) -> ResourceType:
    """Return the resource type; raises CommandError for an unknown one."""
    if type_ not in RESOURCE_TYPES:
        raise CommandError(
            f"The embedded AWS does not support the resource type {type_} ({name}). "
            "Add it to local/deploy/resources/.",
            code="unknown-resource-type",
            type=type_,
            name=name,
        )
    return RESOURCE_TYPES[type_]


@contextlib.contextmanager
def reported_failure(operation: str, type_: str, name: str) -> Iterator[None]:
    """Raise CommandError for any exception of the block."""
    try:
        yield
    except CommandError:
        raise
    except Exception as error:
        raise CommandError(
            f"The embedded AWS cannot {operation} {type_} ({name}): {error}\n"
            "Fix the program, or the type in local/deploy/resources/.",
            code=f"{operation}-failed",
            type=type_,
            name=name,
            reason=str(error),
        ) from error


def require_same(
    resource_type: ResourceType, name: str, state: Mapping[str, Any], values: Mapping[str, Any]
) -> None:
    """Raise CommandError if an input that replaces the resource has changed."""
    # Without a generated name, which the inputs do not need to have.
    outputs = outputs_of(resource_type)
    before = {key: state[key] for key in state if key in values or key not in outputs}
    changed = [path for path in resource_type.replace if at(path, before) != at(path, values)]
    if changed:
        raise replacement_required(resource_type.token, name, changed)


def require_removable(
    resource_type: ResourceType, name: str, state: Mapping[str, Any], values: Mapping[str, Any]
) -> None:
    """Raise CommandError for a removed input whose value would remain."""
    if resource_type.removable is None:
        return
    known = {*resource_type.removable, *resource_type.replace, *outputs_of(resource_type)}
    removed = [
        key
        for key, value in state.items()
        if value is not None and values.get(key) is None and key not in known
    ]
    if removed:
        raise CommandError(
            f"The embedded AWS cannot remove {', '.join(removed)} of {resource_type.token} "
            f"({name}). Add it to the type in local/deploy/resources/.",
            code="unknown-removal",
            type=resource_type.token,
            name=name,
            inputs=removed,
        )


def outputs_of(resource_type: ResourceType) -> list[str]:
    """Return the keys of what `create` adds to the inputs."""
    name = [resource_type.auto_name] if resource_type.auto_name else []
    return ["id", *name, *resource_type.computed]


def at(path: str, values: Any) -> Any:
    """Return the value at a path such as `a.b`, None without one."""
    for key in path.split("."):
        values = values.get(key) if isinstance(values, Mapping) else None
    return plain_value(values)


def with_id(state: Mapping[str, Any], id_: str) -> dict[str, Any]:
    return {**state, "id": id_}


def aligned(actual: Any, known: Any, key: str) -> Any:
    """Return the actual value in the form of the known value.

    What AWS adds to maps is omitted. Equal JSON documents have the known text.
    """
    if isinstance(actual, Mapping) and isinstance(known, Mapping) and key not in FREE_KEYS:
        # None is an absent input.
        return {
            name: aligned(actual.get(name), known[name], name)
            for name in known
            if name in actual or known[name] is None
        }
    if isinstance(actual, list) and isinstance(known, list) and len(actual) == len(known):
        return [aligned(one, other, key) for one, other in zip(actual, known, strict=True)]
    if isinstance(actual, str) and isinstance(known, str) and same_json(actual, known):
        return known
    return known if actual == known else actual


def same_json(text: str, other: str) -> bool:
    """Return whether two texts are equal JSON documents."""
    try:
        return bool(json.loads(text) == json.loads(other))
    except ValueError:
        return False
