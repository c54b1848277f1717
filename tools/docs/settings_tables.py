"""Generator of the tables in docs/settings.md."""

import ast
import dataclasses
import inspect
import itertools
import json
from pathlib import Path
from typing import Any

from streaming_etl import (
    LakeTableArgs,
    LakeTableQueryArgs,
    StreamingEtlPipeline,
    StreamingEtlPipelineArgs,
)
from streaming_etl.components.settings.stack_config import GROUPS
from streaming_etl.components.settings.validation import ordered_fields

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "settings.md"
REQUIRED = "*required*"


def field_docs(cls: type) -> dict[str, str]:
    """The docstring below each attribute of a class and its bases."""
    docs: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        if dataclasses.is_dataclass(base) or base is cls:
            docs |= own_field_docs(base)
    return docs


def own_field_docs(cls: type) -> dict[str, str]:
    """Those of the class's own body, each on one line."""
    body = ast.parse(inspect.getsource(cls)).body[0].body  # type: ignore[attr-defined]
    docs = {}
    for item, following in itertools.pairwise(body):
        if isinstance(item, ast.AnnAssign) and isinstance(following, ast.Expr):
            assert isinstance(item.target, ast.Name)
            assert isinstance(following.value, ast.Constant)
            docs[item.target.id] = " ".join(str(following.value.value).split())
    return docs


def default(item: "dataclasses.Field[Any]") -> str:
    """A field's default as a reader would type it in YAML."""
    if item.default_factory is not dataclasses.MISSING:
        value = item.default_factory()
    elif item.default is not dataclasses.MISSING:
        value = item.default
    else:
        return REQUIRED
    if dataclasses.is_dataclass(value):
        return "see below"
    if value is None:
        return "none"
    return f"`{json.dumps(list(value) if isinstance(value, tuple) else value)}`"


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def settings_table(cls: type) -> str:
    docs = field_docs(cls)
    rows = [[f"`{item.name}`", default(item), docs[item.name]] for item in ordered_fields(cls)]
    return table(["setting", "default", "meaning"], rows)


def inputs() -> str:
    """Every settings class: the pipeline's own first, then a table per group."""
    parts = [settings_table(StreamingEtlPipelineArgs), lake_table_settings()]
    for name, cls in GROUPS.items():
        parts.append(f"#### `{name}`: {inspect.getdoc(cls)}\n\n{settings_table(cls)}")
    return "\n\n".join(parts)


def lake_table_settings() -> str:
    """The settings of a lake table that a pipeline does not have."""
    shared = {item.name for item in dataclasses.fields(StreamingEtlPipelineArgs)}
    own = {"renamed_from"}
    same = [item.name for item in ordered_fields(LakeTableArgs) if item.name in shared - own]
    docs = field_docs(LakeTableArgs)
    rows = [
        [f"`{item.name}`", default(item), docs[item.name]]
        for item in ordered_fields(LakeTableArgs)
        if item.name not in same
    ]
    queries = ", ".join(f"`{item.name}`" for item in dataclasses.fields(LakeTableQueryArgs))
    return (
        f"#### `lake_tables.<name>`: {inspect.getdoc(LakeTableArgs)}\n\n"
        f"The settings {', '.join(f'`{name}`' for name in same)} are those of the pipeline, for one"
        f" lake table; `query` has {queries} only. In addition:\n\n"
        f"{table(['setting', 'default', 'meaning'], rows)}"
    )


def outputs() -> str:
    rows = [[f"`{name}`", text] for name, text in field_docs(StreamingEtlPipeline).items()]
    return table(["output", "what it is"], rows)


BLOCKS = {"inputs": inputs, "outputs": outputs}
