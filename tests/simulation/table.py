"""Table with a few items, and the stream of its changes."""

import json
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from random import Random
from typing import Any
from zlib import compress, crc32

from tests.simulation.lake_tables import KINDS, RANKS
from tests.simulation.names import COLUMN_NAMES, any_map, map_of_texts
from tests.simulation.scenario import Scenario
from tests.simulation.user_module import SECRET, STORES
from tests.simulation.world import World

# First digits of each change's number. No log may contain them.
SECRET_NUMBER = 886_644_220_011_000

# Texts that could break CSV, JSON or a line.
NOTES = (
    SECRET,
    "",
    " spaces ",
    "a,b",
    'say "so"',
    '"',
    '""',
    "back\\slash",
    "it's",
    "tab\t",
    "two\nlines",
    "end\r\n",
    "\r",
    "\x01 \x00",
    "\u2028",
    "漢字 ünï",
    "null",
    "{}",
    "-",
)

TABLE_ARN = "arn:aws:dynamodb:ap-northeast-1:123456789012:table/orders"
# Label of the first stream, which is the time of its creation.
LABEL = "2026-11-23T00:00:00.000"
TTL_IDENTITY = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}

# Scripts of the transform, without and with a row.
POISON = ("fail", "exit", "return a text", "filter", "return nothing")
PLAY = ("return three rows", "modify the change")

Item = dict[str, Any]

# First number of the items from before the stream.
BEFORE = 10_000

UNREADABLE = object()
"""Value of a type that DynamoDB does not have."""


@dataclass(frozen=True)
class Change:
    """Change as the model has it."""

    event_id: str
    kind: str
    keys: Item
    new: Item | None
    old: Item | None
    sequence_number: str
    at: int
    """Epoch seconds, as in the stream."""
    by_ttl: bool
    shard: str
    float_time: bool
    """Whether the second is written as 1795426200.0."""
    epoch: str = LABEL
    """Label of the stream."""
    view_type: str = "NEW_AND_OLD_IMAGES"

    @cached_property
    def key(self) -> str:
        """Key of the item as in the lake."""
        return compact({name: attribute(value) for name, value in sorted(self.keys.items())})

    @property
    def position(self) -> tuple[str, int]:
        """Return what orders the changes of an item."""
        return self.epoch, int(self.sequence_number)

    @cached_property
    def record(self) -> dict[str, Any]:
        """Stream record of the change."""
        images = {"NewImage": self.new, "OldImage": self.old}
        record = {
            "eventID": self.event_id,
            "eventName": self.kind,
            "eventVersion": "1.1",
            "eventSource": "aws:dynamodb",
            "awsRegion": "ap-northeast-1",
            "dynamodb": {
                "ApproximateCreationDateTime": float(self.at) if self.float_time else self.at,
                "Keys": attributes(self.keys),
                **{name: attributes(image) for name, image in images.items() if image},
                "SequenceNumber": self.sequence_number,
                "SizeBytes": 59,
                "StreamViewType": self.view_type,
            },
            "eventSourceARN": f"{TABLE_ARN}/stream/{self.epoch}",
        }
        return record | ({"userIdentity": TTL_IDENTITY} if self.by_ttl else {})

    @cached_property
    def text(self) -> str:
        return json.dumps(self.record, ensure_ascii=False)

    @cached_property
    def size(self) -> int:
        return len(self.text.encode())

    @cached_property
    def fits_no_record(self) -> bool:
        """Whether the stream record is too large for Firehose, even compressed."""
        text = self.text.encode()
        return len(text) > 1_024_000 and len(b64encode(compress(text))) > 1_023_000


compact = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
"""Encodes a value as JSON without blanks."""


def attribute(value: Any) -> dict[str, Any]:
    """Return a plain value in DynamoDB JSON."""
    if isinstance(value, str):
        return {"S": value}
    if isinstance(value, bytes):
        return {"B": b64encode(value).decode()}
    if value is UNREADABLE:
        return {"X": SECRET}
    if isinstance(value, dict):
        return {"M": attributes(value)}
    if isinstance(value, list):
        return {"L": [attribute(inner) for inner in value]}
    if isinstance(value, bool):
        return {"BOOL": value}
    return {"NULL": True} if value is None else {"N": str(value)}


