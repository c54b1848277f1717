"""What became of sample changes: for people, as the lake's own lines, and as one document."""

import json
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from streaming_etl.components.table.column_types import glue_type
from streaming_etl.components.table.lake_table import LakeTable
from streaming_etl.handlers.rows.metadata import METADATA_COLUMNS
from streaming_etl.ops.transform_test.module_loader import trace
from streaming_etl.ops.transform_test.row_parser import typed_row
from streaming_etl.ops.transform_test.runner import Tried, folder

HEAD = ["Column", "Value", "Type"]

Table = tuple[str, list[str], list[list[str]]]
"""What `show_table` takes: title, head, rows."""


def heading(number: int, tried: Tried) -> str:
    """The change, as a line says it before what became of it."""
    return f"{number}. {tried.kind} {_text(dict(tried.keys))}"


def outcome(table: LakeTable, tried: Tried) -> str:
    """In a few words what became of the change."""
    if tried.reason is not None:
        return f"refused: {tried.reason}"
    if not tried.taken:
        return "not taken: the setting forwarder.event_names leaves its kind out"
    if not tried.lines:
        return "left out by the transform"
    return f"{_counted(len(tried.lines), 'row')} in {folder(table, tried.partition)}"


def tables(table: LakeTable, number: int, tried: Tried) -> list[Table]:
    """The rows of a change, each as a table of its columns."""
    title = f"{heading(number, tried)}: {outcome(table, tried)}"
    types = {column.name: glue_type(column.type) for column in table.columns or ()}
    told = []
    for place, line in enumerate(tried.lines, start=1):
        cells = [
            [name, _text(value), types.get(name, "")]
            for name, value in typed_row(table, line).items()
            if name not in METADATA_COLUMNS
        ]
        told.append((title if place == 1 else f"   row {place}", HEAD, cells))
    return told


def reason(tried: Tried, file: Path) -> str:
    """What the user's module raised and where; empty where its row did not fit."""
    return "" if tried.error is None else trace(tried.error, file)


def summary(table: LakeTable, all_tried: Sequence[Tried]) -> str:
    """How many changes became what, and which columns stayed empty."""
    rows = [typed_row(table, line) for tried in all_tried for line in tried.lines]
    left_out = sum(tried.reason is None and not tried.lines for tried in all_tried)
    refused = sum(tried.reason is not None for tried in all_tried)
    counts = [_counted(len(rows), "row"), f"{left_out} left out", f"{refused} refused"]
    text = f"{_counted(len(all_tried), 'change')}: {', '.join(counts)}."
    columns = [column.name for column in table.columns or ()]
    empty = [name for name in columns if all(row[name] is None for row in rows)]
    return f"{text} No row fills {', '.join(empty)}." if rows and empty else text


def document(table: LakeTable, all_tried: Sequence[Tried]) -> dict[str, Any]:
    """The same for scripts; `lines` as they lie in the lake."""
    return {
        "format": table.format,
        "changes": [
            {
                "kind": tried.kind,
                "keys": json.loads(_text(dict(tried.keys)), parse_float=str),
                "taken": tried.taken,
                "lines": list(tried.lines),
                "folder": folder(table, tried.partition) if tried.lines else None,
                "refused": tried.reason,
            }
            for tried in all_tried
        ],
    }


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'s' * (count != 1)}"


def _text(value: Any) -> str:
    """A value as Athena's console would show it, nested ones as JSON."""
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
            return _nested(value)
        case date():
            return value.isoformat()
    return str(value)


def _nested(value: Any) -> str:
    """A value as JSON; numbers with all their digits, as they lie in the lake."""
    match value:
        case dict():
            names = (json.dumps(name, ensure_ascii=False) for name in value)
            pairs = zip(names, map(_nested, value.values()), strict=True)
            return f"{{{', '.join(f'{name}: {inner}' for name, inner in pairs)}}}"
        case list():
            return f"[{', '.join(map(_nested, value))}]"
        case Decimal():
            return f"{value:f}"
    return json.dumps(value, ensure_ascii=False, default=_text)
