"""Generator of the example and the tables in docs/cost.md."""

import dataclasses
from pathlib import Path

from click.testing import CliRunner

from streaming_etl.ops.__main__ import commands
from streaming_etl.ops.cost.assumptions import Assumptions
from streaming_etl.ops.cost.prices import Prices, read_prices
from streaming_etl.ops.cost.render import format_amount
from tools.docs.settings_tables import field_docs, table

PAGE = Path(__file__).resolve().parents[2] / "docs" / "cost.md"
EXAMPLE = ["cost", "--stack", "dev", "--changes", "100M", "--changes", "shipments=5M"]
REGIONS = ("us-east-1", "us-west-2", "ap-northeast-1")


def example() -> str:
    """The command and its output."""
    result = CliRunner().invoke(commands, EXAMPLE, catch_exceptions=False)
    lines = [f"$ streaming-etl {' '.join(EXAMPLE)}", *result.output.splitlines()]
    return "\n".join(["```text", *(line.rstrip() for line in lines), "```"])


def assumptions() -> str:
    docs = field_docs(Assumptions)
    rows = [
        [f"`{name}`", f"{value:g}", docs[name]]
        for name, value in dataclasses.asdict(Assumptions()).items()
    ]
    return table(["assumption", "value", "meaning"], rows)


def prices() -> str:
    regions: list[Prices] = [read_prices(region) for region in REGIONS]
    rows = []
    for name, price in regions[0].by_name.items():
        cells = [_tiers(region, name) for region in regions]
        rows.append([f"`{name}`", f"[{price.unit}]({price.source})", *cells])
    return table(["price", "per", *REGIONS], rows)


def _tiers(prices: Prices, name: str) -> str:
    """The tiers of a price; a star marks unconfirmed ones."""
    price = prices.by_name[name]
    tiers = [
        f"{tier.usd:.10f}".rstrip("0").rstrip(".")
        + (f" to {format_amount(tier.up_to)}" if tier.up_to else "")
        for tier in price.tiers
    ]
    return ", ".join(tiers) + (" *" if price.confirmation == "check" else "")


BLOCKS = {"example": example, "assumptions": assumptions, "prices": prices}
