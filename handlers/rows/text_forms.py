"""Text forms of plain Python values, in every row."""

import math
from base64 import b64encode
from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from json.encoder import encode_basestring
from typing import Any

from streaming_etl.handlers.rows.row_error import RowError, type_error

quote = encode_basestring
"""Returns a string as a JSON string."""


def text_of(value: Any, column: str) -> str:
    """Return the text of a value in a string column.

    Times have SQL's form, nested values are JSON.
    Raises RowError for a type that has no such form.
    """
    # A subclass, such as an enum, may print as something else than its value.
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
    raise type_error(
        column, "a string, a number, a bool, a time, bytes, a list, a set or a dict", value
    )


@lru_cache(maxsize=4096)
def timestamp_text(value: datetime) -> str:
    """Return `YYYY-MM-DD HH:MM:SS[.ffffff]`, in UTC if the value has a time zone."""
    if value.tzinfo is not None:
        value = value.astimezone(UTC).replace(tzinfo=None)
    return value.isoformat(" ")


@lru_cache(maxsize=4096)
def column_time(value: datetime) -> str:
    """Return a time as `timestamp_text` does, truncated to milliseconds.

    Athena's timestamps have no more: it would round further digits, to the year 10000 at worst.
    Raises OverflowError for a time that is not in the years 1 to 9999 in UTC.
    """
    if value.tzinfo is not None:
        value = value.astimezone(UTC).replace(tzinfo=None)
    return value.isoformat(" ", "milliseconds" if value.microsecond >= 1000 else "seconds")


def decimal_text(value: Decimal) -> str:
    """Return the number's digits without an exponent."""
    text = str(value)
    return text if "E" not in text else f"{value:f}"


def json_of(value: Any, column: str) -> str:
    """Return the value as JSON.

    Numbers are exact, sets are sorted lists, times and bytes are strings.
    Raises RowError for a value that JSON cannot hold.
    """
    if isinstance(value, str):
        return quote(value)
    if value is None:
        return "null"
    if isinstance(value, (int, float, Decimal)):
        if not is_finite(value):
            raise RowError("json-number", column)
        return text_of(value, column)
    if isinstance(value, (list, tuple, set, frozenset)):
        return "[" + ",".join(json_of(item, column) for item in sorted_if_set(value)) + "]"
    if isinstance(value, dict):
        return json_object(
            ((text_of(key, column), json_of(item, column)) for key, item in value.items()), column
        )
    return quote(text_of(value, column))


def json_object(members: Iterable[tuple[str, str]], column: str) -> str:
    """Return a JSON object of (key, JSON value) members.

    Raises RowError when two keys, such as 1 and "1", have the same text.
    """
    pairs = list(members)
    if len(dict(pairs)) < len(pairs):
        raise RowError("map-keys", column)
    return "{" + ",".join(f"{quote(key)}:{value}" for key, value in pairs) + "}"


def sorted_if_set(items: Iterable[Any]) -> Iterable[Any]:
    """Sort a set's items, so that equal sets give equal rows."""
    return sorted(items) if isinstance(items, (set, frozenset)) else items


def is_finite(value: float | Decimal) -> bool:
    """Return whether the number is neither infinite nor NaN."""
    if isinstance(value, Decimal):
        return value.is_finite()
    return isinstance(value, int) or math.isfinite(value)
