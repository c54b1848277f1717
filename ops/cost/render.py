"""Bills as text and as JSON; amounts with a unit suffix."""

import dataclasses
import re
import textwrap
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any, NamedTuple, Optional

from streaming_etl.ops.cost.assumptions import HOURS, Assumptions
from streaming_etl.ops.cost.bill import Bill, Line
from streaming_etl.ops.cost.prices import Prices
from streaming_etl.ops.cost.usage import GB

WIDTH = 100
NOT_INCLUDED = (
    "the DynamoDB table and its writes",
    "failed changes and replays",
    "backfills",
    "scanned bytes and GETs of Athena queries",
    "cold starts",
    "storage in later months",
    "free tiers, discounts and taxes",
)
UNITS = {"": 1.0, "k": 1e3, "M": 1e6, "B": 1e9}
AMOUNT = re.compile(r"(\d[\d_,]*(?:\.\d+)?|\.\d+)([kMB]?)")


def parse_amount(text: str) -> Optional[float]:
    """Parse `2.5k`, `10M` or `1_000_000`; None for other text."""
    match = AMOUNT.fullmatch(text.strip())
    return match and float(re.sub("[_,]", "", match[1])) * UNITS[match[2]]


def format_amount(number: float) -> str:
    """Format with three significant digits, such as 0, 0.42, 43.8k, 2.63B."""
    for unit, size in reversed(UNITS.items()):
        # The rounded number selects the unit: 1M, not 1000k.
        if float(f"{number:.3g}") >= size:
            return f"{_three_digits(number / size)}{unit}"
    return _three_digits(number)


def _three_digits(number: float) -> str:
    text = f"{float(f'{number:.3g}'):.12f}".rstrip("0").rstrip(".")
    return text or "0"


def cents(usd: float) -> Decimal:
    """Round to cents."""
    return Decimal(usd).quantize(Decimal("0.01"))


class Table(NamedTuple):
    """Arguments of `streaming_etl.stack.console.show_table`."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[Any]]


def tables(bills: Sequence[Bill]) -> Iterator[Table]:
    """Yield a table for each pipeline, and one with totals."""
    for bill in bills:
        rows: list[Sequence[Any]] = [
            [f"{line.service}, {line.item}", _quantity(line), cents(line.usd)]
            for line in bill.lines
            if line.quantity
        ]
        yield Table(
            f"{bill.name}: {format_amount(bill.traffic.changes)} changes per month, items of"
            f" {format_amount(bill.traffic.image_bytes)} bytes",
            ["Item", "Quantity", "USD"],
            [*rows, ["Total", None, cents(bill.usd)]],
        )
    if len(bills) > 1:
        totals: list[Sequence[Any]] = [[bill.name, cents(bill.usd)] for bill in bills]
        total = cents(sum(bill.usd for bill in bills))
        yield Table("All pipelines", ["Pipeline", "USD"], [*totals, ["Total", total]])


def _quantity(line: Line) -> str:
    singular = line.quantity == 1 and not line.unit.endswith("-s")
    unit = line.unit.removesuffix("s") if singular else line.unit
    return f"{format_amount(line.quantity)} {unit}"


def notes(bills: Sequence[Bill], prices: Prices) -> Iterator[str]:
    """Yield the paragraphs below the tables, wrapped."""
    unconfirmed = sum(price.confirmation == "check" for price in prices.by_name.values())
    paragraphs = [
        f"USD per month of {HOURS} hours in {prices.region}, list prices as of {prices.as_of}."
        f" {unconfirmed} of {len(prices.by_name)} prices are marked `check` in"
        " ops/cost/prices.json: compare them with AWS's pages.",
        *map(_usage_note, bills),
        "The traffic is assumed to be even. Lambda's time is scaled from docs/performance.md, not"
        " measured on AWS. docs/cost.md lists all assumptions.",
        f"Not included: {', '.join(NOT_INCLUDED)}.",
    ]
    for paragraph in paragraphs:
        yield textwrap.fill(paragraph, WIDTH)


def _usage_note(bill: Bill) -> str:
    usage = bill.usage
    if not usage.changes:
        return f"{bill.name}: no change is sent; the bill is for resources that exist."
    listings = (
        f" LIST requests of a query of the current state: {format_amount(bill.query_listings)}."
        if bill.query_listings
        else ""
    )
    return (
        f"{bill.name}: {format_amount(usage.batch_changes)} changes per forwarder call."
        f" Firehose bills {format_amount(usage.billed_bytes / usage.changes)} bytes for a change of"
        f" {format_amount(usage.change_bytes)} bytes. An Athena query over all"
        f" {format_amount(usage.stored_bytes / GB)} GB of the month costs"
        f" {format_amount(bill.full_scan_usd)} USD.{listings}"
    )


def document(bills: Sequence[Bill], prices: Prices, assumptions: Assumptions) -> dict[str, Any]:
    """Return the JSON document with every quantity, price and assumption."""
    return {
        "region": prices.region,
        "prices_as_of": prices.as_of,
        "currency": "USD",
        "month_hours": HOURS,
        "usd": sum(bill.usd for bill in bills),
        "pipelines": {bill.name: {"usd": bill.usd, **dataclasses.asdict(bill)} for bill in bills},
        "not_included": list(NOT_INCLUDED),
        "assumptions": dataclasses.asdict(assumptions),
        "prices": {name: dataclasses.asdict(price) for name, price in prices.by_name.items()},
    }
