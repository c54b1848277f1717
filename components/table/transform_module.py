"""Reader of the user's transform module, which does not run it."""

import ast
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Optional

from streaming_etl.components.settings.validation import Problem, SettingsError, raise_if_any
from streaming_etl.components.table.column_types import Column
from streaming_etl.components.table.declared_columns import (
    AttributeSource,
    columns_of,
    columns_problems,
    literal_entries,
    module_problem,
    sources_of,
)
from streaming_etl.components.table.declared_field_ids import FieldIds, field_id_problems

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
    sources: Optional[Mapping[str, AttributeSource]] = None
    """The attribute of each column; None when the module has a `transform`."""
    field_ids: FieldIds = field(default_factory=dict)
    """FIELD_IDS: ids of fields of the merged table, also of removed ones."""

    @property
    def runs(self) -> bool:
        """Whether the transform function imports the module."""
        return self.sources is None


def read_transform_module(path: str) -> TransformModule:
    """Read and check the module at `path`, relative to the working directory.

    Raises SettingsError with all problems: a missing file, invalid Python, neither COLUMNS nor a
    `transform(change)` that returns rows, COLUMNS that are not a literal dict of valid columns, or
    FIELD_IDS that are not a literal dict of valid ids.
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
    runs = value is None or has_function(tree)
    entries = None if value is None else literal_entries(value)
    problems = list(transform_problems(path, tree)) if runs else []
    if value is not None:
        problems += columns_problems(path, entries, has_transform=runs)
    field_ids = assigned_value(tree, "FIELD_IDS")
    id_entries = None if field_ids is None else literal_entries(field_ids)
    if field_ids is not None:
        problems += field_id_problems(path, id_entries, has_columns=value is not None)
    raise_if_any(problems)
    return TransformModule(
        file,
        None if entries is None else columns_of(entries),
        imported_names(tree) <= PURE,
        None if runs or entries is None else sources_of(entries),
        dict(id_entries or ()),
    )


def has_function(tree: ast.Module) -> bool:
    """Whether the module has a `transform`, or seems to be intended to.

    A misspelled name must not turn a module into one that reads attributes.
    """
    names = {name.lower() for name in defined_names(tree)}
    return bool(get_close_matches("transform", names, 1, cutoff=0.8))


def defined_names(tree: ast.Module) -> set[str]:
    """Names of functions, classes, imports and variables, anywhere in the module."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, ast.alias):
            names.add(node.asname or node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
    return names


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
