"""A row of the lake as Athena tells it, in plain Python values."""

import csv
import json
from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from streaming_etl.components.table.column_types import METADATA
from streaming_etl.components.table.lake_table import LakeTable

# A text column may be as long as a record.
csv.field_size_limit(2**24)

Row = dict[str, Any]

# CSV brings all of them as text, JSON some as numbers.
_READ: Mapping[str, Callable[[Any], Any]] = {
    "string": str,
    "boolean": lambda value: value in (True, "true"),
    **dict.fromkeys(("tinyint", "smallint", "int", "bigint"), int),
    **dict.fromkeys(("float", "double"), float),
    "date": date.fromisoformat,
    "timestamp": datetime.fromisoformat,
}


def typed_row(table: LakeTable, line: str) -> Row:
    """The row of a line, metadata included, in the order of the columns.

    Absent values are None, and so is an empty text of CSV, as in the current-state view. Without
    COLUMNS it holds what its JSON holds, numbers exact.
    """
    if table.format == "csv":
        columns = [*METADATA, *(table.columns or ())]
        [cells] = csv.reader([line], strict=True)
        texts = zip(columns, cells, strict=True)
        return {column.name: typed(column.type, text or None) for column, text in texts}
    row = json.loads(line, parse_float=Decimal)
    columns = [*(table.columns or ()), *METADATA]
    told = {column.name: typed(column.type, row.pop(column.name, None)) for column in columns}
    return {**row, **told}


def typed(kind: Any, value: Any) -> Any:
    """A value of a column, an item or a field of this type."""
    if value is None:
        return None
    match kind:
        case {"decimal": _}:
            return Decimal(value)
        case {"array": item}:
            return [typed(item, each) for each in value]
        case {"map": [_, item]}:
            return {key: typed(item, each) for key, each in value.items()}
        case {"struct": fields}:
            return {name: typed(inner, value.get(name)) for name, inner in fields}
    return _READ[kind](value)
