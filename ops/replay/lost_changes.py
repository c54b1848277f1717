"""Recovers the changes behind rows, from the table's stream or the table."""

import contextlib
import json
import random
import time
from base64 import b64decode
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Optional, Union

import msgspec
from botocore.exceptions import ClientError

from streaming_etl.handlers.pacing import backoff
from streaming_etl.handlers.wire.attributes import Attributes, key_text
from streaming_etl.handlers.wire.change_line import ChangeTooLargeError, change_line
from streaming_etl.handlers.wire.routing import Where, routed
from streaming_etl.handlers.wire.snapshot import KIND as SNAPSHOT
from streaming_etl.handlers.wire.snapshot import MARKER
from streaming_etl.ops.replay.entries import Problem, RowReference
from streaming_etl.stack.errors import CommandError

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html
STREAM_HOURS = 24
NOT_ON_STREAM = frozenset({SNAPSHOT, MARKER})
WITHOUT_ITEM = frozenset({"REMOVE", MARKER})
# Every page at the end of an open shard is empty, and some before it are.
EMPTY_PAGES = 10
PAGE_PAUSE_SECONDS = 0.2

# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html
MAX_KEYS = 100
MAX_ATTEMPTS = 10
FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 60.0


class ChangeRecovery:
    """Finds the changes from which rows were made.

    A row cannot be transformed again, and its partition keys are lost; its change can be sent.
    where: the items of the rows' lake table; None for all.
    """

    def __init__(
        self,
        clients: Callable[[str], Any],
        stream_arn: str,
        table: str,
        old_image: str,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], float] = time.time,
        jitter: Callable[[], float] = random.random,
        *,
        where: Optional[Where] = None,
    ) -> None:
        self._clients = clients
        self._stream_arn, self._table = stream_arn, table
        self._old_image, self._where = old_image, where
        self._sleep, self._now, self._jitter = sleep, now, jitter

    @property
    def removing_kinds(self) -> frozenset[str]:
        """Event types by which items leave the lake table."""
        return frozenset({"REMOVE"} if self._where is None else {"REMOVE", "MODIFY"})

    def from_stream(self, rows: Iterable[RowReference]) -> dict[str, bytes]:
        """Return lines by event id, for changes that the stream still holds.

        A change without its new image, or one that fits into no record, is left to the table.
        """
        oldest = self._now() - STREAM_HOURS * 3600
        missing = {
            row.event_id: row
            for row in rows
            if row.changed_at >= oldest and row.kind not in NOT_ON_STREAM
        }
        lines: dict[str, bytes] = {}
        for shard in self._shards() if missing else ():
            numbers = [int(row.sequence_number) for row in missing.values()]
            first, last = _sequence_range(shard)
            inside = [number for number in numbers if first <= number <= last]
            if inside:
                lines |= self._read_shard(shard["ShardId"], max(inside), missing)
        return lines

    def from_table(self, rows: Iterable[RowReference]) -> dict[str, Union[bytes, Problem]]:
        """Return lines by event id, with the item as it is now.

        A row whose key the table cannot have has a Problem. An item that the lake table does not
        have by now is left out.

        A line keeps event id and sequence number of the change, so that its rows replace the lost
        ones; its kind is SNAPSHOT, since the image is not the change's. A REMOVE needs no item, nor
        does the marker of a backfill.
        """
        rows = list(rows)
        items = dict(self._items({row.key for row in rows if row.kind not in WITHOUT_ITEM}))
        lines: dict[str, Union[bytes, Problem]] = {}
        for row in rows:
            kind = row.kind if row.kind in WITHOUT_ITEM else SNAPSHOT
            item = items.get(row.key)
            if isinstance(item, Problem):
                lines[row.event_id] = item
            elif kind in WITHOUT_ITEM or self._has(item):
                lines[row.event_id] = change_line(
                    _stream_record(row, kind, item, self._stream_of(row))
                )
        return lines

    def _has(self, item: Optional[dict[str, Any]]) -> bool:
        """Report whether the lake table has the item."""
        return item is not None and (self._where is None or self._where.matches(item))

    def _shards(self) -> Iterator[dict[str, Any]]:
        streams = self._clients("dynamodbstreams")
        start: dict[str, str] = {}
        while True:
            page = streams.describe_stream(StreamArn=self._stream_arn, **start)["StreamDescription"]
            yield from page["Shards"]
            if "LastEvaluatedShardId" not in page:
                return
            start = {"ExclusiveStartShardId": page["LastEvaluatedShardId"]}

    def _read_shard(
        self, shard: str, last: int, missing: Mapping[str, RowReference]
    ) -> dict[str, bytes]:
        """Read a shard from its beginning up to the sequence number `last`."""
        streams = self._clients("dynamodbstreams")
        iterator = streams.get_shard_iterator(
            StreamArn=self._stream_arn, ShardId=shard, ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        lines, empty = {}, 0
        while iterator and empty < EMPTY_PAGES:
            page = streams.get_records(ShardIterator=iterator)
            for record in page["Records"]:
                row = missing.get(record["eventID"])
                removed = record["eventName"] == "REMOVE"
                if row is not None and (removed or "NewImage" in record["dynamodb"]):
                    event = _as_event(record, self._stream_of(row))
                    sent = event if self._where is None else routed(event, self._where)
                    if sent is not None:
                        with contextlib.suppress(ChangeTooLargeError):
                            lines[row.event_id] = change_line(sent, self._old_image)
                if int(record["dynamodb"]["SequenceNumber"]) >= last:
                    return lines
            iterator = page.get("NextShardIterator")
            empty = 0 if page["Records"] else empty + 1
            if empty:
                self._sleep(PAGE_PAUSE_SECONDS)
        return lines

    def _items(self, keys: Collection[str]) -> Iterator[tuple[str, Union[dict[str, Any], Problem]]]:
        """Yield key text, and item or Problem, for each key.

        A key that the table does not hold is left out.
        """
        remaining = iter(sorted(keys))
        while texts := list(islice(remaining, MAX_KEYS)):
            yield from self._items_of_call(texts)

    def _items_of_call(
        self, texts: Sequence[str]
    ) -> Iterator[tuple[str, Union[dict[str, Any], Problem]]]:
        typed_keys = [_typed_key(text) for text in texts]
        try:
            items = [*self._get(typed_keys)]
        except ClientError as error:
            if error.response["Error"]["Code"] != "ValidationException":
                raise
            # One key that the table cannot have makes DynamoDB reject the entire call.
            if len(texts) == 1:
                yield texts[0], Problem("invalid-key")
                return
            half = len(texts) // 2
            yield from self._items_of_call(texts[:half])
            yield from self._items_of_call(texts[half:])
            return
        for item in items:
            key = {name: item[name] for name in typed_keys[0]}
            # Through JSON, where binary is text as in the row's key.
            yield key_text(_attributes(_encode(key))), item

    def _get(self, keys: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        dynamodb = self._clients("dynamodb")
        request = {self._table: {"Keys": keys, "ConsistentRead": True}}
        pauses = backoff(FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, self._jitter)
        for pause in islice(pauses, MAX_ATTEMPTS):
            response = dynamodb.batch_get_item(RequestItems=request)
            yield from response["Responses"].get(self._table, [])
            request = response.get("UnprocessedKeys") or {}
            if not request:
                return
            self._sleep(pause)
        message = (
            f"DynamoDB returned unprocessed keys of {self._table} {MAX_ATTEMPTS} times: its read "
            "capacity is exhausted. Run the same command again when the table is less busy."
        )
        raise CommandError(message, code="table-throttled", table=self._table)

    def _stream_of(self, row: RowReference) -> str:
        """Return the ARN with the row's epoch, which GetRecords does not return."""
        streams, _, _ = self._stream_arn.rpartition("/")
        return f"{streams}/{row.stream_epoch}"


_encode = msgspec.json.Encoder().encode
_attributes = msgspec.json.Decoder(Attributes).decode


def _sequence_range(shard: Mapping[str, Any]) -> tuple[int, float]:
    numbers = shard["SequenceNumberRange"]
    last = numbers.get("EndingSequenceNumber")
    return int(numbers["StartingSequenceNumber"]), float("inf") if last is None else int(last)


def _as_event(record: Mapping[str, Any], stream_arn: str) -> dict[str, Any]:
    """Convert a record of GetRecords to the form of a Lambda event."""
    stream = dict(record["dynamodb"])
    stream["ApproximateCreationDateTime"] = stream["ApproximateCreationDateTime"].timestamp()
    event = {
        "eventID": record["eventID"],
        "eventName": record["eventName"],
        "eventSourceARN": stream_arn,
        "dynamodb": stream,
    }
    if identity := record.get("userIdentity"):
        event["userIdentity"] = {
            "type": identity.get("Type"),
            "principalId": identity.get("PrincipalId"),
        }
    return event


def _stream_record(row: RowReference, kind: str, item: Any, stream_arn: str) -> dict[str, Any]:
    stream = {
        "ApproximateCreationDateTime": int(row.changed_at),
        "Keys": json.loads(row.key),
        "SequenceNumber": row.sequence_number,
    }
    if kind == SNAPSHOT:
        stream["NewImage"] = item
    return {
        "eventID": row.event_id,
        "eventName": kind,
        "eventSourceARN": stream_arn,
        "dynamodb": stream,
    }


def _typed_key(text: str) -> dict[str, Any]:
    """Return a row's key as boto3 takes it: binary as bytes."""
    return {
        name: {"B": b64decode(value["B"])} if "B" in value else value
        for name, value in json.loads(text).items()
    }
