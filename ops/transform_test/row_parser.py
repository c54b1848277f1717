"""Parses lines of the lake into rows as Athena returns them."""

import csv
import json
from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from streaming_etl.components.table.column_types import METADATA
from streaming_etl.components.table.lake_table import LakeTable

# A string may be as long as a record.
csv.field_size_limit(2**24)

Row = dict[str, Any]

# Every CSV value is text; JSON has numbers.
_PARSERS: Mapping[str, Callable[[Any], Any]] = {
    "string": str,
    "boolean": lambda value: value in (True, "true"),
    **dict.fromkeys(("tinyint", "smallint", "int", "bigint"), int),
    **dict.fromkeys(("float", "double"), float),
    "date": date.fromisoformat,
    "timestamp": datetime.fromisoformat,
}


def parse_row(table: LakeTable, line: str) -> Row:
    """Parse a line into all columns of the table, metadata included.

    Absent values are None, and so is empty CSV text, as in the current-state view. Without
    COLUMNS the row is the line's JSON, numbers exact.
    """
    if table.format == "csv":
        columns = [*METADATA, *(table.columns or ())]
        [cells] = csv.reader([line], strict=True)
        texts = zip(columns, cells, strict=True)
        return {column.name: parse_value(column.type, text or None) for column, text in texts}
    row = json.loads(line, parse_float=Decimal)
    columns = [*(table.columns or ()), *METADATA]
    typed = {
        column.name: parse_value(column.type, row.pop(column.name, None)) for column in columns
    }
    return {**row, **typed}


def parse_value(kind: Any, value: Any) -> Any:
    """Parse a value of a type, nested values included."""
    if value is None:
        return None
    match kind:
        case {"decimal": _}:
            return Decimal(value)
        case {"array": item}:
            return [parse_value(item, each) for each in value]
        case {"map": [_, item]}:
            return {key: parse_value(item, each) for key, each in value.items()}
        case {"struct": fields}:
            return {name: parse_value(inner, value.get(name)) for name, inner in fields}
    return _PARSERS[kind](value)
