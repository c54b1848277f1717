"""The changes behind rows: from the table's stream while it has them, then from the table."""

import json
import time
from base64 import b64decode
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

import msgspec

from streaming_etl.handlers.wire.attributes import Attributes, key_text
from streaming_etl.handlers.wire.change_line import change_line
from streaming_etl.handlers.wire.snapshot import KIND as SNAPSHOT
from streaming_etl.ops.replay.rows import RowOf
from streaming_etl.stack.errors import CommandError

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html
STREAM_HOURS = 24
# At the end of an open shard every page is empty, and in between some are.
EMPTY_PAGES = 10
PAGE_PAUSE_SECONDS = 0.2

# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html
MAX_KEYS = 100
UNPROCESSED_TRIES = 10


class Origins:
    """Finds the changes that rows were made of.

    A row cannot go through the transform, and has lost its partition keys; its change can.
    """

    def __init__(
        self,
        clients: Callable[[str], Any],
        stream_arn: str,
        table: str,
        old_image: str,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._clients = clients
        self._stream_arn, self._table = stream_arn, table
        self._old_image = old_image
        self._sleep, self._now = sleep, now

    def on_stream(self, rows: Iterable[RowOf]) -> dict[str, bytes]:
        """Event id to the change's line, for those that the stream still has."""
        oldest = self._now() - STREAM_HOURS * 3600
        wanted = {
            row.event_id: row for row in rows if row.changed_at >= oldest and row.kind != SNAPSHOT
        }
        found: dict[str, bytes] = {}
        for shard in self._shards() if wanted else ():
            numbers = [int(row.sequence_number) for row in wanted.values()]
            first, last = _range(shard)
            inside = [number for number in numbers if first <= number <= last]
            if inside:
                self._read(shard["ShardId"], max(inside), wanted, found)
        return found

    def in_table(self, rows: Iterable[RowOf]) -> dict[str, bytes]:
        """Event id to a line with the item as it is now, for those whose item is there.

        The line keeps the change's event id and sequence number, so it takes the very place of the
        rows that were lost; its kind is SNAPSHOT, as its image is not the change's own.
        A REMOVE needs no item: it is told by the key alone.
        """
        rows = list(rows)
        items = dict(self._items({row.key for row in rows if row.kind != "REMOVE"}))
        lines = {}
        for row in rows:
            kind = "REMOVE" if row.kind == "REMOVE" else SNAPSHOT
            if kind == "REMOVE" or row.key in items:
                lines[row.event_id] = change_line(_record(row, kind, items.get(row.key)))
        return lines

    def _shards(self) -> Iterator[dict[str, Any]]:
        streams = self._clients("dynamodbstreams")
        start: dict[str, str] = {}
        while True:
            page = streams.describe_stream(StreamArn=self._stream_arn, **start)["StreamDescription"]
            yield from page["Shards"]
            if "LastEvaluatedShardId" not in page:
                return
            start = {"ExclusiveStartShardId": page["LastEvaluatedShardId"]}

    def _read(
        self, shard: str, last: int, wanted: Mapping[str, RowOf], found: dict[str, bytes]
    ) -> None:
        """Read a shard from its beginning to the sequence number `last`."""
        streams = self._clients("dynamodbstreams")
        iterator = streams.get_shard_iterator(
            StreamArn=self._stream_arn, ShardId=shard, ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        empty = 0
        while iterator and empty < EMPTY_PAGES:
            page = streams.get_records(ShardIterator=iterator)
            for record in page["Records"]:
                if record["eventID"] in wanted:
                    line = change_line(_as_event(record), self._old_image)
                    found[record["eventID"]] = line
                if int(record["dynamodb"]["SequenceNumber"]) >= last:
                    return
            iterator = page.get("NextShardIterator")
            empty = 0 if page["Records"] else empty + 1
            if empty:
                self._sleep(PAGE_PAUSE_SECONDS)

    def _items(self, keys: Collection[str]) -> Iterator[tuple[str, dict[str, Any]]]:
        """Key text to item, for those that are there."""
        left = iter(sorted(keys))
        while some := list(islice(left, MAX_KEYS)):
            asked = [_key(text) for text in some]
            names = list(asked[0])
            for item in self._get(asked):
                key = {name: item[name] for name in names}
                # Through JSON, where binary is text as it is in `_key`.
                yield key_text(_attributes(_encode(key))), item

    def _get(self, keys: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        dynamodb = self._clients("dynamodb")
        request = {self._table: {"Keys": keys, "ConsistentRead": True}}
        for attempt in range(UNPROCESSED_TRIES):
            answer = dynamodb.batch_get_item(RequestItems=request)
            yield from answer["Responses"].get(self._table, [])
            request = answer.get("UnprocessedKeys") or {}
            if not request:
                return
            self._sleep(0.1 * 2**attempt)
        raise CommandError(
            f"DynamoDB leaves keys of {self._table} unread: its read capacity is used up. "
            "Run the same command again when the table is less busy."
        )


_encode = msgspec.json.Encoder().encode
_attributes = msgspec.json.Decoder(Attributes).decode


def _range(shard: Mapping[str, Any]) -> tuple[int, float]:
    numbers = shard["SequenceNumberRange"]
    last = numbers.get("EndingSequenceNumber")
    return int(numbers["StartingSequenceNumber"]), float("inf") if last is None else int(last)


def _as_event(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record of GetRecords as Lambda hands it to the forwarder."""
    stream = dict(record["dynamodb"])
    stream["ApproximateCreationDateTime"] = stream["ApproximateCreationDateTime"].timestamp()
    event = {"eventID": record["eventID"], "eventName": record["eventName"], "dynamodb": stream}
    if identity := record.get("userIdentity"):
        event["userIdentity"] = {
            "type": identity.get("Type"),
            "principalId": identity.get("PrincipalId"),
        }
    return event


def _record(row: RowOf, kind: str, item: Any) -> dict[str, Any]:
    stream = {
        "ApproximateCreationDateTime": int(row.changed_at),
        "Keys": json.loads(row.key),
        "SequenceNumber": row.sequence_number,
    }
    if kind == SNAPSHOT:
        stream["NewImage"] = item
    return {"eventID": row.event_id, "eventName": kind, "dynamodb": stream}


def _key(text: str) -> dict[str, Any]:
    """The key that a row tells, as boto3 takes it: binary as bytes."""
    return {
        name: {"B": b64decode(value["B"])} if "B" in value else value
        for name, value in json.loads(text).items()
    }
