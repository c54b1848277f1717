"""One change given by hand, in plain values or DynamoDB JSON, as the stream would tell of it."""

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
OTHER_TYPES = {
    **{"BOOL": "true or false", "NULL": "null", "M": "a map", "L": "a list"},
    **dict.fromkeys(("SS", "NS", "BS"), "a set"),
}
TYPES = KEY_TYPES | OTHER_TYPES.keys()

# What DynamoDB takes of numbers, in place of decimal's own words.
BAD_NUMBER = "a number is none, has more than 38 digits, or is not within 1E-130 to 9.9E+125"

# The same every time, so that the same sample gives the same rows.
CHANGED_AT = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
# A stream's have 21 digits or more.
FIRST_SEQUENCE_NUMBER = 100_000_000_000_000_000_000_000

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/time-to-live-ttl-streams.html
TTL_IDENTITY = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}

Item = Mapping[str, Any]


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
    """The stream record of a change of which `change` would tell this.

    kind: by default INSERT with `new` alone, MODIFY with both, REMOVE with `old` alone.
    keys: by default the `key_names` of the item. Raises ValueError for what is no change.
    """
    kind = kind or ("MODIFY" if new and old else "INSERT" if new else "REMOVE")
    _check(kind, new, old, keys, is_ttl_delete)
    at = changed_at if changed_at.tzinfo else changed_at.replace(tzinfo=UTC)
    item = attributes(new or old or keys or {})
    keyed = attributes(keys) if keys else _keys(item, key_names)
    _check_keys(keyed)
    if kind == SNAPSHOT:
        return snapshot_record({**item, **keyed}, [*keyed], int(at.timestamp() * 1000))
    stream: dict[str, Any] = {
        "ApproximateCreationDateTime": int(at.timestamp()),
        "Keys": keyed,
        "SequenceNumber": str(FIRST_SEQUENCE_NUMBER + number),
    }
    if new:
        stream["NewImage"] = item
    if old:
        stream["OldImage"] = attributes(old)
    record = {"eventID": f"sample-{number}", "eventName": kind, "dynamodb": stream}
    return {**record, "userIdentity": TTL_IDENTITY} if is_ttl_delete else record


def _check(
    kind: str, new: Optional[Item], old: Optional[Item], keys: Optional[Item], is_ttl_delete: bool
) -> None:
    for name, item in {"new": new, "old": old, "keys": keys}.items():
        if not (item is None or isinstance(item, Mapping)):
            raise ValueError(f"{name} is no item but {item!r}; give an object of attributes")
    if kind not in KINDS:
        raise ValueError(f"kind={kind!r} is none of {', '.join(KINDS)}; use one of these")
    if kind == "REMOVE" and new:
        raise ValueError("a REMOVE has no new item; give the item that went as `old`")
    if kind == "REMOVE" and not (old or keys):
        raise ValueError("there is no item; give `new`, `old` or, for a REMOVE, its `keys`")
    if kind != "REMOVE" and not new:
        raise ValueError(f"{kind} has a new item; give it as `new`")
    if kind in ("INSERT", SNAPSHOT) and old:
        raise ValueError(f"{kind} has no old item; leave `old` out, or make it a MODIFY")
    if is_ttl_delete and kind != "REMOVE":
        raise ValueError(f"{kind} is no delete; is_ttl_delete goes with a REMOVE only")


def _check_keys(keyed: Item) -> None:
    for name, attribute in keyed.items():
        [(kind, value)] = attribute.items()
        if kind not in KEY_TYPES or value == "":
            raise ValueError(
                f"the key {name} is {OTHER_TYPES.get(kind, 'empty')}, which DynamoDB takes for no"
                " key; give a text, a number or binary"
            )


def _keys(item: Item, key_names: Sequence[str]) -> dict[str, Any]:
    if not key_names:
        raise ValueError(
            "nothing tells of which attributes the key of an existing table is made; name them"
            " with --key (in a test key_names=), or give the change's `keys`"
        )
    absent = [name for name in key_names if name not in item]
    if absent:
        raise ValueError(
            f"the item has no {' and no '.join(absent)}, of which the table's key is made; give "
            "it, or the change's `keys`"
        )
    return {name: item[name] for name in key_names}


def attributes(item: Item) -> dict[str, Any]:
    """The item in DynamoDB JSON, binary as base64; left as it is where it is that already.

    Raises ValueError for a value that DynamoDB does not have.
    """
    if is_dynamodb_json(item):
        try:
            plain_item(msgspec.convert(item, Attributes))
        except ArithmeticError:
            raise ValueError(f"an attribute is no DynamoDB JSON: {BAD_NUMBER}") from None
        except ValueError as error:
            raise ValueError(f"an attribute is no DynamoDB JSON: {error}") from None
        return dict(item)
    serialize: Callable[[Any], Any] = TypeSerializer().serialize
    found = {}
    for name, value in item.items():
        try:
            found[name] = _as_text(serialize(value))
            # boto3 takes a little more of numbers than DynamoDB.
            plain_item(msgspec.convert({name: found[name]}, Attributes))
        except (TypeError, ValueError, ArithmeticError) as error:
            why = BAD_NUMBER if isinstance(error, ArithmeticError) else error
            raise ValueError(
                f"attribute {name}: {why}; DynamoDB has str, int, "
                "Decimal of at most 38 digits, bool, None, bytes, list, dict and sets of one of "
                "str, number and bytes"
            ) from None
    return found


def is_dynamodb_json(item: Item) -> bool:
    """Whether each attribute tells its type: no plain item is so, as its key is no map."""
    return bool(item) and all(
        isinstance(value, Mapping) and len(value) == 1 and TYPES.issuperset(value)
        for value in item.values()
    )


def _as_text(value: dict[str, Any]) -> dict[str, Any]:
    """The attribute with its binary as the stream writes it."""
    [(kind, inner)] = value.items()
    match kind:
        case "B":
            return {kind: b64encode(bytes(inner)).decode()}
        case "BS":
            return {kind: sorted(b64encode(bytes(each)).decode() for each in inner)}
        case "SS" | "NS":
            return {kind: sorted(inner)}
        case "L":
            return {kind: [_as_text(each) for each in inner]}
        case "M":
            return {kind: {name: _as_text(each) for name, each in inner.items()}}
    return value
