"""Generator of the costs in docs/compare.md."""

from collections.abc import Callable
from typing import Any

from streaming_etl.ops.cost.assumptions import HOURS, Assumptions
from streaming_etl.ops.cost.bill import Bill, bill_of
from streaming_etl.ops.cost.prices import read_prices
from streaming_etl.ops.cost.usage import GB, Traffic
from streaming_etl.ops.stack_settings import default_settings
from tools.docs.settings_tables import table
from tools.project import ROOT

PAGE = ROOT / "docs" / "compare.md"
REGION = "us-east-1"
CHANGES = {"1M": 1e6, "100M": 100e6, "1B": 1e9}
ITEM_BYTES = 1_000.0
TABLE_GB = 10.0
DAYS = HOURS / 24

# List prices of us-east-1 that no pipeline of this project is billed; check them before use.
# https://aws.amazon.com/dynamodb/pricing/on-demand/
EXPORT_USD_PER_GB = 0.10
BACKUP_USD_PER_GB_MONTH = 0.20
CAPTURE_USD_PER_MILLION = 0.10
"""Change data capture for Kinesis, per write of up to 1 KB."""
# An incremental export is billed at least this much.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.HowItWorks.html
LEAST_EXPORT_GB = 0.010
# https://aws.amazon.com/eventbridge/pricing/
PIPES_USD_PER_MILLION = 0.40
# https://aws.amazon.com/firehose/pricing/
ICEBERG_USD_PER_GB = 0.075
# https://aws.amazon.com/kinesis/data-streams/pricing/
STREAM_USD_PER_HOUR, STREAM_USD_PER_GB = 0.04, 0.08

QUARTERS_OF_AN_HOUR = HOURS * 4


def costs() -> str:
    """USD per month of each way, by changes per month."""
    rows: list[tuple[str, Callable[[float], float]]] = [
        ("this project, defaults", lambda n: bill(n).usd),
        ("this project, `freshness: economy`", lambda n: bill(n, ECONOMY).usd),
        ("this project, Parquet and a merged table, merged daily", lambda n: bill(n, MERGED).usd),
        ("the same services with a record for each change", lambda n: bill(n, ONE_EACH).usd),
        ("full export each day", full_exports),
        ("incremental export every 15 minutes, as zero-ETL needs", incremental_exports),
        ("EventBridge Pipes into Firehose", pipes),
        ("Firehose's Iceberg destination, behind a forwarder", iceberg_destination),
        ("Kinesis data stream of the table, for streaming tables", kinesis),
    ]
    return _table("USD per month", rows)


def queries() -> str:
    """Athena's price for a query of the current state."""
    return _table(
        "USD per query",
        [
            ("the default: a view of all rows", lambda n: bill(n).query_scan_usd["objects"]),
            ("with a merged table", lambda n: bill(n, MERGED).query_scan_usd["merged"]),
        ],
    )


MERGED = {
    "format": "parquet",
    "merge": {
        "enabled": True,
        "interval_minutes": 1440,
        "alarm_after_hours": 48,
        "window_hours": 120,
    },
}
ECONOMY = {"freshness": "economy"}
ONE_EACH = {"forwarder": {"max_changes_per_record": 1}}
BACKUPS = TABLE_GB * BACKUP_USD_PER_GB_MONTH
IMAGES = 1 + Assumptions().shares["MODIFY"]
"""Images of a change on average: a MODIFY has two."""


def bill(changes: float, settings: dict[str, Any] | None = None) -> Bill:
    """The bill of a pipeline with these settings."""
    traffic = Traffic(changes=changes, image_bytes=ITEM_BYTES, items=TABLE_GB * GB / ITEM_BYTES)
    args = default_settings(settings or {})
    return bill_of("pipeline", traffic, args, read_prices(REGION), Assumptions())


def full_exports(_changes: float) -> float:
    return BACKUPS + DAYS * TABLE_GB * EXPORT_USD_PER_GB


def incremental_exports(changes: float) -> float:
    written = changes * IMAGES * ITEM_BYTES / GB
    least = QUARTERS_OF_AN_HOUR * LEAST_EXPORT_GB
    return BACKUPS + max(written, least) * EXPORT_USD_PER_GB


def pipes(changes: float) -> float:
    return changes / 1e6 * PIPES_USD_PER_MILLION + _part(bill(changes, ONE_EACH), "Firehose")


def iceberg_destination(changes: float) -> float:
    one_each = bill(changes, ONE_EACH)
    [rows] = [used.row_bytes for used in one_each.usage.lake_tables.values()]
    return rows / GB * ICEBERG_USD_PER_GB + sum(
        line.usd for line in one_each.lines if line.item.startswith("forwarder")
    )


def kinesis(changes: float) -> float:
    # Records are rounded up to 1 KB.
    gigabytes = changes * IMAGES * 1_024 / GB
    capture = changes / 1e6 * CAPTURE_USD_PER_MILLION
    return capture + HOURS * STREAM_USD_PER_HOUR + gigabytes * STREAM_USD_PER_GB


def _part(bill: Bill, service: str) -> float:
    return sum(line.usd for line in bill.lines if line.service == service)


def _table(head: str, rows: list[tuple[str, Callable[[float], float]]]) -> str:
    body = [[name, *(_usd(of(changes)) for changes in CHANGES.values())] for name, of in rows]
    return table([head, *(f"{name} changes" for name in CHANGES)], body)


def _usd(amount: float) -> str:
    return f"{amount:,.2f}" if amount < 100 else f"{amount:,.0f}"


BLOCKS = {"costs": costs, "queries": queries}
