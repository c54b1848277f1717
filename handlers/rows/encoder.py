"""Rows of one change: lines of the lake and their partition values."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, tzinfo
from typing import Any

import msgspec

from streaming_etl.handlers.rows.csv_row import Row, csv_lines
from streaming_etl.handlers.rows.json_row import json_row
from streaming_etl.handlers.rows.metadata import METADATA_COLUMNS, Metadata
from streaming_etl.handlers.rows.row_error import RowError, type_error
from streaming_etl.handlers.rows.schemaless_json import schemaless_json
from streaming_etl.handlers.rows.text_forms import text_of

# A partition value becomes the folder `name=value/`: these characters would break the folder,
# Hive's parsing of it, or Firehose's prefix, which may have 512 characters in all. With partition
# projection Athena escapes " # ' * : ? [ \ ] ^ in the folder's name and Firehose does not, so rows
# are missing without an error; $ fails every query of the table.
# https://docs.aws.amazon.com/firehose/latest/dev/s3-prefixes.html
_FORBIDDEN_CHARACTER = re.compile(r"""["#$%'*/:=?\[\\\]^{}\x00-\x1f\x7f-\x9f\ud800-\udfff]""")
# An S3 key has at most 1,024 bytes in UTF-8. Firehose checks the characters of a prefix only, and
# drops objects that S3 rejects for 24 hours.
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
_MAX_PARTITION_BYTES = 255
# Value of the marker of a backfill for a partition key with any value.
_MARKER_PARTITION = "backfill"

# `str.format` is several times faster than strftime, and runs for every change.
_TIME_TEXTS = {
    "year": "{0.year:04}".format,
    "month": "{0.month:02}".format,
    "day": "{0.day:02}".format,
    "hour": "{0.hour:02}".format,
    "dt": "{0.year:04}-{0.month:02}-{0.day:02}".format,
}


class Rows(msgspec.Struct, frozen=True, gc=False):
    """Rows of one change: partition values, lines, number of lines."""

    partition: tuple[str, ...]
    data: bytes
    line_count: int


_NO_ROWS = Rows((), b"", 0)


class RowEncoder:
    """Encodes what `transform` returns as `Rows`."""

    def __init__(self, config: Mapping[str, Any], zone: tzinfo) -> None:
        """Build the encoder; config: transform.json; zone: of the time keys."""
        partition_keys = config["dynamic_partition_keys"]
        self.partition_keys = (*partition_keys, *config["time_keys"])
        """The names of the values in `Rows.partition`."""
        self._dynamic_partition_keys = partition_keys
        self._time_texts = [_TIME_TEXTS[key] for key in config["time_keys"]]
        self._zone = zone
        if config["columns"] is None:
            reserved = (*METADATA_COLUMNS, *config["partition_keys"])
            self._lines = _json_lines(schemaless_json(reserved, partition_keys))
            return
        columns = [(column["name"], column["type"]) for column in config["columns"]]
        if config["format"] == "csv":
            self._lines = csv_lines(columns, partition_keys)
        else:
            self._lines = _json_lines(json_row(columns, partition_keys))

    def encode(self, metadata: Metadata, returned: Any) -> Rows:
        """Encode what `transform` returned for a change.

        returned: a row, a list of rows or None.
        Raises RowError for anything that is not a row of this table.
        """
        rows = (returned,) if type(returned) is dict else _as_list(returned)
        if not rows:
            return _NO_ROWS
        partition = self._partition(metadata, rows) if self.partition_keys else ()
        return Rows(partition, self._lines(metadata, rows), len(rows))

    def encode_marker(self, metadata: Metadata) -> Rows:
        """Encode the marker of a completed backfill, without the user's columns."""
        values = tuple(
            allowed[0] if allowed else _MARKER_PARTITION
            for allowed in self._dynamic_partition_keys.values()
        )
        partition = values + self._time_values(metadata)
        return Rows(partition, self._lines(metadata, ({},)), 1)

    def _partition(self, metadata: Metadata, rows: Sequence[Row]) -> tuple[str, ...]:
        keys = self._dynamic_partition_keys.items()
        values = {tuple(_partition_text(row, *key) for key in keys) for row in rows}
        if len(values) > 1:
            raise RowError("partition-mixed")
        return values.pop() + self._time_values(metadata)

    def _time_values(self, metadata: Metadata) -> tuple[str, ...]:
        if not self._time_texts:
            return ()
        time = datetime.fromisoformat(metadata.changed_at).replace(tzinfo=UTC)
        local_time = time.astimezone(self._zone)
        return tuple(text(local_time) for text in self._time_texts)


def _as_list(returned: Any) -> Sequence[Row]:
    if isinstance(returned, dict):
        return (returned,)
    if returned is None:
        return ()
    rows = returned if isinstance(returned, list) else [returned]
    for row in rows:
        if not isinstance(row, dict):
            raise RowError("returned-type", got=type(row).__name__)
    return rows


def _partition_text(row: Row, name: str, allowed: list[str] | None) -> str:
    value = row.get(name)
    if value is None:
        raise RowError("partition-missing", name)
    if not isinstance(value, (str, int, date)) or isinstance(value, datetime):
        raise type_error(name, "a string, an int, a bool or a date", value)
    text = text_of(value, name)
    if found := _FORBIDDEN_CHARACTER.search(text):
        raise RowError("partition-character", name, character=ascii(found[0]))
    if not 1 <= len(text.encode()) <= _MAX_PARTITION_BYTES:
        raise RowError("partition-text", name)
    if allowed is not None and text not in allowed:
        raise RowError("partition-value", name)
    return text


def _json_lines(
    encode_row: Callable[[Row], bytes],
) -> Callable[[Metadata, Sequence[Row]], bytes]:
    """Build the encoder of a change's rows from `encode_row`."""

    def encode(metadata: Metadata, rows: Sequence[Row]) -> bytes:
        parts: list[bytes] = []
        for metadata.row, row in enumerate(rows):
            columns = encode_row(row)
            comma = b"," if columns != b"{}" else b""
            parts += columns[:-1], comma, _encode_metadata(metadata)[1:], b"\n"
        return b"".join(parts)

    return encode


_encode_metadata = msgspec.json.Encoder().encode
