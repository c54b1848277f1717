"""The one file of prices, and what a tier makes of a quantity."""

import json
import re
from datetime import date
from pathlib import Path

import pytest

from streaming_etl.ops.cost.prices import FILE, Price, Tier, read_prices
from streaming_etl.stack.errors import CommandError

FOUND = json.loads(FILE.read_text())
REGIONS = ["ap-northeast-1", "us-east-1", "us-west-2"]


def test_every_price_is_there_for_every_region_with_its_source() -> None:
    assert date.fromisoformat(FOUND["as_of"])
    for name, entry in FOUND["prices"].items():
        assert re.fullmatch(r"https://aws\.amazon\.com/[a-z0-9-]+/pricing/", entry["source"]), name
        assert sorted(entry["regions"]) == REGIONS, name
        assert {given["seen"] for given in entry["regions"].values()} <= {"price list", "check"}


def test_every_tier_ends_above_the_one_before_and_only_the_last_has_no_end() -> None:
    for region in REGIONS:
        for name, price in read_prices(region).by_name.items():
            ends = [tier.up_to for tier in price.tiers]
            assert ends[-1] is None, name
            assert [end for end in ends if end is None] == [None], name
            assert ends[:-1] == sorted({end for end in ends if end}), name
            assert all(tier.usd > 0 for tier in price.tiers), name


@pytest.mark.parametrize(
    ("quantity", "usd"), [(0, 0), (5, 50), (10, 100), (15, 140), (20, 180), (120, 280)]
)
def test_each_tier_prices_only_what_lies_within_it(quantity: float, usd: float) -> None:
    tiers = (Tier(usd=10, up_to=10), Tier(usd=8, up_to=20), Tier(usd=1))
    assert Price(unit="GB", tiers=tiers, source="", seen="check").of(quantity) == usd


def test_the_prices_of_tokyo_are_those_of_the_file() -> None:
    prices = read_prices("ap-northeast-1")

    assert prices.as_of == FOUND["as_of"]
    assert prices.by_name["firehose_ingestion"] == Price(
        unit="GB",
        tiers=(Tier(usd=0.036, up_to=512_000), Tier(usd=0.031, up_to=2_048_000), Tier(usd=0.025)),
        source="https://aws.amazon.com/firehose/pricing/",
        seen="check",
    )
    assert prices.of("firehose_ingestion", 1_000) == 36


def test_a_region_without_prices_is_refused_with_those_that_have_them() -> None:
    with pytest.raises(CommandError) as refused:
        read_prices("mars-north-1")
    assert str(refused.value) == (
        "region='mars-north-1' has no prices here: prices.json knows ap-northeast-1, us-east-1,"
        " us-west-2; pass one of them as --region for a rough figure, or add mars-north-1 to every"
        " price in ops/cost/prices.json, from the source named beside each."
    )


def test_a_region_that_lacks_one_price_is_not_known(tmp_path: Path) -> None:
    lacking = json.loads(FILE.read_text())
    del lacking["prices"]["s3_puts"]["regions"]["us-west-2"]
    file = tmp_path / "prices.json"
    file.write_text(json.dumps(lacking))

    with pytest.raises(CommandError, match="knows ap-northeast-1, us-east-1;"):
        read_prices("us-west-2", file)
