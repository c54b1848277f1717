"""COLUMNS of a transform module: types, and the attributes to read."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Optional

from streaming_etl.components.settings.validation import Problem, invalid
from streaming_etl.components.table.column_types import (
    ALLOWED_TYPES,
    Column,
    ColumnTypeError,
    parse_type,
)

# https://docs.aws.amazon.com/athena/latest/ug/tables-databases-columns-names.html
COLUMN_NAME = re.compile(r"[a-z_][a-z0-9_]{0,254}")

KEYS = ("type", "path", "unit")
UNITS = ("seconds", "milliseconds")
UNIT_TYPES = ("timestamp", "date")

# As in DynamoDB's expressions: `address.city`, `lines[0].sku`.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.Attributes.html
PATH = re.compile(r"[^.\[\]]+(\[[0-9]+\])*(\.[^.\[\]]+(\[[0-9]+\])*)*")
STEP = re.compile(r"([^.\[\]]+)|\[([0-9]+)\]")

PathStep = str | int


@dataclass(frozen=True)
class AttributeSource:
    """The attribute of a column, in a module without `transform`."""

    path: tuple[PathStep, ...]
    """Name of the attribute, then names in maps and indexes in lists."""
    unit: Optional[str] = None
    """Unit of the epoch time that a number is: one of UNITS."""


Entries = list[tuple[Any, Any]]
"""Keys and values of COLUMNS, not checked."""


def literal_entries(value: ast.expr) -> Optional[Entries]:
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


def columns_of(entries: Entries) -> tuple[Column, ...]:
    """The columns of valid entries."""
    return tuple(Column(name, parse_type(_declared(entry)["type"])) for name, entry in entries)


def sources_of(entries: Entries) -> dict[str, AttributeSource]:
    """The attribute of each column of valid entries."""
    sources = {}
    for name, entry in entries:
        declared = _declared(entry)
        path = parse_path(declared.get("path", [name]))
        assert path is not None
        sources[name] = AttributeSource(path, declared.get("unit"))
    return sources


def parse_path(path: object) -> Optional[tuple[PathStep, ...]]:
    """Steps of a path; None if it is not one.

    path: text such as `lines[0].sku`, or the steps in a list, `["lines", 0, "sku"]`, where names
    may contain dots and brackets.
    """
    if isinstance(path, str):
        if not PATH.fullmatch(path):
            return None
        return tuple(name or int(index) for name, index in STEP.findall(path))
    if not isinstance(path, (list, tuple)) or not path or not isinstance(path[0], str):
        return None
    valid = all(step if type(step) is str else type(step) is int and step >= 0 for step in path)
    return tuple(path) if valid else None


def columns_problems(
    module: str, entries: Optional[Entries], *, has_transform: bool
) -> Iterator[Problem]:
    """Problems of COLUMNS.

    module: path of the transform module. has_transform: it has a function, which returns the
    values, so its columns have no path and no unit.
    """
    if entries is None:
        yield module_problem(module, "columns-not-literal")
    elif not entries:
        yield module_problem(module, "columns-empty")
    names: list[object] = []
    for name, entry in entries or ():
        if name in names:
            yield module_problem(module, "column-twice", column=name)
        names.append(name)
        if not isinstance(name, str) or not COLUMN_NAME.fullmatch(name):
            yield module_problem(module, "column-name", column=name)
        elif name.startswith("_"):
            # Metadata columns, and those of the current-state view's query.
            yield module_problem(module, "column-reserved", column=name)
        declared = _declared(entry)
        if unknown := [key for key in declared if key not in KEYS]:
            yield module_problem(module, "column-keys", column=name, keys=unknown, allowed=KEYS)
            continue
        text = declared.get("type")
        reason = type_error(text)
        if reason is not None:
            details = {"type": repr(text), "reason": reason, "allowed": ALLOWED_TYPES}
            yield module_problem(module, "column-type", column=name, **details)
        yield from _source_problems(module, name, declared, has_transform=has_transform)


def _source_problems(
    module: str, column: object, declared: dict[Any, Any], *, has_transform: bool
) -> Iterator[Problem]:
    """Problems of a column's path and unit."""
    sources = [key for key in KEYS[1:] if key in declared]
    if has_transform and sources:
        yield module_problem(module, "column-source", column=column, keys=sources)
        return
    if "path" in declared and parse_path(declared["path"]) is None:
        got = repr(declared["path"])
        yield module_problem(module, "column-path", column=column, got=got)
    if "unit" not in declared:
        return
    if declared["unit"] not in UNITS:
        details = {"unit": repr(declared["unit"]), "choices": UNITS}
        yield module_problem(module, "column-unit", column=column, **details)
    text = declared.get("type")
    if isinstance(text, str) and type_error(text) is None and text.strip() not in UNIT_TYPES:
        details = {"type": repr(text), "choices": UNIT_TYPES}
        yield module_problem(module, "column-unit-type", column=column, **details)


def module_problem(module: str, rule: str, **details: Any) -> Problem:
    """Build a problem of a transform module."""
    return invalid("transform_module", module, rule, **details)


def _declared(entry: object) -> dict[Any, Any]:
    """An entry of COLUMNS in its long form."""
    return entry if isinstance(entry, dict) else {"type": entry}


def type_error(text: object) -> Optional[str]:
    """Reason why text is not an Athena type; else None."""
    try:
        if not isinstance(text, str):
            return "it is not text"
        parse_type(text)
    except ColumnTypeError as error:
        return str(error)
    return None
