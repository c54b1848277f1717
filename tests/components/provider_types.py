"""What the AWS provider itself knows of a resource's inputs, read from its Python classes.

Pulumi's mocks take any key; the provider refuses a misspelt one, but only at deployment.
"""

import inspect
import typing
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from typing import Any

import pulumi
from pulumi import _types

from streaming_etl.stack.provider_classes import arguments_class

SCALARS: dict[type, tuple[type, ...]] = {
    str: (str,),
    bool: (bool,),
    int: (int, float),
    float: (int, float),
}


def arguments_of(token: str) -> set[str]:
    """The names of a resource's inputs."""
    return set(_types.input_type_types(arguments_class(token)))


def misfits(token: str, inputs: Mapping[str, Any]) -> list[str]:
    """Every input that the provider does not know, misses or cannot take; nested ones included."""
    return list(_in_class(arguments_class(token), inputs, ""))


def _in_class(cls: type, value: Any, path: str) -> Iterator[str]:
    if not isinstance(value, Mapping):
        yield f"{path} is no {cls.__name__}"
        return
    types = _types.input_type_types(cls)
    for key, item in value.items():
        if key in types:
            yield from _in_type(types[key], item, f"{path}.{key}")
        else:
            yield f"{path}.{key} is unknown to {cls.__name__}"
    names = _types.input_type_py_to_pulumi_names(cls)
    for name, parameter in inspect.signature(cls.__init__).parameters.items():
        required = name in names and parameter.default is inspect.Parameter.empty
        if required and names[name] not in value:
            yield f"{path}.{names[name]} is required by {cls.__name__}"


def _in_type(kind: Any, value: Any, path: str) -> Iterator[str]:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Union:
        # A plain value beside its promises: Union[T, Awaitable[T], Output[T]].
        yield from _in_type(arguments[0], value, path)
    elif origin is not None and issubclass(origin, Sequence):
        if not isinstance(value, list):
            yield f"{path} is no list"
            return
        for index, item in enumerate(value):
            yield from _in_type(arguments[0], item, f"{path}.{index}")
    elif origin is not None and issubclass(origin, Mapping):
        if not isinstance(value, dict):
            yield f"{path} is no map"
            return
        for key, item in value.items():
            yield from _in_type(arguments[1], item, f"{path}.{key}")
    elif kind in SCALARS:
        if not isinstance(value, SCALARS[kind]) or (kind is not bool and value is True):
            yield f"{path} is no {kind.__name__}"
    elif inspect.isclass(kind) and issubclass(kind, Enum):
        if value not in [member.value for member in kind]:
            yield f"{path} is no {kind.__name__}"
    elif _types.is_input_type(kind):
        yield from _in_class(kind, value, path)
    elif kind is not pulumi.Archive:
        raise TypeError(f"{path}: cannot check {kind!r}")
