"""Graphs as plain data: texts opened, paths shortened, and what differs between two of them."""

import base64
import hashlib
import json
import re
from pathlib import Path
from typing import Any

from streaming_etl.components.packaging.wheels import folder_of
from streaming_etl.stack.recorder import Graph

State = dict[str, Any]
"""The opened inputs of every custom resource by its logical name."""

GONE = "<gone>"
VIEW = re.compile(r"/\* Presto View: (\S+) \*/")
DIST_INFO = re.compile(r"([^/]+)-[^-/]+\.dist-info/WHEEL")


def is_of_a_wheel(asset: Any) -> bool:
    """Whether a file of an archive lies in a build folder of wheels."""
    return (
        isinstance(asset, dict) and "file" in asset and folder_of(Path(asset["file"])) is not None
    )


def wheels_told(code: dict[str, Any]) -> dict[str, str]:
    """What the wheels in an archive were built for, by package: `cp313 aarch64`, or `py3 any`."""
    told = {}
    for name, asset in code.items():
        if is_of_a_wheel(asset) and (package := DIST_INFO.fullmatch(name)):
            text = Path(asset["file"]).read_text()
            [(python, machine)] = set(
                re.findall(r"^Tag: (\w+)-\w+-(?:\w+?_)??(any|aarch64|x86_64)$", text, re.MULTILINE)
            )
            told[package[1]] = f"{python} {machine}"
    return told


def opened(value: Any) -> Any:
    """The value with JSON texts and views parsed, and files told by the end of their path; those of
    wheels together, as `wheels`."""
    if isinstance(value, dict) and any(is_of_a_wheel(asset) for asset in value.values()):
        rest = {name: asset for name, asset in value.items() if not is_of_a_wheel(asset)}
        return {**opened(rest), "wheels": wheels_told(value)}
    if isinstance(value, dict):
        if set(value) == {"file"}:
            return f"file {'/'.join(Path(value['file']).parts[-2:])}"
        if set(value) == {"text"}:
            return opened(value["text"])
        return {key: opened(item) for key, item in value.items()}
    if isinstance(value, list):
        return [opened(item) for item in value]
    if isinstance(value, str) and (view := VIEW.fullmatch(value)):
        return json.loads(base64.b64decode(view[1]))
    if (isinstance(value, str) and value.startswith("{\n")) or str(value).startswith('{"'):
        return json.loads(value)
    return value


def state(graph: Graph) -> State:
    """What `pulumi preview` would compare."""
    return {node.name: opened(node.inputs) for node in graph.custom}


def renamed(before: State, *names: tuple[str, str]) -> State:
    """The state with every occurrence of each name, keys included, replaced by another."""
    text = json.dumps(before)
    for old, new in names:
        text = text.replace(old, new)
    return json.loads(text)


def changes(before: State, after: State) -> dict[str, Any]:
    """The path of every input that differs, with its value after (GONE: it has none).

    A new resource stands as `+name` with all its inputs, one that is gone as `-name`.
    """
    found: dict[str, Any] = {}
    for name in sorted(before.keys() | after.keys()):
        if name not in after:
            found[f"-{name}"] = None
        elif name not in before:
            found[f"+{name}"] = after[name]
        else:
            _compare(name, before[name], after[name], found)
    return found


def _compare(path: str, before: Any, after: Any, found: dict[str, Any]) -> None:
    if isinstance(before, dict) and isinstance(after, dict):
        for key in before.keys() | after.keys():
            _compare(f"{path}.{key}", before.get(key, GONE), after.get(key, GONE), found)
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (old, new) in enumerate(zip(before, after, strict=True)):
            _compare(f"{path}.{index}", old, new, found)
    elif before != after:
        found[path] = after


def fingerprint(graph: Graph) -> dict[str, Any]:
    """Every resource with its inputs; each file of an archive as the hash of its content."""

    def hashed(value: Any) -> Any:
        if isinstance(value, dict) and set(value) == {"file"}:
            return hashlib.sha256(Path(value["file"]).read_bytes()).hexdigest()
        if isinstance(value, dict):
            return {key: hashed(item) for key, item in value.items()}
        if isinstance(value, list):
            return [hashed(item) for item in value]
        return value

    return {
        f"{node.type} {node.name}": {
            "inputs": hashed(node.inputs),
            "parent": f"{node.parent_type} {node.parent}",
            "depends_on": node.depends_on,
        }
        for node in graph.nodes
    }
