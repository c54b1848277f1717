"""Rows without COLUMNS as JSON objects."""

from collections.abc import Callable, Collection
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
_ONLY_STRINGS = frozenset({str})
_MAX_KNOWN_NAMES = 1024


def schemaless_json(
    reserved: Collection[str], dynamic_partition_keys: Collection[str]
) -> Callable[[dict[str, Any]], bytes]:
    """Build the encoder of a row.

    It keeps names and order, without partition keys and NULLs. It raises RowError for a name that
    is reserved or not a string, and for a value that JSON cannot hold.
    """
    known: set[tuple[Any, ...]] = set()

    def check_names(names: tuple[Any, ...]) -> None:
        if not _ONLY_STRINGS.issuperset(map(type, names)) or not set(names).isdisjoint(reserved):
            raise RowError("column-name", expected=", ".join(reserved))
        if len(known) < _MAX_KNOWN_NAMES:
            known.add(names)

    def encode(row: dict[str, Any]) -> bytes:
        absent = [name for name, value in row.items() if value is None]
        if absent or dynamic_partition_keys or type(row) is not dict:
            row = dict(row)
            for name in (*absent, *dynamic_partition_keys):
                row.pop(name, None)
        # Most rows have the same names as an earlier row.
        if (names := tuple(row)) not in known:
            check_names(names)
        try:
            encoded = orjson.dumps(row, _as_fragment, _OPTIONS)
        except TypeError:
            return _encode_by_value(row)
        # orjson writes NaN as null, which must fail instead.
        return _encode_by_value(row) if b"null" in encoded else encoded

    return encode


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
    members = [f"{quote(name)}:{json_of(value, name)}" for name, value in row.items()]
    return f"{{{','.join(members)}}}".encode()
