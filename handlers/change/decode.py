"""The transform's side of the wire: lines as changes, decoded no further than `transform` asks."""

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from gzip import decompress
from typing import Any, Literal, Optional, TypedDict

import msgspec
from pybase64 import b64decode

from streaming_etl.handlers.change.change import Change, Item
from streaming_etl.handlers.change.lazy_item import LazyItem
from streaming_etl.handlers.wire.attributes import Attribute, Attributes, plain_item

# With more names than these it is cheaper to decode all there are.
_MOST_NAMES = 64

_PART_BYTES = 20_480

_COMPRESSED = b'{"gzip"'


class _Identity(msgspec.Struct, gc=False):
    type: Optional[str] = None
    principalId: Optional[str] = None  # noqa: N815


# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/time-to-live-ttl-streams.html
_TTL_IDENTITY = _Identity("Service", "dynamodb.amazonaws.com")


class _Compressed(msgspec.Struct):
    gzip: str


def _record_decoder(image: Any) -> "msgspec.json.Decoder[Any]":
    """Decodes a stream record, its new image as `image`, the old one not yet."""
    stream: list[Any] = [
        ("SequenceNumber", str),
        ("Keys", Attributes),
        ("ApproximateCreationDateTime", float),
        ("NewImage", Optional[image], None),
        ("OldImage", msgspec.Raw, msgspec.Raw()),
    ]
    record: list[Any] = [
        ("eventID", str),
        ("eventName", Literal["INSERT", "MODIFY", "REMOVE", "SNAPSHOT"]),
        ("dynamodb", msgspec.defstruct("Stream", stream, gc=False)),
        ("userIdentity", Optional[_Identity], None),
    ]
    return msgspec.json.Decoder(msgspec.defstruct("Record", record, gc=False))


def _some_attributes(names: Iterable[str]) -> Any:
    """The type of an image of which only these attributes are decoded, where it has them."""
    kinds: Any = dict.fromkeys(names, Attribute)
    return TypedDict("image", kinds, total=False)  # type: ignore[operator]


_compressed = msgspec.json.Decoder(_Compressed).decode
_documents = msgspec.json.Decoder(msgspec.Raw).decode_lines
_whole_image = msgspec.json.Decoder(Attributes).decode
_whole_record = _record_decoder(Attributes).decode


@lru_cache(maxsize=4096)
def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


class RecordReader:
    """Reads Firehose records, and learns what `transform` asks of an image: only that is decoded.

    With `lazy` False every image is whole, and a plain dict.
    """

    def __init__(self, *, lazy: bool = True) -> None:
        self.asked: set[str] = set()
        """The attributes that were asked for so far."""
        self.asked_all = not lazy
        """Whether the whole of an image was asked for."""
        self._view = Decoder(self)

    def read(self, content: bytes) -> "list[Chunk]":
        """The changes of one record, one to a line, in order; blank lines do not count."""
        view = self._view
        if len(self.asked) > len(view.known) or self.asked_all is not view.whole:
            view = self._view = Decoder(self)
        if len(content) <= _PART_BYTES:
            return [Chunk(view, content)]
        return [Chunk(view, part) for part in _cut(content)]


class Decoder:
    """Decodes changes by what was known when it was made; images come back to it for the rest."""

    def __init__(self, reader: RecordReader) -> None:
        self._reader = reader
        self.known = frozenset(reader.asked)
        reader.asked_all |= len(self.known) > _MOST_NAMES
        self.whole = reader.asked_all
        kind = Attributes if self.whole else _some_attributes(self.known)
        self.records = _record_decoder(kind)
        self.image = msgspec.json.Decoder(kind).decode

    def asked(self, name: object) -> bool:
        """Learn the name; one that was known at decoding stands in no rest either."""
        if name in self.known or not isinstance(name, str):
            return False
        if name.isascii():
            self._reader.asked.add(name)
        else:
            # msgspec 0.22 finds no field of a TypedDict by a name beyond ASCII.
            self._reader.asked_all = True
        return True

    def asked_all(self) -> None:
        """Learn that images are wanted whole."""
        self._reader.asked_all = True

    def item(self, at: "msgspec.Raw | tuple[Chunk, int]") -> Item:
        """The whole item: the old image that `at` is, or the new one in a line of a part."""
        if isinstance(at, msgspec.Raw):
            return plain_item(_whole_image(at))
        part, index = at
        return plain_item(_whole_record(_plain(part.lines[index])).dynamodb.NewImage)


class Chunk:
    """Whole lines of a record, so few that what is decoded of them stays in the cache."""

    def __init__(self, view: Decoder, content: bytes) -> None:
        self._view = view
        self._content = content
        self._by_line = False
        """Whether something in it is no change."""

    def records(self) -> list[Any]:
        """A stream record for each line, or the error that decoding met; see `change`."""
        try:
            records: list[Any] = self._view.records.decode_lines(self._content)
        except Exception:
            # Line by line, so that a bad one costs no other.
            self._by_line = True
            return [self._record(line) for line in self.lines]
        return records

    def _record(self, line: bytes) -> Any:
        try:
            return self._view.records.decode(_plain(line))
        except Exception as error:
            return error

    @cached_property
    def lines(self) -> list[bytes]:
        """Each change as it came, without its line break; for after `records`."""
        if self._by_line:
            return [line for line in self._content.split(b"\n") if line.strip()]
        return list(map(bytes, _documents(self._content)))

    def change(self, record: Any, index: int) -> Change:
        """The change of the record at `index`; raises the error that stands in its place."""
        if isinstance(record, Exception):
            raise record
        sequence_number = record.dynamodb.SequenceNumber
        return Change(record.eventName, sequence_number, record.eventID, record, self, index)

    def keys(self, record: Any) -> Item:
        return plain_item(record.dynamodb.Keys)

    def new(self, record: Any, index: int) -> Optional[Item]:
        attributes = record.dynamodb.NewImage
        if attributes is None:
            return None
        item = plain_item(attributes)
        return item if self._view.whole else self._image(item, record, (self, index))

    def old(self, record: Any) -> Optional[Item]:
        raw, view = record.dynamodb.OldImage, self._view
        if not raw:
            return None
        if record.dynamodb.NewImage is not None:
            # Few ask for it beside the new one, so nothing is learned.
            return plain_item(_whole_image(raw))
        item = plain_item(view.image(raw))
        return item if view.whole else self._image(item, record, raw)

    def _image(self, item: Item, record: Any, at: Any) -> Item:
        # Never empty: Python's own json asks an empty dict for nothing more.
        image = LazyItem(item or self.keys(record))
        # Not through an `__init__`, whose call would cost as much as all the rest of this.
        image._view, image._at = self._view, at
        return image

    def changed_at(self, record: Any) -> datetime:
        return _moment(record.dynamodb.ApproximateCreationDateTime)

    def is_ttl_delete(self, record: Any) -> bool:
        return bool(record.userIdentity == _TTL_IDENTITY)


def lines_of(parts: Iterable[Chunk]) -> list[bytes]:
    """Each change of a record as it came."""
    return [line for part in parts for line in part.lines]


def _cut(content: bytes) -> list[bytes]:
    """The content in parts of whole lines, so small that what is decoded stays in the cache."""
    parts, start = [], 0
    while end := content.find(b"\n", start + _PART_BYTES) + 1:
        parts.append(content[start:end])
        start = end
    return [*parts, content[start:]]


def _plain(line: bytes) -> bytes:
    """The line, or what it holds gzip-compressed."""
    if not line.startswith(_COMPRESSED):
        return line
    return decompress(b64decode(_compressed(line).gzip, validate=True))
