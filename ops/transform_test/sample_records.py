"""Stream records of sample changes, from plain values or DynamoDB JSON."""

from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Optional

import msgspec
from boto3.dynamodb.types import TypeSerializer

from streaming_etl.handlers.wire.attributes import Attributes, plain_item
from streaming_etl.handlers.wire.snapshot import KIND as SNAPSHOT
from streaming_etl.handlers.wire.snapshot import snapshot_record

KINDS = ("INSERT", "MODIFY", "REMOVE", SNAPSHOT)
KEY_TYPES = frozenset({"S", "N", "B"})
TYPES = KEY_TYPES | {"BOOL", "NULL", "M", "L", "SS", "NS", "BS"}

# DynamoDB's limits of a number. boto3 accepts a little more, and decimal's messages are unclear.
NUMBER_LIMITS = "a number must have at most 38 digits and be within 1E-130 to 9.9E+125"

# Constant, so that the same sample gives the same rows.
CHANGED_AT = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
# A stream's sequence numbers have 21 digits or more.
FIRST_SEQUENCE_NUMBER = 100_000_000_000_000_000_000_000

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/time-to-live-ttl-streams.html
TTL_IDENTITY = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}

Item = Mapping[str, Any]


class InvalidChangeError(ValueError):
    """A sample that is not a change of a DynamoDB table; `code` names the kind of error."""

    def __init__(self, code: str, message: str, **details: Any) -> None:
        super().__init__(message)
        self.code = code
        self.details = details


def stream_record(
    number: int,
    key_names: Sequence[str],
    *,
    new: Optional[Item] = None,
    old: Optional[Item] = None,
    kind: Optional[str] = None,
    keys: Optional[Item] = None,
    changed_at: datetime = CHANGED_AT,
    is_ttl_delete: bool = False,
) -> dict[str, Any]:
    """Build the stream record of a change.

    kind: by default INSERT with `new` alone, MODIFY with both images, REMOVE with `old` alone.
    keys: by default the attributes `key_names` of the item. Raises InvalidChangeError.
    """
    kind = kind or ("MODIFY" if new and old else "INSERT" if new else "REMOVE")
    _check(kind, new, old, keys, is_ttl_delete)
    at = changed_at if changed_at.tzinfo else changed_at.replace(tzinfo=UTC)
    item = attributes(new or old or keys or {})
    key = attributes(keys) if keys else _key_of(item, key_names)
    _check_key(key)
    if kind == SNAPSHOT:
        return snapshot_record({**item, **key}, [*key], int(at.timestamp() * 1000))
    stream: dict[str, Any] = {
        "ApproximateCreationDateTime": int(at.timestamp()),
        "Keys": key,
        "SequenceNumber": sequence_number(number),
    }
    if new:
        stream["NewImage"] = item
    if old:
        stream["OldImage"] = attributes(old)
    record = {"eventID": event_id(number), "eventName": kind, "dynamodb": stream}
    return {**record, "userIdentity": TTL_IDENTITY} if is_ttl_delete else record


def event_id(number: int) -> str:
    return f"sample-{number}"


def sequence_number(number: int) -> str:
    return str(FIRST_SEQUENCE_NUMBER + number)


def _check(
    kind: str, new: Optional[Item], old: Optional[Item], keys: Optional[Item], is_ttl_delete: bool
) -> None:
    for name, item in {"new": new, "old": old, "keys": keys}.items():
        if not (item is None or isinstance(item, Mapping)):
            message = f"`{name}` must be an object of attributes (got {item!r})."
            raise InvalidChangeError("image-not-an-item", message, field=name)
    if kind not in KINDS:
        message = f"`kind` must be one of {', '.join(KINDS)} (got {kind})."
        raise InvalidChangeError("unknown-kind", message, kind=kind)
    if kind == "REMOVE" and not (old or keys or new):
        message = "A change must have `new`, `old` or, for REMOVE, `keys`."
        raise InvalidChangeError("no-item", message)
    if kind != "REMOVE" and not new:
        message = f"{kind} must have `new`, the item after the change."
        raise InvalidChangeError("missing-image", message, kind=kind, field="new")
    unexpected = (
        "new" if kind == "REMOVE" and new else "old" if kind != "MODIFY" and new and old else ""
    )
    if unexpected:
        message = f"{kind} must not have `{unexpected}`. Remove it, or use MODIFY."
        raise InvalidChangeError("unexpected-image", message, kind=kind, field=unexpected)
    if is_ttl_delete and kind != "REMOVE":
        message = f"`is_ttl_delete` must be false for {kind}. Only a REMOVE is a TTL delete."
        raise InvalidChangeError("not-a-delete", message, kind=kind)


