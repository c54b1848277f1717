"""Generator of the quota table in docs/many-tables.md."""

from functools import cache
from typing import NamedTuple

from streaming_etl import (
    BackfillArgs,
    MonitoringArgs,
    PartitionArgs,
    StreamingEtlPipeline,
)
from streaming_etl import StreamingEtlPipelineArgs as Args
from streaming_etl.stack.recorder import Graph, build
from tools.docs.settings_tables import table
from tools.project import ROOT

PAGE = ROOT / "docs" / "many-tables.md"
MANY = 100


class Quota(NamedTuple):
    """A quota of AWS that resources of these types count towards."""

    what: str
    types: tuple[str, ...]
    default: int | None
    """By region and account; None where it differs by region or account."""
    source: str
    remedy: str


QUOTAS = (
    Quota(
        "EventBridge rules on the default bus",
        ("EventRule",),
        300,
        "[EventBridge](https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html),"
        " 100 in Cape Town and Milan",
        "`catalog: projection` saves one; else raise the quota",
    ),
    Quota(
        "IAM roles (entire account)",
        ("Role",),
        1000,
        "[IAM](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html)",
        "`catalog: projection` and no backfill save one each",
    ),
    Quota(
        "CloudWatch alarms",
        ("MetricAlarm",),
        5000,
        "[CloudWatch](https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html)",
        "`monitoring.alarms`; billed each: see [cost](cost.md)",
    ),
    Quota(
        "Firehose streams",
        ("FirehoseDeliveryStream",),
        None,
        "[Firehose](https://docs.aws.amazon.com/firehose/latest/dev/limits.html), by region",
        "request an increase before the first large stack",
    ),
    Quota(
        "S3 buckets (entire account)",
        ("Bucket",),
        10_000,
        "[S3](https://docs.aws.amazon.com/AmazonS3/latest/userguide/BucketRestrictions.html)",
        "`lake.bucket_name` shares one",
    ),
    Quota(
        "Athena workgroups",
        ("Workgroup",),
        1000,
        "[Athena](https://docs.aws.amazon.com/athena/latest/ug/service-limits.html)",
        "",
    ),
    Quota(
        "Glue databases",
        ("CatalogDatabase",),
        10_000,
        "[Glue](https://docs.aws.amazon.com/general/latest/gr/glue.html)",
        "`database_name` shares one",
    ),
    Quota(
        "Glue crawlers",
        ("Crawler",),
        None,
        "[Glue](https://docs.aws.amazon.com/general/latest/gr/glue.html)",
        "`catalog: projection` needs none; spread `crawler_schedule` over the hour",
    ),
    Quota(
        "DynamoDB tables",
        ("dynamodb/table:Table",),
        2500,
        "[DynamoDB](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html)",
        "none with `source: {use_existing: true}`",
    ),
    Quota(
        "SNS topics",
        ("Topic",),
        100_000,
        "[SNS](https://docs.aws.amazon.com/general/latest/gr/sns.html)",
        "`monitoring.alarm_topic_arn` shares that of the alarms",
    ),
)


@cache
def least_and_most() -> tuple[Graph, Graph]:
    """Graphs of the smallest pipeline and of one with every part."""
    table, module = "orders", str(ROOT / "transforms" / "orders.py")
    little = Args(
        table_name=table,
        transform_module=module,
        partitions=PartitionArgs(),
        monitoring=MonitoringArgs(alarms="none", dashboard=False),
    )
    all_ = Args(
        table_name=table,
        transform_module=module,
        partitions=PartitionArgs(dynamic_partition_keys={"kind": ["a"]}),
        format="parquet",
        catalog="crawler",
        backfill=BackfillArgs(enabled=True),
        monitoring=MonitoringArgs(alarms="all"),
    )
    return graph_of(little), graph_of(all_)


def graph_of(args: Args) -> Graph:
    return build(lambda: StreamingEtlPipeline("orders", args))


def counted(graph: Graph, quota: Quota) -> int:
    return sum(node.type.endswith(quota.types) for node in graph.custom)


def quotas() -> str:
    rows = []
    for quota in QUOTAS:
        least, most = (counted(graph, quota) for graph in least_and_most())
        each = str(most) if least == most else f"{least} to {most}"
        default = "differs" if quota.default is None else f"{quota.default:,}"
        enough = "" if quota.default is None else f"{quota.default // most:,}"
        rows.append([quota.what, each, default, enough, quota.remedy, quota.source])
    head = ["what", "a pipeline", "default", "is enough for", "less of it", "source"]
    return table(head, rows)


def resources() -> str:
    least, most = (len(graph.nodes) for graph in least_and_most())
    return (
        f"A pipeline makes {least} to {most} resources, its two components included, so a stack of"
        f" {MANY} has up to {most * MANY:,}."
    )


BLOCKS = {"quotas": quotas, "resources": resources}
