"""Routed changes are those of a table with matching items only."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_etl.handlers.wire.change_line import MAX_RECORD_BYTES, change_line
from streaming_etl.handlers.wire.routing import Route, Where, route_of, routed
from streaming_etl.handlers.wire.snapshot import marker_record, snapshot_record
from tests.support.changes import STREAM_ARN, stream_record

Image = dict[str, Any]

LISTED = Where({"kind": ["order", "a.b", "1", 1, 2.5, True]})
PREFIX = Where({"sk": {"prefix": "ORDER#"}})


@pytest.mark.parametrize(
    ("value", "matches"),
    [
        ({"S": "order"}, True),
        ({"S": "a.b"}, True),
        ({"S": "Order"}, False),
        ({"S": ""}, False),
        ({"S": "1"}, True),
        ({"S": "2.5"}, False),
        ({"N": "1"}, True),
        ({"N": "1.0"}, True),
        ({"N": "10E-1"}, True),
        ({"N": "2.50"}, True),
        ({"N": "2"}, False),
        ({"BOOL": True}, True),
        ({"BOOL": False}, False),
        ({"NULL": True}, False),
        ({"B": "order"}, False),
        ({"SS": ["order"]}, False),
        ({"NS": ["1"]}, False),
        ({"L": [{"S": "order"}]}, False),
        ({"M": {"kind": {"S": "order"}}}, False),
        (None, False),
    ],
)
def test_a_listed_value_has_its_type(value: Any, matches: bool) -> None:
    image = {"id": {"S": "order"}} | ({} if value is None else {"kind": value})
    assert LISTED.matches(image) is matches


@pytest.mark.parametrize(
    ("value", "matches"),
    [
        ({"S": "ORDER#1"}, True),
        ({"S": "ORDER#"}, True),
        ({"S": "ORDER"}, False),
        ({"S": "an ORDER#1"}, False),
        ({"B": "ORDER#1"}, False),
        ({"SS": ["ORDER#1"]}, False),
        ({"N": "1"}, False),
    ],
)
def test_a_prefix_is_of_a_string(value: Any, matches: bool) -> None:
    assert PREFIX.matches({"sk": value}) is matches


def test_a_number_is_not_a_boolean() -> None:
    assert not Where({"a": [True]}).matches({"a": {"N": "1"}})
    assert not Where({"a": [1]}).matches({"a": {"BOOL": True}})
    assert not Where({"a": ["1"]}).matches({"a": {"N": "1"}})


def test_numbers_are_exact() -> None:
    long = "12345678901234567890.123456789012345678"
    assert Where({"a": [Decimal(long)]}).matches({"a": {"N": long}})
    assert not Where({"a": [Decimal(long)]}).matches({"a": {"N": long[:-1]}})
    assert Where({"a": [0.1]}).matches({"a": {"N": "0.1"}})


def test_all_attributes_must_match() -> None:
    where = Where({"kind": ["order"], "sk": {"prefix": "ORDER#"}})
    both = {"kind": {"S": "order"}, "sk": {"S": "ORDER#1"}}
    assert where.matches(both)
    for name in both:
        assert not where.matches(both | {name: {"S": "x"}})
        assert not where.matches({other: both[other] for other in both if other != name})


def test_other_attributes_are_not_read() -> None:
    assert LISTED.matches({"kind": {"S": "order"}, "broken": 5})  # type: ignore[dict-item]


IN: Image = {"id": {"S": "o-1"}, "kind": {"S": "order"}, "n": {"N": "1"}}
STILL_IN: Image = IN | {"n": {"N": "2"}}
OUT: Image = IN | {"kind": {"S": "event"}}
UNTYPED: Image = {"id": {"S": "o-1"}}


def record(kind: str, new: Any = None, old: Any = None, **more: Any) -> dict[str, Any]:
    base = stream_record(1, kind)
    images = {"NewImage": new, "OldImage": old}
    stream = {name: value for name, value in base["dynamodb"].items() if name != "NewImage"}
    stream |= {name: image for name, image in images.items() if image is not None}
    return base | more | {"dynamodb": stream}


TTL = {"userIdentity": {"type": "Service", "principalId": "dynamodb.amazonaws.com"}}


@pytest.mark.parametrize(
    "sent",
    [
        record("INSERT", IN),
        record("MODIFY", STILL_IN, IN),
        record("REMOVE", None, IN),
        record("REMOVE", None, IN, **TTL),
        snapshot_record(IN, ["id"], 1, STREAM_ARN),
        marker_record(1, STREAM_ARN),
    ],
    ids=["insert", "modify", "remove", "expired", "snapshot", "marker of a backfill"],
)
def test_a_change_of_matching_items_is_the_same(sent: dict[str, Any]) -> None:
    assert routed(sent, LISTED) is sent


@pytest.mark.parametrize(
    "sent",
    [
        record("INSERT", OUT),
        record("INSERT", UNTYPED),
        record("MODIFY", OUT, OUT),
        record("MODIFY", OUT, UNTYPED),
        record("REMOVE", None, OUT),
        record("REMOVE", None, OUT, **TTL),
        snapshot_record(OUT, ["id"], 1, STREAM_ARN),
    ],
)
def test_a_change_of_other_items_has_no_route(sent: dict[str, Any]) -> None:
    assert routed(sent, LISTED) is None


@pytest.mark.parametrize("old", [OUT, UNTYPED])
def test_an_item_that_begins_to_match_is_inserted(old: Image) -> None:
    modified = record("MODIFY", IN, old)
    assert routed(modified, LISTED) == record("INSERT", IN)
    assert modified == record("MODIFY", IN, old)
    assert b"OldImage" not in change_line(routed(modified, LISTED) or {}, "always")


@pytest.mark.parametrize("new", [OUT, UNTYPED])
@pytest.mark.parametrize(
    ("old_image", "has_old"), [("always", True), ("on_remove", True), ("never", False)]
)
def test_an_item_that_no_longer_matches_is_removed(
    new: Image, old_image: str, has_old: bool
) -> None:
    removed = routed(record("MODIFY", new, IN), LISTED)
    assert removed == record("REMOVE", None, IN)
    assert (b"OldImage" in change_line(removed, old_image)) is has_old


def test_conditions_on_keys_do_not_need_images() -> None:
    of_key = Where({"id": {"prefix": "o-"}})
    for sent in (record("MODIFY", IN), record("REMOVE"), record("REMOVE", **TTL)):
        assert routed(sent, of_key) is sent
        assert routed(sent, Where({"id": ["o-2"]})) is None


def test_without_old_images_an_item_may_have_matched() -> None:
    assert routed(record("MODIFY", OUT), LISTED) == record("REMOVE")
    for sent in (record("MODIFY", IN), record("REMOVE")):
        assert routed(sent, LISTED) is sent


def test_a_change_without_its_new_image_is_an_error() -> None:
    with pytest.raises(KeyError):
        routed(record("MODIFY", None, IN), LISTED)


WRITES = st.lists(st.sampled_from([IN, STILL_IN, OUT, UNTYPED, None]), max_size=12)


@given(WRITES)
def test_the_routed_changes_are_those_of_the_matching_items(writes: list[Any]) -> None:
    """The lake table has exactly the items that match."""
    item: Any = None
    there: Any = None
    for new in writes:
        old, item = item, new
        if old is None and new is None:
            continue
        kind = "INSERT" if old is None else "REMOVE" if new is None else "MODIFY"
        sent = routed(record(kind, new, old), LISTED)
        if sent is not None:
            # Each change follows the state that the lake table has.
            assert (sent["eventName"] == "INSERT") is (there is None)
            assert sent["dynamodb"].get("OldImage") == there
            there = sent["dynamodb"].get("NewImage")
        assert there == (new if new is not None and LISTED.matches(new) else None)


def test_a_route_has_the_limits_of_its_config() -> None:
    config = {
        "name": "orders",
        "old_image": "never",
        "max_changes_per_record": 20,
        "max_record_kib": 100,
    }
    streams = {"orders": "orders-1a2b3c4", "others": "others-1a2b3c4"}
    route = route_of(config, streams)
    assert route == Route("orders", "orders-1a2b3c4", "never", 20, 102_400, None)
    assert route_of({**config, "max_record_kib": 1000}, streams).max_bytes == MAX_RECORD_BYTES
    where = route_of({**config, "where": {"sk": {"prefix": "O"}}}, streams).where
    assert where is not None
    assert where.matches({"sk": {"S": "O1"}})
