"""Changes behind rows: recovered from the stream, or from the table."""

import random
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from streaming_etl.handlers.wire.change_line import MAX_RECORD_BYTES, change_line
from streaming_etl.handlers.wire.routing import Where
from streaming_etl.handlers.wire.snapshot import marker_record
from streaming_etl.ops.replay.entries import Problem, RowReference
from streaming_etl.ops.replay.lost_changes import EMPTY_PAGES, ChangeRecovery
from streaming_etl.stack.errors import CommandError
from tests.support.changes import read_change
from tests.support.fake_aws import client_error

NOW = 1_795_500_000.0
CHANGED = int(NOW) - 3600
LABEL = "2026-11-23T00:00:00.000"
STREAM, TABLE = f"arn:aws:dynamodb:us-east-1:123456789012:table/orders/stream/{LABEL}", "orders"


def row(number: int, kind: str = "INSERT", **changed: Any) -> RowReference:
    key = f'{{"id":{{"S":"o-{number}"}}}}'
    return RowReference(f"event-{number}", kind, key, LABEL, str(1000 + number), CHANGED)._replace(
        **changed
    )


class FakeStreams:
    """Shards as pages of records; an open one continues with empty pages."""

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
        response: dict[str, Any] = {"Records": records}
        if last is None or int(number) + 1 < len(pages):
            response["NextShardIterator"] = f"{name}:{int(number) + 1}"
        return response


class FakeTable:
    """A table that returns all keys as unprocessed `throttled` times."""

    def __init__(self, *items: dict[str, Any], throttled: int = 0) -> None:
        self.items, self.throttled = items, throttled
        self.requests: list[int] = []

    def batch_get_item(self, **request: Any) -> dict[str, Any]:
        [(table, get)] = request["RequestItems"].items()
        assert (table, get["ConsistentRead"]) == (TABLE, True)
        keys = get["Keys"]
        self.requests.append(len(keys))
        matches = [item for item in self.items for key in keys if key.items() <= item.items()]
        if self.throttled:
            self.throttled -= 1
            return {
                "Responses": {TABLE: []},
                "UnprocessedKeys": {TABLE: {"Keys": keys, "ConsistentRead": True}},
            }
        return {"Responses": {TABLE: matches}, "UnprocessedKeys": {}}


def recovery(
    client: Any, sleep: Callable[[float], None] = lambda _: None, where: Where | None = None
) -> ChangeRecovery:
    return ChangeRecovery(
        lambda _: client, STREAM, TABLE, "on_remove", sleep, lambda: NOW, lambda: 1.0, where=where
    )


def stream_record(number: int, name: str = "INSERT", **images: Any) -> dict[str, Any]:
    """A record as boto3's GetRecords returns it.

    images: by default the new image, unless it is a REMOVE.
    """
    if name != "REMOVE" and not images:
        images = {"NewImage": {"id": {"S": f"o-{number}"}}}
    stream = {
        "ApproximateCreationDateTime": datetime.fromtimestamp(CHANGED, UTC),
        "Keys": {"id": {"S": f"o-{number}"}},
        "SequenceNumber": str(1000 + number),
        **images,
    }
    return {"eventID": f"event-{number}", "eventName": name, "dynamodb": stream}


def test_recovers_a_change_from_the_stream_as_the_forwarder_sends_it() -> None:
    image = {"id": {"S": "o-2"}, "file": {"B": b"\x01"}, "files": {"BS": [b"\x02"]}}
    expired = stream_record(2, "REMOVE", OldImage=image)
    expired["userIdentity"] = {"Type": "Service", "PrincipalId": "dynamodb.amazonaws.com"}
    kept = stream_record(1, "MODIFY", NewImage={"id": {"S": "o-1"}}, OldImage=image)
    streams = FakeStreams(a=(1000, None, [[kept, expired]]))

    lines = recovery(streams).from_stream([row(1), row(2)])

    assert sorted(lines) == ["event-1", "event-2"]
    modified, removed = read_change(lines["event-1"]), read_change(lines["event-2"])
    assert (modified.new, modified.old) == ({"id": "o-1"}, None)
    assert removed.old == {"id": "o-2", "file": b"\x01", "files": {b"\x02"}}
    assert (removed.kind, removed.is_ttl_delete) == ("REMOVE", True)
    assert removed.changed_at == datetime.fromtimestamp(CHANGED, UTC)


