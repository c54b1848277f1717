"""Random items in DynamoDB JSON, each of a fixed size."""

import json
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from zlib import crc32

Image = dict[str, dict[str, Any]]

_START = datetime(2026, 11, 1, tzinfo=UTC)
_VOCABULARY = (
    "amber anchor basket beacon blanket bottle bridge candle canvas carbon cotton copper desk "
    "dinner evening feather filter folding garden glass hammer handle harbour indigo kettle "
    "lantern leather linen marble mirror morning oak orange paper pepper pillow planter river "
    "saddle silver spice steel stone table teapot timber travel velvet walnut window winter"
)
_WORDS = _VOCABULARY.split()
# One text in ten contains characters that JSON or CSV escapes, or non-ASCII letters.
_HARD_TEXTS = ('the "large" one, ', "Größe 42, ", "東京都新宿区 ", "first line\nsecond line, ")
_STATES = ("placed", "paid", "packed", "shipped", "delivered", "returned")
_CITIES = ("Sapporo", "Sendai", "Nagoya", "Kyoto", "Osaka", "Fukuoka", "München", "São Paulo")


def compact(value: Any) -> str:
    """The value as JSON without blanks."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def small(random: Random, size: int) -> Image:
    """Five attributes."""
    return _filled(random, _head(random), "title", size)


def medium(random: Random, size: int) -> Image:
    """Thirty attributes: texts, numbers, flags, NULL, dates and two longer texts."""
    item = _head(random) | {
        "created_at": _time(random),
        "delivery_date": (_START + timedelta(days=random.randrange(60))).date().isoformat(),
        "status": random.choice(_STATES),
        "channel": random.choice(("web", "app", "shop", "phone")),
        "currency": "JPY",
        "locale": random.choice(("ja-JP", "en-GB", "de-DE")),
        "quantity": random.randrange(1, 9),
        "tax": _price(random, 5_000),
        "discount": random.choice((0, 0, 5, 10)),
        "shipping_cost": _price(random, 2_000),
        "weight_kg": random.randrange(100, 30_000) / 1000,
        "email": _email(random),
        "phone": f"+81-3-{random.randrange(1000, 9999)}-{random.randrange(1000, 9999)}",
        **_address(random, 24),
        "is_gift": random.random() < 0.2,
        "is_test": False,
        "newsletter": random.random() < 0.5,
        "coupon": None if random.random() < 0.7 else "WINTER-26",
        "carrier": random.choice(("yamato", "sagawa", "japanpost")),
        "version": random.randrange(1, 20),
        "instructions": _words(random, 120),
    }
    return _filled(random, item, "note", size)


def nested(random: Random, size: int) -> Image:
    """An order document of maps, lists and a set."""
    lines: list[dict[str, Any]] = []
    item = _head(random) | {
        "status": random.choice(_STATES),
        "customer": {
            "name": _words(random, 18),
            "email": _email(random),
            "address": _address(random, 28),
            "since": random.randrange(2015, 2026),
        },
        "ship_to": _address(random, 28),
        "payments": [
            {"method": "card", "amount": _price(random, 90_000), "at": _time(random)},
            {"method": "points", "amount": _price(random, 900), "at": _time(random)},
        ],
        "history": [{"status": state, "at": _time(random)} for state in _STATES[:4]],
        "tags": set(random.sample(_WORDS, 3)),
        "flags": {"gift": random.random() < 0.2, "fragile": False},
        "coupon": None,
        "lines": lines,
        "note": "",
    }
    while _size(item) < size - 500:
        lines.append(_line(random, len(lines) + 1))
    return _filled(random, item, "note", size)


def changed(random: Random, image: Image) -> Image:
    """An earlier version of the item: another time and total."""
    earlier = {"total": _price(random, 90_000), "updated_at": _time(random)}
    return image | {name: _typed(value) for name, value in earlier.items()}


def _head(random: Random) -> dict[str, Any]:
    return {
        "id": _uuid(random),
        "customer_id": _uuid(random),
        "title": _words(random, 40),
        "total": _price(random, 90_000),
        "updated_at": _time(random),
    }


def _line(random: Random, number: int) -> dict[str, Any]:
    return {
        "number": number,
        "sku": f"{random.choice(_WORDS)}-{random.randrange(10_000, 99_999)}",
        "title": _words(random, 32),
        "quantity": random.randrange(1, 6),
        "unit_price": _price(random, 30_000),
        "options": {"colour": random.choice(_WORDS), "wrapped": False},
        "discounts": [5] if random.random() < 0.3 else [],
    }


def _address(random: Random, street: int) -> dict[str, Any]:
    return {
        "street": _words(random, street),
        "city": random.choice(_CITIES),
        "postcode": f"{random.randrange(100, 999)}-{random.randrange(1000, 9999)}",
        "country": "JP",
    }


def _filled(random: Random, item: dict[str, Any], name: str, size: int) -> Image:
    """The image, with a text that fills it to about `size` bytes."""
    item[name] = ""
    item[name] = _words(random, size + random.randint(-12, 12) - _size(item))
    # DynamoDB does not keep the order in which attributes were written.
    names = sorted(item, key=lambda name: crc32(name.encode()))
    return {name: _typed(item[name]) for name in names}


def _typed(value: Any) -> dict[str, Any]:
    """The value in DynamoDB JSON."""
    if value is None:
        return {"NULL": True}
    if isinstance(value, str):
        return {"S": value}
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, dict):
        return {"M": {name: _typed(item) for name, item in value.items()}}
    if isinstance(value, list):
        return {"L": [_typed(item) for item in value]}
    if isinstance(value, set):
        return {"SS": sorted(value)}
    # DynamoDB stores no trailing zeros, and `g` writes none.
    return {"N": f"{value:.9g}"}


def _size(item: dict[str, Any]) -> int:
    return len(compact(_typed(item)["M"]).encode())


def _words(random: Random, size: int) -> str:
    text = random.choice(_HARD_TEXTS) if random.random() < 0.1 else ""
    while len(text) < size:
        text += random.choice(_WORDS) + " "
    return text[: max(size, 0)].rstrip()


def _email(random: Random) -> str:
    return f"{random.choice(_WORDS)}.{random.choice(_WORDS)}@example.com"


def _uuid(random: Random) -> str:
    digits = f"{random.getrandbits(128):032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def _time(random: Random) -> str:
    return f"{_START + timedelta(seconds=random.randrange(2_000_000)):%Y-%m-%dT%H:%M:%SZ}"


def _price(random: Random, most: int) -> float:
    return random.randrange(most) / 100