def _check_key(key: Item) -> None:
    for name, attribute in key.items():
        [(kind, value)] = attribute.items()
        if kind not in KEY_TYPES or value == "":
            raise InvalidChangeError(
                "invalid-key",
                f"The key attribute {name} must be text, a number or binary, and not empty (its"
                f" DynamoDB type is {kind}).",
                attribute=name,
                type=kind,
            )


def _key_of(item: Item, key_names: Sequence[str]) -> dict[str, Any]:
    if not key_names:
        raise InvalidChangeError(
            "unknown-key",
            "The settings do not name the key of an existing table. Name its attributes with --key"
            " (`key_names` in a test), or add `keys` to the change.",
        )
    if missing := [name for name in key_names if name not in item]:
        raise InvalidChangeError(
            "missing-key",
            f"The item must have the key attributes of the table (it lacks {', '.join(missing)})."
            " If the table has another key, name it with --key (`key_names` in a test), or add"
            " `keys` to the change.",
            missing=missing,
        )
    return {name: item[name] for name in key_names}


def attributes(item: Item) -> dict[str, Any]:
    """Return the item in DynamoDB JSON, binary as base64; DynamoDB JSON is unchanged.

    Raises InvalidChangeError for a value that DynamoDB does not support.
    """
    if is_dynamodb_json(item):
        try:
            plain_item(msgspec.convert(item, Attributes))
        except (ArithmeticError, ValueError) as error:
            reason = NUMBER_LIMITS if isinstance(error, ArithmeticError) else str(error)
            message = f"The attributes must be valid DynamoDB JSON: {reason}."
            raise InvalidChangeError("invalid-dynamodb-json", message) from None
        return dict(item)
    serialize: Callable[[Any], Any] = TypeSerializer().serialize
    converted: dict[str, Any] = {}
    for name, value in item.items():
        try:
            attribute = _with_text_binary(serialize(value))
            plain_item(msgspec.convert({name: attribute}, Attributes))
        except (TypeError, ValueError, ArithmeticError) as error:
            reason = NUMBER_LIMITS if isinstance(error, ArithmeticError) else str(error)
            raise InvalidChangeError(
                "invalid-attribute",
                f"The attribute {name} must have a type of DynamoDB: str, int, Decimal, bool, None,"
                f" bytes, list, dict, or a set of str, numbers or bytes ({reason}).",
                attribute=name,
            ) from None
        converted[name] = attribute
    return converted


def is_dynamodb_json(item: Item) -> bool:
    """Report whether each attribute has a type descriptor; a plain item's key has none."""
    return bool(item) and all(
        isinstance(value, Mapping) and len(value) == 1 and TYPES.issuperset(value)
        for value in item.values()
    )


def _with_text_binary(value: dict[str, Any]) -> dict[str, Any]:
    """Return the attribute with its binary as base64 text, as in a stream record."""
    [(kind, inner)] = value.items()
    match kind:
        case "B":
            return {kind: b64encode(bytes(inner)).decode()}
        case "BS":
            return {kind: sorted(b64encode(bytes(each)).decode() for each in inner)}
        case "SS" | "NS":
            return {kind: sorted(inner)}
        case "L":
            return {kind: [_with_text_binary(each) for each in inner]}
        case "M":
            return {kind: {name: _with_text_binary(each) for name, each in inner.items()}}
    return value
