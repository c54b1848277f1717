"""A stack's resource graph as sorted JSON per resource, for `diff`."""

import base64
import hashlib
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from streaming_etl.stack.config import read_config
from streaming_etl.stack.program import stack_graph
from streaming_etl.stack.recorder import Graph, Node
from tools.graph.references import References, referenced
from tools.project import ROOT

# Athena stores the definition of a view as base64 of JSON.
VIEW = re.compile(r"/\* Presto View: (\S+) \*/")
STACK = "pulumi:pulumi:Stack"


def stack_text(stack: str, directory: Path = ROOT) -> str:
    """A heading, the provider's part of the stack's config, and its graph.

    Raises CommandError when the stack does not exist, and whatever the program raises.
    """
    config = read_config(directory, stack)
    own = f"{config.project}:"
    provider = {key: value for key, value in config.values.items() if not key.startswith(own)}
    blocks = [block("config", provider)] if provider else []
    graph = stack_graph(stack, directory)
    return "\n".join([f"# Stack {stack}\n", *blocks, graph_text(graph, directory)])


def graph_text(graph: Graph, root: Path = ROOT) -> str:
    """Every resource, then the exports.

    The text is the same for any machine, any account and any order of registration.
    root: the folder that relative paths of assets start from.
    """
    references = References(graph)
    parents = {(node.type, node.name): node for node in graph.nodes}

    def path(node: Node) -> tuple[tuple[str, str], ...]:
        parent = parents.get((node.parent_type, node.parent))
        return (*(path(parent) if parent else ()), (node.name, node.type))

    blocks = [
        block(f"{short_type(node)} {node.name}", content(node, references, root))
        for node in sorted(graph.nodes, key=path)
    ]
    if graph.exports:
        blocks.append(block("exports", plain(graph.exports, references, root)))
    return "\n".join(blocks)


def content(node: Node, references: References, root: Path) -> dict[str, Any]:
    """The inputs and options of a resource."""
    inputs = plain(node.inputs, references, root)
    fields = {
        "inputs": inputs,
        "options": node.options,
        "parent": "" if node.parent_type == STACK else node.parent,
        "provider": node.provider.split("::")[-2] if node.provider else "",
        "deleteBeforeReplace": node.delete_before_replace,
        "component": not node.custom,
        # What an input refers to is a dependency anyway.
        "dependsOn": sorted({*node.depends_on} - referenced(inputs)),
    }
    return {key: value for key, value in fields.items() if value}


def block(heading: str, value: Any) -> str:
    """A heading and the value as JSON."""
    return f"{heading}\n{json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False)}\n"


def short_type(node: Node) -> str:
    """The type without what all types repeat: `s3.Bucket`, `Lake`."""
    package, module, name = node.type.split(":")
    if package == "aws":
        return f"{module.partition('/')[0]}.{name}"
    return name if package == "streaming-etl" else node.type


def plain(value: Any, references: References, root: Path) -> Any:
    """The value with references, parsed JSON texts, and digests of archives."""
    if is_archive(value):
        return f"archive, digest {archive_digest(value, root)}"
    if is_asset(value):
        return f"file, digest {asset_digest(value, root)}"
    if isinstance(value, dict):
        return {key: plain(item, references, root) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item, references, root) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if not isinstance(value, str):
        return value
    if view := VIEW.fullmatch(value):
        return {"view": parsed(base64.b64decode(view[1]).decode())}
    data = parsed(value)
    if isinstance(data, (dict, list)):
        return plain(data, references, root)
    lines = references.replace(value).split("\n")
    return lines if len(lines) > 1 else lines[0]


def parsed(text: str) -> Any:
    """The data of a JSON text, or the text itself."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def is_asset(value: Any) -> bool:
    """Whether the recorder's value is a file or an archive file."""
    return isinstance(value, dict) and set(value) in ({"file"}, {"archive"})


def is_archive(value: Any) -> bool:
    """Whether the recorder's value is an archive of assets by path."""
    return (
        isinstance(value, dict)
        and bool(value)
        and all(
            is_asset(item) or (isinstance(item, dict) and set(item) == {"text"})
            for item in value.values()
        )
    )


def archive_digest(archive: dict[str, dict[str, str]], root: Path) -> str:
    contents = {path: asset_digest(asset, root) for path, asset in archive.items()}
    return digest(json.dumps(contents, sort_keys=True).encode())


def asset_digest(asset: dict[str, str], root: Path) -> str:
    if "text" in asset:
        return digest(asset["text"].encode())
    file = root / next(iter(asset.values()))
    status = file.stat()
    return file_digest(file, status.st_mtime_ns, status.st_size)


@cache
def file_digest(file: Path, _modified_at: int, _size: int) -> str:
    """Read each file once: all pipelines of a stack share the handlers."""
    return digest(file.read_bytes())


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:12]
