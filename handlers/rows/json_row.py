"""Rows with declared columns as JSON objects, without NULLs."""

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

from streaming_etl.handlers.rows.row_error import RowError, type_error, unknown_columns
from streaming_etl.handlers.rows.scalar_columns import Encode, scalar_encoder
from streaming_etl.handlers.rows.text_forms import json_object, quote, sorted_if_set

FieldEncoder = Callable[[dict[str, Any]], list[str]]
"""Returns the `"name":value` members of an object."""


def json_row(
    columns: Sequence[tuple[str, Any]], dynamic_partition_keys: Collection[str]
) -> Callable[[dict[str, Any]], bytes]:
    """Build the encoder of a row.

    columns: name and type of each, as in transform.json.
    """
    known = {*(name for name, _ in columns), *dynamic_partition_keys}
    members = _fields(columns)

    def encode(row: dict[str, Any]) -> bytes:
        if not row.keys() <= known:
            raise unknown_columns(row.keys() - known)
        return f"{{{','.join(members(row))}}}".encode()

    return encode


def _fields(fields: Iterable[tuple[str, Any]], parent: str = "") -> FieldEncoder:
    encoders = [
        (name, quote(name) + ":", json_encoder(kind, parent + name)) for name, kind in fields
    ]

    def members(row: dict[str, Any]) -> list[str]:
        return [
            label + encode(value)
            for name, label, encode in encoders
            if (value := row.get(name)) is not None
        ]

    return members


def json_encoder(kind: Any, path: str) -> Encode:
    """Build the encoder of a value as JSON; arguments as of `scalar_encoder`."""
    match kind:
        case "string":
            text_of = scalar_encoder(kind, path)
            return lambda value: quote(value if type(value) is str else text_of(value))
        case "date" | "timestamp" | {"date": _} | {"timestamp": _}:
            time_text = scalar_encoder(kind, path)
            return lambda value: f'"{time_text(value)}"'
        case {"array": item}:
            return _array(item, path)
        case {"map": [key, item]}:
            return _map(key, item, path)
        case {"struct": fields}:
            return _struct(fields, path)
    return scalar_encoder(kind, path)


def _array(item: Any, path: str) -> Encode:
    encode_item = json_encoder(item, f"{path}[]")

    def encode(value: Any) -> str:
        if not isinstance(value, (list, tuple, set, frozenset)):
            raise type_error(f"{path} array", "a list, a tuple or a set", value)
        items = ("null" if item is None else encode_item(item) for item in sorted_if_set(value))
        return "[" + ",".join(items) + "]"

    return encode


def _map(key: Any, item: Any, path: str) -> Encode:
    # A JSON key is a string for every key type.
    encode_key = scalar_encoder(key, f"{path} key")
    encode_item = json_encoder(item, f"{path}[]")

    def encode(value: Any) -> str:
        if not isinstance(value, dict):
            raise type_error(f"{path} map", "a dict", value)
        members = (
            (encode_key(key), "null" if item is None else encode_item(item))
            for key, item in value.items()
        )
        return json_object(members, path)

    return encode


def _struct(fields: list[Any], path: str) -> Encode:
    members = _fields(fields, f"{path}.")
    declared = {name for name, _ in fields}

    def encode(value: Any) -> str:
        if not isinstance(value, dict):
            raise type_error(f"{path} struct", "a dict", value)
        # The name of another field may be data, so the error does not contain it.
        if not value.keys() <= declared:
            names = ", ".join(name for name, _ in fields)
            raise RowError("struct-fields", f"{path} struct", expected=names)
        return "{" + ",".join(members(value)) + "}"

    return encode
