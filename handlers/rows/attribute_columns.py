"""Texts of a column in many rows, without plain Python values.

Used by `direct_lines`, which has the measured gain. A value of an unusual type or form goes through
the encoder of the function path, so every text is that of the function path.
"""

from collections.abc import Callable, Sequence
from typing import Any, Optional

import msgspec

from streaming_etl.handlers.rows.attribute_row import Path, value_at
from streaming_etl.handlers.rows.json_row import json_encoder
from streaming_etl.handlers.rows.scalar_columns import INTEGER_BITS, Encode, scalar_encoder
from streaming_etl.handlers.rows.text_forms import quote
from streaming_etl.handlers.wire.attributes import Attribute, plain_item

Values = Sequence[Optional[Attribute]]
"""One attribute of many items; None if an item lacks it."""

Column = Callable[[Values], list[str]]
"""Returns the text of each attribute; '' for NULL.

Raises an exception if an attribute does not fit the column.
"""

_encode_lines = msgspec.json.Encoder().encode_lines

_NumberForm = Callable[[str], str]
"""Returns the text of a number in a column; '' for a number in an unusual form."""


class PlainValues:
    """Plain values of attributes, kept for the next column."""

    def __init__(self) -> None:
        self._attributes: Values = ()
        self._values: list[Any] = []

    def of(self, attributes: Values) -> list[Any]:
        """Return the values; raises ValueError or ArithmeticError."""
        if attributes is not self._attributes:
            self._values = list(map(_plain, attributes))
            self._attributes = attributes
        return self._values


def csv_column(name: str, kind: Any, steps: Path, plain_values: PlainValues) -> Column:
    """Build a CSV column.

    kind: the type as in transform.json. steps: the path below the attribute. plain_values: shared
    by the columns of one attribute.
    """
    encode = scalar_encoder(kind, name)
    if kind != "string":
        return _column(name, kind, steps, plain_values, "", "", encode)

    def other(value: Any) -> str:
        return '"' + encode(value).replace('"', '""') + '"'

    if steps:
        return _path_column(name, steps, plain_values, other)
    return lambda attributes: [
        '"' + text.replace('"', '""') + '"'
        if it is not None and (text := it.S) is not None
        else _other(it, other)
        for it in attributes
    ]


def json_column(name: str, kind: Any, steps: Path, plain_values: PlainValues) -> Column:
    """Build a JSON column, whose texts are members with a comma.

    Arguments as of `csv_column`.
    """
    label, encode = quote(name) + ":", json_encoder(kind, name)
    if kind != "string" or steps:
        return _column(name, kind, steps, plain_values, label, ",", encode)

    def other(value: Any) -> str:
        return f"{label}{encode(value)},"

    def column(attributes: Values) -> list[str]:
        texts = [None if it is None else it.S for it in attributes]
        # One call quotes all texts, as `quote` would; quoted texts have no line breaks.
        quoted = str(_encode_lines(texts), "utf-8").split("\n")
        return [
            _other(it, other) if text is None else f"{label}{json},"
            for it, text, json in zip(attributes, texts, quoted, strict=False)
        ]

    return column


def _column(
    name: str,
    kind: Any,
    steps: Path,
    plain_values: PlainValues,
    before: str,
    after: str,
    encode: Encode,
) -> Column:
    """Build a column of any type.

    before, after: around the text of each value.
    """

    def other(value: Any) -> str:
        return before + encode(value) + after

    def texts(attributes: Values) -> list[str]:
        return [
            before + encode(text) + after
            if it is not None and (text := it.S) is not None
            else _other(it, other)
            for it in attributes
        ]

    def numbers(attributes: Values) -> list[str]:
        return [
            before + text + after
            if it is not None and it.S is None and it.N is not None and (text := form(it.N))
            else _other(it, other)
            for it in attributes
        ]

    if steps:
        return _path_column(name, steps, plain_values, other)
    match kind:
        case "tinyint" | "smallint" | "int" | "bigint":
            # Every number of so few digits is within the type's range.
            form = _integer_form(len(str(2 ** (INTEGER_BITS[kind] - 1))) - 1)
        case "float" | "double":
            form = _float_form(6 if kind == "float" else 15)
        case {"decimal": [precision, scale]}:
            form = _decimal_form(precision, scale)
        case _:
            return texts
    return numbers


def _path_column(name: str, steps: Path, plain_values: PlainValues, encode: Encode) -> Column:
    def column(attributes: Values) -> list[str]:
        values = [value_at(value, steps, name) for value in plain_values.of(attributes)]
        return ["" if value is None else encode(value) for value in values]

    return column


def _plain(attribute: Optional[Attribute]) -> Any:
    return None if attribute is None else plain_item({"": attribute})[""]


def _other(attribute: Optional[Attribute], encode: Encode) -> str:
    value = _plain(attribute)
    return "" if value is None else encode(value)


def _is_whole(text: str) -> bool:
    """Return whether the text is a canonical whole number."""
    return text.isdigit() and text.isascii() and (text[0] != "0" or text == "0")


def _integer_form(digits: int) -> _NumberForm:
    return lambda number: number if len(number) <= digits and _is_whole(number) else ""


def _float_form(digits: int) -> _NumberForm:
    # `digits` are so few that every number is the shortest text of its nearest float.
    def form(number: str) -> str:
        whole, point, decimals = number.partition(".")
        if len(number) > digits or not _is_whole(whole):
            return ""
        usual = decimals.isdigit() and decimals.isascii() and decimals[-1] != "0"
        return number if usual or not point else ""

    return form


def _decimal_form(precision: int, scale: int) -> _NumberForm:
    if not scale:
        return _integer_form(precision)

    def form(number: str) -> str:
        whole, point, decimals = number.partition(".")
        missing = scale - len(decimals)
        if missing < 0 or len(whole) > precision - scale or not _is_whole(whole):
            return ""
        if point and not (decimals.isdigit() and decimals.isascii()):
            return ""
        return f"{whole}.{decimals}{'0' * missing}" if missing else number

    return form
