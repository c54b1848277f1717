"""The changes behind rows: on the stream as they were, in the table as the item is now."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from streaming_etl.handlers.wire.change_line import change_line
from streaming_etl.ops.replay.lost_changes import EMPTY_PAGES, MAX_KEYS, Origins
from streaming_etl.ops.replay.rows import RowOf
from streaming_etl.stack.errors import CommandError
from tests.handlers.fakes import read_change

NOW = 1_795_500_000.0
CHANGED = int(NOW) - 3600
STREAM, TABLE = "arn:stream", "orders"


def row(number: int, kind: str = "INSERT", **changed: Any) -> RowOf:
    key = f'{{"id":{{"S":"o-{number}"}}}}'
    return RowOf(f"event-{number}", kind, key, str(1000 + number), CHANGED)._replace(**changed)


class FakeStreams:
    """Shards as pages of records; an open one goes on with empty pages for ever."""

    def __init__(self, **shards: tuple[int, int | None, list[list[Any]]]) -> None:
        self.shards = shards
        self.read: list[str] = []

    def describe_stream(self, **request: Any) -> dict[str, Any]:
        """A page for each shard."""
        assert request["StreamArn"] == STREAM
        names = [*self.shards]
        start = request.get("ExclusiveStartShardId")
        name = names[0 if start is None else names.index(start) + 1]
        first, last, _ = self.shards[name]
        numbers = {"StartingSequenceNumber": str(first)}
        if last is not None:
            numbers["EndingSequenceNumber"] = str(last)
        described: dict[str, Any] = {"Shards": [{"ShardId": name, "SequenceNumberRange": numbers}]}
        if name != names[-1]:
            described["LastEvaluatedShardId"] = name
        return {"StreamDescription": described}

    def get_shard_iterator(self, **request: Any) -> dict[str, str]:
        assert request["ShardIteratorType"] == "TRIM_HORIZON"
        return {"ShardIterator": f"{request['ShardId']}:0"}

    def get_records(self, **request: Any) -> dict[str, Any]:
        name, _, number = request["ShardIterator"].partition(":")
        self.read.append(request["ShardIterator"])
        _, last, pages = self.shards[name]
        records = pages[int(number)] if int(number) < len(pages) else []
        answer: dict[str, Any] = {"Records": records}
        if last is None or int(number) + 1 < len(pages):
            answer["NextShardIterator"] = f"{name}:{int(number) + 1}"
        return answer


class FakeTable:
    """Items by the text of their id; leaves keys unread as often as `busy` says."""

    def __init__(self, *items: dict[str, Any], busy: int = 0) -> None:
        self.items, self.busy = items, busy
        self.asked: list[int] = []

    def batch_get_item(self, **request: Any) -> dict[str, Any]:
        [(table, asked)] = request["RequestItems"].items()
        assert (table, asked["ConsistentRead"]) == (TABLE, True)
        keys = asked["Keys"]
        self.asked.append(len(keys))
        found = [item for item in self.items for key in keys if key.items() <= item.items()]
        if self.busy:
            self.busy -= 1
            return {
                "Responses": {TABLE: []},
                "UnprocessedKeys": {TABLE: {"Keys": keys, "ConsistentRead": True}},
            }
        return {"Responses": {TABLE: found}, "UnprocessedKeys": {}}


def origins(client: Any, sleep: Callable[[float], None] = lambda _: None) -> Origins:
    return Origins(lambda _: client, STREAM, TABLE, "on_remove", sleep, lambda: NOW)


def stream_record(number: int, name: str = "INSERT", **images: Any) -> dict[str, Any]:
    """A record as GetRecords of boto3 has it."""
    stream = {
        "ApproximateCreationDateTime": datetime.fromtimestamp(CHANGED, UTC),
        "Keys": {"id": {"S": f"o-{number}"}},
        "SequenceNumber": str(1000 + number),
        **images,
    }
    return {"eventID": f"event-{number}", "eventName": name, "dynamodb": stream}


def test_a_change_comes_from_the_stream_as_the_forwarder_would_have_sent_it() -> None:
    image = {"id": {"S": "o-2"}, "file": {"B": b"\x01"}, "files": {"BS": [b"\x02"]}}
    expired = stream_record(2, "REMOVE", OldImage=image)
    expired["userIdentity"] = {"Type": "Service", "PrincipalId": "dynamodb.amazonaws.com"}
    kept = stream_record(1, "MODIFY", NewImage={"id": {"S": "o-1"}}, OldImage=image)
    streams = FakeStreams(a=(1000, None, [[kept, expired]]))

    found = origins(streams).on_stream([row(1), row(2)])

    assert sorted(found) == ["event-1", "event-2"]
    modified, removed = read_change(found["event-1"]), read_change(found["event-2"])
    # The pipeline's old_image is `removed`.
    assert (modified.new, modified.old) == ({"id": "o-1"}, None)
    assert removed.old == {"id": "o-2", "file": b"\x01", "files": {b"\x02"}}
    assert (removed.kind, removed.is_ttl_delete) == ("REMOVE", True)
    assert removed.changed_at == datetime.fromtimestamp(CHANGED, UTC)


def test_only_shards_that_may_hold_a_change_are_read_and_no_further_than_it() -> None:
    streams = FakeStreams(
        before=(1, 1000, [[stream_record(0)]]),
        holds=(1001, 1005, [[stream_record(1)], [], [stream_record(2)], [stream_record(3)]]),
        after=(1006, None, [[stream_record(6)]]),
    )
    assert sorted(origins(streams).on_stream([row(2)])) == ["event-2"]
    assert streams.read == ["holds:0", "holds:1", "holds:2"]


def test_an_open_shard_that_lacks_the_change_is_left_after_some_empty_pages() -> None:
    streams, pauses = FakeStreams(a=(1, None, [[stream_record(1)]])), []
    assert origins(streams, pauses.append).on_stream([row(2)]) == {}
    assert (len(streams.read), len(pauses)) == (1 + EMPTY_PAGES, EMPTY_PAGES)


@pytest.mark.parametrize(
    "forgotten",
    [row(1, changed_at=NOW - 24 * 3600 - 1), row(1, "SNAPSHOT")],
    ids=["older than the stream", "never on the stream"],
)
def test_the_stream_is_not_asked_for_what_it_cannot_have(forgotten: RowOf) -> None:
    # No client: a call would fail.
    assert origins(None).on_stream([forgotten]) == {}


def test_an_item_of_the_table_takes_the_place_of_its_change() -> None:
    item = {"id": {"S": "o-1"}, "total": {"N": "5"}}
    number = "4421584500000000017450439091"
    lost = row(1, "MODIFY", sequence_number=number)

    found = origins(FakeTable(item)).in_table([lost, row(2)])

    stream = {
        "ApproximateCreationDateTime": CHANGED,
        "Keys": {"id": {"S": "o-1"}},
        "SequenceNumber": number,
        "NewImage": item,
    }
    record = {"eventID": "event-1", "eventName": "SNAPSHOT", "dynamodb": stream}
    assert found == {"event-1": change_line(record)}


def test_a_remove_is_told_by_its_key_whether_or_not_the_item_is_there_again() -> None:
    table = FakeTable({"id": {"S": "o-1"}})
    found = origins(table).in_table([row(1, "REMOVE"), row(2, "REMOVE")])
    removed = [read_change(line) for line in found.values()]
    assert [(one.kind, one.keys, one.old) for one in removed] == [
        ("REMOVE", {"id": "o-1"}, None),
        ("REMOVE", {"id": "o-2"}, None),
    ]
    assert table.asked == []


def test_keys_of_every_type_find_their_items() -> None:
    item = {"tenant": {"B": b"\x00\x01"}, "number": {"N": "15E-1"}, "x": {"S": "y"}}

    class Table(FakeTable):
        def batch_get_item(self, **request: Any) -> dict[str, Any]:
            [key] = request["RequestItems"][TABLE]["Keys"]
            # The row tells it in the canonical form, and DynamoDB knows it by its value.
            assert key == {"number": {"N": "1.5"}, "tenant": {"B": b"\x00\x01"}}
            return {"Responses": {TABLE: [item]}}

    key = '{"number":{"N":"1.5"},"tenant":{"B":"AAE="}}'
    [found] = origins(Table()).in_table([row(1, key=key)]).values()
    assert read_change(found).new == {"tenant": b"\x00\x01", "number": 1.5, "x": "y"}


def test_keys_are_asked_for_once_and_a_hundred_at_a_time() -> None:
    items = [{"id": {"S": f"o-{number}"}} for number in range(MAX_KEYS + 1)]
    table = FakeTable(*items)
    rows = [row(number) for number in range(MAX_KEYS + 1)]
    again = [one._replace(event_id=f"{one.event_id}-again") for one in rows]

    assert len(origins(table).in_table(rows + again)) == 2 * (MAX_KEYS + 1)
    assert table.asked == [MAX_KEYS, 1]


def test_keys_that_a_busy_table_left_unread_are_asked_for_again() -> None:
    table, pauses = FakeTable({"id": {"S": "o-1"}}, busy=2), []
    assert sorted(origins(table, pauses.append).in_table([row(1)])) == ["event-1"]
    assert pauses == [0.1, 0.2]


def test_a_table_that_stays_busy_is_an_error_and_not_a_lost_item() -> None:
    with pytest.raises(CommandError, match="DynamoDB leaves keys of orders unread"):
        origins(FakeTable(busy=1000)).in_table([row(1)])
