"""The bill of a month: what runs through a pipeline, times its prices."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Optional

from streaming_etl.ops.cost.assumptions import Assumptions
from streaming_etl.ops.cost.plan import Plan, Traffic, by_hand
from streaming_etl.ops.cost.prices import Prices
from streaming_etl.ops.cost.usage import Flow, flow_of

GB, TB = 1024.0**3, 1024.0**4

# What AWS bills: the unit that is told, the price in prices.json, and how many units it is for.
BILLED: dict[tuple[str, str], tuple[str, Optional[str], float]] = {
    # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CostOptimization_StreamsUsage.html
    ("DynamoDB Streams", "reads by Lambda"): ("changes", None, 1),
    ("Lambda", "forwarder"): ("calls", "lambda_requests", 1e6),
    ("Lambda", "forwarder, time"): ("GB-s", "lambda_{architecture}", 1),
    ("Firehose", "ingestion"): ("GB", "firehose_ingestion", 1),
    ("Lambda", "transform"): ("calls", "lambda_requests", 1e6),
    ("Lambda", "transform, time"): ("GB-s", "lambda_{architecture}", 1),
    ("Firehose", "Parquet"): ("GB", "firehose_conversion", 1),
    ("Firehose", "partitioning"): ("GB", "firehose_partitioning", 1),
    ("Firehose", "partitioned objects"): ("objects", "firehose_partitioned_objects", 1e3),
    ("S3", "PUTs"): ("objects", "s3_puts", 1e3),
    ("S3", "the month's rows"): ("GB-month", "s3_storage", 1),
    ("KMS", "requests"): ("requests", "kms_requests", 1e3),
    ("EventBridge", "objects"): ("events", "eventbridge_object_events", 1e6),
    ("Glue", "crawler"): ("DPU-hours", "glue_crawler", 1),
    ("CloudWatch", "alarms"): ("metrics", "cloudwatch_alarms", 1),
    ("CloudWatch", "dashboard"): ("dashboards", "cloudwatch_dashboards", 1),
    ("CloudWatch", "logs"): ("GB", "cloudwatch_logs", 1),
}


@dataclass(frozen=True, kw_only=True)
class Line:
    """One thing that AWS bills, in a month."""

    service: str
    item: str
    quantity: float
    unit: str
    usd: float


@dataclass(frozen=True, kw_only=True)
class Bill:
    """A month of one pipeline. Money is a float: the quantities are estimates, not amounts due."""

    flow: Flow
    lines: Sequence[Line]

    @property
    def usd(self) -> float:
        return sum(line.usd for line in self.lines)


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """A pipeline's bill beside that of the same pipeline made by hand."""

    name: str
    traffic: Traffic
    plan: Plan
    ours: Bill
    by_hand: Bill
    athena_usd: float
    """What one query over all rows of the month costs; nobody's bill until somebody asks it."""


def compare(
    name: str, traffic: Traffic, plan: Plan, prices: Prices, assumptions: Assumptions
) -> Comparison:
    """Both bills of a pipeline."""
    ours = bill_of(traffic, plan, prices, assumptions)
    return Comparison(
        name=name,
        traffic=traffic,
        plan=plan,
        ours=ours,
        by_hand=bill_of(traffic, by_hand(plan), prices, assumptions),
        athena_usd=prices.of("athena_scan", ours.flow.stored_bytes / TB),
    )


def bill_of(traffic: Traffic, plan: Plan, prices: Prices, assumptions: Assumptions) -> Bill:
    """The bill of a plan; every line is there, also with nothing to pay."""
    flow = flow_of(traffic, plan, assumptions)
    lines = []
    for (service, item), quantity in _quantities(flow, plan, assumptions).items():
        unit, price, per = BILLED[service, item]
        name = price and price.format(architecture=plan.architecture)
        usd = prices.of(name, quantity / per) if name else 0.0
        lines.append(Line(service=service, item=item, quantity=quantity, unit=unit, usd=usd))
    return Bill(flow=flow, lines=tuple(lines))


def _quantities(flow: Flow, plan: Plan, assumptions: Assumptions) -> dict[tuple[str, str], float]:
    """What is billed, in the units of BILLED and in the order of the flow."""
    billed, rows = flow.billed_bytes / GB, flow.row_bytes / GB
    crawled = plan.crawler_runs * assumptions.crawler_dpus * assumptions.crawler_minutes / 60
    key_requests = flow.objects * assumptions.key_requests_per_object
    return {
        ("DynamoDB Streams", "reads by Lambda"): flow.changes,
        ("Lambda", "forwarder"): flow.forwarder_calls,
        ("Lambda", "forwarder, time"): flow.forwarder_gb_s,
        ("Firehose", "ingestion"): billed,
        ("Lambda", "transform"): flow.transform_calls,
        ("Lambda", "transform, time"): flow.transform_gb_s,
        ("Firehose", "Parquet"): billed if plan.format == "parquet" else 0.0,
        ("Firehose", "partitioning"): rows if plan.dynamic else 0.0,
        ("Firehose", "partitioned objects"): flow.objects if plan.dynamic else 0.0,
        ("S3", "PUTs"): flow.objects,
        ("S3", "the month's rows"): flow.stored_bytes / GB,
        ("KMS", "requests"): key_requests if plan.customer_key else 0.0,
        ("EventBridge", "objects"): flow.objects if plan.object_events else 0.0,
        ("Glue", "crawler"): crawled,
        ("CloudWatch", "alarms"): plan.alarm_metrics,
        ("CloudWatch", "dashboard"): plan.dashboards,
        ("CloudWatch", "logs"): flow.log_bytes / GB,
    }
