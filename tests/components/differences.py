"""Graphs as plain data: texts and archives opened, and what differs between two of them."""

import base64
import hashlib
import json
import re
from pathlib import Path
from typing import Any

from streaming_etl.stack.recorder import Graph, archive_files

State = dict[str, Any]
"""The opened inputs of every custom resource by its logical name."""

GONE = "<gone>"
VIEW = re.compile(r"/\* Presto View: (\S+) \*/")
DIST_INFO = re.compile(r"([^/]+)-[^-/]+\.dist-info/WHEEL")


def opened_archive(archive: dict[str, str]) -> dict[str, Any]:
    """The files that are one function's, and what its dependencies were built for, by package:
    `cp313 aarch64`, or `py3 any`."""
    files = archive_files(archive)
    wheels = {
        match[1]: wheel_of(data.decode())
        for path, data in files.items()
        if (match := DIST_INFO.fullmatch(path))
    }
    own = {
        path: opened(data.decode())
        for path, data in files.items()
        if path in ("transform_module.py", "transform.json")
    }
    zones = {path: "a time zone" for path in files if path.startswith("zoneinfo/")}
    return {"wheels": wheels, **own, **zones}


def wheel_of(text: str) -> str:
    [(python, machine)] = set(
        re.findall(r"^Tag: (\w+)-\w+-(?:\w+?_)??(any|aarch64|x86_64)$", text, re.MULTILINE)
    )
    return f"{python} {machine}"


def opened(value: Any) -> Any:
    """The value with JSON texts, views and archives parsed."""
    if isinstance(value, dict):
        if set(value) == {"archive"}:
            return opened_archive(value)
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
    """Every resource with its inputs; an archive as the hash of its content."""

    def hashed(value: Any) -> Any:
        if isinstance(value, dict) and set(value) == {"archive"}:
            return hashlib.sha256(Path(value["archive"]).read_bytes()).hexdigest()
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
