"""Routes of changes to lake tables, by attributes of the item."""

import json
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple, Optional

from streaming_etl.handlers.wire.change_line import MAX_RECORD_BYTES
from streaming_etl.handlers.wire.snapshot import MARKER

# An image, or the keys, in DynamoDB JSON: {"id": {"S": "o-1"}}.
Image = Mapping[str, Mapping[str, Any]]

# Event types of a stream whose item existed before the change.
_HAVE_OLD_IMAGE = frozenset({"MODIFY", "REMOVE"})


class Where:
    """Condition on attributes of an item, in DynamoDB JSON."""

    def __init__(self, rules: Mapping[str, Any]) -> None:
        """Compile the rules, all of which must match.

        rules: by name of a top-level attribute, a list of strings, numbers and booleans, or
        `{"prefix": "..."}`. An item that lacks an attribute does not match. Types are those of
        DynamoDB: the text "1" is not the number 1, and 1.0 is. A set, list or map never matches.
        """
        self.names = frozenset(rules)
        self._tests = [(name, _test(rule)) for name, rule in rules.items()]

    def matches(self, image: Image) -> bool:
        """Return whether an item matches; reads only the attributes of the rules."""
        for name, test in self._tests:
            value = image.get(name)
            if value is None or not test(value):
                return False
        return True


def _test(rule: Any) -> Callable[[Mapping[str, Any]], bool]:
    """Return the test of one attribute value."""
    if isinstance(rule, Mapping):
        prefix: str = rule["prefix"]
        return lambda value: (text := value.get("S")) is not None and text.startswith(prefix)
    texts = frozenset(each for each in rule if isinstance(each, str))
    # In Python, True equals 1.
    booleans = frozenset(each for each in rule if isinstance(each, bool))
    numbers = frozenset(Decimal(str(each)) for each in rule if not isinstance(each, (str, bool)))

    def is_listed(value: Mapping[str, Any]) -> bool:
        if (text := value.get("S")) is not None:
            return text in texts
        if (text := value.get("N")) is not None:
            return bool(numbers) and Decimal(text) in numbers
        return value.get("BOOL") in booleans

    return is_listed


class Route(NamedTuple):
    """Changes of one lake table, and the content of its Firehose records."""

    name: str
    """The lake table, for logs."""
    stream: str
    """The delivery stream."""
    old_image: str
    """The changes that include the old image: a key of OLD_IMAGE_KINDS."""
    max_changes: int
    """1 sends every change as a single-change record."""
    max_bytes: int
    """Of one Firehose record, billed per 5 KB; a larger change is a single-change record."""
    where: Optional[Where] = None
    """The items of the lake table; None for all."""


def route_of(config: Mapping[str, Any], streams: Mapping[str, str]) -> Route:
    """Return a route of forwarder.json.

    streams: the delivery streams by the routes' names.
    """
    return Route(
        name=config["name"],
        stream=streams[config["name"]],
        old_image=config["old_image"],
        max_changes=config["max_changes_per_record"],
        max_bytes=min(config["max_record_kib"] * 1024, MAX_RECORD_BYTES),
        where=Where(config["where"]) if config.get("where") else None,
    )


def read_config() -> dict[str, Any]:
    """Read forwarder.json from the archive of the function."""
    content = (Path(__file__).parents[3] / "forwarder.json").read_bytes()
    config: dict[str, Any] = json.loads(content, parse_float=Decimal)
    return config


def routes_of(config: Mapping[str, Any], streams: Mapping[str, str]) -> list[Route]:
    """Return the routes of forwarder.json.

    streams: the delivery streams by the routes' names. An update of a function replaces its
    environment before its archive. In between, a route without a stream makes invocations fail,
    which are retried, so that nothing is lost.
    """
    return [route_of(route, streams) for route in config["routes"]]


def snapshot_routes(record: dict[str, Any], routes: Sequence[Route]) -> list[int]:
    """Return the indexes of the routes that have a SNAPSHOT's item.

    They all send the same line: a SNAPSHOT has no old image.
    """
    return [
        index
        for index, route in enumerate(routes)
        if route.where is None or routed(record, route.where) is not None
    ]


def routed(record: dict[str, Any], where: Where) -> Optional[dict[str, Any]]:
    """Return a record as the matching items have it, or None.

    An item that begins to match is an INSERT, without an old image. An item that no longer matches
    is a REMOVE, without a new image. So the changes of a lake table are those of a table that
    has the matching items only, with the original ids and positions.
    """
    kind, stream = record["eventName"], record["dynamodb"]
    if kind == MARKER:
        # It has no item: a completed backfill concerns every lake table.
        return record
    if where.names <= stream["Keys"].keys():
        # The key of an item never changes. This does not need the images.
        return record if where.matches(stream["Keys"]) else None
    is_in = kind != "REMOVE" and where.matches(stream["NewImage"])
    was_in = False
    if kind in _HAVE_OLD_IMAGE:
        # The stream may have new images only. Then the item may have matched; removing an item
        # that is not in the lake table does not change the current state.
        old = stream.get("OldImage")
        was_in = old is None or where.matches(old)
    if is_in:
        return record if was_in or kind != "MODIFY" else _as(record, "INSERT", "OldImage")
    if was_in:
        return record if kind == "REMOVE" else _as(record, "REMOVE", "NewImage")
    return None


def _as(record: dict[str, Any], kind: str, without: str) -> dict[str, Any]:
    """Return the record with another event type and without an image."""
    stream = {name: value for name, value in record["dynamodb"].items() if name != without}
    return {**record, "eventName": kind, "dynamodb": stream}
