"""Prices of a region, read from prices.json."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

from streaming_etl.stack.errors import CommandError

FILE = Path(__file__).with_name("prices.json")


@dataclass(frozen=True, kw_only=True)
class Tier:
    """Price per unit up to a monthly quantity."""

    usd: float
    up_to: Optional[float] = None
    """None for the last tier."""


@dataclass(frozen=True, kw_only=True)
class Price:
    """Price of one item in one region."""

    unit: str
    tiers: tuple[Tier, ...]
    source: str
    """AWS's page with the price."""
    confirmation: str
    """`price list`: from AWS's price list; `check`: AWS's list price as quoted elsewhere."""

    def of(self, quantity: float) -> float:
        """Return USD for a month's quantity in `unit`."""
        usd = begin = 0.0
        for tier in self.tiers:
            end = quantity if tier.up_to is None else min(quantity, tier.up_to)
            usd += max(0.0, end - begin) * tier.usd
            begin = end
        return usd


@dataclass(frozen=True, kw_only=True)
class Prices:
    """All prices of a region by their names in prices.json."""

    region: str
    as_of: str
    """Date of the latest comparison with AWS's prices, as YYYY-MM-DD."""
    by_name: Mapping[str, Price]

    def of(self, name: str, quantity: float) -> float:
        """Return USD for a month's quantity of the item `name`."""
        return self.by_name[name].of(quantity)


def read_prices(region: str, file: Path = FILE) -> Prices:
    """Read a region's prices; raises CommandError when the file lacks one."""
    content: dict[str, Any] = json.loads(file.read_text())
    entries = content["prices"]
    known = sorted(set.intersection(*(set(entry["regions"]) for entry in entries.values())))
    if region not in known:
        raise CommandError(
            f"`region` must be one of {', '.join(known)}, which have prices (got {region}). Pass"
            f" one of them as --region for an estimate, or add {region} to every price in"
            " ops/cost/prices.json.",
            code="region-without-prices",
            region=region,
            known=known,
        )
    prices = {}
    for name, entry in entries.items():
        regional = entry["regions"][region]
        tiers = tuple(Tier(**tier) for tier in regional["tiers"])
        prices[name] = Price(
            unit=entry["unit"],
            tiers=tiers,
            source=entry["source"],
            confirmation=regional["confirmation"],
        )
    return Prices(region=region, as_of=content["as_of"], by_name=prices)
