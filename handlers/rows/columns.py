"""One value of a row as text of its column's declared type, refused where it does not fit.

Encoders are closures, compiled once per column at cold start; they take any value but None.
"""

import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import date, datetime
from decimal import Context, Decimal
from functools import partial
from typing import Any

from streaming_etl.handlers.rows.text_forms import (
    RowError,
    decimal_text,
    in_order,
    is_finite,
    json_object,
    misfit,
    quote,
    text_of,
    timestamp_text,
)

Encode = Callable[[Any], str]
Members = Callable[[dict[str, Any]], list[str]]

# https://docs.aws.amazon.com/athena/latest/ug/data-types.html
_INTEGER_BITS = {"tinyint": 8, "smallint": 16, "int": 32, "bigint": 64}
_LARGEST_FLOAT = {"float": (2 - 2**-23) * 2.0**127, "double": sys.float_info.max}


def csv_row(columns: Sequence[tuple[str, Any]]) -> Callable[..., str]:
    """Compile a CSV row: a function of its values, in the order of the columns, metadata and key.

    The metadata stand first: CSV is read by place, so a column that is added at the end of COLUMNS
    shifts nothing in the rows already there. Texts are quoted always, so that an empty one differs
    from NULL, the empty field. Metadata and key are quoted as they stand: none may hold a quote
    that is not doubled.
    """
    # One expression for the row, as a loop over its cells takes longer than their work:
    # lambda v0, v1, m, key: f'"{m.op}",...,{N if v0 is None else e0(v0)},{N if v1 is None ...'
    names: dict[str, Any] = {"N": "", "Q": '"', "QQ": '""'}
    values, cells = [], []
    for index, (name, kind) in enumerate(columns):
        value, encode = f"v{index}", f"e{index}"
        names[encode] = _scalar_encoder(kind, name)
        values.append(value)
        text = f"{encode}({value})"
        if kind == "string":
            text = f"Q + ({value} if type({value}) is str else {text}).replace(Q, QQ) + Q"
        cells.append(f"{{N if {value} is None else {text}}}")
    metadata = '"{m.op}","{key}",{m.row},"{m.event_id}","{m.sequence_number}",{m.changed_at}'
    code = f"lambda {', '.join(values)}, m, key: f'{metadata},{','.join(cells)}'"
    compiled: Callable[..., str] = eval(code, names)
    return compiled


def json_encoder(kind: Any, path: str) -> Encode:
    """Compile a column, an item or a field of a JSON row; `path` names it in errors."""
    match kind:
        case "string":
            encode = _scalar_encoder(kind, path)
            return lambda value: quote(value if type(value) is str else encode(value))
        case "date" | "timestamp":
            encode = _scalar_encoder(kind, path)
            return lambda value: f'"{encode(value)}"'
        case {"array": item}:
            return _array(item, path)
        case {"map": [key, item]}:
            return _map(key, item, path)
        case {"struct": fields}:
            return _struct(fields, path)
    return _scalar_encoder(kind, path)


def json_members(fields: Iterable[tuple[str, Any]], parent: str = "") -> Members:
    """Compile the fields of a JSON object: its `"name":value` members in order, without NULLs."""
    compiled = [
        (name, quote(name) + ":", json_encoder(kind, parent + name)) for name, kind in fields
    ]

    def members(row: dict[str, Any]) -> list[str]:
        return [
            label + encode(value)
            for name, label, encode in compiled
            if (value := row.get(name)) is not None
        ]

    return members


def _scalar_encoder(kind: Any, path: str) -> Encode:
    match kind:
        case {"decimal": [precision, scale]}:
            return _decimal(precision, scale, f"{path} decimal({precision},{scale})")
        case "tinyint" | "smallint" | "int" | "bigint":
            return _integer(_INTEGER_BITS[kind], f"{path} {kind}")
        case "float" | "double":
            return _float(_LARGEST_FLOAT[kind], f"{path} {kind}")
        case "timestamp":
            return _timestamp(f"{path} {kind}")
        case "boolean":
            return partial(_boolean, f"{path} {kind}")
        case "date":
            return partial(_date, f"{path} {kind}")
    return lambda value: text_of(value, f"{path} {kind}")


def _boolean(column: str, value: Any) -> str:
    if not isinstance(value, bool):
        raise misfit(column, "a bool", value)
    return "true" if value else "false"


