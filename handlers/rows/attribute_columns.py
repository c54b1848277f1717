"""Texts of a column in many rows, without plain Python values.

Used by `direct_lines`, which has the measured gain. An attribute is DynamoDB JSON that is not
decoded, or empty if an item lacks it. One check of all attributes of a column, joined as lines,
finds whether they have the usual form, such as `{"S":"..."}` without escapes, whose text needs no
decoding. Other attributes go through the encoder of the function path, so every text is that of
the function path.
"""

import re
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import lru_cache
from operator import add
from typing import Any, NamedTuple, Optional

import msgspec

from streaming_etl.handlers.rows.attribute_row import Path, value_at
from streaming_etl.handlers.rows.csv_row import one_line
from streaming_etl.handlers.rows.json_row import json_encoder
from streaming_etl.handlers.rows.scalar_columns import INTEGER_BITS, Encode, scalar_encoder
from streaming_etl.handlers.rows.text_forms import quote
from streaming_etl.handlers.wire.attributes import Attribute, plain_item


class Cells(NamedTuple):
    """Texts of a column, one per row, and the bytes around each."""

    before: bytes
    texts: Sequence[bytes]
    after: bytes
    may_be_null: bool = False
    """Whether a text may be empty for NULL."""


Column = Callable[[Sequence[Any]], Cells]
"""Returns the cells of the attributes of many items.

Raises an exception if an attribute does not fit the column.
"""

_Convert = Callable[[list[bytes]], list[bytes]]
"""Returns the texts in a column of the texts in attributes; raises an exception if any is invalid.
"""

# `in` is several times faster for a byte than for bytes.
_BACKSLASH = ord("\\")

_NULL = b'{"NULL":true}'

# The shape of a number or a time has 9 for each digit.
_SHAPE = bytes.maketrans(b"012345678", b"9" * 9)
_NUMBER = re.compile(rb"-?(9+)(?:\.(9+))?")
_ZERO_DECIMALS = re.compile(rb"\.0+\n")


class Layout(NamedTuple):
    """What a format writes around the values of a column."""

    separator: bytes
    """Before each cell, also of NULL."""
    before: bytes
    after: bytes
    encode: Encode
    """Returns the text of any value between `before` and `after`."""


def csv_layout(name: str, kind: Any) -> Layout:
    """Build the layout of a CSV column of a type in transform.json."""
    encode = scalar_encoder(kind, name)
    if kind != "string":
        return Layout(b",", b"", b"", encode)

    def text_of(value: Any) -> str:
        return csv_escape(one_line(value if type(value) is str else encode(value)))

    return Layout(b",", b'"', b'"', text_of)


def json_layout(name: str, kind: Any) -> Layout:
    """Build the layout of a member of an object, with its comma."""
    label = f"{quote(name)}:".encode()
    match kind:
        case "string":
            encode = json_encoder(kind, name)
            return Layout(b"", label + b'"', b'",', lambda value: encode(value)[1:-1])
        case "date" | "timestamp" | {"date": _} | {"timestamp": _}:
            return Layout(b"", label + b'"', b'",', scalar_encoder(kind, name))
    return Layout(b"", label, b",", json_encoder(kind, name))


def csv_escape(text: str) -> str:
    """Return a text between the quotation marks of a CSV field."""
    return text.replace('"', '""')


def json_escape(text: str) -> str:
    """Return a text between the quotation marks of a JSON string."""
    return quote(text)[1:-1]


def is_scalar(kind: Any) -> bool:
    """Return whether a type is not nested."""
    return isinstance(kind, str) or kind.keys().isdisjoint({"array", "map", "struct"})


class PlainValues:
    """Plain values of attributes, kept for the next column."""

    def __init__(self) -> None:
        self._attributes: Sequence[Optional[Attribute]] = ()
        self._values: list[Any] = []

    def of(self, attributes: Sequence[Optional[Attribute]]) -> list[Any]:
        """Return the values; raises ValueError or ArithmeticError."""
        if attributes is not self._attributes:
            self._values = list(map(_plain, attributes))
            self._attributes = attributes
        return self._values


