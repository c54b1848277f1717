"""What docs/cost.md tells from the code: `python -m tools.docs.cost_page` writes it anew."""

import dataclasses

from click.testing import CliRunner

from streaming_etl.ops.__main__ import commands
from streaming_etl.ops.cost.assumptions import Assumptions
from streaming_etl.ops.cost.number_format import told
from streaming_etl.ops.cost.prices import Prices, read_prices
from tests.components.pipelines import ROOT
from tools.docs.marked_blocks import replace_blocks
from tools.docs.settings_tables import field_docs, table

PAGE = ROOT / "docs" / "cost.md"
EXAMPLE = ["cost", "--from-stack", "dev", "--changes", "100M", "--changes", "shipments=5M"]
REGIONS = ("us-east-1", "us-west-2", "ap-northeast-1")


def example() -> str:
    """The command and all that it prints."""
    result = CliRunner().invoke(commands, EXAMPLE, catch_exceptions=False)
    lines = [f"$ streaming-etl {' '.join(EXAMPLE)}", *result.output.splitlines()]
    return "\n".join(["```text", *(line.rstrip() for line in lines), "```"])


def assumptions() -> str:
    docs = field_docs(Assumptions)
    rows = [
        [f"`{name}`", f"{value:g}", docs[name]]
        for name, value in dataclasses.asdict(Assumptions()).items()
    ]
    return table(["assumption", "default", "meaning"], rows)


def prices() -> str:
    regions: list[Prices] = [read_prices(region) for region in REGIONS]
    rows = []
    for name, price in regions[0].by_name.items():
        cells = [tiers(region, name) for region in regions]
        rows.append([f"`{name}`", f"[{price.unit}]({price.source})", *cells])
    return table(["price", "per", *REGIONS], rows)


def tiers(prices: Prices, name: str) -> str:
    """A price with its tiers in USD; a star where it is to be checked."""
    price = prices.by_name[name]
    told_tiers = [
        f"{tier.usd:.10f}".rstrip("0").rstrip(".")
        + (f" to {told(tier.up_to)}" if tier.up_to else "")
        for tier in price.tiers
    ]
    return ", ".join(told_tiers) + (" *" if price.seen == "check" else "")


BLOCKS = {"example": example, "assumptions": assumptions, "prices": prices}


def written(page: str) -> str:
    """The page with every block between its marks told anew."""
    return replace_blocks(page, BLOCKS)


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text()))
