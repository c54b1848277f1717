"""Firehose records as changes, decoded only as far as `transform` uses them."""

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

# With more names than these, decoding all attributes is faster.
_MAX_NAMES = 64

# Of lines that are decoded together, small enough for the processor's cache.
_CHUNK_BYTES = 20_480

_COMPRESSED = b'{"gzip"'


class _Identity(msgspec.Struct, gc=False):
    type: Optional[str] = None
    principalId: Optional[str] = None  # noqa: N815


# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/time-to-live-ttl-streams.html
_TTL_IDENTITY = _Identity("Service", "dynamodb.amazonaws.com")


class _Compressed(msgspec.Struct):
    gzip: str


def record_decoder(
    image: Any, *, keys: Any = Attributes, ids: Any = str, old_image: Any = msgspec.Raw
) -> "msgspec.json.Decoder[Any]":
    """Build a decoder of stream records.

    image: the type of NewImage. ids: that of event id, sequence number and stream label.
    """
    stream: list[Any] = [
        ("SequenceNumber", ids),
        ("Keys", keys),
        ("ApproximateCreationDateTime", float),
        ("NewImage", Optional[image], None),
        ("OldImage", old_image, msgspec.Raw()),
    ]
    record: list[Any] = [
        ("eventID", ids),
        ("eventName", Literal["INSERT", "MODIFY", "REMOVE", "SNAPSHOT", "BACKFILL"]),
        ("dynamodb", msgspec.defstruct("Stream", stream, gc=False)),
        # Lines of earlier versions have no label.
        ("streamLabel", ids, "" if ids is str else msgspec.Raw(b'""')),
        ("userIdentity", Optional[_Identity], None),
        ("replayed", bool, False),
    ]
    return msgspec.json.Decoder(msgspec.defstruct("Record", record, gc=False))


def _some_attributes(names: Iterable[str]) -> Any:
    """Return the type of an image with only these attributes."""
    types: Any = dict.fromkeys(names, Attribute)
    return TypedDict("image", types, total=False)  # type: ignore[operator]


_decode_compressed = msgspec.json.Decoder(_Compressed).decode
_split_lines = msgspec.json.Decoder(msgspec.Raw).decode_lines
_decode_entire_image = msgspec.json.Decoder(Attributes).decode
_decode_entire_record = record_decoder(Attributes).decode


@lru_cache(maxsize=4096)
def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


class RecordReader:
    """Reads Firehose records, and notes which attributes `transform` uses.

    Later records are decoded to these attributes only; the others are decoded on first access.
    """

    def __init__(self, requested: Iterable[str] = (), *, lazy: bool = True) -> None:
        """Start with these requested attributes; lazy=False decodes entire items."""
        self.requested_attributes = set(requested)
        self.whole_item_requested = not lazy or not all(map(str.isascii, requested))
        self._decoder = Decoder(self)

    def read(self, content: bytes) -> "list[Chunk]":
        """Return a record's lines in order, without blank lines, as chunks."""
        decoder = self._decoder
        if (
            len(self.requested_attributes) > len(decoder.names)
            or self.whole_item_requested is not decoder.entire
        ):
            decoder = self._decoder = Decoder(self)
        if len(content) <= _CHUNK_BYTES:
            return [Chunk(decoder, content)]
        return [Chunk(decoder, lines) for lines in _cut(content)]


class Decoder:
    """Decodes the attributes requested so far; items request the others."""

    def __init__(self, reader: RecordReader) -> None:
        self._reader = reader
        self.names = frozenset(reader.requested_attributes)
        reader.whole_item_requested |= len(self.names) > _MAX_NAMES
        self.entire = reader.whole_item_requested
        image = Attributes if self.entire else _some_attributes(self.names)
        self.records = record_decoder(image)
        self.image = msgspec.json.Decoder(image).decode

    def request(self, name: object) -> bool:
        """Note a requested attribute; return False if it was decoded before.

        Also False for a name that is not a string.
        """
        if name in self.names or not isinstance(name, str):
            return False
        if name.isascii():
            self._reader.requested_attributes.add(name)
        else:
            # msgspec 0.22 finds no field of a TypedDict by a name beyond ASCII.
            self._reader.whole_item_requested = True
        return True

    def request_all(self) -> None:
        """Note that entire items are requested."""
        self._reader.whole_item_requested = True

    def item(self, location: "msgspec.Raw | tuple[Chunk, int]") -> Item:
        """Decode an entire image: an encoded one, or a line's new image."""
        if isinstance(location, msgspec.Raw):
            return plain_item(_decode_entire_image(location))
        chunk, index = location
        line = _decompressed(chunk.lines[index])
        return plain_item(_decode_entire_record(line).dynamodb.NewImage)


class Chunk:
    """Complete lines of a record, decoded together; decodes their changes."""

    def __init__(self, decoder: Decoder, content: bytes) -> None:
        self._decoder = decoder
        self._content = content
        self._has_invalid_lines = False

    def records(self) -> list[Any]:
        """Return a stream record, or a decoding error, for each line."""
        try:
            records: list[Any] = self._decoder.records.decode_lines(self._content)
        except Exception:
            # One by one, so that an invalid line does not fail the others.
            self._has_invalid_lines = True
            return [self._record(line) for line in self.lines]
        return records

    def _record(self, line: bytes) -> Any:
        try:
            return self._decoder.records.decode(_decompressed(line))
        except Exception as error:
            return error

    @cached_property
    def lines(self) -> list[bytes]:
        """The lines as received, without line breaks; available after `records`."""
        if self._has_invalid_lines:
            return [line for line in self._content.split(b"\n") if line.strip()]
        return list(map(bytes, _split_lines(self._content)))

    def change(self, record: Any, index: int) -> Change:
        """Return the change of `record`; raise it if it is an error."""
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
        item, decoder = plain_item(attributes), self._decoder
        if decoder.entire:
            return item
        return LazyItem(item or self.keys(record), decoder, (self, index))

    def old(self, record: Any) -> Optional[Item]:
        image, decoder = record.dynamodb.OldImage, self._decoder
        if not image:
            return None
        if record.dynamodb.NewImage is not None:
            # Few modules use both images, so the names are not noted.
            return plain_item(_decode_entire_image(image))
        item = plain_item(decoder.image(image))
        if decoder.entire:
            return item
        return LazyItem(item or self.keys(record), decoder, image)

    def changed_at(self, record: Any) -> datetime:
        return _time(record.dynamodb.ApproximateCreationDateTime)

    def is_ttl_delete(self, record: Any) -> bool:
        return bool(record.userIdentity == _TTL_IDENTITY)


def lines_of(chunks: Iterable[Chunk]) -> list[bytes]:
    """Return the lines of a record as received."""
    return [line for chunk in chunks for line in chunk.lines]


def _cut(content: bytes) -> list[bytes]:
    """Cut the content into complete lines of about _CHUNK_BYTES."""
    parts, start = [], 0
    while end := content.find(b"\n", start + _CHUNK_BYTES) + 1:
        parts.append(content[start:end])
        start = end
    return [*parts, content[start:]]


def _decompressed(line: bytes) -> bytes:
    """Return the line, decompressed if it is compressed."""
    if not line.startswith(_COMPRESSED):
        return line
    return decompress(b64decode(_decode_compressed(line).gzip, validate=True))
