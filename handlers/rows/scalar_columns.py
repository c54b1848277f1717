"""Values of scalar columns as text.

An encoder is a function of any value but None, built once per column at cold start. It raises
RowError for a value that does not fit its column.
"""

import struct
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import date, datetime, timedelta
from decimal import ROUND_FLOOR, Context, Decimal
from functools import partial
from typing import Any

from streaming_etl.handlers.rows.row_error import RowError, type_error
from streaming_etl.handlers.rows.text_forms import (
    column_time,
    decimal_text,
    is_finite,
    text_of,
)

Encode = Callable[[Any], str]

# https://docs.aws.amazon.com/athena/latest/ug/data-types.html
INTEGER_BITS = {"tinyint": 8, "smallint": 16, "int": 32, "bigint": 64}
_LARGEST_FLOAT = {"float": (2 - 2**-23) * 2.0**127, "double": sys.float_info.max}
_SINGLE = struct.Struct("<f")
_SMALLEST_NORMAL = 2.0**-126

_EPOCH = datetime(1970, 1, 1)
_MILLISECONDS = {"seconds": 1000, "milliseconds": 1}
# A number of DynamoDB has 38 digits.
_EXACT = Context(prec=42)


def scalar_encoder(kind: Any, path: str) -> Encode:
    """Build the encoder of a scalar type.

    kind: the type as in transform.json, such as `string`, `{"decimal": [10, 2]}` or, for numbers in
    epoch time, `{"timestamp": "seconds"}`; a nested type is encoded as a string.
    path: the name of the column, field or item in errors.
    """
    match kind:
        case {"decimal": [precision, scale]}:
            return _decimal(precision, scale, f"{path} decimal({precision},{scale})")
        case "tinyint" | "smallint" | "int" | "bigint":
            return _integer(INTEGER_BITS[kind], f"{path} {kind}")
        case "float" | "double":
            return _float(kind, f"{path} {kind}")
        case "timestamp":
            return _timestamp(f"{path} {kind}")
        case "boolean":
            return partial(_boolean, f"{path} {kind}")
        case "date":
            return partial(_date, f"{path} {kind}")
        case {"timestamp": unit}:
            return _epoch_time(f"{path} timestamp", unit, column_time)
        case {"date": unit}:
            return _epoch_time(f"{path} date", unit, lambda time: time.date().isoformat())
    return lambda value: text_of(value, f"{path} {kind}")


def _boolean(column: str, value: Any) -> str:
    if not isinstance(value, bool):
        raise type_error(column, "a bool", value)
    return "true" if value else "false"


def _date(column: str, value: Any) -> str:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value.isoformat()
    if not isinstance(value, str):
        raise type_error(column, "a date or a string YYYY-MM-DD", value)
    with suppress(ValueError):
        # Python also reads week dates and dates without hyphens; Athena does not.
        if date.fromisoformat(value).isoformat() == value:
            return value
    raise RowError("date", column)


def _timestamp(column: str) -> Encode:
    read = datetime.fromisoformat

    def encode(value: Any) -> str:
        if isinstance(value, str):
            try:
                time = read(value)
            except ValueError:
                raise RowError("timestamp", column) from None
            text = (value[:19] if value[19:] == "Z" else value).replace("T", " ")
            if len(text) == 19 and text[4:17:3] == "-- ::" and "24:" not in text:
                # YYYY-MM-DDTHH:MM:SS with or without Z, the frequent forms, need no formatting.
                return text
            # Python also reads a date without a time.
            if value[10:11] not in ("T", " "):
                raise RowError("timestamp", column)
        elif isinstance(value, datetime):
            time = value
        else:
            raise type_error(column, "a datetime or a string in ISO 8601", value)
        try:
            return column_time(time)
        except OverflowError:
            raise RowError("timestamp-range", column) from None

    return encode


def _epoch_time(column: str, unit: str, text: Callable[[datetime], str]) -> Encode:
    """Encode a number of seconds or milliseconds since 1970, in UTC."""
    factor = _MILLISECONDS[unit]

    def encode(value: Any) -> str:
        if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
            raise type_error(column, f"a number of {unit} since 1970", value)
        if isinstance(value, Decimal):
            value = _EXACT.multiply(value, factor).to_integral_value(ROUND_FLOOR)
        else:
            value *= factor
        try:
            return text(_EPOCH + timedelta(milliseconds=int(value)))
        except OverflowError:
            raise RowError("timestamp-range", column) from None

    return encode


def _integer(bits: int, column: str) -> Encode:
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1

    def encode(value: Any) -> str:
        if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
            raise type_error(column, "an int or a whole Decimal", value)
        if is_finite(value) and low <= value <= high and value == (number := int(value)):
            return str(number)
        raise RowError("integer", column, low=low, high=high)

    return encode


def _float(kind: str, column: str) -> Encode:
    largest = _LARGEST_FLOAT[kind]
    # A number with so few digits is the shortest text of its nearest float.
    digits, shortest = (6, _single_text) if kind == "float" else (15, float.__repr__)

    def encode(value: Any) -> str:
        if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
            raise type_error(column, "an int, a float or a Decimal", value)
        if is_finite(value) and -largest <= value <= largest:
            text = text_of(value, column)
            return text if len(text) <= digits and "e" not in text else shortest(float(value))
        raise RowError("float", column)

    return encode


def _single_text(value: float) -> str:
    """Return the shortest text of the nearest number with 24 bits."""
    [single] = _SINGLE.unpack(_SINGLE.pack(value))
    # Six digits are exact for normal numbers, and more than subnormal ones hold. Athena shows two
    # at least: 1.4E-45.
    least = 6 if abs(single) >= _SMALLEST_NORMAL else 2
    texts = (f"{single:.{digits}g}" for digits in range(least, 9))
    equal = (text for text in texts if _SINGLE.pack(float(text)) == _SINGLE.pack(single))
    return next(equal, f"{single:.9g}")


def _decimal(precision: int, scale: int, column: str) -> Encode:
    context = Context(prec=precision, traps=[])
    step = Decimal(1).scaleb(-scale)

    def encode(value: Any) -> str:
        if type(value) is Decimal and scale:
            text = str(value)
            # A text with its point there has no exponent, and a short one has few enough digits.
            if text[~scale:-scale] == "." and len(text) <= precision:
                return text
        elif isinstance(value, bool) or not isinstance(value, (int, Decimal)):
            raise type_error(column, "an int or a Decimal, because a float is inexact", value)
        # A rounded result differs from the value; one with too many digits is NaN.
        exact = context.quantize(value, step)
        if exact == value:
            return decimal_text(exact)
        raise RowError("decimal-digits", column)

    return encode
