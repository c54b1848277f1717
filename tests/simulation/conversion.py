"""Firehose's conversion of JSON rows to the types of the Glue table."""

import json
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast

from streaming_etl.components.stages import delivery
from streaming_etl.components.table.lake_table import LakeTable
from tests.simulation.names import lower_names

TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{1,3})?")
BITS = {"int": 32, "bigint": 64}


class ConversionError(Exception):
    """A value does not have the type of its column."""


def converted(data: bytes, table: LakeTable) -> bytes:
    """Return a record's rows as JSON lines in place of Parquet.

    As with Parquet, a name that is not a column is left out, and text in a number is an error.
    """
    types = {column.name: column.type for column in table.all_columns}
    return b"".join(row_line(line, types) for line in data.split(b"\n") if line.strip())


def row_line(line: bytes, types: Mapping[str, Any]) -> bytes:
    values = json.loads(line, parse_float=Decimal)
    if is_case_insensitive():
        # By default the deserializer lower-cases the keys of maps, too.
        values = lower_names(values)
        line = json.dumps(values, default=float).encode()
    for name, value in values.items():
        if name in types and not all(fits(value, types[name])):
            raise ConversionError(name)
    if not values.keys() <= types.keys():
        kept = {name: value for name, value in values.items() if name in types}
        line = json.dumps(kept, default=float).encode()
    return line + b"\n"


def is_case_insensitive() -> bool:
    """Return the component's setting of the deserializer."""
    entry = SimpleNamespace(database_name="lake", table_name="orders")
    config: Any = delivery.parquet_conversion(cast(Any, entry), cast(Any, SimpleNamespace(arn="")))
    deserializer = config["input_format_configuration"]["deserializer"]["open_x_json_ser_de"]
    return bool(deserializer.get("case_insensitive", True))


def fits(value: Any, kind: Any) -> Iterator[bool]:
    """Yield whether each part of a value has its declared type."""
    match kind:
        case "string":
            yield isinstance(value, str)
        case "int" | "bigint":
            yield type(value) is int and -(2 ** (BITS[kind] - 1)) <= value < 2 ** (BITS[kind] - 1)
        case "boolean":
            yield isinstance(value, bool)
        case "timestamp":
            yield isinstance(value, str) and bool(TIMESTAMP.fullmatch(value))
        case {"decimal": [digits, places]}:
            yield type(value) in (int, Decimal) and is_decimal(Decimal(value), digits, places)
        case {"map": [_, inner]}:
            yield isinstance(value, dict)
            for member in value.values():
                yield from fits(member, inner)
        case _:
            raise ValueError(f"the simulation has no column of type {kind}")


def is_decimal(value: Decimal, digits: int, places: int) -> bool:
    """Return whether a decimal column holds the value without rounding."""
    scaled = value.scaleb(places)
    return scaled == scaled.to_integral_value() and abs(scaled) < 10**digits
