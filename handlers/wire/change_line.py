"""Change lines, the format between the functions: trimmed stream records as JSON."""

from datetime import UTC, datetime
from gzip import compress
from typing import Any

import msgspec
from pybase64 import b64encode

# https://docs.aws.amazon.com/firehose/latest/dev/limits.html (1,000 KiB before base64)
MAX_RECORD_BYTES = 1_024_000

# The event types that include the old image, by the setting `old_image`.
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
    streamLabel: str = ""  # noqa: N815
    userIdentity: Any = None  # noqa: N815


_REPLAYED = b'{"replayed":true,'

_encode = msgspec.json.Encoder().encode


def stream_label(stream_arn: str) -> str:
    """Return a stream's label, its creation time in UTC.

    Sequence numbers order the changes of one stream only; labels order the streams of a table.
    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_StreamDescription.html
    """
    return stream_arn.rpartition("/")[2]


def stream_created(stream_arn: str) -> datetime:
    """Return when a stream was created, from its label."""
    return datetime.fromisoformat(stream_label(stream_arn)).replace(tzinfo=UTC)


class ChangeTooLargeError(Exception):
    """The change does not fit into one Firehose record, even compressed."""


def change_line(record: dict[str, Any], old_image: str = "always") -> bytes:
    """Encode a stream record as one trimmed line, compressed if too large.

    old_image: a key of OLD_IMAGE_KINDS.
    Raises ChangeTooLargeError when the compressed line exceeds one Firehose record.
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
        stream_label(record["eventSourceARN"]),
        record.get("userIdentity"),
    )
    line = _encode(trimmed) + b"\n"
    if len(line) > MAX_RECORD_BYTES:
        line = b'{"gzip":"' + b64encode(compress(line, mtime=0)) + b'"}\n'
        if len(line) > MAX_RECORD_BYTES:
            raise ChangeTooLargeError(
                f"the compressed change must be at most {MAX_RECORD_BYTES} bytes (got {len(line)})"
            )
    return line


def replayed_line(line: bytes) -> bytes:
    """Mark a line as replayed, for the metric of the lag.

    A compressed change, or one that leaves no space for the mark, stays as it is.
    """
    is_marked = line.startswith((_REPLAYED, b'{"gzip"'))
    too_long = len(line) + len(_REPLAYED) - 1 > MAX_RECORD_BYTES
    if is_marked or too_long or not line.startswith(b"{"):
        return line
    return _REPLAYED + line[1:]
