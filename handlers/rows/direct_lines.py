"""Rows of typed attributes as lines, for a module without `transform`.

The function path decodes each item, creates its row and encodes it. Here each column has a closure
from the attributes of many items to their texts. The lines have the same bytes.
"""

import re
from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Any

import msgspec

from streaming_etl.handlers.rows.attribute_columns import (
    Column,
    PlainValues,
    Values,
    csv_column,
    json_column,
)
from streaming_etl.handlers.rows.csv_row import one_line
from streaming_etl.handlers.rows.metadata import time_text
from streaming_etl.handlers.rows.text_forms import quote
from streaming_etl.handlers.wire.attributes import Attribute, Attributes, key_text, plain_item
from streaming_etl.handlers.wire.snapshot import MARKER

# An item with other names, or with more of them, is decoded completely.
_READABLE_NAME = re.compile(r"[ !#-\[\]-~]+")
_MAX_NAMES = 64

# Keys of strings without escapes, for which `key_text` would return the same text.
_STRING_KEY_START = re.compile(r'\{"[^"\\\n]*":\{"S":"')
_STRING = r'("([^"\\]*)":\{"S":"[^"\\]*"\})'
_TWO_STRINGS = re.compile(rf"\{{{_STRING},{_STRING}\}}")

_decode_keys = msgspec.json.Decoder(Attributes).decode


class UnusualChangeError(Exception):
    """Only the function path encodes the change exactly."""


class DirectLines:
    """Encodes stream records, decoded with images of `image_type` and raw keys."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        """Build the columns; config: transform.json, which `is_possible` accepts."""
        paths = config["sources"]
        names = list(dict.fromkeys(path[0] for path in paths.values()))
        fields = {name: f"a{number}" for number, name in enumerate(names)}
        self.image_type = msgspec.defstruct(
            "Image",
            [(field, Attribute, None) for field in fields.values()],
            rename={field: name for name, field in fields.items()},
            gc=False,
        )
        self._decode_image = msgspec.json.Decoder(self.image_type).decode
        self._names = frozenset(names)
        self._attributes = {name: attrgetter(field) for name, field in fields.items()}
        is_csv = config["format"] == "csv"
        build = csv_column if is_csv else json_column
        plain_values = {name: PlainValues() for name in names}
        self._columns: list[tuple[str, Column]] = []
        for column in config["columns"]:
            first, *steps = paths[column["name"]]
            built = build(column["name"], column["type"], steps, plain_values[first])
            self._columns.append((first, built))
        self._separator = "," if is_csv else ""
        self._no_fields = self._separator * (len(self._columns) - 1)
        self._quotation_mark = '""' if is_csv else '\\"'
        self._lines = _csv_lines if is_csv else _json_lines

    @staticmethod
    def is_possible(config: Mapping[str, Any]) -> bool:
        """Return whether every column is an attribute and there is one partition."""
        names = {path[0] for path in (config["sources"] or {}).values()}
        return (
            0 < len(names) <= _MAX_NAMES
            and all(map(_READABLE_NAME.fullmatch, names))
            and not config["dynamic_partition_keys"]
            and not config["time_keys"]
            and config["lazy_items"]
        )

    def encode(self, records: Sequence[Any]) -> list[str]:
        """Return the line of each record.

        Raises an exception if the function path may return another line, or a failed change.
        """
        if MARKER in [record.eventName for record in records]:
            raise UnusualChangeError
        streams = [record.dynamodb for record in records]
        ids = "".join(
            [f"{it.eventID}{it.streamLabel}{it.dynamodb.SequenceNumber}" for it in records]
        )
        if _json_escape(ids) != ids:
            raise UnusualChangeError
        images = [
            stream.NewImage or stream.OldImage or self._decode_image(stream.Keys)
            for stream in streams
        ]
        attributes: dict[str, Values] = {
            name: list(map(get, images)) for name, get in self._attributes.items()
        }
        columns = [column(attributes[name]) for name, column in self._columns]
        fields = list(map(self._separator.join, zip(*columns, strict=True)))
        if self._no_fields in fields:
            for stream in streams:
                # The function path reads the key instead of an image without these attributes.
                if not self._names.isdisjoint(plain_item(_decode_keys(stream.Keys))):
                    raise UnusualChangeError
        keys = _key_texts([stream.Keys for stream in streams], self._quotation_mark)
        return self._lines(records, keys, fields)


def _csv_escape(text: str) -> str:
    return text.replace('"', '""')


def _json_escape(text: str) -> str:
    return quote(text)[1:-1]


def _csv_lines(records: Sequence[Any], keys: Sequence[str], fields: Sequence[str]) -> list[str]:
    lines = [
        f'"{record.eventName}","{key}",0,"{record.eventID}","{record.streamLabel}",'
        f'"{stream.SequenceNumber}",{time_text(stream.ApproximateCreationDateTime)},{texts}'
        for record, key, texts in zip(records, keys, fields, strict=True)
        for stream in (record.dynamodb,)
    ]
    return [
        (one_line(line) if "\n" in line or "\r" in line or "\x01" in line else line) + "\n"
        for line in lines
    ]


def _json_lines(records: Sequence[Any], keys: Sequence[str], fields: Sequence[str]) -> list[str]:
    return [
        f'{{{members}"_op":"{record.eventName}","_key":"{key}","_row":0,'
        f'"_event_id":"{record.eventID}","_stream_epoch":"{record.streamLabel}",'
        f'"_sequence_number":"{stream.SequenceNumber}",'
        f'"_changed_at":"{time_text(stream.ApproximateCreationDateTime)}"}}\n'
        for record, key, members in zip(records, keys, fields, strict=True)
        for stream in (record.dynamodb,)
    ]


def _key_texts(keys: Sequence[msgspec.Raw], quotation_mark: str) -> list[str]:
    """Return `key_text` of each, with this escaped quotation mark."""
    text = str(b"\n".join(keys), "utf-8")
    start = _STRING_KEY_START.match(text)
    # One check of all keys: each has the same name, six quotation marks and no escape. `zip` fails
    # for more lines than keys.
    if (
        start
        and "\\" not in text
        and text.count('"') == 6 * len(keys)
        and f"\n{text}".count(f"\n{start[0]}") == len(keys)
        and f"{text}\n".count('"}}\n') == len(keys)
    ):
        return text.replace('"', quotation_mark).split("\n")
    escape = _json_escape if quotation_mark == '\\"' else _csv_escape
    return [escape(_key_text(each)) for each in keys]


def _key_text(keys: msgspec.Raw) -> str:
    if match := _TWO_STRINGS.fullmatch(str(keys, "utf-8")):
        first, first_name, second, second_name = match.groups()
        if first_name < second_name:
            return f"{{{first},{second}}}"
        if first_name > second_name:
            return f"{{{second},{first}}}"
    return key_text(_decode_keys(keys))
