"""Sample writes for the two tables of the dev stack, the same in every run, and their check."""

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

from local.emulator.athena import Row

SEED = 20261123
OPENING = datetime(2026, 11, 1, 9, 0, 0)
STORES = ("sapporo", "tokyo", "nagoya", "osaka", "fukuoka")
CITIES = ("Sapporo", "Sendai", "Tokyo", "Nagoya", "Osaka", "Hiroshima", "Fukuoka")
CARRIERS = ("yamato", "sagawa", "japanpost")
STATUSES = ("packed", "in transit", "out for delivery", "delivered")

Item = dict[str, Any]
"""An item as plain Python values, as the DynamoDB resource of boto3 has it."""


@dataclass(frozen=True)
class Write:
    """One write: an item, or None to delete the item with this id."""

    kind: str
    id: str
    item: Item | None


@dataclass(frozen=True)
class Sample:
    """The writes for one table, and which attributes its lake table shows unchanged."""

    writes: tuple[Write, ...]
    compared: tuple[str, ...]
    refusals: int
    """How many of the writes the transform is to refuse."""


def samples() -> dict[str, Sample]:
    """The samples by pipeline, for the example stack of Pulumi.dev.yaml."""
    orders = tuple(life(new_order, changed_order, "o", inserts=130, changes=90, deletes=25))
    shipments = tuple(
        life(new_shipment, changed_shipment, "s", inserts=80, changes=110, deletes=10)
    )
    return {
        "orders": Sample(
            writes=with_broken_write(orders),
            compared=("user_id", "store_id", "created", "updated_at"),
            refusals=1,
        ),
        "shipments": Sample(
            writes=shipments,
            compared=("carrier", "status", "weight_kg", "updated_at"),
            refusals=0,
        ),
    }


def life(
    new: Callable[[random.Random, str, str], Item],
    changed: Callable[[random.Random, Item, str], Item],
    letter: str,
    *,
    inserts: int,
    changes: int,
    deletes: int,
) -> Iterator[Write]:
    """Inserts, changes and deletes of a table's items, in a random but repeatable order."""
    dice = random.Random(SEED)
    kinds = ["insert"] * inserts + ["update"] * changes + ["delete"] * deletes
    dice.shuffle(kinds)
    items: dict[str, Item] = {}
    for number, kind in enumerate(["insert", *kinds]):
        now = (OPENING + timedelta(minutes=7 * number)).isoformat()
        if kind == "insert" or not items:
            id_ = f"{letter}-{number:04d}"
            items[id_] = new(dice, id_, now)
            yield Write("insert", id_, items[id_])
            continue
        id_ = dice.choice(sorted(items))
        if kind == "update":
            items[id_] = changed(dice, items[id_], now)
            yield Write("update", id_, items[id_])
        else:
            del items[id_]
            yield Write("delete", id_, None)


def new_order(dice: random.Random, id_: str, now: str) -> Item:
    return {
        "id": id_,
        "user_id": f"u-{dice.randrange(40):03d}",
        "store_id": dice.choice(STORES),
        "created": now,
        "updated_at": now,
    }


def changed_order(dice: random.Random, order: Item, now: str) -> Item:
    return {**order, "store_id": dice.choice(STORES), "updated_at": now}


def with_broken_write(writes: tuple[Write, ...]) -> tuple[Write, ...]:
    """The same writes, one of which first went out without a field that the transform needs.

    The correct write follows at once: so the table and the lake agree in the end, and the
    refused change still lies in the error prefix.
    """
    last = max(place for place, write in enumerate(writes) if write.kind == "insert")
    good = writes[last].item or {}
    broken = {key: value for key, value in good.items() if key != "store_id"}
    mended = Write("update", writes[last].id, good)
    return (*writes[:last], Write("insert", writes[last].id, broken), mended, *writes[last + 1 :])


def new_shipment(dice: random.Random, id_: str, now: str) -> Item:
    return {
        "id": id_,
        "carrier": dice.choice(CARRIERS),
        "status": STATUSES[0],
        "weight_kg": Decimal(dice.randrange(100, 30_000)).scaleb(-3),
        "address": {
            "city": dice.choice(CITIES),
            "postcode": f"{dice.randrange(1, 1000):03d}-{dice.randrange(10_000):04d}",
            "country": "JP",
        },
        "parcels": [
            {"sku": f"sku-{dice.randrange(500):03d}", "quantity": dice.randrange(1, 5)}
            for _ in range(dice.randrange(1, 4))
        ],
        "tags": sorted(dice.sample(("cool", "fragile", "gift", "express"), dice.randrange(3))),
        "updated_at": now,
    }


def changed_shipment(_dice: random.Random, shipment: Item, now: str) -> Item:
    step = min(STATUSES.index(shipment["status"]) + 1, len(STATUSES) - 1)
    return {**shipment, "status": STATUSES[step], "updated_at": now}


def to_dynamodb(item: Item) -> dict[str, Any]:
    return {key: TypeSerializer().serialize(value) for key, value in item.items()}


def from_dynamodb(item: Mapping[str, Any]) -> Item:
    return {key: TypeDeserializer().deserialize(value) for key, value in item.items()}


def differences(
    items: Mapping[str, Item], rows: Mapping[str, Row], compared: tuple[str, ...]
) -> list[str]:
    """The ids that the table and the current state do not tell alike."""
    return [
        id_
        for id_ in sorted({*items, *rows})
        if id_ not in items
        or id_ not in rows
        or any(not same(items[id_].get(name), rows[id_].get(name)) for name in compared)
    ]


def same(value: Any, shown: str | None) -> bool:
    """Whether Athena shows this value of an item."""
    if value is None or shown is None:
        return value is None and shown is None
    if isinstance(value, Decimal):
        return value == Decimal(shown)
    # The transforms of the example stack write timestamps in SQL's form.
    return str(value).replace("T", " ") == shown.replace("T", " ")