def attributes(item: Item) -> dict[str, Any]:
    return {name: attribute(value) for name, value in item.items()}


def keys_of(item_number: int) -> Item:
    """Return the primary key of an item."""
    return {"id": f"{SECRET}-{item_number}", "line": item_number % 3}


def item_number(keys: Item) -> int:
    """Return the item of a primary key."""
    return int(keys["id"].rpartition("-")[2])


class Shard:
    """Part of the stream with ascending sequence numbers."""

    def __init__(self, name: str, parent: str | None, last_number: int) -> None:
        self.name, self.parent, self.last_number = name, parent, last_number


class Table:
    """Writes the scenario's changes at their times, and publishes them."""

    def __init__(
        self, world: World, scenario: Scenario, publish: Callable[[Change, str | None], None]
    ) -> None:
        self.world, self.scenario, self.publish = world, scenario, publish
        self.changes: dict[str, Change] = {}
        """All changes by event id, in order."""
        self.items: dict[int, Item] = {}
        self.removed: set[int] = set()
        """Every item that was removed at any time."""
        chance = world.chance("table")
        # Numbers get one more digit during the run, so that their order as texts is wrong.
        self.shards = [
            Shard(str(index), None, 10 ** chance.randint(20, 24) - chance.randint(1, 60) * 10**12)
            for index in range(scenario.shards)
        ]
        self.epoch = LABEL
        """Label of the present stream."""
        self.is_recorded = True
        """Whether there is a stream."""
        recreation = scenario.recreation
        if recreation is not None:
            if recreation.backup_at is not None:
                world.after(recreation.backup_at - world.now, self.back_up)
            world.after(recreation.stops_at - world.now, self.stop_stream)
            world.after(recreation.starts_at - world.now, self.start_stream)
        self.backup: dict[int, Item] | None = None
        self.halves: list[Shard] = []
        """The children of the first shard."""
        self.fill()
        times = sorted(chance.random() * scenario.seconds for _ in range(scenario.changes))
        for number, seconds in enumerate(times):
            world.after(seconds, self.write, number)

    def fill(self) -> None:
        """Add the items from before the stream."""
        backfill, chance = self.scenario.backfill, self.world.chance("before")
        if backfill is None:
            return
        keys = self.scenario.keys
        for which in range(keys + backfill.others):
            if which >= keys or chance.random() < backfill.share:
                self.items[which] = self.new_item(which, BEFORE + which, chance)

    def back_up(self) -> None:
        self.backup = dict(self.items)

    def stop_stream(self) -> None:
        self.is_recorded = False

    def start_stream(self) -> None:
        """Start a stream with lower numbers, after any restore."""
        recreation = self.scenario.recreation
        assert recreation is not None
        self.world.events["streams created again"] += 1
        if self.backup is not None:
            self.world.events["tables restored"] += 1
            self.items = self.backup
        self.epoch, self.is_recorded, self.halves = recreation.epoch, True, []
        chance = self.world.chance("recreation")
        self.shards = [
            Shard(f"new-{index}", None, 10**20 + chance.randint(1, 10**12))
            for index in range(self.scenario.shards)
        ]

    def write(self, number: int) -> None:
        """Write one change of one item."""
        chance, now = self.world.chance("table"), self.world.now
        which = chance.randrange(self.scenario.keys)
        old = self.items.pop(which, None)
        removed = old is not None and chance.random() < 0.25
        new = None if removed else self.new_item(which, number, chance)
        if new is not None:
            self.items[which] = new
        else:
            self.removed.add(which)
        if not self.is_recorded:
            self.world.events["writes without a stream"] += 1
            return
        keys = keys_of(which)
        shard = self.shard_of(json.dumps(keys))
        shard.last_number += chance.randint(1, 2 * 10**12)
        change = Change(
            event_id=f"event-{number}",
            kind="REMOVE" if new is None else "MODIFY" if old else "INSERT",
            keys=keys,
            new=new,
            old=old if self.scenario.has_old_images else None,
            sequence_number=str(shard.last_number),
            at=int(now),
            by_ttl=removed and chance.random() < 0.4,
            shard=shard.name,
            float_time=self.scenario.float_times,
            epoch=self.epoch,
            view_type="NEW_AND_OLD_IMAGES" if self.scenario.has_old_images else "NEW_IMAGE",
        )
        self.changes[change.event_id] = change
        self.world.trace("written", change.event_id, change.kind, change.size)
        self.publish(change, shard.parent)

    def shard_of(self, key: str) -> Shard:
        """Return the item's shard; split the first shard at its time."""
        shard = self.shards[crc32(key.encode()) % len(self.shards)]
        split_at = self.scenario.split_at
        is_new = self.epoch != LABEL
        first = self.shards[0]
        if shard is not first or split_at is None or self.world.now < split_at or is_new:
            return shard
        if not self.halves:
            self.world.events["shard split"] += 1
            self.halves = [Shard(f"0-{half}", "0", shard.last_number) for half in "ab"]
        return self.halves[crc32(key[::-1].encode()) % 2]

    def new_item(self, which: int, number: int, chance: Random) -> Item:
        scenario = self.scenario
        item = {
            "id": f"{SECRET}-{which}",
            "line": which % 3,
            "secret": f"{SECRET} {number}",
            "number": SECRET_NUMBER + number,
            "note": chance.choice(NOTES),
            "seen": f"2026-11-{chance.randint(10, 28)}T09:30:{chance.randint(10, 59)}",
        }
        if chance.random() < 0.8:
            item["price"] = Decimal(chance.randint(-(10**7), 10**7)).scaleb(-chance.randint(0, 2))
        # With an injected key, an item that moved would be current in both stores.
        tables = [each.table for each in scenario.lake_tables]
        if chance.random() < 0.5 and not any(table.injected_keys for table in tables):
            item["store"] = chance.choice(STORES)
        names = self.world.chance("names")
        if any(table.format != "csv" for table in tables) and names.random() < 0.4:
            has_columns = scenario.table.columns is not None
            item["labels"] = map_of_texts(names) if has_columns else any_map(names)
        if chance.random() < scenario.poison:
            item["do"] = chance.choice(self.poison_kinds())
            if chance.random() < 0.1:
                item["number"] = UNREADABLE
        elif chance.random() < 0.1:
            item["do"] = chance.choice(PLAY)
        if scenario.large and chance.random() < 0.9:
            enlarge(item, scenario.large, chance)
        if scenario.slow and "do" not in item and chance.random() < 0.5:
            item["do"] = "wait"
        if scenario.table.columns is None and "do" not in item and names.random() < 0.3:
            item |= {"do": "return the item", names.choice(COLUMN_NAMES): SECRET}
        if scenario.has_routes:
            kinds = self.world.chance("kinds")
            values = {"kind": kinds.choice(KINDS), "rank": kinds.choice(RANKS)}
            item |= {name: value for name, value in values.items() if value is not None}
        return item

    @property
    def has_partitions(self) -> bool:
        """Return whether all lake tables have the store as partition key."""
        tables = self.scenario.lake_tables
        return all(each.args.partitions.dynamic_partition_keys for each in tables)

    def poison_kinds(self) -> tuple[str, ...]:
        scenario = self.scenario
        return (
            *POISON,
            *(("wrong column",) if scenario.table.columns else ()),
            *(("mix partitions",) if self.has_partitions else ()),
            *(("kill",) if scenario.deadly else ()),
        )


def enlarge(item: Item, large: str, chance: Random) -> None:
    """Make the change, or its rows, reach or exceed a limit."""
    if large == "rows":
        # Base64 adds a third; a response of 6 MB holds three of the widest that fit.
        width = chance.choice((300_000, 700_000, 1_900_000, 1_900_000, 4_900_000, 6_500_000))
        item |= {"do": "widen", "width": width}
    elif chance.random() < 0.9:
        # An old and a new one together do not fit into a record, even compressed.
        item["blob"] = chance.randbytes(400_000)
    else:
        # Six bytes each in JSON, and almost nothing compressed.
        item["filler"] = "\x01" * 180_000
