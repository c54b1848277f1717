"""Stream records of sample changes, from plain values or DynamoDB JSON."""

from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Context, Decimal, Inexact
from typing import Any, Optional

from boto3.dynamodb.types import TypeSerializer

from streaming_etl.handlers.wire.snapshot import KIND as SNAPSHOT
from streaming_etl.handlers.wire.snapshot import snapshot_record
from streaming_etl.ops.transform_test.dynamodb_json import (
    MAX_DIGITS,
    NUMBER_RANGE,
    TYPES,
    invalid_values,
    is_dynamodb_json,
)

KINDS = ("INSERT", "MODIFY", "REMOVE", SNAPSHOT)
KEY_TYPES = frozenset({"S", "N", "B"})

TYPES_IN_PYTHON = (
    "str, int, Decimal, bool, None, bytes, list, dict, or a set of str, numbers or bytes"
)

SAMPLE_STREAM_ARN = (
    "arn:aws:dynamodb:us-east-1:123456789012:table/sample/stream/2026-11-23T00:00:00.000"
)
"""Stream of samples that do not name theirs."""
# Constant, so that the same sample gives the same rows.
CHANGED_AT = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
# A stream's sequence numbers have 21 digits or more.
FIRST_SEQUENCE_NUMBER = 100_000_000_000_000_000_000_000

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/time-to-live-ttl-streams.html
TTL_IDENTITY = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}

Item = Mapping[str, Any]


class InvalidChangeError(ValueError):
    """A sample that is not a change of a DynamoDB table."""

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
    at = in_utc(changed_at)
    item = attributes(new or old or keys or {})
    key = attributes(keys) if keys else _key_of(item, key_names)
    check_key(key)
    if kind == SNAPSHOT:
        return snapshot_record(
            {**item, **key}, [*key], int(at.timestamp() * 1000), SAMPLE_STREAM_ARN
        )
    stream: dict[str, Any] = {
        "ApproximateCreationDateTime": int(at.timestamp()),
        "Keys": key,
        "SequenceNumber": sequence_number(number),
    }
    if new:
        stream["NewImage"] = item
    if old:
        stream["OldImage"] = attributes(old)
    record = {
        "eventID": event_id(number),
        "eventName": kind,
        "eventSourceARN": SAMPLE_STREAM_ARN,
        "dynamodb": stream,
    }
    return {**record, "userIdentity": TTL_IDENTITY} if is_ttl_delete else record


def in_utc(time: datetime) -> datetime:
    """Return the time, in UTC unless it has a zone."""
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def event_id(number: int) -> str:
    return f"sample-{number}"


def sequence_number(number: int) -> str:
    return str(FIRST_SEQUENCE_NUMBER + number)


def _check(
    kind: str, new: Optional[Item], old: Optional[Item], keys: Optional[Item], is_ttl_delete: bool
) -> None:
    for field, item in {"new": new, "old": old, "keys": keys}.items():
        if not (item is None or isinstance(item, Mapping)):
            text = f"`{field}` must be an object of attributes (got {item!r})."
            raise InvalidChangeError("image-not-an-item", text, field=field)
    if kind not in KINDS:
        text = f"`kind` must be one of {', '.join(KINDS)} (got {kind})."
        raise InvalidChangeError("unknown-kind", text, kind=kind)
    if not (new or old or keys):
        text = "A change must have `new`, `old` or, for REMOVE, `keys`."
        raise InvalidChangeError("no-item", text)
    if kind != "REMOVE" and not new:
        text = f"{kind} must have `new`, the item after the change."
        raise InvalidChangeError("missing-image", text, kind=kind, field="new")
    excluded = {"REMOVE": ("new", new), "MODIFY": ("", None)}.get(kind, ("old", old))
    if excluded[1]:
        text = f"{kind} must not have `{excluded[0]}`. Remove it, or use MODIFY."
        raise InvalidChangeError("unexpected-image", text, kind=kind, field=excluded[0])
    if is_ttl_delete and kind != "REMOVE":
        text = f"`is_ttl_delete` must be false for {kind}. Only a REMOVE is a TTL delete."
        raise InvalidChangeError("not-a-delete", text, kind=kind)


def check_key(key: Item) -> None:
    """Raise InvalidChangeError for a key in DynamoDB JSON that DynamoDB would reject."""
    for name, attribute in key.items():
        [(kind, value)] = attribute.items()
        if kind == "M" and len(value) == 1 and TYPES.keys() >= value.keys():
            text = (
                f"The item must have every attribute in DynamoDB JSON, as the key {name}, or none"
            )
            raise InvalidChangeError("mixed-json", f"{text}.", attribute=name)
        if kind not in KEY_TYPES or value == "":
            text = f"The key attribute {name} must be text, a number or binary, and not empty"
            raise InvalidChangeError(
                "invalid-key", f"{text} (got the type {kind}).", attribute=name, type=kind
            )


def _key_of(item: Item, key_names: Sequence[str]) -> dict[str, Any]:
    fix = "Name the key of an existing table with --key (`key_names` in a test), or add `keys`."
    if not key_names:
        text = f"The settings do not contain the key of an existing table. {fix}"
        raise InvalidChangeError("unknown-key", text)
    if missing := [name for name in key_names if name not in item]:
        text = f"The item must have the key of the table (it lacks {', '.join(missing)}). {fix}"
        raise InvalidChangeError("missing-key", text, missing=missing)
    return {name: item[name] for name in key_names}


def attributes(item: Item) -> dict[str, Any]:
    """Return the item in DynamoDB JSON, binary as base64.

    Raises InvalidChangeError for a value that DynamoDB does not support.
    """
    if is_dynamodb_json(item):
        if invalid := next(invalid_values(item), None):
            raise InvalidChangeError(
                "invalid-dynamodb-json",
                str(invalid),
                attribute=invalid.attribute,
                type=invalid.type,
                got=invalid.got,
            )
        return dict(item)
    serialize: Callable[[Any], Any] = TypeSerializer().serialize
    converted: dict[str, Any] = {}
    for name, value in item.items():
        try:
            converted[name] = _with_text_binary(serialize(_with_short_numbers(value)))
            invalid = next(invalid_values({name: converted[name]}), None)
            reason = f"`{invalid.attribute}` must be {invalid.must_be}" if invalid else ""
        except (TypeError, ArithmeticError) as error:
            too_long = (
                f"a number must have at most {MAX_DIGITS} digits and be within {NUMBER_RANGE}"
            )
            reason = too_long if isinstance(error, ArithmeticError) else str(error)
        if reason:
            text = (
                f"The attribute {name} must have a type of DynamoDB: {TYPES_IN_PYTHON} ({reason})."
            )
            raise InvalidChangeError("invalid-attribute", text, attribute=name)
    return converted


def _with_short_numbers(value: Any) -> Any:
    """Return the value without final zeros of its long numbers.

    DynamoDB stores at most 38 digits without them, and boto3 counts them.
    """
    if isinstance(value, (int, Decimal)) and not isinstance(value, bool):
        number = Decimal(value)
        if number.is_finite() and len(number.as_tuple().digits) > MAX_DIGITS:
            return number.normalize(Context(prec=MAX_DIGITS, traps=[Inexact]))
        return value
    if isinstance(value, Mapping):
        return {name: _with_short_numbers(each) for name, each in value.items()}
    if isinstance(value, (set, frozenset)):
        return set(map(_with_short_numbers, value))
    return list(map(_with_short_numbers, value)) if isinstance(value, (list, tuple)) else value


def _with_text_binary(value: dict[str, Any]) -> dict[str, Any]:
    """Return the attribute with binary as base64 text."""
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
