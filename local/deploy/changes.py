"""Differences between the inputs of a deployed resource and the program's."""

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pulumi
from pulumi.runtime import rpc

from local.deploy.operations import RESOURCE_TYPES


def changed_paths(old: Any, new: Any, path: str = "") -> Iterator[str]:
    """Paths of inputs that differ, down to values and lists."""
    if isinstance(old, Mapping) and isinstance(new, Mapping) and rpc._special_sig_key not in new:
        for key in {*old, *new}:
            inner = f"{path}.{key}" if path else key
            yield from changed_paths(old.get(key), new.get(key), inner)
    elif is_archive(old) and is_archive(new):
        if old.get("hash") != new.get("hash"):
            yield path
    elif old != new:
        yield path


def is_archive(value: Any) -> bool:
    """Whether a value is an archive or a file."""
    return isinstance(value, Mapping) and rpc._special_sig_key in value


def with_hashes(value: Any) -> Any:
    """Return inputs as JSON has them; archives have hashes."""
    if isinstance(value, pulumi.FileArchive):
        digest = hashlib.sha256(Path(value.path).read_bytes()).hexdigest()
        return {rpc._special_sig_key: rpc._special_archive_sig, "hash": digest}
    if isinstance(value, Mapping):
        return {key: with_hashes(item) for key, item in value.items()}
    return list(map(with_hashes, value)) if isinstance(value, (list, tuple)) else value


def replaced_by(type_: str, path: str) -> bool:
    """Whether a change at the path replaces the resource."""
    return any(
        path == rule or path.startswith(f"{rule}.") or rule.startswith(f"{path}.")
        for rule in RESOURCE_TYPES[type_].replace
    )
