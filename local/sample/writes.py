"""Sample writes for the dev stack, the same in every run."""

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

from local.emulator.athena import Row
from streaming_etl.components.settings.lake_table_names import ONLY_LAKE_TABLE

SEED = 20261123
OPENING = datetime(2026, 11, 1, 9, 0, 0)
STORES = ("sapporo", "tokyo", "nagoya", "osaka", "fukuoka")
CITIES = ("Sapporo", "Sendai", "Tokyo", "Nagoya", "Osaka", "Hiroshima", "Fukuoka")
CARRIERS = ("yamato", "sagawa", "japanpost")
STATUSES = ("packed", "in transit", "out for delivery", "delivered")
ORDER_STATUSES = ("new", "paid", "shipped", "closed")
NAMES = ("Abe", "Hara", "Ito", "Kita", "Mori", "Ono", "Sato", "Ueda")
INTERESTS = ("coffee", "rice", "sake", "tea")

Item = dict[str, Any]
"""An item as plain Python values, as in boto3's DynamoDB resource."""


@dataclass(frozen=True)
class Write:
    """One write to a table; without an item, a delete."""

    kind: str
    key: Item
    item: Item | None


@dataclass(frozen=True)
class SampleTable:
    """The expected result in one lake table."""

    compared_columns: tuple[str, ...]
    """Attributes that the transform keeps unchanged, next to `id`."""
    expected_failures: int = 0
    """Writes whose change fails in the transform."""


@dataclass(frozen=True)
class Sample:
    """The writes for one table, and their expected result."""

    writes: tuple[Write, ...]
    tables: Mapping[str, SampleTable]
    """By lake table."""


def samples() -> dict[str, Sample]:
    """Return the samples of the stack in Pulumi.dev.yaml, by pipeline."""
    orders = random_writes(new_order, changed_order, inserts=130, updates=90, deletes=25)
    shipments = random_writes(new_shipment, changed_shipment, inserts=80, updates=110, deletes=10)
    shop = random_writes(
        new_shop_item, changed_shop_item, ("pk", "sk"), inserts=60, updates=75, deletes=15
    )
    return {
        "orders": Sample(
            writes=with_invalid_write(tuple(orders)),
            tables={
                ONLY_LAKE_TABLE: SampleTable(
                    ("user_id", "store_id", "created", "updated_at"), expected_failures=1
                )
            },
        ),
        "shipments": Sample(
            writes=tuple(shipments),
            tables={ONLY_LAKE_TABLE: SampleTable(("carrier", "status", "weight_kg", "updated_at"))},
        ),
        "shop": Sample(
            writes=tuple(shop),
            tables={
                "orders": SampleTable(("status", "updated_at")),
                "customers": SampleTable(("type", "name", "updated_at")),
                "leads": SampleTable(("name", "visits", "updated_at")),
            },
        ),
    }


def random_writes(
    new: Callable[[random.Random, int, str], Item],
    changed: Callable[[random.Random, Item, str], Item],
    key_names: tuple[str, ...] = ("id",),
    *,
    inserts: int,
    updates: int,
    deletes: int,
) -> Iterator[Write]:
    """Generate writes in an order that is random and repeatable."""
    dice = random.Random(SEED)
    kinds = ["insert"] * inserts + ["update"] * updates + ["delete"] * deletes
    dice.shuffle(kinds)
    items: dict[tuple[str, ...], Item] = {}
    for number, kind in enumerate(["insert", *kinds]):
        now = (OPENING + timedelta(minutes=7 * number)).isoformat()
        if kind == "insert" or not items:
            item = new(dice, number, now)
            key = tuple(item[name] for name in key_names)
            items[key] = item
            yield Write("insert", dict(zip(key_names, key, strict=True)), item)
            continue
        key = dice.choice(sorted(items))
        if kind == "update":
            items[key] = changed(dice, items[key], now)
            yield Write("update", dict(zip(key_names, key, strict=True)), items[key])
        else:
            del items[key]
            yield Write("delete", dict(zip(key_names, key, strict=True)), None)


def new_order(dice: random.Random, number: int, now: str) -> Item:
    return {
        "id": f"o-{number:04d}",
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
    key, item = writes[last].key, writes[last].item or {}
    invalid = {name: value for name, value in item.items() if name != "store_id"}
    pair = (Write("insert", key, invalid), Write("update", key, item))
    return (*writes[:last], *pair, *writes[last + 1 :])


def new_shipment(dice: random.Random, number: int, now: str) -> Item:
    return {
        "id": f"s-{number:04d}",
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


def new_shop_item(dice: random.Random, number: int, now: str) -> Item:
    """Return an order, a lead, a customer or a cart."""
    [kind] = dice.choices(("order", "lead", "customer", "cart"), (4, 4, 1, 1))
    if kind == "order":
        return {
            "pk": f"CUSTOMER#c-{dice.randrange(40):04d}",
            "sk": f"ORDER#o-{number:04d}",
            "id": f"o-{number:04d}",
            "status": ORDER_STATUSES[0],
            "lines": [
                {
                    "sku": f"sku-{dice.randrange(500):03d}",
                    "quantity": dice.randrange(1, 5),
                    "price": Decimal(dice.randrange(100, 10_000)).scaleb(-2),
                }
                for _ in range(dice.randrange(1, 4))
            ],
            "updated_at": now,
        }
    key = {"pk": f"CUSTOMER#c-{number:04d}", "sk": "CART" if kind == "cart" else "PROFILE"}
    if kind == "cart":
        return {**key, "skus": [f"sku-{dice.randrange(500):03d}"], "updated_at": now}
    return {
        **key,
        "id": f"c-{number:04d}",
        "type": kind,
        "name": dice.choice(NAMES),
        "address": {"city": dice.choice(CITIES), "country": "JP"},
        "interests": sorted(dice.sample(INTERESTS, dice.randrange(3))),
        "visits": 1,
        "created_at": int(datetime.fromisoformat(now).replace(tzinfo=UTC).timestamp()),
        "updated_at": now,
    }


def changed_shop_item(dice: random.Random, item: Item, now: str) -> Item:
    """Return the next state; a lead may become a customer."""
    changed = {**item, "updated_at": now}
    if "status" in item:
        step = min(ORDER_STATUSES.index(item["status"]) + 1, len(ORDER_STATUSES) - 1)
        return {**changed, "status": ORDER_STATUSES[step]}
    if "skus" in item:
        return {**changed, "skus": [*item["skus"], f"sku-{dice.randrange(500):03d}"]}
    if dice.random() < 0.3:
        return {**changed, "type": "customer" if item["type"] == "lead" else "company"}
    return {**changed, "visits": item["visits"] + 1}


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
