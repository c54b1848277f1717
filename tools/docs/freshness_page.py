"""Generator of the table of delays, objects and costs in docs/freshness.md."""

from dataclasses import replace

from streaming_etl import PartitionArgs, StreamingEtlPipelineArgs
from streaming_etl.components.settings.freshness import PRESETS
from streaming_etl.ops.cost.assumptions import HOURS, Assumptions
from streaming_etl.ops.cost.bill import bill_of
from streaming_etl.ops.cost.prices import read_prices
from streaming_etl.ops.cost.render import cents, format_amount
from streaming_etl.ops.cost.usage import Traffic
from tools.docs.settings_tables import table
from tools.project import ROOT

PAGE = ROOT / "docs" / "freshness.md"
CHANGES = (1e6, 10e6, 100e6)
IMAGE_BYTES = 300.0
ORDERS = StreamingEtlPipelineArgs(
    table_name="orders", transform_module="transforms/orders.py", partitions=PartitionArgs()
)


def comparison() -> str:
    """A row for each freshness and traffic."""
    prices, assumptions, days = read_prices("us-east-1"), Assumptions(), HOURS / 24
    rows = []
    for format_ in ("json", "parquet"):
        for changes in CHANGES:
            traffic = Traffic(changes=changes, image_bytes=IMAGE_BYTES)
            for freshness in PRESETS:
                args = replace(ORDERS, freshness=freshness, format=format_)
                bill = bill_of("orders", traffic, args, prices, assumptions)
                [part] = bill.lake_tables.values()
                usage = bill.usage
                lines = {(line.service, line.item): line.usd for line in bill.lines}
                rows.append(
                    [
                        format_,
                        format_amount(changes),
                        f"`{freshness}`",
                        f"{part.wait_seconds} s",
                        format_amount(usage.records / days),
                        format_amount(usage.objects / days),
                        format_amount(usage.stored_bytes / usage.objects),
                        str(cents(lines["S3", "PUTs"])),
                        str(cents(lines["S3", "listings of queries"])),
                        str(cents(bill.usd)),
                    ]
                )
    head = ["format", "changes a month", "freshness", "longest wait", "Firehose records a day"]
    head += ["objects a day", "bytes of an object", "PUTs, USD", "listings, USD", "total, USD"]
    return table(head, rows)


BLOCKS = {"comparison": comparison}
