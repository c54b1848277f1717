"""`streaming-etl cost`: the month's bill of a pipeline, or of a stack's, before it is deployed."""

from typing import Any, Optional

import click

from streaming_etl.ops.cost.cli_inputs import one_pipeline, overrides, stack_settings, traffic_of
from streaming_etl.stack.outputs import ROOT

DEFAULT_REGION = "us-east-1"
SETTINGS = {
    "output_format": "format",
    "catalog": "catalog",
    "crawler_schedule": "crawler_schedule",
    "architecture": "architecture",
    "batch_size": "forwarder.batch_size",
    "batching_window_seconds": "forwarder.batching_window_seconds",
    "max_changes_per_record": "forwarder.max_changes_per_record",
    "max_record_kib": "forwarder.max_record_kib",
    "old_image": "forwarder.old_image",
    "buffer_mib": "delivery.buffer_mib",
    "buffer_seconds": "delivery.buffer_seconds",
    "dynamic_partition_keys": "partitions.dynamic_partition_keys",
}
"""The command's options that are settings, as README.md names them."""

EPILOG = """\b
Examples:
  streaming-etl cost --changes 100M --image-bytes 1.5k --region ap-northeast-1
  streaming-etl cost --format parquet --row-keys 3 --buffer-seconds 300
  streaming-etl cost --from-stack dev --changes orders=10M --changes shipments=500k
  streaming-etl cost --from-stack dev --set forwarder.batching_window_seconds=60
  streaming-etl cost --from-stack dev --json | jq .usd
"""


@click.command(epilog=EPILOG, short_help="Tell the month's bill, service by service.")
@click.option(
    "--from-stack",
    "stack",
    metavar="NAME",
    help="Take settings and region from Pulumi.NAME.yaml, all tables at once. Asks neither Pulumi"
    " nor AWS.",
)
@click.option(
    "--changes",
    multiple=True,
    metavar="[TABLE=]N",
    help="Changes a month, such as 10M or orders=2.5k.  [default: 10M]",
)
@click.option(
    "--image-bytes",
    multiple=True,
    metavar="[TABLE=]N",
    help="Mean size of an item in DynamoDB JSON.  [default: 300]",
)
@click.option(
    "--region", help=f"Whose prices.  [default: the stack's, without one {DEFAULT_REGION}]"
)
@click.option("--format", "output_format", metavar="json|csv|parquet", help="Objects in the lake.")
@click.option("--catalog", metavar="projection|crawler", help="How Athena learns of partitions.")
@click.option("--crawler-schedule", metavar="CRON", help="When the crawler runs, six fields, UTC.")
@click.option("--architecture", metavar="arm64|x86_64", help="Processor of both functions.")
@click.option("--batch-size", type=int, help="Changes a call of the forwarder, at most.")
@click.option("--batching-window-seconds", type=int, help="How long a batch gathers.")
@click.option("--changes-per-record", type=int, help="Changes packed into a Firehose record.")
@click.option("--record-kib", type=int, help="Size of a packed record, at most.")
@click.option("--old-image", metavar="always|removed|never", help="Changes with the item before.")
@click.option("--buffer-mib", type=int, help="Firehose's buffer before an object ...")
@click.option("--buffer-seconds", type=int, help="... and its longest wait.")
@click.option(
    "--row-keys",
    type=click.IntRange(1, 10_000),
    metavar="N",
    help="Row keys with N values in all: dynamic partitioning into N folders at a time.",
)
@click.option(
    "--set",
    "free",
    multiple=True,
    metavar="SETTING=VALUE",
    help="Any other setting, such as transform.memory_mib=1024; the value in YAML.",
)
@click.option(
    "--assume",
    multiple=True,
    metavar="NAME=N",
    help="Another assumption; docs/cost.md and --json list them all.",
)
@click.option("--json", "as_json", is_flag=True, help="Everything as one JSON document.")
def cost(
    stack: Optional[str],
    changes: tuple[str, ...],
    image_bytes: tuple[str, ...],
    region: Optional[str],
    free: tuple[str, ...],
    assume: tuple[str, ...],
    as_json: bool,
    **options: Any,
) -> None:
    """Tell what a pipeline costs a month, service by service, beside one made by hand.

    By hand means one change a Firehose record and a crawler every five minutes. The settings are
    the defaults, or a stack's; any of them may be given otherwise, to see what it would change.
    """
    # Not above: `--help` need not wait for the tables and the prices.
    from streaming_etl.ops.cost import assumptions as assumed
    from streaming_etl.ops.cost.bill import compare
    from streaming_etl.ops.cost.plan import plan_of
    from streaming_etl.ops.cost.prices import read_prices
    from streaming_etl.ops.cost.render import document, remarks, tables
    from streaming_etl.stack.console import show_json, show_table

    assumptions = assumed.assume(assume)
    if options["dynamic_partition_keys"] is not None:
        options["dynamic_partition_keys"] = {
            "key": [str(number) for number in range(options["dynamic_partition_keys"])]
        }
    named = {path: options[option] for option, path in SETTINGS.items()}
    changed = overrides(named, free)
    if stack is None:
        settings = one_pipeline(changed)
    else:
        config, settings = stack_settings(ROOT, stack, changed)
        region = region or config.region
    prices = read_prices(region or DEFAULT_REGION)
    traffic = traffic_of(list(settings), changes, image_bytes)
    found = [
        compare(name, traffic[name], plan_of(args, assumptions), prices, assumptions)
        for name, args in settings.items()
    ]
    if as_json:
        show_json(document(found, prices, assumptions))
        return
    for table in tables(found):
        show_table(*table)
        click.echo()
    for remark in remarks(found, prices):
        click.echo(remark)
