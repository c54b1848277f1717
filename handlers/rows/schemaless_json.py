"""Rows without COLUMNS as JSON objects that a crawler's table can read."""

import re
from collections.abc import Callable, Collection
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import orjson

from streaming_etl.handlers.rows.row_error import RowError
from streaming_etl.handlers.rows.text_forms import json_of, quote

# orjson passes the types that it would write in another form to `_as_fragment`.
_OPTIONS = (
    orjson.OPT_PASSTHROUGH_DATETIME
    | orjson.OPT_PASSTHROUGH_SUBCLASS
    | orjson.OPT_PASSTHROUGH_DATACLASS
)
# Values of these types contain no map and are not NULL.
_LEAVES = frozenset({str, int, float, bool, Decimal, bytes, set, frozenset, date, datetime})
_ONLY_STRINGS = frozenset({str})

# Bounds of the names that are not checked again: a map may have data as names.
_MAX_KNOWN = 1024
_MAX_NAMES_OF_A_MAP = 100

# Glue accepts names of 255 bytes, and Athena letters, digits and _ in the fields of a type.
# https://docs.aws.amazon.com/athena/latest/ug/tables-databases-columns-names.html
_MAX_NAME_BYTES = 255
_ASCII_NAME = re.compile(r"[A-Za-z0-9_]{1,255}")

_Names = tuple[Any, ...]


def schemaless_json(
    reserved: Collection[str], dynamic_partition_keys: Collection[str]
) -> Callable[[dict[str, Any]], bytes]:
    """Build the encoder of a row.

    reserved: names that the table has besides the row's, such as its partition keys.

    It keeps names and order, without partition keys, NULLs and empty maps: a crawler would declare
    an empty map as `struct<>`, which makes every query of the table fail. In a list both are null.
    It raises RowError for a name that is reserved or not a string, for names that Athena cannot
    read or distinguish, and for a value that JSON cannot hold.
    """
    check_columns, known_columns = _name_check(reserved)
    check_fields, known_fields = _name_check(())

    def is_complete(value: Any) -> bool:
        """Check names of a value; return whether nothing is left out.

        Half of the time of a copy, and nearly all values are complete.
        """
        kind = type(value)
        if kind is not dict and kind is not list:
            return False
        for inner in value.values() if kind is dict else value:
            if type(inner) not in _LEAVES and not is_complete(inner):
                return False
        if kind is dict and tuple(value) not in known_fields:
            check_fields(value)
            return bool(value)
        return True

    def members(value: dict[Any, Any]) -> dict[Any, Any]:
        return {
            name: kept for name, inner in value.items() if (kept := completed(inner)) is not None
        }

    def completed(value: Any) -> Any:
        if type(value) in _LEAVES:
            return value
        if isinstance(value, dict):
            value = members(value)
            check_fields(value)
            return value or None
        return [completed(inner) for inner in value] if isinstance(value, (list, tuple)) else value

    def encode(row: dict[str, Any]) -> bytes:
        if dynamic_partition_keys or type(row) is not dict:
            row = dict(row)
            for name in dynamic_partition_keys:
                row.pop(name, None)
        if not _LEAVES.issuperset(map(type, row.values())):
            for value in row.values():
                if type(value) not in _LEAVES and not is_complete(value):
                    row = members(row)
                    break
        if tuple(row) not in known_columns:
            check_columns(row)
        try:
            encoded = orjson.dumps(row, _as_fragment, _OPTIONS)
        except TypeError:
            return _encode_by_value(row)
        # orjson writes NaN as null, which must fail instead.
        return _encode_by_value(row) if b"null" in encoded else encoded

    return encode


def _name_check(
    reserved: Collection[str],
) -> tuple[Callable[[dict[Any, Any]], None], set[_Names]]:
    """Build the check of the names of rows or maps.

    reserved: names that a row must not have; empty for the check of maps.

    Returns also the names of earlier rows or maps, which need no check: most have the same names.
    The names of a row must be strings; those of a map are compared as text.
    """
    known: set[_Names] = set()
    reserved_names = {name.lower() for name in reserved}

    def check(value: dict[Any, Any]) -> None:
        only_strings = _ONLY_STRINGS.issuperset(map(type, value))
        texts = [str.__str__(name) if isinstance(name, str) else str(name) for name in value]
        lower_names = {text.lower() for text in texts}
        if reserved and not (only_strings and lower_names.isdisjoint(reserved_names)):
            raise RowError("column-name", expected=", ".join(reserved))
        if not all(map(_is_readable, texts)):
            raise RowError("name-characters")
        # `json_object` raises the error for a text that occurs twice.
        if len(lower_names) < len(set(texts)):
            raise RowError("same-but-for-case")
        # 1 and True are equal but have different texts.
        if only_strings and 0 < len(value) <= _MAX_NAMES_OF_A_MAP and len(known) < _MAX_KNOWN:
            known.add(tuple(value))

    return check, known


def _is_readable(name: str) -> bool:
    """Return whether Athena can read a field of this name."""
    if _ASCII_NAME.fullmatch(name):
        return True
    characters = all(it.isalpha() or it.isdecimal() or it == "_" for it in name)
    return characters and 0 < len(name.encode()) <= _MAX_NAME_BYTES


def _as_fragment(value: Any) -> orjson.Fragment:
    if type(value) is Decimal and value.is_finite():
        text = str(value)
        if "E" not in text:
            return orjson.Fragment(text)
    if type(value) is set:
        return orjson.Fragment(orjson.dumps(sorted(value), _as_fragment, _OPTIONS))
    return orjson.Fragment(json_of(value, ""))


def _encode_by_value(row: dict[str, Any]) -> bytes:
    """Encode every form that `json_of` knows, slower, and raise its errors."""
    # The errors do not contain the name, which may be an attribute's.
    members = [f"{quote(name)}:{json_of(value, '')}" for name, value in row.items()]
    return f"{{{','.join(members)}}}".encode()
