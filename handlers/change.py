"""One change of the table: trimmed to a line by the forwarder, read back by the transform."""

import json
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Context, Decimal, Inexact, InvalidOperation
from gzip import compress, decompress
from typing import Any

# https://docs.aws.amazon.com/firehose/latest/dev/limits.html (1,000 KiB before base64)
MAX_RECORD_BYTES = 1_024_000

# A number of DynamoDB has at most 38 digits; one that had to be rounded is refused instead.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html
_EXACT = Context(prec=38, Emin=-130, Emax=125, traps=[Inexact, InvalidOperation])

_COMPACT = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_CANONICAL = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True)

_RECORD_FIELDS = ("eventID", "eventName", "userIdentity")
_STREAM_FIELDS = (
    "ApproximateCreationDateTime",
    "Keys",
    "NewImage",
    "OldImage",
    "SequenceNumber",
)

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/time-to-live-ttl-streams.html
_TTL_IDENTITY = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}


class ChangeTooLargeError(Exception):
    """Not even compressed does the change fit into one Firehose record."""


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one item, in plain Python values: what `transform` receives.

    Numbers are int where they are whole, else Decimal, both exact; binary is bytes;
    string, number and binary sets are sets; NULL is None.
    """

    kind: str
    """INSERT, MODIFY or REMOVE."""
    keys: dict[str, Any]
    """The item's primary key."""
    new: dict[str, Any] | None
    """The item after the change; None for REMOVE."""
    old: dict[str, Any] | None
    """The item before the change; None for INSERT."""
    changed_at: datetime
    """When it happened, aware, UTC, to the second; order by `sequence_number`, not by this."""
    sequence_number: str
    """Decimal digits of varying length: compare as a number."""
    event_id: str
    """Names the change; a repeated delivery carries the same one."""
    is_ttl_delete: bool
    """Whether DynamoDB itself removed the item because its time to live had passed."""


def change_line(record: dict[str, Any]) -> bytes:
    """The stream record as one line: trimmed, and gzip-compressed if it would not fit plain.

    Raises ChangeTooLargeError when the line exceeds one Firehose record even so.
    """
    stream = record["dynamodb"]
    trimmed = {name: record[name] for name in _RECORD_FIELDS if record.get(name) is not None}
    trimmed["dynamodb"] = {name: stream[name] for name in _STREAM_FIELDS if name in stream}
    line = _COMPACT.encode(trimmed).encode() + b"\n"
    if len(line) > MAX_RECORD_BYTES:
        line = b'{"gzip":"' + b64encode(compress(line, mtime=0)) + b'"}\n'
    if len(line) > MAX_RECORD_BYTES:
        raise ChangeTooLargeError(f"{len(line)} bytes compressed, {MAX_RECORD_BYTES} fit")
    return line


def read_change(line: bytes) -> Change:
    """The change of one line, plain or gzip-compressed; an untrimmed stream record reads too.

    Raises whatever the parts raise (ValueError, KeyError, ...) when the line is no change.
    """
    record = json.loads(line.decode())
    if "gzip" in record:
        record = json.loads(decompress(b64decode(record["gzip"])).decode())
    stream = record["dynamodb"]
    new, old = stream.get("NewImage"), stream.get("OldImage")
    return Change(
        kind=record["eventName"],
        keys=_image(stream["Keys"]),
        new=None if new is None else _image(new),
        old=None if old is None else _image(old),
        changed_at=datetime.fromtimestamp(stream["ApproximateCreationDateTime"], UTC),
        sequence_number=stream["SequenceNumber"],
        event_id=record["eventID"],
        is_ttl_delete=record.get("userIdentity") == _TTL_IDENTITY,
    )


def key_text(keys: dict[str, Any]) -> str:
    """The keys as canonical DynamoDB JSON, sorted and compact: one text for one item."""
    return _CANONICAL.encode({name: _key_attribute(value) for name, value in keys.items()})


def _key_attribute(value: Any) -> dict[str, str]:
    if isinstance(value, str):
        return {"S": value}
    if isinstance(value, bytes):
        return {"B": b64encode(value).decode()}
    return {"N": f"{Decimal(value):f}"}


def _image(image: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return {name: _plain(value) for name, value in image.items()}


def _plain(value: dict[str, Any]) -> Any:
    [(kind, content)] = value.items()
    return content if kind == "S" else _DECODERS[kind](content)


def _number(text: str) -> int | Decimal:
    try:
        return int(text)
    except ValueError:
        number = _EXACT.create_decimal(text)
        whole = int(number)
        return whole if whole == number else number


# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_AttributeValue.html
_DECODERS: dict[str, Callable[[Any], Any]] = {
    "N": _number,
    "BOOL": lambda flag: flag,
    "NULL": lambda _: None,
    "M": _image,
    "L": lambda items: [_plain(item) for item in items],
    "B": b64decode,
    "SS": set,
    "NS": lambda texts: {_number(text) for text in texts},
    "BS": lambda texts: {b64decode(text) for text in texts},
}
