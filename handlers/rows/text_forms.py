"""The text forms of plain Python values, of which every row is made."""

import json
import math
from base64 import b64encode
from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

quote = json.JSONEncoder(ensure_ascii=False).encode
"""A text as a JSON string."""


class RowError(Exception):
    """A row breaks the rules of its table.

    The text names the column, its type and the remedy, never the value: it is logged.
    """


def misfit(column: str, takes: str, value: Any) -> RowError:
    """The error for a value of a type that the column does not take."""
    kind = type(value).__name__
    return RowError(f"column {column} takes {takes}, not {kind}; convert it in transform")


def text_of(value: Any, column: str) -> str:
    """The value as a string column holds it: SQL's form for times, JSON for what is nested.

    Raises RowError for a type that has no such form.
    """
    # Subclasses (enums among them) may print as something else than their value.
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return int.__repr__(value)
    if isinstance(value, float):
        return float.__repr__(value)
    if isinstance(value, Decimal):
        return decimal_text(value)
    if isinstance(value, datetime):
        return timestamp_text(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bytes):
        return b64encode(value).decode()
    if isinstance(value, (list, tuple, set, frozenset, dict)):
        return json_of(value, column)
    raise misfit(column, "text, numbers, booleans, times, bytes, lists, sets and dicts", value)


@lru_cache(maxsize=4096)
def timestamp_text(value: datetime) -> str:
    """`YYYY-MM-DD HH:MM:SS[.ffffff]`, in UTC if the value knows its zone."""
    if value.tzinfo is not None:
        value = value.astimezone(UTC).replace(tzinfo=None)
    return value.isoformat(" ")


def decimal_text(value: Decimal) -> str:
    """The number's digits, never with an exponent."""
    text = str(value)
    return text if "E" not in text else f"{value:f}"


def json_of(value: Any, column: str) -> str:
    """The value as JSON: numbers exact, sets as sorted lists, times and bytes as text.

    Raises RowError where JSON has no form for it.
    """
    if isinstance(value, str):
        return quote(value)
    if value is None:
        return "null"
    if isinstance(value, (int, float, Decimal)):
        if not is_finite(value):
            raise RowError(f"column {column}: JSON has no infinity and no NaN; return None instead")
        return text_of(value, column)
    if isinstance(value, (list, tuple, set, frozenset)):
        return "[" + ",".join(json_of(item, column) for item in in_order(value)) + "]"
    if isinstance(value, dict):
        return json_object(
            ((text_of(key, column), json_of(item, column)) for key, item in value.items()), column
        )
    return quote(text_of(value, column))


def json_object(members: Iterable[tuple[str, str]], column: str) -> str:
    """A JSON object of (key, JSON value) members.

    Raises RowError when two keys, such as 1 and "1", become the same text.
    """
    pairs = list(members)
    if len(dict(pairs)) < len(pairs):
        raise RowError(f"column {column}: two keys of a map read the same as text; rename one")
    return "{" + ",".join(f"{quote(key)}:{value}" for key, value in pairs) + "}"


def in_order(items: Iterable[Any]) -> Iterable[Any]:
    """A set's items sorted, so that equal sets give equal rows; a list's as they are."""
    return sorted(items) if isinstance(items, (set, frozenset)) else items


def is_finite(value: float | Decimal) -> bool:
    """Whether the number is neither infinite nor NaN."""
    if isinstance(value, Decimal):
        return value.is_finite()
    return isinstance(value, int) or math.isfinite(value)


def one_line(row: str) -> str:
    """A CSV row without what would end it early.

    Athena ends a row at every line break, quoted or not, so each becomes U+2028. U+0001 is the
    table's escape character and becomes U+FFFD.
    https://docs.aws.amazon.com/athena/latest/ug/csv-serde.html
    """
    row = row.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\u2028")
    return row.replace("\x01", "\ufffd")
