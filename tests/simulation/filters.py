"""Filter patterns of the event source mapping."""

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from tests.simulation.user_module import STORES


class Filter(NamedTuple):
    """Patterns, and the changes of the model that match one."""

    patterns: tuple[str, ...]
    keeps_state: bool
    """Whether the patterns include changes of all types but INSERT."""
    matches: Callable[[Any], bool]


def pattern(**keys: Any) -> str:
    return json.dumps(keys)


FILTERS = {
    "none": Filter((), True, lambda _: True),
    "event names": Filter(
        (pattern(eventName=["INSERT", "REMOVE"]),), False, lambda change: change.kind != "MODIFY"
    ),
    "one store and removals": Filter(
        (
            pattern(dynamodb={"NewImage": {"store": {"S": [STORES[0]]}}}),
            pattern(eventName=["REMOVE"]),
        ),
        True,
        lambda change: not change.new or change.new.get("store") == STORES[0],
    ),
    "no price or a note": Filter(
        (
            pattern(dynamodb={"NewImage": {"price": {"N": [{"exists": False}]}}}),
            pattern(dynamodb={"NewImage": {"note": {"S": [{"prefix": "s"}, {"prefix": "kept"}]}}}),
        ),
        True,
        lambda change: (
            not change.new
            or "price" not in change.new
            or change.new["note"].startswith(("s", "kept"))
        ),
    ),
    "expired items": Filter(
        (pattern(userIdentity={"type": ["Service"]}),), False, lambda change: change.by_ttl
    ),
}


def matches(some: list[str], record: Mapping[str, Any]) -> bool:
    """Return whether a stream record matches a pattern, or there is none.

    https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html
    """
    return not some or any(has(json.loads(text), record) for text in some)


def has(keys: Mapping[str, Any], value: Any) -> bool:
    """Return whether a value has all keys of a pattern."""
    value = value if isinstance(value, Mapping) else {}
    return all(
        has(rule, value.get(name)) if isinstance(rule, dict) else has_one(rule, value.get(name))
        for name, rule in keys.items()
    )


def has_one(rules: list[Any], value: Any) -> bool:
    """Return whether a value matches one of the rules of a leaf."""
    for rule in rules:
        match rule:
            case {"exists": exists}:
                if (value is not None) is exists:
                    return True
            case {"prefix": text}:
                if isinstance(value, str) and value.startswith(text):
                    return True
            case _ if value == rule:
                return True
    return False