def test_reads_only_shards_that_may_hold_a_change_and_stops_after_it() -> None:
    streams = FakeStreams(
        before=(1, 1000, [[stream_record(0)]]),
        holds=(1001, 1005, [[stream_record(1)], [], [stream_record(2)], [stream_record(3)]]),
        after=(1006, None, [[stream_record(6)]]),
    )
    assert sorted(recovery(streams).from_stream([row(2)])) == ["event-2"]
    assert streams.read == ["holds:0", "holds:1", "holds:2"]


@pytest.mark.parametrize("number", [1, 5])
def test_a_closed_shard_holds_its_first_and_last_number(number: int) -> None:
    streams = FakeStreams(a=(1001, 1005, [[stream_record(1)], [stream_record(5)]]))
    assert sorted(recovery(streams).from_stream([row(number)])) == [f"event-{number}"]


def test_leaves_an_open_shard_after_some_empty_pages() -> None:
    streams, pauses = FakeStreams(a=(1, None, [[stream_record(1)]])), []
    assert recovery(streams, pauses.append).from_stream([row(2)]) == {}
    assert (len(streams.read), len(pauses)) == (1 + EMPTY_PAGES, EMPTY_PAGES)


def noise(length: int) -> str:
    """Text that does not compress."""
    return random.Random(1).randbytes(length).hex()


@pytest.mark.parametrize(
    "images",
    [{"OldImage": {"id": {"S": "o-1"}}}, {"NewImage": {"id": {"S": noise(MAX_RECORD_BYTES)}}}],
    ids=["no new image", "too large"],
)
def test_leaves_a_change_that_cannot_be_sent_to_the_table(images: dict[str, Any]) -> None:
    streams = FakeStreams(a=(1001, 1005, [[stream_record(1, **images), stream_record(2)]]))
    assert sorted(recovery(streams).from_stream([row(1), row(2)])) == ["event-2"]


@pytest.mark.parametrize(
    "expired",
    [row(1, changed_at=NOW - 24 * 3600 - 1), row(1, "SNAPSHOT")],
    ids=["older than the stream", "never on the stream"],
)
def test_does_not_read_the_stream_for_what_it_cannot_hold(expired: RowReference) -> None:
    # No client: a call would fail.
    assert recovery(None).from_stream([expired]) == {}


def test_recovers_a_change_from_the_table_with_its_own_numbers() -> None:
    item = {"id": {"S": "o-1"}, "total": {"N": "5"}}
    number = "4421584500000000017450439091"
    lost = row(1, "MODIFY", sequence_number=number, stream_epoch="2026-10-01T00:00:00.000")

    lines = recovery(FakeTable(item)).from_table([lost, row(2)])

    stream = {
        "ApproximateCreationDateTime": CHANGED,
        "Keys": {"id": {"S": "o-1"}},
        "SequenceNumber": number,
        "NewImage": item,
    }
    record = {
        "eventID": "event-1",
        "eventName": "SNAPSHOT",
        "eventSourceARN": STREAM.replace(LABEL, lost.stream_epoch),
        "dynamodb": stream,
    }
    assert lines == {"event-1": change_line(record)}


def test_recovers_the_marker_of_a_backfill_without_stream_and_table() -> None:
    marker = marker_record(CHANGED * 1000, STREAM)
    lost = row(1, "BACKFILL", key="{}", event_id=marker["eventID"])._replace(
        sequence_number=marker["dynamodb"]["SequenceNumber"]
    )
    table, streams = FakeTable(), FakeStreams(a=(1000, None, [[]]))

    assert recovery(streams).from_stream([lost]) == {}
    assert recovery(table).from_table([lost]) == {lost.event_id: change_line(marker)}
    assert (streams.read, table.requests) == ([], [])


def test_recovers_a_remove_from_its_key_alone() -> None:
    table = FakeTable({"id": {"S": "o-1"}})
    lines = recovery(table).from_table([row(1, "REMOVE"), row(2, "REMOVE")])
    removed = [read_change(line) for line in lines.values()]
    assert [(each.kind, each.keys, each.old) for each in removed] == [
        ("REMOVE", {"id": "o-1"}, None),
        ("REMOVE", {"id": "o-2"}, None),
    ]
    assert table.requests == []


