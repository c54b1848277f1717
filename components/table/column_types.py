"""Athena column types: parser, and their form in Glue, Athena and JSON."""

import re
from dataclasses import dataclass
from typing import Any

# https://docs.aws.amazon.com/athena/latest/ug/data-types.html
SCALARS = {
    "string": "varchar",
    "boolean": "boolean",
    "tinyint": "tinyint",
    "smallint": "smallint",
    "int": "integer",
    "bigint": "bigint",
    "float": "real",
    "double": "double",
    "date": "date",
    "timestamp": "timestamp",
}
ALLOWED_TYPES = f"{', '.join(SCALARS)}, decimal(p,s), array<t>, map<k,v> or struct<name:t,...>"
INSTEAD_OF = {
    **dict.fromkeys(("str", "text", "varchar", "char"), "string"),
    **dict.fromkeys(("integer", "int64", "long", "number"), "bigint"),
    **dict.fromkeys(("bool",), "boolean"),
    **dict.fromkeys(("real",), "float"),
    **dict.fromkeys(("datetime",), "timestamp"),
    **dict.fromkeys(("decimal", "numeric"), "decimal(38,0)"),
    **dict.fromkeys(("binary", "varbinary", "bytes"), "string (bytes are written as base64)"),
    **dict.fromkeys(("json", "dict", "list"), "string (written as JSON text)"),
}
TOKEN = re.compile(r"\s*([a-z_][a-z0-9_]*|\d+|[<>(),:])")

ColumnType = str | dict[str, Any]
"""A scalar's name, or {"decimal": [p, s]}, {"array": t}, {"map": [k, v]}, {"struct": [[name, t]]}.
The transform function reads this form from transform.json."""


REASONS = {
    "missing-type": "a type is missing",
    "missing-text": "{text!r} is missing",
    "trailing-text": "{text!r} follows the end of the type",
    "unknown-character": "{text!r} is not part of a type; types are lower case",
    "unknown-type": "{text!r} is unknown",
    "other-name": "{text!r} is unknown; use {use}",
    "map-key": "the keys of a map must be string, as in DynamoDB",
    "decimal-number": "decimal(p,s) needs numbers",
    "decimal-digits": "a decimal has 1 to 38 digits, and no more decimal places than digits",
    "field-name": "{text!r} is not a field name",
    "field-twice": "field {text!r} occurs twice",
}


class ColumnTypeError(ValueError):
    """Text that is not an Athena type; `rule` is one of REASONS."""

    def __init__(self, rule: str, **details: str) -> None:
        super().__init__(REASONS[rule].format(**details))
        self.rule, self.details = rule, details


@dataclass(frozen=True)
class Column:
    """A column of the lake table."""

    name: str
    type: ColumnType


# Metadata columns of every row; handlers/rows/encoder.py writes them in this order.
METADATA = (
    Column("_op", "string"),
    Column("_key", "string"),
    Column("_row", "int"),
    Column("_event_id", "string"),
    Column("_stream_epoch", "string"),
    Column("_sequence_number", "string"),
    Column("_changed_at", "timestamp"),
)


def parse_type(text: str) -> ColumnType:
    """Parse an Athena type such as `array<struct<sku:string,quantity:int>>`.

    Raises ColumnTypeError.
    """
    tokens = _tokens(text)
    parsed = _take_type(tokens)
    if tokens:
        raise ColumnTypeError("trailing-text", text=tokens[0])
    return parsed


def _tokens(text: str) -> list[str]:
    tokens, position = [], 0
    text = text.strip()
    while position < len(text):
        match = TOKEN.match(text, position)
        if not match:
            raise ColumnTypeError("unknown-character", text=text[position])
        tokens.append(match.group(1))
        position = match.end()
    return tokens


def _take(tokens: list[str], expected: str) -> None:
    if not tokens or tokens.pop(0) != expected:
        raise ColumnTypeError("missing-text", text=expected)


def _take_type(tokens: list[str]) -> ColumnType:
    if not tokens:
        raise ColumnTypeError("missing-type")
    name = tokens.pop(0)
    if name in SCALARS:
        return name
    if name == "decimal" and tokens[:1] == ["("]:
        return {"decimal": _take_decimal(tokens)}
    if name == "array":
        _take(tokens, "<")
        item = _take_type(tokens)
        _take(tokens, ">")
        return {"array": item}
    if name == "map":
        _take(tokens, "<")
        key = _take_type(tokens)
        if key != "string":
            raise ColumnTypeError("map-key")
        _take(tokens, ",")
        value = _take_type(tokens)
        _take(tokens, ">")
        return {"map": [key, value]}
    if name == "struct":
        return {"struct": _take_fields(tokens)}
    if name in INSTEAD_OF:
        raise ColumnTypeError("other-name", text=name, use=INSTEAD_OF[name])
    raise ColumnTypeError("unknown-type", text=name)


def _take_decimal(tokens: list[str]) -> list[int]:
    _take(tokens, "(")
    precision, scale = _take_number(tokens), 0
    if tokens[:1] == [","]:
        tokens.pop(0)
        scale = _take_number(tokens)
    _take(tokens, ")")
    if not 1 <= precision <= 38 or scale > precision:
        raise ColumnTypeError("decimal-digits")
    return [precision, scale]


def _take_number(tokens: list[str]) -> int:
    if not tokens or not tokens[0].isdigit():
        raise ColumnTypeError("decimal-number")
    return int(tokens.pop(0))


def _take_fields(tokens: list[str]) -> list[list[Any]]:
    fields: list[list[Any]] = []
    _take(tokens, "<")
    while True:
        name = tokens.pop(0) if tokens else ""
        if not re.fullmatch(r"[a-z_][a-z0-9_]*", name):
            raise ColumnTypeError("field-name", text=name)
        if name in (other for other, _ in fields):
            raise ColumnTypeError("field-twice", text=name)
        _take(tokens, ":")
        fields.append([name, _take_type(tokens)])
        if tokens[:1] != [","]:
            break
        tokens.pop(0)
    _take(tokens, ">")
    return fields


def is_nested(column_type: ColumnType) -> bool:
    """Whether the type is an array, a map or a struct."""
    return isinstance(column_type, dict) and "decimal" not in column_type


def glue_type(column_type: ColumnType) -> str:
    """The type in the syntax of Glue and Hive."""
    if isinstance(column_type, str):
        return column_type
    [(kind, inner)] = column_type.items()
    if kind == "decimal":
        return f"decimal({inner[0]},{inner[1]})"
    if kind == "array":
        return f"array<{glue_type(inner)}>"
    if kind == "map":
        return f"map<{glue_type(inner[0])},{glue_type(inner[1])}>"
    return f"struct<{','.join(f'{name}:{glue_type(item)}' for name, item in inner)}>"


def athena_type(column_type: ColumnType) -> str:
    """The type in the syntax of Athena's SQL (Trino)."""
    if isinstance(column_type, str):
        return SCALARS[column_type]
    [(kind, inner)] = column_type.items()
    if kind == "decimal":
        return f"decimal({inner[0]},{inner[1]})"
    if kind == "array":
        return f"array({athena_type(inner)})"
    if kind == "map":
        return f"map({athena_type(inner[0])}, {athena_type(inner[1])})"
    fields = (f'"{name}" {athena_type(item)}' for name, item in inner)
    return f"row({', '.join(fields)})"
