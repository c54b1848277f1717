"""Reader of the user's transform module, which does not run it."""

import ast
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Optional

from streaming_etl.components.settings.validation import Problem, raise_if_any
from streaming_etl.components.table.column_types import Column
from streaming_etl.components.table.declared_columns import (
    AttributeSource,
    Entries,
    columns_of,
    columns_problems,
    literal_entries,
    module_problem,
    sources_of,
)
from streaming_etl.components.table.declared_field_ids import FieldIds, field_id_problems
from streaming_etl.components.table.module_imports import imports_of
from streaming_etl.components.table.transform_code import (
    Place,
    TransformCode,
    defined_names,
    read_transform_code,
)

# These read a dict by its methods only; an extension such as orjson may not.
PURE = sys.stdlib_module_names | {"streaming_etl", "boto3", "botocore"}

MODIFYING_METHODS = {"clear", "pop", "popitem", "setdefault", "update"}
"""Methods that change a dict."""
SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)
"""Nodes that have local names."""


@dataclass(frozen=True)
class TransformModule:
    """Properties of a transform module that the deployment needs."""

    path: str
    """As the settings write it."""
    columns: Optional[tuple[Column, ...]]
    """COLUMNS in order; None when the module has none."""
    pure: bool
    """Whether its files import only the standard library, the handlers and boto3."""
    sources: Optional[Mapping[str, AttributeSource]] = None
    """The attribute of each column; None when the module has a `transform`."""
    field_ids: FieldIds = field(default_factory=dict)
    """FIELD_IDS: ids of fields of the merged table, also of removed ones."""
    code: Optional[TransformCode] = None
    """Its files; None when the transform function does not import it."""
    read: tuple[Path, ...] = ()
    """The Python files that determine these properties."""


def read_transform_module(path: str) -> TransformModule:
    """Read and check the module at `path`, relative to the working directory.

    COLUMNS, FIELD_IDS and `transform` may be imported from other files in its folder. Raises
    SettingsError with all problems: a missing file, invalid Python, neither COLUMNS nor a
    `transform(change)` that returns rows, COLUMNS that are not a literal dict of valid columns, or
    FIELD_IDS that are not a literal dict of valid ids.
    """
    code = read_transform_code(path)
    columns, field_ids = assignment(code, "COLUMNS"), assignment(code, "FIELD_IDS")
    runs = columns is None or has_function(code)
    entries = None if columns is None else columns.entries
    problems = list(transform_problems(code)) if runs else []
    if columns is not None:
        problems += columns_problems(columns.shown, entries, has_transform=runs)
    if field_ids is not None:
        problems += field_id_problems(
            field_ids.shown, field_ids.entries, has_columns=columns is not None
        )
    raise_if_any(problems)
    return TransformModule(
        path,
        None if entries is None else columns_of(entries),
        is_pure(code),
        None if runs or entries is None else sources_of(entries),
        dict((field_ids.entries if field_ids else None) or ()),
        code if runs else None,
        tuple(code.root / file for file in code.trees),
    )


@dataclass(frozen=True)
class Assignment:
    """The literal dict that a global name has."""

    shown: str
    """Path of its file, for messages."""
    entries: Optional[Entries]
    """None if it is not a literal dict."""


def assignment(code: TransformCode, name: str) -> Optional[Assignment]:
    """Value of a global name of the module; None without the name."""
    place = code.place_of(name)
    if place is None:
        return Assignment(code.shown(code.main), None)
    tree = code.trees[place.file]
    value = assigned_value(tree, place.name)
    if value is not None:
        places = {place, Place(code.main, name)}
        modified = any(is_modified(code.trees[each.file], each.name) for each in places)
        entries = None if modified else literal_entries(value)
        return Assignment(code.shown(place.file), entries)
    # An import of a name that the other file does not assign.
    return None if place == Place(code.main, name) else Assignment(code.shown(place.file), None)


def is_pure(code: TransformCode) -> bool:
    """Whether no file imports a package that may bypass a dict's methods."""
    for name, file in code.files.items():
        if not name.endswith(".py"):
            continue
        try:
            tree = code.trees.get(name) or ast.parse(file.read_bytes())
        except (SyntaxError, ValueError):
            return False
        if any(each.top and each.top not in PURE | {*code.modules} for each in imports_of(tree)):
            return False
    return True


def has_function(code: TransformCode) -> bool:
    """Whether the module has a `transform`, or seems to be intended to.

    A misspelled name must not turn a module into one that reads attributes.
    """
    names = {name.lower() for name in defined_names(code.trees[code.main])}
    is_imported = code.place_of("transform") != Place(code.main, "transform")
    return is_imported or bool(get_close_matches("transform", names, 1, cutoff=0.8))


def transform_problems(code: TransformCode) -> Iterator[Problem]:
    """Problems of the function `transform`."""
    place = code.place_of("transform")
    tree = code.trees[place.file] if place else ast.Module([], [])
    functions = [
        node
        for node in tree.body
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        and place
        and node.name == place.name
    ]
    path = code.shown(place.file if place else code.main)
    if not functions or place is None:
        yield module_problem(path, "module-without-transform")
        return
    # Python keeps the last definition.
    function = functions[-1]
    if isinstance(function, ast.AsyncFunctionDef):
        yield module_problem(path, "module-async")
    elif not function.decorator_list and assigned_value(tree, place.name) is None:
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
        if not isinstance(node, SCOPES):
            yield node
            yield from _own_nodes(ast.iter_child_nodes(node))


def _has_value(node: ast.Return) -> bool:
    is_none = isinstance(node.value, ast.Constant) and node.value.value is None
    return node.value is not None and not is_none


def is_modified(tree: ast.Module, name: str) -> bool:
    """Whether the module changes the dict of a global name."""
    for node in _nodes_in_scope(tree.body, name):
        match node:
            case ast.Subscript(ctx=ast.Store() | ast.Del()):
                changed: ast.expr = node
            case ast.AugAssign(target=target):
                changed = target
            case ast.Call(func=ast.Attribute(value=value, attr=method)):
                if method not in MODIFYING_METHODS:
                    continue
                changed = value
            case _:
                continue
        # A column in the long form is a dict, too.
        while isinstance(changed, ast.Subscript):
            changed = changed.value
        if isinstance(changed, ast.Name) and changed.id == name:
            return True
    return False


def _nodes_in_scope(nodes: Iterable[ast.AST], name: str) -> Iterator[ast.AST]:
    """All nodes below `nodes` in which a name is global."""
    for node in nodes:
        if not (isinstance(node, SCOPES) and _has_local(node, name)):
            yield node
            yield from _nodes_in_scope(ast.iter_child_nodes(node), name)


def _has_local(scope: ast.AST, name: str) -> bool:
    """Whether a function or class has a local name."""
    nodes = [*_own_nodes(ast.iter_child_nodes(scope))]
    if any(isinstance(node, ast.Global) and name in node.names for node in nodes):
        return False
    return any(
        (isinstance(node, ast.arg) and node.arg == name)
        or (isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Store))
        for node in nodes
    )


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
