"""Lambda event filter patterns: what Lambda rejects or never matches."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from streaming_etl.components.settings.validation import Problem, invalid

# https://docs.aws.amazon.com/lambda/latest/api/API_Filter.html
MAX_PATTERN = 4096

# The fields of a stream record. NUMBER and TEXT are leaves; a pattern compares a leaf with a list.
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_Record.html
NUMBER, TEXT = "number", "text"
ANY_NAME = ""
VALUE: dict[str, Any] = dict.fromkeys(("S", "N", "B", "BOOL", "NULL", "SS", "NS", "BS"), TEXT)
ATTRIBUTES = {ANY_NAME: VALUE}
VALUE |= {"M": ATTRIBUTES, "L": VALUE}
# Lambda documents filters on `dynamodb` only; eventName and userIdentity work as well, other
# fields have the same value in all changes or match one change.
# https://docs.aws.amazon.com/lambda/latest/dg/with-ddb-filtering.html
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/time-to-live-ttl-streams.html
RECORD: dict[str, Any] = {
    "dynamodb": {
        **dict.fromkeys(("Keys", "NewImage", "OldImage"), ATTRIBUTES),
        **dict.fromkeys(("ApproximateCreationDateTime", "SizeBytes"), NUMBER),
        **dict.fromkeys(("SequenceNumber", "StreamViewType"), TEXT),
    },
    "eventName": TEXT,
    "userIdentity": {"type": TEXT, "principalId": TEXT},
}

UNKNOWN = object()
"""A part of a change that may have any value."""
REMOVED = {name: UNKNOWN for name in RECORD["dynamodb"] if name != "NewImage"}
EXPIRED = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
# Changes without which the current state keeps items as they were.
CHANGES: Mapping[str, Mapping[str, Any]] = {
    "MODIFY": {"eventName": "MODIFY", "dynamodb": UNKNOWN},
    "REMOVE": {"eventName": "REMOVE", "dynamodb": REMOVED},
    "REMOVE by TTL": {"eventName": "REMOVE", "dynamodb": REMOVED, "userIdentity": EXPIRED},
}

# Operators that `anything-but` negates, with a text or a list of them.
TEXT_RULES = {"prefix", "suffix", "equals-ignore-case"}


def pattern_problems(name: str, pattern: str) -> Iterator[Problem]:
    """Problems of a pattern that Lambda rejects, or that matches no change."""
    if (length := len(pattern)) > MAX_PATTERN:
        yield invalid(name, pattern, "pattern-length", most=MAX_PATTERN, length=length)
        return
    try:
        root = json.loads(pattern)
    except (ValueError, RecursionError):
        root = None
    if not isinstance(root, dict):
        yield invalid(name, pattern, "json-object")
        return
    nodes: list[tuple[str, dict[str, Any], dict[str, Any]]] = [("", RECORD, root)]
    for path, known, node in nodes:
        for key, value in node.items():
            place = f"{path}.{key}" if path else key
            field = known.get(key, known.get(ANY_NAME))
            if key == "$or" and is_alternatives(value):
                nodes += ((path, known, option) for option in value)
            elif field is None:
                yield invalid(name, pattern, "pattern-field", place=place, choices=tuple(known))
            elif isinstance(field, str):
                if not isinstance(value, list) or not value:
                    yield invalid(name, pattern, "pattern-list", place=place)
                elif field == TEXT and compares_number(value):
                    yield invalid(name, pattern, "pattern-number", place=place)
            elif isinstance(value, dict) and value:
                nodes.append((place, field, value))
            else:
                yield invalid(name, pattern, "pattern-object", place=place)


def is_alternatives(value: object) -> bool:
    """Whether the value of `$or` is a list of several patterns."""
    return isinstance(value, list) and len(value) > 1 and all(isinstance(it, dict) for it in value)


def compares_number(rule: object) -> bool:
    """Whether a rule compares with a number, which no text equals."""
    if isinstance(rule, list):
        return any(map(compares_number, rule))
    if isinstance(rule, dict):
        return "numeric" in rule or compares_number(rule.get("anything-but"))
    return isinstance(rule, (int, float)) and not isinstance(rule, bool)


def excluded_changes(patterns: list[dict[str, Any]]) -> list[str]:
    """The kinds of CHANGES that none of the patterns can match.

    patterns: without problems; without patterns Lambda sends all changes.
    """
    if not patterns:
        return []
    return [
        kind
        for kind, change in CHANGES.items()
        if not any(can_match(pattern, change) for pattern in patterns)
    ]


def can_match(pattern: Mapping[str, Any], change: Any) -> bool:
    """Whether a pattern can match a change; False is certain."""
    if change is UNKNOWN:
        return True
    for key, rule in pattern.items():
        if key == "$or" and is_alternatives(rule):
            possible = any(can_match(option, change) for option in rule)
        elif isinstance(rule, dict):
            possible = can_match(rule, change.get(key, {}))
        else:
            possible = any(can_equal(one, change.get(key)) for one in rule)
        if not possible:
            return False
    return True


def can_equal(rule: object, value: object) -> bool:
    """Whether a field can satisfy one rule of its list.

    value: None when the change lacks the field.
    Rules other than those of text count as possible.
    """
    if value is UNKNOWN:
        return True
    match rule:
        case {"exists": bool(exists)}:
            return exists == (value is not None)
        case _ if not isinstance(value, str):
            return False
        case str():
            return rule == value
        case {"anything-but": list(others)}:
            return not any(can_equal(other, value) for other in others)
        case {"anything-but": dict(rules)} if rules.keys() <= TEXT_RULES:
            negated = [
                {operator: text}
                for operator, texts in rules.items()
                for text in (texts if isinstance(texts, list) else [texts])
            ]
            return not any(can_equal(other, value) for other in negated)
        case {"anything-but": str(other)}:
            return value != other
        case {"equals-ignore-case": str(text)}:
            return value.lower() == text.lower()
        case {"prefix": str(prefix)}:
            return value.startswith(prefix)
        case {"suffix": str(suffix)}:
            return value.endswith(suffix)
    return isinstance(rule, dict)
