"""What `transform` returned for one change as lines of the lake, with their partition values."""

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, tzinfo
from typing import Any, NamedTuple

from handlers.change import Change
from handlers.columns import csv_encoder, json_members
from handlers.values import RowError, csv_text, json_of, misfit, quote, text_of, timestamp_text

Row = dict[str, Any]

METADATA_COLUMNS = ("_op", "_key", "_row", "_event_id", "_sequence_number", "_changed_at")

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


class Rows(NamedTuple):
    """The rows of one change: their partition values, their lines, how many lines."""

    partition: tuple[str, ...]
    data: bytes
    line_count: int


class _Format(NamedTuple):
    """A line is `opening`, the cells and the metadata joined by commas, `_row` in the middle."""

    opening: str
    cells: Callable[[Row], list[str]]
    metadata: Callable[[Change, str], tuple[str, str]]
    """What stands before and after `_row`, for a change and its key."""


class RowEncoder:
    """Turns what `transform` returned into `Rows`; built from pipeline.json at cold start."""

    def __init__(self, pipeline: Mapping[str, Any], zone: tzinfo) -> None:
        columns, row_keys = pipeline["columns"], pipeline["row_keys"]
        self.partition_keys = (*row_keys, *pipeline["time_keys"])
        """The names of the values in `Rows.partition`."""
        self._row_keys = row_keys
        self._time_texts = [_TIME_TEXTS[key] for key in pipeline["time_keys"]]
        self._zone = zone
        self._known = (
            None if columns is None else {column["name"] for column in columns} | {*row_keys}
        )
        if columns is None:
            self._format = _natural_json(row_keys)
        elif pipeline["format"] == "csv":
            self._format = _csv(columns)
        else:
            self._format = _json(columns)

    def encode(self, change: Change, key: str, returned: Any) -> Rows:
        """The rows that `transform` returned for `change`, whose key reads `key`; maybe none.

        Raises RowError for anything that is no row of this table.
        """
        rows = _as_list(returned)
        if not rows:
            return Rows((), b"", 0)
        if self._known is not None:
            for row in rows:
                _refuse_unknown(row, self._known)
        opening, cells, metadata = self._format
        before, after = metadata(change, key)
        lines = [
            f"{opening}{','.join([*cells(row), before])}{index}{after}"
            for index, row in enumerate(rows)
        ]
        return Rows(self._partition(change, rows), "".join(lines).encode(), len(rows))

    def _partition(self, change: Change, rows: list[Row]) -> tuple[str, ...]:
        if not self.partition_keys:
            return ()
        values = {
            tuple(_partition_text(row, name, allowed) for name, allowed in self._row_keys.items())
            for row in rows
        }
        if len(values) > 1:
            raise RowError("the rows of one change have different partition keys; return one set")
        at = change.changed_at.astimezone(self._zone)
        return values.pop() + tuple(text(at) for text in self._time_texts)


def _as_list(returned: Any) -> list[Row]:
    if returned is None:
        return []
    rows = returned if isinstance(returned, list) else [returned]
    for row in rows:
        if not isinstance(row, dict):
            kind = type(row).__name__
            raise RowError(f"transform returned {kind}; return a dict, a list of dicts or None")
    return rows


def _refuse_unknown(row: Row, known: set[str]) -> None:
    if not row.keys() <= known:
        names = ", ".join(sorted(map(str, row.keys() - known)))
        raise RowError(f"column {names} is not in COLUMNS; add it there or leave it out of the row")


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


def _csv(columns: list[dict[str, Any]]) -> _Format:
    encoders = [(column["name"], csv_encoder(column["type"], column["name"])) for column in columns]

    def cells(row: Row) -> list[str]:
        return [
            "" if (value := row.get(name)) is None else encode(value) for name, encode in encoders
        ]

    def metadata(change: Change, key: str) -> tuple[str, str]:
        ids = f"{csv_text(change.event_id)},{csv_text(change.sequence_number)}"
        return (
            f"{csv_text(change.kind)},{csv_text(key)},",
            f",{ids},{timestamp_text(change.changed_at)}\n",
        )

    return _Format("", cells, metadata)


def _json(columns: list[dict[str, Any]]) -> _Format:
    members = json_members([(column["name"], column["type"]) for column in columns])
    return _Format("{", members, _json_metadata)


def _natural_json(row_keys: Mapping[str, Any]) -> _Format:
    """Without COLUMNS: every value as JSON knows it, names and order as the row gives them."""

    def members(row: Row) -> list[str]:
        return [
            f"{quote(_natural_name(name))}:{json_of(value, name)}"
            for name, value in row.items()
            if value is not None and name not in row_keys
        ]

    return _Format("{", members, _json_metadata)


def _natural_name(name: Any) -> str:
    if not isinstance(name, str) or name in METADATA_COLUMNS:
        reserved = ", ".join(METADATA_COLUMNS)
        raise RowError(f"a column's name must be a text other than {reserved}; rename it")
    return name


def _json_metadata(change: Change, key: str) -> tuple[str, str]:
    return (
        f'"_op":{quote(change.kind)},"_key":{quote(key)},"_row":',
        f',"_event_id":{quote(change.event_id)},"_sequence_number":{quote(change.sequence_number)}'
        f',"_changed_at":"{timestamp_text(change.changed_at)}"}}\n',
    )
