"""The prices of a region, read from the one data file that holds them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

from streaming_etl.stack.errors import CommandError

FILE = Path(__file__).with_name("prices.json")


@dataclass(frozen=True, kw_only=True)
class Tier:
    """A price in USD a unit, up to this many units a month."""

    usd: float
    up_to: Optional[float] = None
    """None for the last tier."""


@dataclass(frozen=True, kw_only=True)
class Price:
    """What one thing costs in one region."""

    unit: str
    tiers: tuple[Tier, ...]
    source: str
    """AWS's page with the price."""
    seen: str
    """`price list`: read from AWS's price list; `check`: AWS's list price as quoted elsewhere."""

    def of(self, quantity: float) -> float:
        """USD for the quantity, in `unit`, of one month."""
        usd = begin = 0.0
        for tier in self.tiers:
            end = quantity if tier.up_to is None else min(quantity, tier.up_to)
            usd += max(0.0, end - begin) * tier.usd
            begin = end
        return usd


@dataclass(frozen=True, kw_only=True)
class Prices:
    """All prices of a region by their names in the file."""

    region: str
    as_of: str
    """Day of the newest look at AWS's prices, as YYYY-MM-DD."""
    by_name: Mapping[str, Price]

    def of(self, name: str, quantity: float) -> float:
        """USD for the quantity of what the file calls `name`."""
        return self.by_name[name].of(quantity)


def read_prices(region: str, file: Path = FILE) -> Prices:
    """The region's prices. Raises CommandError for a region that the file does not price."""
    found: dict[str, Any] = json.loads(file.read_text())
    entries = found["prices"]
    known = sorted(set.intersection(*(set(entry["regions"]) for entry in entries.values())))
    if region not in known:
        raise CommandError(
            f"region={region!r} has no prices here: {file.name} knows {', '.join(known)}; pass one"
            f" of them as --region for a rough figure, or add {region} to every price in"
            " ops/cost/prices.json, from the source named beside each."
        )
    prices = {}
    for name, entry in entries.items():
        given = entry["regions"][region]
        tiers = tuple(Tier(**tier) for tier in given["tiers"])
        prices[name] = Price(
            unit=entry["unit"], tiers=tiers, source=entry["source"], seen=given["seen"]
        )
    return Prices(region=region, as_of=found["as_of"], by_name=prices)
