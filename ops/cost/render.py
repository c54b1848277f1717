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
    "backfills and merges by command",
    "scanned bytes and GETs of Athena queries",
    "cold starts",
    "storage in later months",
    "free tiers, discounts and taxes",
)
DAYS = HOURS / 24
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


def tables(bills: Sequence[Bill], stack_dashboard_usd: float = 0.0) -> Iterator[Table]:
    """Yield tables of each pipeline and its lake tables, and of totals."""
    for bill in bills:
        rows: list[Sequence[Any]] = [
            [_item(line), _quantity(line), cents(line.usd)] for line in bill.lines if line.quantity
        ]
        yield Table(
            f"{bill.name}: {format_amount(bill.traffic.changes)} changes per month, items of"
            f" {format_amount(bill.traffic.image_bytes)} bytes",
            ["Item", "Quantity", "USD"],
            [*rows, ["Total", None, cents(bill.usd)]],
        )
        if bill.has_several:
            yield _of_lake_tables(bill)
    if len(bills) > 1:
        totals: list[Sequence[Any]] = [[bill.name, cents(bill.usd)] for bill in bills]
        if stack_dashboard_usd:
            totals.append(["Dashboard of the stack", cents(stack_dashboard_usd)])
        total = cents(sum(bill.usd for bill in bills) + stack_dashboard_usd)
        yield Table("All pipelines", ["Pipeline", "USD"], [*totals, ["Total", total]])


def _item(line: Line) -> str:
    lake_table = f" ({line.lake_table})" if line.lake_table else ""
    return f"{line.service}, {line.item}{lake_table}"


def _of_lake_tables(bill: Bill) -> Table:
    rows: list[Sequence[Any]] = [
        [f"{bill.name}.{key}", format_amount(bill.usage.lake_tables[key].changes), cents(part.usd)]
        for key, part in bill.lake_tables.items()
    ]
    shared = bill.usd - sum(part.usd for part in bill.lake_tables.values())
    rows.append(["Shared", format_amount(bill.usage.changes), cents(shared)])
    return Table(f"{bill.name} by lake table", ["Lake table", "Changes", "USD"], rows)


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
        *(note for bill in bills for note in _usage_notes(bill)),
        "The traffic is assumed to be even. Lambda's time is scaled from docs/performance.md, not"
        " measured on AWS. docs/cost.md lists all assumptions.",
        f"Not included: {', '.join(NOT_INCLUDED)}.",
    ]
    for paragraph in paragraphs:
        yield textwrap.fill(paragraph, WIDTH)


def _usage_notes(bill: Bill) -> Iterator[str]:
    usage = bill.usage
    if not usage.changes:
        yield f"{bill.name}: no change is sent; the bill is for resources that exist."
        return
    calls = f"{bill.name}: {format_amount(usage.batch_changes)} changes per forwarder call."
    if not bill.has_several:
        [key] = usage.lake_tables
        yield f"{calls} {_lake_table_note(bill, key)}"
        return
    yield calls
    for key, used in usage.lake_tables.items():
        share = f"{bill.name}.{key}: {format_amount(used.share * 100)}% of the changes."
        yield f"{share} {_lake_table_note(bill, key)}" if used.changes else share


def _lake_table_note(bill: Bill, key: str) -> str:
    used, part = bill.usage.lake_tables[key], bill.lake_tables[key]
    listings = (
        f" LIST requests of a query of the current state: {format_amount(part.query_listings)}."
        if part.query_listings
        else ""
    )
    scans = part.query_scan_usd
    if bill.usage.lake_tables[key].merge is not None and scans:
        merged, entire = (format_amount(scans[source]) for source in ("merged", "objects"))
        listings += (
            f" Athena bills {merged} USD for a query of the current state with the merged table,"
            f" and {entire} USD over the entire change log."
        )
    return (
        f"Freshness {part.freshness}: a change waits at most {part.wait_seconds} s in batching"
        f" window and buffers. A day has {format_amount(used.records / DAYS)} Firehose records and"
        f" {format_amount(used.objects / DAYS)} objects of"
        f" {format_amount(used.stored_bytes / used.objects if used.objects else 0)} bytes."
        f" Firehose bills {format_amount(used.billed_bytes / used.changes)} bytes for a change of"
        f" {format_amount(bill.usage.change_bytes)} bytes. An Athena query over all"
        f" {format_amount(used.stored_bytes / GB)} GB of the month costs"
        f" {format_amount(part.full_scan_usd)} USD.{listings}"
    )


def document(
    bills: Sequence[Bill],
    prices: Prices,
    assumptions: Assumptions,
    stack_dashboard_usd: float = 0.0,
) -> dict[str, Any]:
    """Return the JSON document with every quantity, price and assumption."""
    return {
        "region": prices.region,
        "prices_as_of": prices.as_of,
        "currency": "USD",
        "month_hours": HOURS,
        "usd": sum(bill.usd for bill in bills) + stack_dashboard_usd,
        "stack_dashboard_usd": stack_dashboard_usd,
        "pipelines": {bill.name: _document_of(bill) for bill in bills},
        "not_included": list(NOT_INCLUDED),
        "assumptions": dataclasses.asdict(assumptions),
        "prices": {name: dataclasses.asdict(price) for name, price in prices.by_name.items()},
    }


def _document_of(bill: Bill) -> dict[str, Any]:
    usage = dataclasses.asdict(bill.usage)
    tables = usage.pop("lake_tables")
    lake_tables = {
        key: {**dataclasses.asdict(part), "usage": tables[key]}
        for key, part in bill.lake_tables.items()
    }
    return {
        "name": bill.name,
        "usd": bill.usd,
        "traffic": {
            "changes": bill.traffic.changes,
            "image_bytes": bill.traffic.image_bytes,
            "items": bill.traffic.items,
        },
        "usage": usage,
        "lines": [dataclasses.asdict(line) for line in bill.lines],
        "query_listings": bill.query_listings,
        "full_scan_usd": bill.full_scan_usd,
        "query_scan_usd": bill.query_scan_usd,
        **({"lake_tables": lake_tables} if bill.has_several else {}),
    }
