"""DynamoDB's APIs for the stream and for single items."""

from collections import defaultdict
from datetime import UTC, datetime
from typing import Any

from tests.simulation.backfill import as_boto3
from tests.simulation.outage import RETENTION_SECONDS
from tests.simulation.table import Change, Table, attributes, keys_of
from tests.simulation.world import World

PAGE = 7


class StreamReader:
    """Shards of the table's stream, with the changes of the last day.

    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Operations_Amazon_DynamoDB_Streams.html
    """

    def __init__(self, world: World, table: Table) -> None:
        self.world = world
        self.shards: dict[str, list[Change]] = defaultdict(list)
        for change in table.changes.values():
            if change.epoch == table.epoch:
                self.shards[change.shard].append(change)
        self.closed = {"0"} if table.halves else set[str]()

    def describe_stream(self, **request: Any) -> dict[str, Any]:
        """Return one shard per page."""
        names = sorted(self.shards)
        start = request.get("ExclusiveStartShardId")
        place = names.index(start) + 1 if start is not None else 0
        shards = [self.describe(name) for name in names[place : place + 1]]
        rest = len(names) > place + 1
        last = {"LastEvaluatedShardId": names[place]} if rest else {}
        return {"StreamDescription": {"Shards": shards, **last}}

    def describe(self, name: str) -> dict[str, Any]:
        changes = self.shards[name]
        numbers = {"StartingSequenceNumber": changes[0].sequence_number}
        if name in self.closed:
            numbers["EndingSequenceNumber"] = changes[-1].sequence_number
        return {"ShardId": name, "SequenceNumberRange": numbers}

    def get_shard_iterator(self, **request: Any) -> dict[str, Any]:
        return {"ShardIterator": f"{request['ShardId']}:0"}

    def get_records(self, **request: Any) -> dict[str, Any]:
        """Return a page of records, every other of them empty."""
        name, _, text = request["ShardIterator"].partition(":")
        position = int(text)
        oldest = self.world.now - RETENTION_SECONDS
        changes = [change for change in self.shards[name] if change.at >= oldest]
        page = changes[position // 2 * PAGE : position // 2 * PAGE + PAGE]
        is_end = name in self.closed and not page
        iterator = None if is_end else f"{name}:{position + 1}"
        records = [] if position % 2 == 0 else list(map(as_record, page))
        return {"Records": records, "NextShardIterator": iterator}


def as_record(change: Change) -> dict[str, Any]:
    """Return a stream record in the form of boto3."""
    record = change.record
    stream = dict(record["dynamodb"])
    stream["ApproximateCreationDateTime"] = datetime.fromtimestamp(change.at, UTC)
    for name in ("NewImage", "OldImage"):
        if name in stream:
            stream[name] = as_boto3(stream[name])
    identity = record.get("userIdentity")
    capital = {"Type": identity["type"], "PrincipalId": identity["principalId"]} if identity else {}
    return {**record, "dynamodb": stream, **({"userIdentity": capital} if capital else {})}


class TableReader:
    """Items of the table by their keys.

    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html
    """

    def __init__(self, world: World, table: Table) -> None:
        self.world, self.table = world, table

    def batch_get_item(self, **request: Any) -> dict[str, Any]:
        """Return the items that exist; leave some keys for another call."""
        keys = request["RequestItems"]["orders"]["Keys"]
        most = max(1, len(keys) // 2) if self.world.chance("get").random() < 0.3 else len(keys)
        items = {str(attributes(keys_of(which))): item for which, item in self.table.items.items()}
        found = [items[str(key)] for key in keys[:most] if str(key) in items]
        response = {"Responses": {"orders": [as_boto3(attributes(item)) for item in found]}}
        rest = {"orders": {**request["RequestItems"]["orders"], "Keys": keys[most:]}}
        return response | {"UnprocessedKeys": rest if keys[most:] else {}}