def path_column(name: str, steps: Path, plain_values: PlainValues, layout: Layout) -> Column:
    """Build a column of decoded attributes.

    steps: the path below the attribute. plain_values: shared by the columns of one attribute.
    """
    encode, before, after = layout.encode, layout.before.decode(), layout.after.decode()

    def column(attributes: Sequence[Optional[Attribute]]) -> Cells:
        values = [value_at(value, steps, name) for value in plain_values.of(attributes)]
        texts = [b"" if it is None else f"{before}{encode(it)}{after}".encode() for it in values]
        return Cells(layout.separator, texts, b"", may_be_null=True)

    return column


def raw_column(kind: Any, layout: Layout) -> Column:
    """Build a column of a scalar type; its attributes are `msgspec.Raw`."""
    separator, before, after, encode = layout
    start, end, convert = _usual_form(kind, encode)

    def text_of(attribute: Any) -> Optional[bytes]:
        value = _plain(_decode(attribute))
        return None if value is None else encode(value).encode()

    def usual_texts(parts: Sequence[Any]) -> Optional[list[bytes]]:
        found = split_lines(b"\n".join(parts), len(parts), start, end)
        if found is None:
            return None
        texts, escaped = found
        # A number or a time with an escape raises an exception, and takes the function path.
        texts = convert(texts)
        for index in escaped:
            texts[index] = encode(_decode(parts[index]).S).encode()
        return texts

    def mixed_texts(attributes: Sequence[msgspec.Raw]) -> list[Optional[bytes]]:
        parts = b"\n".join(attributes).split(b"\n")
        if len(parts) != len(attributes):
            # JSON permits line breaks between its tokens.
            return list(map(text_of, attributes))
        texts = usual_texts([part for part in parts if part.startswith(start)])
        if texts is None:
            return list(map(text_of, parts))
        rest = iter(texts)
        return [
            next(rest) if part.startswith(start) else None if part == _NULL else text_of(part)
            for part in parts
        ]

    def column(attributes: Sequence[msgspec.Raw]) -> Cells:
        present = attributes if all(attributes) else list(filter(None, attributes))
        texts: Any = usual_texts(present)
        has_null = len(present) < len(attributes)
        if texts is None:
            texts = mixed_texts(present)
            has_null = has_null or None in texts
        if not has_null:
            return Cells(separator + before, texts, after)
        rest = iter(texts)
        enclosed = [
            before + text + after if it and (text := next(rest)) is not None else b""
            for it in attributes
        ]
        return Cells(separator, enclosed, b"", may_be_null=True)

    return column


def split_lines(
    lines: bytes, count: int, start: bytes, end: bytes, middle: bytes = b""
) -> Optional[tuple[list[bytes], list[int]]]:
    """Return the text between `start` and `end` in each of `count` lines.

    Returns also the indexes of the texts with a backslash, which JSON may have escaped.

    None if a line has another start or end, or another number of quotation marks than `start`,
    `middle` and `end` have together. A text with a backslash may have more.

    Each line is empty or valid JSON. start and end: JSON around a string, number or literal.
    Raises UnicodeDecodeError for lines that are not UTF-8.
    """
    if not lines.startswith(start) or not lines.endswith(end):
        return None
    # Strings in JSON have no line breaks, so each text has the start and end of one line.
    texts = lines[len(start) : -len(end)].split(end + b"\n" + start)
    if len(texts) != count:
        return None
    marks = lines.count(b'"')
    escaped = []
    if _BACKSLASH in lines:
        escaped = [index for index, text in enumerate(texts) if _BACKSLASH in text]
        marks -= sum([texts[index].count(b'"') for index in escaped])
    if marks != count * (start + middle + end).count(b'"'):
        return None
    if not lines.isascii():
        lines.decode()
    return texts, escaped


