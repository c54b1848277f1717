"""`streaming-etl cost`: the monthly bill of pipelines, before or after deployment."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

import click

from streaming_etl.components.settings.lake_table_names import lake_table_title
from streaming_etl.ops.cost.render import document, notes, parse_amount, tables
from streaming_etl.ops.cost.usage import Traffic
from streaming_etl.ops.stack_settings import default_settings, parse_overrides, stack_settings
from streaming_etl.stack.console import show_json, show_table
from streaming_etl.stack.errors import UsageError

if TYPE_CHECKING:
    from streaming_etl.components.settings.pipeline import StreamingEtlPipelineArgs

DEFAULT_NAME = "pipeline"
DEFAULT_REGION = "us-east-1"
DEFAULT_CHANGES, MAX_CHANGES = 10e6, 1e12
# An item has at most 400 KB; DynamoDB JSON adds a type to each value.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html
DEFAULT_IMAGE_BYTES, MAX_IMAGE_BYTES = 300.0, 1e6

EPILOG = """\b
Examples:
  streaming-etl cost --changes 100M --image-bytes 1.5k --region ap-northeast-1
  streaming-etl cost --set format=parquet --set delivery.buffer_seconds=300
  streaming-etl cost --stack dev --changes orders=10M --changes shipments=500k
  streaming-etl cost --stack dev --set forwarder.batching_window_seconds=60
  streaming-etl cost --stack dev --share shop.orders=0.6 --share shop.customers=0.1
  streaming-etl cost --stack dev --json | jq .usd
