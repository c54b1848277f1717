"""Sample writes for the dev stack, the same in every run."""

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
"""An item as plain Python values, as in boto3's DynamoDB resource."""


@dataclass(frozen=True)
class Write:
    """One write to a table; without an item, a delete."""

    kind: str
    id: str
    item: Item | None


@dataclass(frozen=True)
class Sample:
    """The writes for one table, and their expected result."""

    writes: tuple[Write, ...]
    compared_columns: tuple[str, ...]
    """Attributes that the transform keeps unchanged."""
    expected_failures: int
    """Writes whose change fails in the transform."""


def samples() -> dict[str, Sample]:
    """Return the samples of the stack in Pulumi.dev.yaml, by pipeline."""
    orders = random_writes(new_order, changed_order, "o", inserts=130, updates=90, deletes=25)
    shipments = random_writes(
        new_shipment, changed_shipment, "s", inserts=80, updates=110, deletes=10
    )
    return {
        "orders": Sample(
            writes=with_invalid_write(tuple(orders)),
            compared_columns=("user_id", "store_id", "created", "updated_at"),
            expected_failures=1,
        ),
        "shipments": Sample(
            writes=tuple(shipments),
            compared_columns=("carrier", "status", "weight_kg", "updated_at"),
            expected_failures=0,
        ),
    }


def random_writes(
    new: Callable[[random.Random, str, str], Item],
    changed: Callable[[random.Random, Item, str], Item],
    letter: str,
    *,
    inserts: int,
    updates: int,
    deletes: int,
) -> Iterator[Write]:
    """Generate writes in an order that is random and repeatable."""
    dice = random.Random(SEED)
    kinds = ["insert"] * inserts + ["update"] * updates + ["delete"] * deletes
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


def with_invalid_write(writes: tuple[Write, ...]) -> tuple[Write, ...]:
    """Insert one item first without an attribute that the transform requires.

    The next write corrects the item, so table and lake are equal in the end.
    """
    last = max(index for index, write in enumerate(writes) if write.kind == "insert")
    id_, item = writes[last].id, writes[last].item or {}
    invalid = {key: value for key, value in item.items() if key != "store_id"}
    pair = (Write("insert", id_, invalid), Write("update", id_, item))
    return (*writes[:last], *pair, *writes[last + 1 :])


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
    items: Mapping[str, Item], rows: Mapping[str, Row], columns: tuple[str, ...]
) -> list[str]:
    """Return the ids that differ between table and current state."""
    return [
        id_
        for id_ in sorted({*items, *rows})
        if id_ not in items
        or id_ not in rows
        or any(not is_equal(items[id_].get(name), rows[id_].get(name)) for name in columns)
    ]


def is_equal(value: Any, text: str | None) -> bool:
    """Compare an item's value with Athena's text."""
    if value is None or text is None:
        return value is None and text is None
    if isinstance(value, Decimal):
        return value == Decimal(text)
    # The transforms of the dev stack convert timestamps to SQL's format.
    return str(value).replace("T", " ") == text.replace("T", " ").removesuffix(".000")
