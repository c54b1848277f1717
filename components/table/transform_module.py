"""The user's transform module, read from its source at deploy time without running it."""

import ast
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from streaming_etl.components.settings.validation import SettingsError
from streaming_etl.components.table.column_types import METADATA, Column, parse_type

# https://docs.aws.amazon.com/athena/latest/ug/tables-databases-columns-names.html
COLUMN_NAME = re.compile(r"[a-z_][a-z0-9_]{0,254}")

# Of these no part reads a dict but by its methods; an extension such as orjson may.
PURE = sys.stdlib_module_names | {"streaming_etl", "boto3", "botocore"}


@dataclass(frozen=True)
class TransformModule:
    """What the deployment knows of a transform module."""

    path: Path
    columns: Optional[tuple[Column, ...]]
    """COLUMNS in order; None when the module has none."""
    pure: bool
    """Whether it imports nothing but Python's own library, the handlers and AWS's."""


def read_transform_module(path: str) -> TransformModule:
    """Read and check the module at `path` (relative to the program's working directory).

    Raises SettingsError when the file is missing, is no Python, has no `transform(change)`, or
    has COLUMNS that are not a literal dict of column name to Athena type.
    """
    file = Path(path)
    if not file.is_file():
        raise SettingsError(
            f"transform_module={path!r} does not exist below {Path.cwd()}:"
            " give the path of a Python file with `def transform(change)`."
        )
    try:
        tree = ast.parse(file.read_bytes(), filename=path)
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None) or 1
        reason = getattr(error, "msg", error)
        raise SettingsError(
            f"transform_module={path!r} is no valid Python: {reason} in line {line}; mend it."
        ) from None
    _require_transform(path, tree)
    return TransformModule(file, _columns(path, tree), _imports(tree) <= PURE)


def _imports(tree: ast.Module) -> set[str]:
    """The first names of all that the module imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    return {name.partition(".")[0] for name in names}


def _require_transform(path: str, tree: ast.Module) -> None:
    found = [
        node
        for node in tree.body
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name == "transform"
    ]
    if not found:
        raise SettingsError(
            f"transform_module={path!r} has no function `transform`: add `def transform(change)`."
        )
    function = found[-1]
    if isinstance(function, ast.AsyncFunctionDef):
        raise SettingsError(
            f"transform_module={path!r}: `transform` is async, but it is called as a plain"
            " function; drop the async."
        )
    arguments = function.args
    positional = len(arguments.posonlyargs) + len(arguments.args)
    required = positional - len(arguments.defaults)
    keyword_only = sum(default is None for default in arguments.kw_defaults)
    accepts_one = positional >= 1 or arguments.vararg
    if required > 1 or keyword_only or not accepts_one:
        raise SettingsError(
            f"transform_module={path!r}: `transform` is called with one argument, the change;"
            " write `def transform(change)`."
        )


def _columns(path: str, tree: ast.Module) -> Optional[tuple[Column, ...]]:
    value = None
    for node in tree.body:
        if isinstance(node, ast.Assign):
            targets: Sequence[ast.expr] = node.targets
        elif isinstance(node, ast.AnnAssign):
            targets = [node.target]
        else:
            continue
        if any(isinstance(target, ast.Name) and target.id == "COLUMNS" for target in targets):
            value = node.value
    if value is None:
        return None
    return tuple(_column(path, name, text) for name, text in _literal(path, value))


def _literal(path: str, value: ast.expr) -> list[tuple[object, object]]:
    try:
        # Key by key: ast.literal_eval of the whole would let a repeated column win silently.
        if not isinstance(value, ast.Dict) or None in value.keys:
            raise ValueError
        pairs = [
            (ast.literal_eval(key), ast.literal_eval(item))
            for key, item in zip(value.keys, value.values, strict=True)
            if key is not None
        ]
    except ValueError:
        raise SettingsError(
            f"transform_module={path!r}: COLUMNS is read without running the module;"
            ' write it out as a dict of text, such as {"id": "string"}.'
        ) from None
    names = [name for name, _ in pairs]
    for name in names:
        if names.count(name) > 1:
            raise SettingsError(
                f"transform_module={path!r}: column {name!r} stands twice in COLUMNS; drop one."
            )
    if not pairs:
        raise SettingsError(
            f"transform_module={path!r}: COLUMNS is empty; name the columns or drop COLUMNS."
        )
    return pairs


def _column(path: str, name: object, text: object) -> Column:
    if not isinstance(name, str) or not COLUMN_NAME.fullmatch(name):
        raise SettingsError(
            f"transform_module={path!r}: {name!r} is no column name:"
            " at most 255 of a-z 0-9 _ and no digit first; use lower case."
        )
    if name in (column.name for column in METADATA):
        raise SettingsError(
            f"transform_module={path!r}: column {name!r} is taken: every row carries it as"
            " metadata; rename it."
        )
    if not isinstance(text, str):
        raise SettingsError(
            f"transform_module={path!r}: column {name!r} has the type {text!r}, which is no text;"
            ' use a type such as "string".'
        )
    try:
        return Column(name, parse_type(text))
    except SettingsError as error:
        raise SettingsError(
            f"transform_module={path!r}: column {name!r}: {text!r} {error}"
        ) from None