def _date(column: str, value: Any) -> str:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value.isoformat()
    if not isinstance(value, str):
        raise misfit(column, "a date or YYYY-MM-DD", value)
    with suppress(ValueError):
        # Python reads week dates and dates without hyphens as well; Athena does not.
        if date.fromisoformat(value).isoformat() == value:
            return value
    raise RowError(f"column {column}: the text is no date of the form YYYY-MM-DD")


def _timestamp(column: str) -> Encode:
    read = datetime.fromisoformat

    def encode(value: Any) -> str:
        if isinstance(value, str):
            try:
                at = read(value)
            except ValueError:
                raise _no_time(column) from None
            text = value.replace("T", " ")
            if (
                text[4:17:3] == "-- ::"
                and text[-1] == "Z"
                and len(text) == 20
                and "24:" not in text
            ):
                # YYYY-MM-DDTHH:MM:SSZ, the frequent form, is nearly there already.
                return text[:19]
            # Python reads a date alone as well.
            if value[10:11] not in ("T", " "):
                raise _no_time(column)
            return timestamp_text(at)
        if isinstance(value, datetime):
            return timestamp_text(value)
        raise misfit(column, "a datetime or an ISO text", value)

    return encode


def _no_time(column: str) -> RowError:
    return RowError(f"column {column}: the text is no ISO time such as 2026-11-23T09:30:00Z")


def _integer(bits: int, column: str) -> Encode:
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1

    def encode(value: Any) -> str:
        if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
            raise misfit(column, "an int or a whole Decimal", value)
        if is_finite(value) and low <= value <= high and value == (whole := int(value)):
            return str(whole)
        raise RowError(
            f"column {column}: the number is not whole or not within {low} to {high}; "
            "round it or declare a wider type"
        )

    return encode


def _float(largest: float, column: str) -> Encode:
    def encode(value: Any) -> str:
        if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
            raise misfit(column, "an int, a float or a Decimal", value)
        if is_finite(value) and -largest <= value <= largest:
            return text_of(value, column)
        raise RowError(f"column {column}: infinite, not a number or too large; return None instead")

    return encode


def _decimal(precision: int, scale: int, column: str) -> Encode:
    context = Context(prec=precision, traps=[])
    step = Decimal(1).scaleb(-scale)

    def encode(value: Any) -> str:
        if type(value) is Decimal and scale:
            text = str(value)
            # No exponent has its point there, and with few digits all of them fit.
            if text[~scale:-scale] == "." and len(text) <= precision:
                return text
        elif isinstance(value, bool) or not isinstance(value, (int, Decimal)):
            raise misfit(column, "an int or a Decimal (a float is inexact)", value)
        # Where it had to round, the result differs; where digits do not fit, it is NaN.
        exact = context.quantize(value, step)
        if exact == value:
            return decimal_text(exact)
        raise RowError(
            f"column {column}: the number has more digits than fit; "
            "quantize it in transform or declare a wider decimal"
        )

    return encode


def _array(item: Any, path: str) -> Encode:
    encode_item = json_encoder(item, f"{path}[]")

    def encode(value: Any) -> str:
        if not isinstance(value, (list, tuple, set, frozenset)):
            raise misfit(f"{path} array", "a list, a tuple or a set", value)
        items = ("null" if item is None else encode_item(item) for item in in_order(value))
        return "[" + ",".join(items) + "]"

    return encode


def _map(key: Any, item: Any, path: str) -> Encode:
    # JSON keys are texts whatever their type: the scalar encoder, not the JSON one.
    encode_key = _scalar_encoder(key, f"{path} key")
    encode_item = json_encoder(item, f"{path}[]")

    def encode(value: Any) -> str:
        if not isinstance(value, dict):
            raise misfit(f"{path} map", "a dict", value)
        members = (
            (encode_key(key), "null" if item is None else encode_item(item))
            for key, item in value.items()
        )
        return json_object(members, path)

    return encode


def _struct(fields: list[Any], path: str) -> Encode:
    members = json_members(fields, f"{path}.")
    declared = [name for name, _ in fields]

    def encode(value: Any) -> str:
        if not isinstance(value, dict):
            raise misfit(f"{path} struct", "a dict", value)
        # The name of an undeclared field may itself be data, so the error does not repeat it.
        if not value.keys() <= set(declared):
            known = ", ".join(declared)
            raise RowError(f"column {path} struct: holds more than its declared fields {known}")
        return "{" + ",".join(members(value)) + "}"

    return encode
