"""Reader of the user's transform module, which does not run it."""

import ast
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

from streaming_etl.components.settings.validation import (
    Problem,
    SettingsError,
    invalid,
    raise_if_any,
)
from streaming_etl.components.table.column_types import (
    ALLOWED_TYPES,
    Column,
    ColumnTypeError,
    parse_type,
)

# https://docs.aws.amazon.com/athena/latest/ug/tables-databases-columns-names.html
COLUMN_NAME = re.compile(r"[a-z_][a-z0-9_]{0,254}")

# These read a dict by its methods only; an extension such as orjson may not.
PURE = sys.stdlib_module_names | {"streaming_etl", "boto3", "botocore"}


@dataclass(frozen=True)
class TransformModule:
    """Properties of a transform module that the deployment needs."""

    path: Path
    columns: Optional[tuple[Column, ...]]
    """COLUMNS in order; None when the module has none."""
    pure: bool
    """Whether it imports only the standard library, the handlers and boto3."""


def read_transform_module(path: str) -> TransformModule:
    """Read and check the module at `path`, relative to the working directory.

    Raises SettingsError with all problems: a missing file, invalid Python, no
    `transform(change)` that returns rows, or COLUMNS that are not a literal dict of column name to
    Athena type.
    """
    file = Path(path)
    if not file.is_file():
        raise SettingsError(module_problem(path, "module-missing", directory=Path.cwd()))
    try:
        tree = ast.parse(file.read_bytes(), filename=path)
    except (SyntaxError, ValueError) as error:
        line, reason = getattr(error, "lineno", None) or 1, getattr(error, "msg", str(error))
        problem = module_problem(path, "module-syntax", reason=reason, line=line)
        raise SettingsError(problem) from None
    value = assigned_value(tree, "COLUMNS")
    pairs = None if value is None else literal_pairs(value)
    problems = list(transform_problems(path, tree))
    if value is not None:
        problems += columns_problems(path, pairs)
    raise_if_any(problems)
    columns = None if pairs is None else tuple(Column(name, parse_type(it)) for name, it in pairs)
    return TransformModule(file, columns, imported_names(tree) <= PURE)


def module_problem(path: str, rule: str, **details: Any) -> Problem:
    """Build the problem of a transform module."""
    return invalid("transform_module", path, rule, **details)


def imported_names(tree: ast.Module) -> set[str]:
    """First names of all imports, anywhere in the module."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    return {name.partition(".")[0] for name in names}


def transform_problems(path: str, tree: ast.Module) -> Iterator[Problem]:
    """Problems of the function `transform`."""
    functions = [
        node
        for node in tree.body
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name == "transform"
    ]
    if not functions:
        yield module_problem(path, "module-without-transform")
        return
    # Python keeps the last definition.
    function = functions[-1]
    if isinstance(function, ast.AsyncFunctionDef):
        yield module_problem(path, "module-async")
    elif not function.decorator_list and assigned_value(tree, "transform") is None:
        # A decorator, or a function that is assigned to the name, may return rows.
        yield from _return_problems(path, function)
    arguments = function.args
    positional = len(arguments.posonlyargs) + len(arguments.args)
    required = positional - len(arguments.defaults)
    keyword_only = sum(default is None for default in arguments.kw_defaults)
    accepts_one = positional >= 1 or arguments.vararg
    if required > 1 or keyword_only or not accepts_one:
        yield module_problem(path, "module-arguments")


def _return_problems(path: str, function: ast.FunctionDef) -> Iterator[Problem]:
    """Problem of a function that never returns rows."""
    nodes = [*_own_nodes(function.body)]
    if any(isinstance(node, (ast.Yield, ast.YieldFrom)) for node in nodes):
        yield module_problem(path, "module-generator", line=function.lineno)
    elif not any(isinstance(node, ast.Return) and _has_value(node) for node in nodes):
        yield module_problem(path, "module-without-return", line=function.lineno)


def _own_nodes(nodes: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """All nodes below `nodes`, without the bodies of nested functions and classes."""
    for node in nodes:
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)):
            yield node
            yield from _own_nodes(ast.iter_child_nodes(node))


def _has_value(node: ast.Return) -> bool:
    is_none = isinstance(node.value, ast.Constant) and node.value.value is None
    return node.value is not None and not is_none


def assigned_value(tree: ast.Module, name: str) -> Optional[ast.expr]:
    """The expression that the module assigns to a global name last."""
    value = None
    for node in tree.body:
        if isinstance(node, ast.Assign):
            targets: Sequence[ast.expr] = node.targets
        elif isinstance(node, ast.AnnAssign):
            targets = [node.target]
        else:
            continue
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            value = node.value
    return value


def literal_pairs(value: ast.expr) -> Optional[list[tuple[Any, Any]]]:
    """Keys and values of a literal dict; None for another expression.

    Key by key, because ast.literal_eval would drop a repeated column.
    """
    try:
        if not isinstance(value, ast.Dict) or None in value.keys:
            return None
        return [
            (ast.literal_eval(key), ast.literal_eval(item))
            for key, item in zip(value.keys, value.values, strict=True)
            if key is not None
        ]
    except ValueError:
        return None


def columns_problems(path: str, pairs: Optional[list[tuple[Any, Any]]]) -> Iterator[Problem]:
    """Problems of COLUMNS."""
    if pairs is None:
        yield module_problem(path, "columns-not-literal")
    elif not pairs:
        yield module_problem(path, "columns-empty")
    names: list[object] = []
    for name, text in pairs or ():
        if name in names:
            yield module_problem(path, "column-twice", column=name)
        names.append(name)
        if not isinstance(name, str) or not COLUMN_NAME.fullmatch(name):
            yield module_problem(path, "column-name", column=name)
        elif name.startswith("_"):
            # Metadata columns, and those of the current-state view's query.
            yield module_problem(path, "column-reserved", column=name)
        reason = type_error(text)
        if reason is not None:
            details = {"type": repr(text), "reason": reason, "allowed": ALLOWED_TYPES}
            yield module_problem(path, "column-type", column=name, **details)


def type_error(text: object) -> Optional[str]:
    """Reason why text is not an Athena type; else None."""
    try:
        if not isinstance(text, str):
            return "it is not text"
        parse_type(text)
    except ColumnTypeError as error:
        return str(error)
    return None
