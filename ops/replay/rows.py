"""Rows of the lake in the error prefix: which change each was made of."""

import csv
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple, Optional

from streaming_etl.handlers.rows.metadata import METADATA_COLUMNS

# A text column may be as long as a record.
csv.field_size_limit(2**24)


class RowOf(NamedTuple):
    """The change that a row tells of."""

    event_id: str
    kind: str
    key: str
    """The item's key as canonical DynamoDB JSON."""
    sequence_number: str
    changed_at: float
    """Epoch seconds."""


def row_of(line: bytes) -> Optional[RowOf]:
    """The change of a JSON or CSV row; None for what is no row of the lake."""
    try:
        text = line.decode()
        return _change(_of_json(text) if text.startswith("{") else _of_csv(text))
    except (ValueError, LookupError, TypeError, AttributeError, csv.Error):
        return None


def _of_json(text: str) -> Sequence[Any]:
    row = json.loads(text)
    return [row[name] for name in METADATA_COLUMNS]


def _of_csv(text: str) -> Sequence[Any]:
    # Without a header, but the metadata is what a row begins with, whatever its columns.
    [cells] = csv.reader([text], escapechar="\x01", strict=True)
    return cells[: len(METADATA_COLUMNS)]


def _change(metadata: Sequence[Any]) -> Optional[RowOf]:
    told = dict(zip(METADATA_COLUMNS, metadata, strict=True))
    key = told["_key"]
    if not told["_sequence_number"].isdigit() or not isinstance(json.loads(key), dict):
        return None
    changed_at = datetime.fromisoformat(told["_changed_at"]).replace(tzinfo=UTC).timestamp()
    return RowOf(told["_event_id"], told["_op"], key, told["_sequence_number"], changed_at)