"""


@click.command(epilog=EPILOG, short_help="Estimate the monthly bill, service by service.")
@click.option(
    "--stack",
    metavar="NAME",
    help="Use the settings and region of this stack: of Pulumi.NAME.yaml in the current directory,"
    " or of the stack's outputs.",
)
@click.option(
    "--outputs",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Read the stack's outputs from this file, as `pulumi stack output --json` prints them.",
)
@click.option(
    "--changes",
    multiple=True,
    metavar="[PIPELINE=]N",
    help="Changes per month, such as 10M or orders=2.5k.  [default: 10M]",
)
@click.option(
    "--image-bytes",
    multiple=True,
    metavar="[PIPELINE=]N",
    help="Mean size of an item in DynamoDB JSON.  [default: 300]",
)
@click.option(
    "--items",
    multiple=True,
    metavar="[PIPELINE=]N",
    help="Items of the table, which the merged table has.  [default: those that the changes insert "
    "in a year]",
)
@click.option(
    "--share",
    "shares",
    multiple=True,
    metavar="LAKE_TABLE=N",
    help="Share of the changes, from 0 to 1, that a lake table with `where` gets, such as "
    "shop.orders=0.6.  [default: equal parts]",
)
@click.option(
    "--region", help=f"Region of the prices.  [default: the stack's, or {DEFAULT_REGION}]"
)
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="SETTING=VALUE",
    help="Override a setting, such as transform.memory_mib=1024; the value in YAML.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document with all values.")
def cost(
    stack: Optional[str],
    outputs: Optional[Path],
    changes: tuple[str, ...],
    image_bytes: tuple[str, ...],
    items: tuple[str, ...],
    shares: tuple[str, ...],
    region: Optional[str],
    overrides: tuple[str, ...],
    as_json: bool,
) -> None:
    """Estimate what pipelines cost per month, service by service.

    Without --stack the settings are the defaults and --set.
    """
    from streaming_etl.ops.cost.assumptions import Assumptions
    from streaming_etl.ops.cost.bill import bill_of
    from streaming_etl.ops.cost.prices import read_prices

    if outputs is not None and stack is None:
        raise UsageError("--outputs requires --stack.", code="outputs-without-stack")
    settings = parse_overrides(overrides)
    has_stack_dashboard = False
    if stack is None:
        pipelines = {DEFAULT_NAME: default_settings(settings)}
    else:
        read = stack_settings(stack, settings, outputs=outputs)
        pipelines, region = read.pipelines, region or read.region
        has_stack_dashboard = read.has_stack_dashboard
    prices, assumptions = read_prices(region or DEFAULT_REGION), Assumptions()
    traffic = traffic_of(list(pipelines), changes, image_bytes, items)
    for (name, key), share in shares_of(pipelines, shares).items():
        traffic[name] = replace(traffic[name], shares={**traffic[name].shares, key: share})
    bills = [
        bill_of(name, traffic[name], args, prices, assumptions) for name, args in pipelines.items()
    ]
    dashboard_usd = prices.of("cloudwatch_dashboards", int(has_stack_dashboard))
    if as_json:
        show_json(document(bills, prices, assumptions, dashboard_usd))
        return
    for table in tables(bills, dashboard_usd):
        show_table(*table)
        click.echo()
    for note in notes(bills, prices):
        click.echo(note)


def traffic_of(
    names: Sequence[str],
    changes: Sequence[str],
    image_bytes: Sequence[str],
    items: Sequence[str] = (),
) -> dict[str, Traffic]:
    """Parse `10M` for all pipelines and `orders=10M` for one; raises UsageError."""
    counts, sizes = dict.fromkeys(names, DEFAULT_CHANGES), dict.fromkeys(names, DEFAULT_IMAGE_BYTES)
    _read_amounts("--changes", changes, counts, 0, MAX_CHANGES)
    _read_amounts("--image-bytes", image_bytes, sizes, 1, MAX_IMAGE_BYTES)
    of_tables: dict[str, Optional[float]] = dict.fromkeys(names)
    _read_amounts("--items", items, of_tables, 0, MAX_CHANGES)
    return {
        name: Traffic(changes=counts[name], image_bytes=sizes[name], items=of_tables[name])
        for name in names
    }


def shares_of(
    pipelines: "Mapping[str, StreamingEtlPipelineArgs]", texts: Sequence[str]
) -> dict[tuple[str, str], float]:
    """Parse `shop.orders=0.6`; return shares by pipeline and lake table.

    Raises UsageError, also for a lake table without `where`, which gets all changes.
    """
    option = "--share"
    known = {
        lake_table_title(name, key): (name, key)
        for name, args in pipelines.items()
        for key in args.tables
    }
    shares = {}
    for text in texts:
        label, _, number = text.rpartition("=")
        if label not in known:
            raise UsageError(
                f"{option} must name one of the lake tables {', '.join(known)} (got {label}).",
                code="unknown-lake-table",
                option=option,
                lake_table=label,
                known=list(known),
            )
        name, key = known[label]
        if not pipelines[name].tables[key].where:
            raise UsageError(
                f"{option} must name a lake table with `where` (got {label}). Without it, a lake"
                " table gets all changes.",
                code="share-without-where",
                option=option,
                lake_table=label,
            )
        share = parse_amount(number)
        if share is None or share > 1:
            raise UsageError(
                f"{option} must be a number from 0 to 1, such as 0.6 (got {number}).",
                code="invalid-amount",
                option=option,
                value=number,
            )
        shares[name, key] = share
    return shares


def _read_amounts(
    option: str, texts: Sequence[str], amounts: dict[str, Any], low: float, high: float
) -> None:
    """Update the amounts of all pipelines, then those of named ones."""
    for text in sorted(texts, key=lambda text: "=" in text):
        name, equals, number = text.rpartition("=")
        if equals and name not in amounts:
            raise UsageError(
                f"{option} must name one of the pipelines {', '.join(amounts)} (got {name}).",
                code="unknown-pipeline",
                option=option,
                pipeline=name,
                known=list(amounts),
            )
        amount = parse_amount(number)
        if amount is None or not low <= amount <= high:
            raise UsageError(
                f"{option} must be a number from {low:,.0f} to {high:,.0f}, such as 10M or 2.5k"
                f" (got {number}).",
                code="invalid-amount",
                option=option,
                value=number,
            )
        amounts.update(dict.fromkeys([name] if equals else amounts, amount))
