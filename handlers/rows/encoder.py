"""What `transform` returned for one change as lines of the lake, with their partition values."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, date, datetime, tzinfo
from operator import itemgetter
from typing import Any

import msgspec

from streaming_etl.handlers.rows.columns import csv_row, json_members
from streaming_etl.handlers.rows.metadata import METADATA_COLUMNS, Metadata
from streaming_etl.handlers.rows.schemaless_json import natural_json
from streaming_etl.handlers.rows.text_forms import RowError, misfit, one_line, text_of

Row = dict[str, Any]
Lines = Callable[[Metadata, Sequence[Row]], bytes]
"""The rows of one change as lines of the lake."""


# A partition value becomes the folder `name=value/`: these characters would break the folder,
# Hive's reading of it or Firehose's prefix, which may have 512 characters in all.
# https://docs.aws.amazon.com/firehose/latest/dev/s3-prefixes.html
_PARTITION_TEXT = re.compile(r"[^/=%{}\x00-\x1f\x7f-\x9f\ud800-\udfff]{1,255}")

# Bound `str.format`s: several times faster than strftime, and this runs for every change.
_TIME_TEXTS = {
    "year": "{0.year:04}".format,
    "month": "{0.month:02}".format,
    "day": "{0.day:02}".format,
    "hour": "{0.hour:02}".format,
    "dt": "{0.year:04}-{0.month:02}-{0.day:02}".format,
}


class Rows(msgspec.Struct, frozen=True, gc=False):
    """The rows of one change: their partition values, their lines, how many lines."""

    partition: tuple[str, ...]
    data: bytes
    line_count: int


_NO_ROWS = Rows((), b"", 0)


class RowEncoder:
    """Turns what `transform` returned into `Rows`; built from transform.json at cold start."""

    def __init__(self, pipeline: Mapping[str, Any], zone: tzinfo) -> None:
        columns, dynamic_partition_keys = pipeline["columns"], pipeline["dynamic_partition_keys"]
        self.partition_keys = (*dynamic_partition_keys, *pipeline["time_keys"])
        """The names of the values in `Rows.partition`."""
        self._row_keys = dynamic_partition_keys
        self._time_texts = [_TIME_TEXTS[key] for key in pipeline["time_keys"]]
        self._zone = zone
        if columns is None:
            self._lines = _json_lines(natural_json(METADATA_COLUMNS, dynamic_partition_keys))
        elif pipeline["format"] == "csv":
            self._lines = _csv_lines(columns, dynamic_partition_keys)
        else:
            self._lines = _json_lines(_declared_json(columns, dynamic_partition_keys))

    def encode(self, metadata: Metadata, returned: Any) -> Rows:
        """The rows that `transform` returned for the change told by `metadata`; maybe none.

        Raises RowError for anything that is no row of this table.
        """
        rows = (returned,) if type(returned) is dict else _as_list(returned)
        if not rows:
            return _NO_ROWS
        partition = self._partition(metadata, rows) if self.partition_keys else ()
        return Rows(partition, self._lines(metadata, rows), len(rows))

    def _partition(self, metadata: Metadata, rows: Sequence[Row]) -> tuple[str, ...]:
        values = {
            tuple(_partition_text(row, name, allowed) for name, allowed in self._row_keys.items())
            for row in rows
        }
        if len(values) > 1:
            raise RowError("the rows of one change have different partition keys; return one set")
        if not self._time_texts:
            return values.pop()
        at = datetime.fromisoformat(metadata.changed_at).replace(tzinfo=UTC).astimezone(self._zone)
        return values.pop() + tuple(text(at) for text in self._time_texts)


def _as_list(returned: Any) -> Sequence[Row]:
    if isinstance(returned, dict):
        return (returned,)
    if returned is None:
        return ()
    rows = returned if isinstance(returned, list) else [returned]
    for row in rows:
        if not isinstance(row, dict):
            kind = type(row).__name__
            raise RowError(f"transform returned {kind}; return a dict, a list of dicts or None")
    return rows


def _partition_text(row: Row, name: str, allowed: list[str] | None) -> str:
    value = row.get(name)
    if value is None:
        raise RowError(f"partition key {name} is missing; every row must return it")
    if not isinstance(value, (str, int, date)) or isinstance(value, datetime):
        raise misfit(f"{name} (a partition key)", "text, an int, a bool or a date", value)
    text = text_of(value, name)
    if not _PARTITION_TEXT.fullmatch(text):
        raise RowError(
            f"partition key {name}: the text is empty, longer than 255 characters or holds "
            "/ = % { } or a control character; replace it in transform"
        )
    if allowed is not None and text not in allowed:
        raise RowError(
            f"partition key {name}: the text is none of the values in the pipeline's settings, "
            "so Athena would not see the row; add it there"
        )
    return text


def _csv_lines(columns: list[dict[str, Any]], dynamic_partition_keys: Collection[str]) -> Lines:
    names = [column["name"] for column in columns]
    known = {*names, *dynamic_partition_keys}
    line_of = csv_row([(column["name"], column["type"]) for column in columns])
    all_values = itemgetter(*names) if len(names) > 1 else lambda row: (row[names[0]],)

    size = len(known)

    def some_values(row: Row) -> Sequence[Any]:
        _refuse_unknown(row, known)
        return [row.get(name) for name in names]

    def lines(metadata: Metadata, rows: Sequence[Row]) -> bytes:
        key = metadata.key.replace('"', '""')
        if '"' in metadata.event_id or '"' in metadata.sequence_number:
            metadata = msgspec.structs.replace(
                metadata,
                event_id=metadata.event_id.replace('"', '""'),
                sequence_number=metadata.sequence_number.replace('"', '""'),
            )
        text = ""
        for metadata.row, row in enumerate(rows):
            try:
                # The frequent case: with every column there, no other name is.
                values = all_values(row) if len(row) == size else some_values(row)
            except KeyError:
                values = some_values(row)
            line = line_of(*values, metadata, key)
            if "\n" in line or "\r" in line or "\x01" in line:
                line = one_line(line)
            text += line + "\n"
        return text.encode()

    return lines


def _json_lines(json_object: Callable[[Row], bytes]) -> Lines:
    """Each row's columns as `json_object` writes them, then the metadata, in one object."""

    def lines(metadata: Metadata, rows: Sequence[Row]) -> bytes:
        parts: list[bytes] = []
        for metadata.row, row in enumerate(rows):
            columns = json_object(row)
            joint = b"," if columns != b"{}" else b""
            parts += columns[:-1], joint, _encode(metadata)[1:], b"\n"
        return b"".join(parts)

    return lines


_encode = msgspec.json.Encoder().encode


def _declared_json(
    columns: list[dict[str, Any]], dynamic_partition_keys: Collection[str]
) -> Callable[[Row], bytes]:
    known = {*(column["name"] for column in columns), *dynamic_partition_keys}
    members = json_members([(column["name"], column["type"]) for column in columns])

    def encode(row: Row) -> bytes:
        _refuse_unknown(row, known)
        return f"{{{','.join(members(row))}}}".encode()

    return encode


def _refuse_unknown(row: Row, known: set[str]) -> None:
    if not row.keys() <= known:
        names = ", ".join(sorted(map(str, row.keys() - known)))
        raise RowError(f"column {names} is not in COLUMNS; add it there or leave it out of the row")