def test_finds_items_by_keys_of_every_type() -> None:
    item = {"tenant": {"B": b"\x00\x01"}, "number": {"N": "15E-1"}, "x": {"S": "y"}}

    class Table(FakeTable):
        def batch_get_item(self, **request: Any) -> dict[str, Any]:
            [key] = request["RequestItems"][TABLE]["Keys"]
            # Canonical in the row; DynamoDB compares values.
            assert key == {"number": {"N": "1.5"}, "tenant": {"B": b"\x00\x01"}}
            return {"Responses": {TABLE: [item]}}

    key = '{"number":{"N":"1.5"},"tenant":{"B":"AAE="}}'
    [line] = recovery(Table()).from_table([row(1, key=key)]).values()
    assert read_change(line).new == {"tenant": b"\x00\x01", "number": 1.5, "x": "y"}


def test_requests_each_key_once_in_batches_of_100() -> None:
    """BatchGetItem takes at most 100 keys."""
    table = FakeTable(*({"id": {"S": f"o-{number}"}} for number in range(201)))
    rows = [row(number) for number in range(201)]
    again = [each._replace(event_id=f"{each.event_id}-again") for each in rows]

    assert len(recovery(table).from_table(rows + again)) == 402
    assert table.requests == [100, 100, 1]


def test_an_invalid_key_does_not_affect_the_others() -> None:
    """DynamoDB rejects an entire call for one key of another form."""

    class Table(FakeTable):
        def batch_get_item(self, **request: Any) -> dict[str, Any]:
            if any("id" not in key for key in request["RequestItems"][TABLE]["Keys"]):
                raise client_error("ValidationException")
            return super().batch_get_item(**request)

    items = [{"id": {"S": f"o-{number}"}} for number in range(9)]
    rows = [row(number) for number in range(9)]
    rows[4] = rows[4]._replace(key='{"name":{"S":"o-4"}}')

    found = recovery(Table(*items)).from_table(rows)

    assert found.pop("event-4") == Problem("invalid-key")
    assert sorted(found) == [f"event-{number}" for number in range(9) if number != 4]


def test_other_errors_of_the_table_end_the_command() -> None:
    class Table:
        def batch_get_item(self, **_: Any) -> None:
            raise client_error("AccessDeniedException")

    with pytest.raises(ClientError):
        recovery(Table()).from_table([row(1), row(2)])


def test_requests_unprocessed_keys_again() -> None:
    table, pauses = FakeTable({"id": {"S": "o-1"}}, throttled=2), []
    assert sorted(recovery(table, pauses.append).from_table([row(1)])) == ["event-1"]
    assert pauses == [0.2, 0.4]


def test_reports_a_table_that_stays_throttled() -> None:
    with pytest.raises(CommandError) as error:
        recovery(FakeTable(throttled=1000)).from_table([row(1)])
    assert (error.value.code, error.value.details) == ("table-throttled", {"table": TABLE})


ORDERS = Where({"kind": ["order"]})


def item(number: int, kind: str) -> dict[str, Any]:
    return {"id": {"S": f"o-{number}"}, "kind": {"S": kind}, "file": {"B": b"\x01"}}


def test_a_change_from_the_stream_is_that_of_the_lake_table() -> None:
    entered = stream_record(1, "MODIFY", NewImage=item(1, "order"), OldImage=item(1, "draft"))
    left = stream_record(2, "MODIFY", NewImage=item(2, "draft"), OldImage=item(2, "order"))
    other = stream_record(3, "MODIFY", NewImage=item(3, "draft"), OldImage=item(3, "draft"))
    streams = FakeStreams(a=(1000, None, [[entered, left, other]]))

    lines = recovery(streams, where=ORDERS).from_stream([row(1), row(2), row(3)])

    changes = [read_change(line) for line in lines.values()]
    assert [(each.kind, each.new is None, each.old is None) for each in changes] == [
        ("INSERT", False, True),
        ("REMOVE", True, False),
    ]


def test_an_item_that_has_left_the_lake_table_is_not_recovered() -> None:
    table = FakeTable(item(1, "order"), item(2, "draft"))
    lines = recovery(table, where=ORDERS).from_table([row(1), row(2), row(3)])
    assert sorted(lines) == ["event-1"]


def test_items_leave_a_lake_table_also_by_a_modification() -> None:
    assert recovery(None).removing_kinds == {"REMOVE"}
    assert recovery(None, where=ORDERS).removing_kinds == {"MODIFY", "REMOVE"}
