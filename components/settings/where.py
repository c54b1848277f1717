"""Conditions on items: `where` of a lake table."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from streaming_etl.components.settings.validation import Problem, invalid

PREFIX = "prefix"
KEY_KINDS = {"S": "text", "N": "numbers", "B": "no values: a condition cannot be binary"}


def where_problems(where: Mapping[Any, Any]) -> Iterator[Problem]:
    """Problems of conditions by themselves.

    where: by attribute, a list of texts, numbers and booleans, or `{"prefix": "..."}`.
    """
    for name, rule in where.items():
        if not isinstance(name, str) or not name:
            yield invalid("where", rule, "where-attribute", item=name)
        elif isinstance(rule, Mapping):
            yield from _prefix_problems(name, rule)
        elif isinstance(rule, (str, bytes)) or not isinstance(rule, Sequence):
            yield invalid("where", rule, "where-condition", item=name)
        else:
            yield from _list_problems(name, rule)


def _prefix_problems(name: str, rule: Mapping[Any, Any]) -> Iterator[Problem]:
    if unknown := [key for key in rule if key != PREFIX]:
        yield invalid("where", rule, "where-operator", item=name, got=[str(key) for key in unknown])
    elif not isinstance(rule.get(PREFIX), str) or not rule[PREFIX]:
        yield invalid("where", rule, "where-prefix", item=name)


def _list_problems(name: str, values: Sequence[Any]) -> Iterator[Problem]:
    if not values:
        yield invalid("where", values, "where-empty", item=name)
    for index, value in enumerate(values):
        if not _is_value(value):
            yield invalid("where", value, "where-value", item=name)
        # In Python, True equals 1.
        elif any(value == other and _kind(value) == _kind(other) for other in values[:index]):
            yield invalid("where", value, "duplicate", item=name)


def _is_value(value: object) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, (str, bool, int))


def _kind(value: object) -> type:
    return type(value) if isinstance(value, (str, bool)) else float


def where_of_table_problems(
    where: Mapping[str, Any], keys: Mapping[str, str], has_old_images: bool
) -> Iterator[Problem]:
    """Problems of valid conditions with the source table.

    keys: the types of the table's key attributes. has_old_images: those of the stream, without
    which a change does not show whether the item matched before.
    """
    for name, rule in where.items():
        kind = keys.get(name)
        if kind is None:
            if not has_old_images:
                yield invalid("where", rule, "where-needs-old-images", item=name)
            continue
        values = [rule[PREFIX]] if isinstance(rule, Mapping) else rule
        wrong = [value for value in values if not _can_be(value, kind)]
        if wrong:
            yield invalid("where", rule, "where-key-type", item=name, kind=KEY_KINDS[kind])


def _can_be(value: object, kind: str) -> bool:
    """Whether a key of a type can have a value."""
    if isinstance(value, str):
        return kind == "S"
    return kind == "N" and not isinstance(value, bool)
