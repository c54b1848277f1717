"""Results of sample changes as text and as JSON."""

import json
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from streaming_etl.components.table.column_types import glue_type
from streaming_etl.components.table.lake_table import LakeTable
from streaming_etl.handlers.rows.metadata import METADATA_COLUMNS
from streaming_etl.ops.transform_test.row_parser import parse_row
from streaming_etl.ops.transform_test.runner import TransformResult, partition_prefix
from streaming_etl.stack.console import counted

HEAD = ["Column", "Value", "Type"]

Table = tuple[str, list[str], list[list[str]]]
"""Arguments of `show_table`."""


def summary_line(table: LakeTable, number: int, result: TransformResult) -> str:
    """Return the change and its outcome on one line."""
    change = f"{number}. {result.kind} {_text(dict(result.keys))}"
    if result.reason is not None:
        return f"{change}: failed: {result.message}"
    if result.filtered:
        return f"{change}: filtered: `forwarder.event_names` does not include {result.kind}"
    if result.unmatched:
        return f"{change}: unmatched: `where` of the lake table does not match the item"
    if not result.lines:
        return f"{change}: no rows"
    prefix = partition_prefix(table, result.partition)
    return f"{change}: {counted(len(result.lines), 'row')} in {prefix}"


def tables(table: LakeTable, number: int, result: TransformResult) -> list[Table]:
    """Return a table for each row of a change."""
    types = {column.name: glue_type(column.type) for column in table.columns or ()}
    rendered: list[Table] = []
    for place, line in enumerate(result.lines, start=1):
        cells = [
            [name, _text(value), types.get(name, "")]
            for name, value in parse_row(table, line).items()
            if name not in METADATA_COLUMNS
        ]
        title = summary_line(table, number, result) if place == 1 else f"   row {place}"
        rendered.append((title, HEAD, cells))
    return rendered


def summary(table: LakeTable, results: Sequence[TransformResult]) -> str:
    """Return the counts, and the columns that are NULL in every row."""
    rows = [parse_row(table, line) for result in results for line in result.lines]
    failed = sum(result.reason is not None for result in results)
    without_rows = sum(not result.lines for result in results) - failed
    text = (
        f"{counted(len(results), 'change')}: {counted(len(rows), 'row')},"
        f" {without_rows} without rows, {failed} failed."
    )
    columns = [column.name for column in table.columns or ()]
    empty = [name for name in columns if all(row[name] is None for row in rows)]
    return f"{text} NULL in every row: {', '.join(empty)}." if rows and empty else text


def document(table: LakeTable, results: Sequence[TransformResult]) -> dict[str, Any]:
    """Return the JSON document; `lines` are as they are in the lake."""
    return {
        "format": table.format,
        "changes": [
            {
                "kind": result.kind,
                "keys": json.loads(_text(dict(result.keys)), parse_float=str),
                "filtered": result.filtered,
                "unmatched": result.unmatched,
                "lines": list(result.lines),
                "prefix": partition_prefix(table, result.partition) if result.lines else None,
                "failed": result.reason,
                "unknown_columns": list(result.unknown_columns),
            }
            for result in results
        ],
    }


def _text(value: Any) -> str:
    """Return a value as Athena's console shows it, nested ones as JSON."""
    match value:
        case None:
            return "NULL"
        case str():
            return value
        case datetime():
            return value.isoformat(" ")
        case Decimal():
            return f"{value:f}"
        case bytes():
            return repr(value)
        case bool() | dict() | list():
            return _json(value)
        case date():
            return value.isoformat()
    return str(value)


def _json(value: Any) -> str:
    """Return JSON with every digit of a number."""
    match value:
        case dict():
            names = (json.dumps(name, ensure_ascii=False) for name in value)
            pairs = zip(names, map(_json, value.values()), strict=True)
            return f"{{{', '.join(f'{name}: {inner}' for name, inner in pairs)}}}"
        case list():
            return f"[{', '.join(map(_json, value))}]"
        case Decimal():
            return f"{value:f}"
    return json.dumps(value, ensure_ascii=False, default=_text)
