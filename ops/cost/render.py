"""The bills as a person reads them, and as a script does."""

import dataclasses
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from streaming_etl.ops.cost.assumptions import HOURS, Assumptions
from streaming_etl.ops.cost.bill import GB, Bill, Comparison, Line
from streaming_etl.ops.cost.number_format import told
from streaming_etl.ops.cost.prices import Prices

WIDTH = 100
LEFT_OUT = (
    "the DynamoDB table and its writes",
    "changes that fail, and replaying them",
    "backfills",
    "Athena's queries",
    "cold starts",
    "what rows cost in later months",
    "free tiers, discounts and taxes",
)
BY_HAND = (
    "By hand: one change a Firehose record, whole with both images; Lambda's own batches of the"
    " stream; a simple transform; a crawler every five minutes; no alarms and no dashboard. Format,"
    " folders, buffers, memory and processor are this pipeline's."
)


class Table(NamedTuple):
    """A table for `streaming_etl.stack.console.show_table`."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[Any]]


def tables(found: Sequence[Comparison]) -> Iterator[Table]:
    """A table per pipeline, and one of all of them where they are several."""
    yield from map(_bill_table, found)
    if len(found) > 1:
        rows = [_total_row(one.name, [one]) for one in found]
        yield Table(
            "All pipelines, USD a month",
            ["Pipeline", "This pipeline", "By hand", "Times"],
            [*rows, _total_row("Total", found)],
        )


def _bill_table(one: Comparison) -> Table:
    traffic = one.traffic
    rows: list[Sequence[Any]] = [
        [
            f"{ours.service}, {ours.item}",
            _quantity(ours),
            cents(ours.usd),
            _quantity(by_hand),
            cents(by_hand.usd),
        ]
        for ours, by_hand in zip(one.ours.lines, one.by_hand.lines, strict=True)
        if ours.quantity or by_hand.quantity
    ]
    total = ["Total", None, cents(one.ours.usd), _times([one]), cents(one.by_hand.usd)]
    return Table(
        f"{one.name}: {told(traffic.changes)} changes a month, items of"
        f" {told(traffic.image_bytes)} bytes",
        ["Billed", "This pipeline", "USD", "By hand", "USD"],
        [*rows, total],
    )


def _quantity(line: Line) -> str:
    one = line.quantity == 1 and not line.unit.endswith("-s")
    return f"{told(line.quantity)} {line.unit.removesuffix('s') if one else line.unit}"


def _total_row(name: str, found: Sequence[Comparison]) -> Sequence[Any]:
    ours, by_hand = _sums(found)
    return [name, cents(ours), cents(by_hand), _times(found)]


def _sums(found: Iterable[Comparison]) -> tuple[float, float]:
    pairs = [(one.ours.usd, one.by_hand.usd) for one in found]
    return sum(ours for ours, _ in pairs), sum(by_hand for _, by_hand in pairs)


def _times(found: Iterable[Comparison]) -> str:
    ours, by_hand = _sums(found)
    return f"{told(by_hand / ours)} times" if ours else "no cost to compare"


def cents(usd: float) -> Decimal:
    """Money as it is shown: to the cent."""
    return Decimal(usd).quantize(Decimal("0.01"))


def remarks(found: Sequence[Comparison], prices: Prices) -> Iterator[str]:
    """What to know of the figures, each a paragraph of lines that fit the screen."""
    unseen = sum(price.seen == "check" for price in prices.by_name.values())
    paragraphs = [
        f"USD a month of {HOURS} hours, {prices.region}, list prices as of {prices.as_of}: check"
        f" them, above all the {unseen} of {len(prices.by_name)} that ops/cost/prices.json marks.",
        *map(_flow_remark, found),
        BY_HAND,
        "Traffic is taken to be even over the month. Lambda's time is scaled from"
        " docs/performance.md, not measured on AWS. All that is assumed: docs/cost.md, --json.",
        f"Not in it: {', '.join(LEFT_OUT)}.",
    ]
    for paragraph in paragraphs:
        yield textwrap.fill(paragraph, WIDTH)


def _flow_remark(one: Comparison) -> str:
    flow = one.ours.flow
    if not flow.changes:
        return f"{one.name}: no change is forwarded; what remains is paid for standing there."
    return (
        f"{one.name}: {told(flow.batch_changes)} changes a call of the forwarder,"
        f" {told(flow.billed_bytes / flow.changes)} bytes of Firehose billed for a change of"
        f" {told(flow.line_bytes)}; {told(flow.stored_bytes / GB)} GB of rows a month, which one"
        f" query over all of them reads for {told(one.athena_usd)} USD."
    )


def document(
    found: Sequence[Comparison], prices: Prices, assumptions: Assumptions
) -> dict[str, Any]:
    """All of it for a script, with every quantity, price and assumption."""
    ours, by_hand = _sums(found)
    return {
        "region": prices.region,
        "prices_as_of": prices.as_of,
        "currency": "USD",
        "month_hours": HOURS,
        "usd": ours,
        "by_hand_usd": by_hand,
        "pipelines": {
            one.name: {
                "traffic": dataclasses.asdict(one.traffic),
                "plan": dataclasses.asdict(one.plan),
                "ours": _bill_document(one.ours),
                "by_hand": _bill_document(one.by_hand),
                "athena_scan_of_the_months_rows_usd": one.athena_usd,
            }
            for one in found
        },
        "by_hand_means": BY_HAND,
        "left_out": list(LEFT_OUT),
        "assumptions": dataclasses.asdict(assumptions),
        "prices": {name: dataclasses.asdict(price) for name, price in prices.by_name.items()},
    }


def _bill_document(bill: Bill) -> dict[str, Any]:
    return {
        "usd": bill.usd,
        "lines": [dataclasses.asdict(line) for line in bill.lines],
        "flow": dataclasses.asdict(bill.flow),
    }
