"""Conditions on items: `where` of a lake table."""

import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from streaming_etl.components.settings.validation import Problem, invalid

PREFIX = "prefix"
# Pulumi passes an unquoted date or time of a stack's YAML in this form, tests/stack shows how.
UNQUOTED_DATE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)? [-+]\d{4} (UTC|[-+]\d{4})")
SURROGATE = re.compile(r"[\ud800-\udfff]")
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html
MAX_DIGITS, MIN_EXPONENT, MAX_EXPONENT = 38, -130, 125
KEY_KINDS = {"S": "text", "N": "numbers", "B": "no values: a condition cannot be binary"}


def where_problems(where: Mapping[Any, Any]) -> Iterator[Problem]:
    """Problems of conditions by themselves.

    where: by attribute, a list of texts, numbers and booleans, or `{"prefix": "..."}`.
    """
    for name, rule in where.items():
        if not _is_text(name) or not name:
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
    elif not _is_text(rule.get(PREFIX)) or not rule[PREFIX]:
        yield invalid("where", rule, "where-prefix", item=name)
    elif UNQUOTED_DATE.fullmatch(rule[PREFIX]):
        yield invalid("where", rule[PREFIX], "where-date", item=name)


def _list_problems(name: str, values: Sequence[Any]) -> Iterator[Problem]:
    if not values:
        yield invalid("where", values, "where-empty", item=name)
    for index, value in enumerate(values):
        if not _is_value(value):
            yield invalid("where", value, "where-value", item=name)
        elif isinstance(value, str) and UNQUOTED_DATE.fullmatch(value):
            yield invalid("where", value, "where-date", item=name)
        # In Python, True equals 1.
        elif any(value == other and _kind(value) == _kind(other) for other in values[:index]):
            yield invalid("where", value, "duplicate", item=name)


def _is_value(value: object) -> bool:
    if isinstance(value, (bool, str)):
        return isinstance(value, bool) or _is_text(value)
    return isinstance(value, (int, float)) and _is_number(value)


def _is_text(value: object) -> bool:
    """Whether the value is text that DynamoDB can hold, in UTF-8."""
    return isinstance(value, str) and not SURROGATE.search(value)


def _is_number(value: int | float) -> bool:
    """Whether DynamoDB can hold the number exactly; no item matches another one."""
    number = Decimal(str(value) if isinstance(value, float) else value)
    if not number.is_finite():
        return False
    digits = "".join(map(str, number.as_tuple().digits)).rstrip("0")
    in_range = MIN_EXPONENT <= number.adjusted() <= MAX_EXPONENT
    return not number or (len(digits) <= MAX_DIGITS and in_range)


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
