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
# One text in ten has characters that JSON or CSV must escape, or non-ASCII letters.
_HARD_TEXTS = ('the "large" one, ', "Größe 42, ", "東京都新宿区 ", "first line\nsecond line, ")
_STATES = ("placed", "paid", "packed", "shipped", "delivered", "returned")
_CITIES = ("Sapporo", "Sendai", "Nagoya", "Kyoto", "Osaka", "Fukuoka", "München", "São Paulo")


def compact(value: Any) -> str:
    """The value as compact JSON."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def small(random: Random, size: int) -> Image:
    """Five attributes."""
    return _filled(random, _head(random), "title", size)


def medium(random: Random, size: int) -> Image:
    """Thirty attributes of scalar types."""
    image = _head(random) | {
        "created_at": _time(random),
        "delivery_date": _text((_START + timedelta(days=random.randrange(60))).date().isoformat()),
        "status": _text(random.choice(_STATES)),
        "channel": _text(random.choice(("web", "app", "shop", "phone"))),
        "currency": _text("JPY"),
        "locale": _text(random.choice(("ja-JP", "en-GB", "de-DE"))),
        "quantity": _number(random.randrange(1, 9)),
        "tax": _price(random, 5_000),
        "discount": _number(random.choice((0, 0, 5, 10))),
        "shipping_cost": _price(random, 2_000),
        "weight_kg": _number(random.randrange(100, 30_000) / 1000),
        "email": _text(f"{random.choice(_WORDS)}.{random.choice(_WORDS)}@example.com"),
        "phone": _text(f"+81-3-{random.randrange(1000, 9999)}-{random.randrange(1000, 9999)}"),
        "country": _text("JP"),
        "postcode": _text(f"{random.randrange(100, 999)}-{random.randrange(1000, 9999)}"),
        "city": _text(random.choice(_CITIES)),
        "street": _words(random, 24),
        "is_gift": {"BOOL": random.random() < 0.2},
        "is_test": {"BOOL": False},
        "newsletter": {"BOOL": random.random() < 0.5},
        "coupon": {"NULL": True} if random.random() < 0.7 else _text("WINTER-26"),
        "carrier": _text(random.choice(("yamato", "sagawa", "japanpost"))),
        "version": _number(random.randrange(1, 20)),
        "instructions": _words(random, 120),
        "note": _text(""),
    }
    return _filled(random, image, "note", size)


def nested(random: Random, size: int) -> Image:
    """An order document with maps, lists of maps and a set."""
    image = _head(random) | {
        "status": _text(random.choice(_STATES)),
        "customer": _map(
            name=_words(random, 18),
            email=_text(f"{random.choice(_WORDS)}.{random.choice(_WORDS)}@example.com"),
            address=_address(random),
            since=_number(random.randrange(2015, 2026)),
        ),
        "ship_to": _address(random),
        "payments": _list(
            _map(method=_text("card"), amount=_price(random, 90_000), at=_time(random)),
            _map(method=_text("points"), amount=_price(random, 900), at=_time(random)),
        ),
        "history": _list(
            *(_map(status=_text(state), at=_time(random)) for state in _STATES[:4]),
        ),
        "tags": {"SS": sorted(random.sample(_WORDS, 3))},
        "flags": _map(gift={"BOOL": random.random() < 0.2}, fragile={"BOOL": False}),
        "coupon": {"NULL": True},
        "lines": _list(),
        "note": _text(""),
    }
    lines = image["lines"]["L"]
    while _size(image) < size - 500:
        lines.append(_line(random, len(lines) + 1))
    return _filled(random, image, "note", size)


def changed(random: Random, image: Image) -> Image:
    """The old image: another total and another time."""
    return image | {"total": _price(random, 90_000), "updated_at": _time(random)}


def _head(random: Random) -> Image:
    return {
        "id": _text(_uuid(random)),
        "customer_id": _text(_uuid(random)),
        "title": _words(random, 40),
        "total": _price(random, 90_000),
        "updated_at": _time(random),
    }


def _line(random: Random, number: int) -> dict[str, Any]:
    return _map(
        number=_number(number),
        sku=_text(f"{random.choice(_WORDS)}-{random.randrange(10_000, 99_999)}"),
        title=_words(random, 32),
        quantity=_number(random.randrange(1, 6)),
        unit_price=_price(random, 30_000),
        options=_map(colour=_text(random.choice(_WORDS)), wrapped={"BOOL": False}),
        discounts=_list(_number(5)) if random.random() < 0.3 else _list(),
    )


def _address(random: Random) -> dict[str, Any]:
    return _map(
        street=_words(random, 28),
        city=_text(random.choice(_CITIES)),
        postcode=_text(f"{random.randrange(100, 999)}-{random.randrange(1000, 9999)}"),
        country=_text("JP"),
    )


def _filled(random: Random, image: Image, name: str, size: int) -> Image:
    """The image, filled to about `size` bytes by a text under `name`."""
    image[name] = _text("")
    image[name] = _words(random, size + random.randint(-12, 12) - _size(image))
    # DynamoDB returns attributes in an arbitrary order.
    return dict(sorted(image.items(), key=lambda attribute: crc32(attribute[0].encode())))


def _size(image: Image) -> int:
    return len(compact(image).encode())


def _words(random: Random, size: int) -> dict[str, Any]:
    text = random.choice(_HARD_TEXTS) if random.random() < 0.1 else ""
    while len(text) < size:
        text += random.choice(_WORDS) + " "
    return _text(text[: max(size, 0)].rstrip())


def _uuid(random: Random) -> str:
    digits = f"{random.getrandbits(128):032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def _time(random: Random) -> dict[str, Any]:
    return _text(f"{_START + timedelta(seconds=random.randrange(2_000_000)):%Y-%m-%dT%H:%M:%SZ}")


def _text(text: str) -> dict[str, Any]:
    return {"S": text}


def _number(number: float) -> dict[str, Any]:
    return {"N": str(number)}


def _price(random: Random, most: int) -> dict[str, Any]:
    # DynamoDB stores no trailing zeros.
    return {"N": f"{random.randrange(most) / 100:g}"}


def _map(**fields: dict[str, Any]) -> dict[str, Any]:
    return {"M": fields}


def _list(*items: dict[str, Any]) -> dict[str, Any]:
    return {"L": list(items)}
