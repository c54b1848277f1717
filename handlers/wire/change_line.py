"""The wire between the two functions: one trimmed stream record as JSON, one to a line."""

from gzip import compress
from typing import Any

import msgspec
from pybase64 import b64encode

# https://docs.aws.amazon.com/firehose/latest/dev/limits.html (1,000 KiB before base64)
MAX_RECORD_BYTES = 1_024_000

# Which kinds of changes carry the item as it was before, by the setting `old_image`.
OLD_IMAGE_KINDS = {
    "always": frozenset({"INSERT", "MODIFY", "REMOVE"}),
    "on_remove": frozenset({"REMOVE"}),
    "never": frozenset[str](),
}


class _Stream(msgspec.Struct, gc=False, omit_defaults=True):
    ApproximateCreationDateTime: float
    Keys: Any
    SequenceNumber: str
    NewImage: Any = None
    OldImage: Any = None


class _Record(msgspec.Struct, gc=False, omit_defaults=True):
    eventID: str  # noqa: N815
    eventName: str  # noqa: N815
    dynamodb: _Stream
    userIdentity: Any = None  # noqa: N815


_encode = msgspec.json.Encoder().encode


class ChangeTooLargeError(Exception):
    """Not even compressed does the change fit into one Firehose record."""


def change_line(record: dict[str, Any], old_image: str = "always") -> bytes:
    """The stream record as one line: trimmed, and gzip-compressed if it would not fit plain.

    `old_image` is a key of OLD_IMAGE_KINDS.
    Raises ChangeTooLargeError when the line exceeds one Firehose record even so.
    """
    stream, kind = record["dynamodb"], record["eventName"]
    trimmed = _Record(
        record["eventID"],
        kind,
        _Stream(
            stream["ApproximateCreationDateTime"],
            stream["Keys"],
            stream["SequenceNumber"],
            stream.get("NewImage"),
            stream.get("OldImage") if kind in OLD_IMAGE_KINDS[old_image] else None,
        ),
        record.get("userIdentity"),
    )
    line = _encode(trimmed) + b"\n"
    if len(line) > MAX_RECORD_BYTES:
        line = b'{"gzip":"' + b64encode(compress(line, mtime=0)) + b'"}\n'
        if len(line) > MAX_RECORD_BYTES:
            raise ChangeTooLargeError(f"{len(line)} bytes compressed, {MAX_RECORD_BYTES} fit")
    return line