def _usual_form(kind: Any, encode: Encode) -> tuple[bytes, bytes, _Convert]:
    """Return what encloses usual attributes of a type, and their conversion."""
    match kind:
        case "string":
            return b'{"S":"', b'"}', lambda texts: texts
        case "timestamp":
            return b'{"S":"', b'"}', _times(encode)
        case "date":
            return b'{"S":"', b'"}', _each(encode)
        case "boolean":
            return b'{"BOOL":', b"}", _booleans
        case "tinyint" | "smallint" | "int" | "bigint":
            # Every number of so few digits is within the type's range.
            digits = len(str(2 ** (INTEGER_BITS[kind] - 1))) - 1
            return b'{"N":"', b'"}', _numbers(_missing_decimals(digits, 0), encode)
        case {"decimal": [precision, scale]}:
            missing = _missing_decimals(precision - scale, scale)
            return b'{"N":"', b'"}', _numbers(missing, encode)
        case "float" | "double":
            missing = _nothing_missing(6 if kind == "float" else 15)
            return b'{"N":"', b'"}', _numbers(missing, encode)
    return b'{"N":"', b'"}', lambda texts: [_number_text(text, encode) for text in texts]


def _booleans(texts: list[bytes]) -> list[bytes]:
    if not {b"true", b"false"}.issuperset(texts):
        raise ValueError("the attribute has no value")
    return texts


def _each(encode: Encode) -> _Convert:
    return lambda texts: [encode(str(text, "utf-8")).encode() for text in texts]


def _times(encode: Encode) -> _Convert:
    each = _each(encode)

    def convert(texts: list[bytes]) -> list[bytes]:
        lines = b"\n".join(texts) + b"\n"
        end = b"Z\n" if lines.endswith(b"Z\n") else b"\n"
        shape = b"9999-99-99T99:99:99" + end
        if lines.translate(_SHAPE) != shape * len(texts) or b"T24:" in lines:
            return each(texts)
        # Raises ValueError for a time that does not exist.
        deque(map(datetime.fromisoformat, str(lines, "ascii").split()), maxlen=0)
        return lines.replace(b"T", b" ").split(end)[:-1]

    return convert


def _numbers(missing: Callable[[bytes], Optional[bytes]], encode: Encode) -> _Convert:
    """Build the conversion of numbers.

    missing: returns what the text of a number of this shape lacks at its end, or None if `encode`
    must convert the number.
    """
    missing = lru_cache(maxsize=1024)(missing)

    def convert(texts: list[bytes]) -> list[bytes]:
        lines = b"\n".join([b"", *texts, b""])
        if (
            lines.count(b"\n0") != lines.count(b"\n0.") + texts.count(b"0")
            or lines.count(b"-0") != lines.count(b"-0.")
            or _ZERO_DECIMALS.search(lines)
        ):
            # DynamoDB stores no such numbers.
            return [_number_text(text, encode) for text in texts]
        shapes = lines[1:-1].translate(_SHAPE).split(b"\n")
        try:
            return list(map(add, texts, map(missing, shapes)))
        except TypeError:
            return [
                _number_text(text, encode) if (end := missing(shape)) is None else text + end
                for text, shape in zip(texts, shapes, strict=True)
            ]

    return convert


def _number_text(number: bytes, encode: Encode) -> bytes:
    return encode(_plain(Attribute(N=str(number, "utf-8")))).encode()


def _missing_decimals(whole_digits: int, scale: int) -> Callable[[bytes], Optional[bytes]]:
    def missing(shape: bytes) -> Optional[bytes]:
        match = _NUMBER.fullmatch(shape)
        if not match or len(match[1]) > whole_digits or len(match[2] or b"") > scale:
            return None
        point = b"" if match[2] or not scale else b"."
        return point + b"0" * (scale - len(match[2] or b""))

    return missing


def _nothing_missing(length: int) -> Callable[[bytes], Optional[bytes]]:
    # So short numbers are the shortest text of their nearest float.
    return lambda it: b"" if len(it) <= length and _NUMBER.fullmatch(it) else None


_decode = msgspec.json.Decoder(Attribute).decode


def _plain(attribute: Optional[Attribute]) -> Any:
    if attribute is None:
        return None
    return attribute.S if attribute.S is not None else plain_item({"": attribute})[""]
