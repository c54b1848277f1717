"""A resource's inputs, converted from Pulumi's spelling to boto3's."""

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pulumi

from streaming_etl.stack.errors import CommandError

Outputs = dict[str, Any]
"""What the provider adds to a resource's inputs."""

FREE_KEYS = {"dimensions", "inputPaths", "parameters", "properties", "tags", "variables"}
"""Inputs whose maps have keys that the program chooses."""


class Inputs:
    """Inputs of one resource; its type has to use each of them."""

    def __init__(self, type_: str, logical_name: str, values: Mapping[str, Any]) -> None:
        self.type = type_
        self.logical_name = logical_name
        self._unused: dict[str, Any] = plain_value(values)

    def take(self, key: str, default: Any = None) -> Any:
        """Return one input and mark it as used."""
        return self._unused.pop(key, default)

    def name(self, key: str = "name") -> str:
        """Return the configured physical name, or generate one as Pulumi does."""
        return str(self.take(key) or f"{self.logical_name}-{secrets.token_hex(4)[:7]}")

    def tags(self) -> list[dict[str, str]]:
        """Return the tags as a list of keys and values."""
        return tag_list(self.take("tags", {}))

    def remaining(self, **renamed: str) -> dict[str, Any]:
        """Return all unused inputs in boto3's spelling; boto3 rejects unknown ones."""
        unused, self._unused = self._unused, {}
        converted: dict[str, Any] = pascal_case(unused, **renamed)
        return converted

    def require_all_used(self) -> None:
        """Raise CommandError for an unused input, which would have no effect here."""
        if self._unused:
            unused = sorted(self._unused)
            raise CommandError(
                f"The embedded AWS does not support {', '.join(unused)} of {self.type} "
                f"({self.logical_name}). Add it to the type in "
                "local/deploy/resources/.",
                code="unknown-inputs",
                type=self.type,
                name=self.logical_name,
                inputs=unused,
            )


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Convert a map of tags to the list that most services take."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def pascal_case(value: Any, **renamed: str) -> Any:
    """Capitalize all keys of nested data; `renamed` has the irregular ones.

    The map below `parameters` (of Glue tables and SerDes) has free keys and stays unchanged.
    """
    if isinstance(value, list):
        return [pascal_case(item, **renamed) for item in value]
    if not isinstance(value, Mapping):
        return value
    result = {}
    for key, item in value.items():
        new_key = renamed.get(key, key[:1].upper() + key[1:])
        has_free_keys = key == "parameters" and isinstance(item, Mapping)
        result[new_key] = dict(item) if has_free_keys else pascal_case(item, **renamed)
    return result


def camel_case(value: Any, **renamed: str) -> Any:
    """Convert what AWS returns to Pulumi's spelling, as the inverse of `pascal_case`."""
    if isinstance(value, list):
        return [camel_case(item, **renamed) for item in value]
    if not isinstance(value, Mapping):
        return value
    original = {new: old for old, new in renamed.items()}
    result = {}
    for key, item in value.items():
        has_free_keys = key == "Parameters" and isinstance(item, Mapping)
        old_key = original.get(key, key[:1].lower() + key[1:])
        result[old_key] = dict(item) if has_free_keys else camel_case(item, **renamed)
    return result


def plain_value(value: Any) -> Any:
    """Convert 30.0 to 30 and omit None in maps, in nested data.

    Pulumi's protocol has no integers, and sends None for an absent nested input.
    """
    if isinstance(value, list):
        return [plain_value(item) for item in value]
    if isinstance(value, Mapping):
        return {key: plain_value(item) for key, item in value.items() if item is not None}
    return int(value) if isinstance(value, float) and value.is_integer() else value


def zipped(archive: pulumi.Archive) -> bytes:
    """Return the content of the zip file that a component wrote."""
    if not isinstance(archive, pulumi.FileArchive):
        raise CommandError(
            f"A function's code must be a pulumi.FileArchive (got {type(archive).__name__}).",
            code="unsupported-archive",
            archive=type(archive).__name__,
        )
    return Path(archive.path).read_bytes()
