"""Graphs as plain data, and the difference between two graphs."""

import base64
import hashlib
import json
import re
from pathlib import Path
from typing import Any

from streaming_etl.stack.recorder import Graph, archive_files

State = dict[str, Any]
"""Parsed inputs, dependencies and options of every resource with inputs, by logical name."""

REMOVED = "<removed>"
VIEW = re.compile(r"/\* Presto View: (\S+) \*/")
WHEEL_METADATA = re.compile(r"([^/]+)-[^-/]+\.dist-info/WHEEL")
TEXTS = {"alarmDescription", "description", "inputTemplate", "label", "markdown", "title"}
"""Texts for users, which tests/golden/alarms.txt shows."""
DAYS = {"endDate"}
"""Inputs with the day on which the program runs."""


def parsed(value: Any) -> Any:
    """Return the value with JSON parsed, archives summarized, TEXTS and DAYS omitted."""
    if isinstance(value, dict):
        if set(value) == {"archive"}:
            return archive_summary(archive_files(value))
        return {key: parsed(item) for key, item in value.items() if key not in TEXTS | DAYS}
    if isinstance(value, list):
        return [parsed(item) for item in value]
    if isinstance(value, str) and (view := VIEW.fullmatch(value)):
        return json.loads(base64.b64decode(view[1]))
    if isinstance(value, str) and value.startswith(('{"', "{\n")):
        return json.loads(value)
    return value


def archive_summary(files: dict[str, bytes]) -> dict[str, Any]:
    """Return the function's settings, and the platforms of the packages.

    The files of handlers and packages are omitted: they change with every release.
    """
    summary: dict[str, Any] = {"packages": {}, "time_zones": []}
    for path, content in sorted(files.items()):
        if package := WHEEL_METADATA.fullmatch(path):
            summary["packages"][package[1]] = platforms(content.decode())
        elif path.startswith("transform_module/"):
            summary[path] = hashlib.sha256(content).hexdigest()[:8]
        elif path in ("forwarder.json", "transform.json"):
            summary[path] = json.loads(content)
        elif path.startswith("zoneinfo/"):
            summary["time_zones"].append(path.removeprefix("zoneinfo/"))
    return summary


def platforms(wheel_metadata: str) -> str:
    """Return interpreter and machine of a wheel, such as `cp313 aarch64` or `py3 any`."""
    tags = re.findall(
        r"^Tag: (\w+)-\w+-(?:\w+?_)??(any|aarch64|x86_64)$", wheel_metadata, re.MULTILINE
    )
    return ", ".join(sorted({f"{python} {machine}" for python, machine in tags}))


def state(graph: Graph) -> State:
    """Return what `pulumi preview` compares."""
    return {
        node.name: {
            "inputs": parsed(node.inputs),
            "depends_on": node.depends_on,
            **({"options": node.options} if node.options else {}),
        }
        for node in graph.nodes
        if node.custom or node.inputs
    }


def changes(before: State, after: State) -> dict[str, Any]:
    """Return the value of each changed path; REMOVED for a removed one.

    An added resource is listed as `+name` with its inputs, a removed one as `-name`.
    """
    differences: dict[str, Any] = {}
    for name in sorted(before.keys() | after.keys()):
        if name not in after:
            differences[f"-{name}"] = None
        elif name not in before:
            differences[f"+{name}"] = after[name]
        else:
            _compare(name, before[name], after[name], differences)
    return differences


def _compare(path: str, before: Any, after: Any, differences: dict[str, Any]) -> None:
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted(before.keys() | after.keys()):
            _compare(
                f"{path}.{key}", before.get(key, REMOVED), after.get(key, REMOVED), differences
            )
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (old, new) in enumerate(zip(before, after, strict=True)):
            _compare(f"{path}.{index}", old, new, differences)
    elif before != after:
        differences[path] = after


def fingerprint(graph: Graph) -> dict[str, Any]:
    """Return every resource with its inputs, archives as hashes."""

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
            "options": node.options,
        }
        for node in graph.nodes
    }
