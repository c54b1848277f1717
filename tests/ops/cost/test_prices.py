"""Prices of the data file, and the tiers of a price."""

import json
import re
from datetime import date
from pathlib import Path

import pytest

from streaming_etl.ops.cost.prices import FILE, Price, Tier, read_prices
from streaming_etl.stack.errors import CommandError

CONTENT = json.loads(FILE.read_text())
REGIONS = ["ap-northeast-1", "us-east-1", "us-west-2"]


def test_every_price_has_a_source_all_regions_and_ascending_tiers() -> None:
    assert date.fromisoformat(CONTENT["as_of"])
    offenders = []
    for name, entry in CONTENT["prices"].items():
        source = re.fullmatch(r"https://aws\.amazon\.com/[a-z0-9-]+/pricing/", entry["source"])
        if not source or sorted(entry["regions"]) != REGIONS:
            offenders.append(name)
        for region, regional in entry["regions"].items():
            limits = [tier.get("up_to") for tier in regional["tiers"]]
            ascending = limits[:-1] == sorted(set(limits[:-1])) and limits[-1] is None
            priced = all(tier["usd"] > 0 for tier in regional["tiers"])
            if not (ascending and priced and regional["confirmation"] in ("price list", "check")):
                offenders.append(f"{name} in {region}")
    assert offenders == []


@pytest.mark.parametrize(
    ("quantity", "usd"), [(0, 0), (5, 50), (10, 100), (15, 140), (20, 180), (120, 280)]
)
def test_a_tier_applies_only_to_the_quantity_within_it(quantity: float, usd: float) -> None:
    tiers = (Tier(usd=10, up_to=10), Tier(usd=8, up_to=20), Tier(usd=1))
    assert Price(unit="GB", tiers=tiers, source="", confirmation="check").of(quantity) == usd


def test_reads_the_prices_of_tokyo() -> None:
    prices = read_prices("ap-northeast-1")

    assert prices.as_of == CONTENT["as_of"]
    assert prices.by_name["firehose_ingestion"] == Price(
        unit="GB",
        tiers=(Tier(usd=0.036, up_to=512_000), Tier(usd=0.031, up_to=2_048_000), Tier(usd=0.025)),
        source="https://aws.amazon.com/firehose/pricing/",
        confirmation="check",
    )
    assert prices.of("firehose_ingestion", 1_000) == 36


def test_rejects_a_region_that_lacks_a_price(tmp_path: Path) -> None:
    incomplete = json.loads(FILE.read_text())
    del incomplete["prices"]["s3_puts"]["regions"]["us-west-2"]
    file = tmp_path / "prices.json"
    file.write_text(json.dumps(incomplete))

    with pytest.raises(CommandError) as rejected:
        read_prices("us-west-2", file)
    assert rejected.value.code == "region-without-prices"
    assert rejected.value.details == {
        "region": "us-west-2",
        "known": ["ap-northeast-1", "us-east-1"],
    }
