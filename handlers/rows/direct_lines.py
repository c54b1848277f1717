"""Rows of stream records as lines, for a module without `transform`.

The function path decodes each item, creates its row and encodes it. Here each column has a closure
from the attributes of many items to their texts, and one call joins the texts of a record's rows.
The lines have the same bytes.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate, pairwise
from operator import attrgetter
from typing import Any

import msgspec

from streaming_etl.handlers.rows.attribute_columns import (
    Column,
    PlainValues,
    csv_escape,
    csv_layout,
    is_scalar,
    json_escape,
    json_layout,
    path_column,
    raw_column,
    split_lines,
)
from streaming_etl.handlers.rows.metadata import time_text
from streaming_etl.handlers.wire.attributes import Attribute, Attributes, key_text, plain_item

# An item with other names, or with more of them, is decoded completely.
_READABLE_NAME = re.compile(r"[ !#-\[\]-~]+")
_MAX_NAMES = 64

# Without the marker of a backfill, whose row has no columns.
_KINDS = {kind: kind.encode() for kind in ("INSERT", "MODIFY", "REMOVE", "SNAPSHOT")}

# A key of one or two strings without escapes.
_STRING_KEY = re.compile(
    rb'(\{"([^"\\]*)":\{"S":")[^"\\]*(?:("\},"([^"\\]*)":\{"S":")[^"\\]*)?"\}\}'
)

_Parts = list[bytes | Sequence[bytes]]
"""Parts of a row: the same bytes in every row, or a text for each."""

# Before each metadata column, and the constant `_row` after the key.
_CSV_METADATA = (b'"', b'","', b'",0,"', b'","', b'","', b'",')
_JSON_METADATA = (
    *(b'"_op":"', b'","_key":"', b'","_row":0,"_event_id":"', b'","_stream_epoch":"'),
    *(b'","_sequence_number":"', b'","_changed_at":"'),
)

_decode_keys = msgspec.json.Decoder(Attributes).decode


class UnusualChangeError(Exception):
    """Only the function path encodes the change exactly."""


class DirectLines:
    """Encodes stream records with images of `image_type`, raw keys and raw ids."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        """Build the columns; config: transform.json, which `is_possible` accepts."""
        paths, is_csv = config["sources"], config["format"] == "csv"
        types = {column["name"]: column["type"] for column in config["columns"]}
        names = list(dict.fromkeys(path[0] for path in paths.values()))
        decoded = {
            first for name, (first, *steps) in paths.items() if steps or not is_scalar(types[name])
        }
        fields = {name: f"a{number}" for number, name in enumerate(names)}
        self.image_type = msgspec.defstruct(
            "Image",
            [
                (field, *((Attribute, None) if name in decoded else (msgspec.Raw, msgspec.Raw())))
                for name, field in fields.items()
            ],
            rename={field: name for name, field in fields.items()},
            gc=False,
        )
        self._decode_image = msgspec.json.Decoder(self.image_type).decode
        self._names = frozenset(names)
        # A tuple per image would make the garbage collector run.
        self._attributes = {name: attrgetter(field) for name, field in fields.items()}
        plain_values = {name: PlainValues() for name in decoded}
        self._columns: list[tuple[str, Column]] = []
        for name, kind in types.items():
            first, *steps = paths[name]
            layout = csv_layout(name, kind) if is_csv else json_layout(name, kind)
            column = (
                path_column(name, steps, plain_values[first], layout)
                if first in decoded
                else raw_column(kind, layout)
            )
            self._columns.append((first, column))
        self._escape = csv_escape if is_csv else json_escape
        self._is_csv = is_csv
        self._before_metadata = _CSV_METADATA if is_csv else _JSON_METADATA

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

    def encode(self, records: Sequence[Any], counts: Sequence[int]) -> list[bytes]:
        """Return the lines of each part of the records.

        counts: the numbers of records in the parts.
        Raises an exception if the function path may return another line, or a failed change.
        """
        streams = [record.dynamodb for record in records]
        images = [
            stream.NewImage or stream.OldImage or self._decode_image(stream.Keys)
            for stream in streams
        ]
        attributes = {name: list(map(get, images)) for name, get in self._attributes.items()}
        cells = [column(attributes[name]) for name, column in self._columns]
        if all(each.may_be_null for each in cells):
            for *texts, stream in zip(*[each.texts for each in cells], streams, strict=True):
                # The function path reads the key instead of an image without these attributes.
                if not any(texts) and not self._names.isdisjoint(
                    plain_item(_decode_keys(stream.Keys))
                ):
                    raise UnusualChangeError
        fields: _Parts = [part for each in cells for part in each[:3]]
        metadata: _Parts = []
        for before, parts in zip(self._before_metadata, self._metadata(records), strict=True):
            metadata += before, *parts
        if self._is_csv:
            return _joined([*metadata, *fields, b"\n"], counts)
        return _joined([b"{", *fields, *metadata, b'"}\n'], counts)

    def _metadata(self, records: Sequence[Any]) -> list[_Parts]:
        """Return the parts of each metadata column but `_row`."""
        streams = [record.dynamodb for record in records]
        return [
            [[_KINDS[record.eventName] for record in records]],
            _key_parts([stream.Keys for stream in streams], self._escape),
            [_id_texts([record.eventID for record in records])],
            [_id_texts([record.streamLabel for record in records])],
            [_id_texts([stream.SequenceNumber for stream in streams])],
            [_time_texts([stream.ApproximateCreationDateTime for stream in streams])],
        ]


def _id_texts(ids: Sequence[msgspec.Raw]) -> list[bytes]:
    found = split_lines(b"\n".join(ids), len(ids), b'"', b'"')
    if not found or found[1]:
        raise UnusualChangeError
    return found[0]


def _time_texts(seconds: Sequence[float]) -> list[bytes]:
    texts = {each: time_text(each).encode() for each in set(seconds)}
    return [texts[each] for each in seconds]


def _key_parts(keys: Sequence[msgspec.Raw], escape: Callable[[str], str]) -> _Parts:
    """Return `key_text` of each, escaped."""
    parts: _Parts = []
    if match := _STRING_KEY.fullmatch(keys[0]):
        parts = _string_key_parts(b"\n".join(keys), len(keys), match)
    if not parts:
        return [[escape(key_text(_decode_keys(each))).encode() for each in keys]]
    return [
        escape(str(part, "utf-8")).encode() if isinstance(part, bytes) else part for part in parts
    ]


def _string_key_parts(lines: bytes, count: int, first: re.Match[bytes]) -> _Parts:
    """Return the parts of keys with the first key's names, or none."""
    start, name, middle, second_name = first.groups()
    found = split_lines(lines, count, start, b'"}}', middle or b"")
    if not found or found[1]:
        return []
    texts = found[0]
    if not middle:
        return [start, texts, b'"}}']
    pairs = [text.split(middle) for text in texts]
    if name == second_name or {*map(len, pairs)} != {2}:
        return []
    firsts, seconds = zip(*pairs, strict=True)
    if name < second_name:
        return [start, firsts, middle, seconds, b'"}}']
    # `key_text` sorts the names.
    return [b"{" + middle[len(b'"},') :], seconds, b'"},' + start[len(b"{") :], firsts, b'"}}']


def _joined(parts: _Parts, counts: Sequence[int]) -> list[bytes]:
    """Return the rows of each part of the records."""
    merged: _Parts = [b""]
    for part in parts:
        if isinstance(part, bytes) and isinstance(merged[-1], bytes):
            merged[-1] += part
        else:
            merged.append(part)
    width = len(merged)
    texts = [part if isinstance(part, bytes) else b"" for part in merged] * sum(counts)
    for place, part in enumerate(merged):
        if not isinstance(part, bytes):
            texts[place::width] = part
    ends = accumulate(counts, initial=0)
    return [b"".join(texts[start * width : end * width]) for start, end in pairwise(ends)]
