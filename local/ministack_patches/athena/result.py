"""Values and types of a result, as Athena names and prints them."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from ministack.services import athena

NESTED_TYPES = {"list": "array", "map": "map", "struct": "row"}


def athena_type(type_: Any) -> str:
    """Convert a type of DuckDB."""
    name = str(type_.id)
    if name in NESTED_TYPES:
        return NESTED_TYPES[name]
    base = "TIMESTAMP" if name.startswith("timestamp") else name.upper()
    return str(athena._DUCKDB_TYPE_MAP.get(base, "varchar"))


def text(value: Any) -> str:
    """Print a value: nested texts have no quotes, as in `{a=1, b=[x, null]}`.

    https://docs.aws.amazon.com/athena/latest/ug/creating-arrays.html
    """
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case datetime():
            return value.replace(tzinfo=None).isoformat(sep=" ", timespec="milliseconds")
        case Decimal():
            return f"{value:f}"
        case dict():
            return f"{{{', '.join(f'{key}={text(one)}' for key, one in value.items())}}}"
        case list() | tuple():
            return f"[{', '.join(map(text, value))}]"
        case bytes():
            return value.hex(" ")
        case _:
            return str(value)
