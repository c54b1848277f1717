"""What may be asked of a pipeline: every setting, its default and its refusal; no provider."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Optional

import pulumi

from streaming_etl.components.settings.backfill import BackfillArgs
from streaming_etl.components.settings.monitoring import MonitoringArgs, check_late_forwarding
from streaming_etl.components.settings.partitions import PartitionArgs
from streaming_etl.components.settings.schema_annotations import published
from streaming_etl.components.settings.stages import (
    DeliveryArgs,
    ForwarderArgs,
    LakeArgs,
    QueryArgs,
    SourceArgs,
    TransformArgs,
)
from streaming_etl.components.settings.tags import check_tags
from streaming_etl.components.settings.validation import (
    refuse,
    refuse_ignored,
    require_choice,
    require_text,
)

FORMATS = ("json", "csv", "parquet")
CATALOGS = ("projection", "crawler")
RUNTIMES = ("python3.11", "python3.12", "python3.13", "python3.14")
ARCHITECTURES = ("arm64", "x86_64")

# The only retentions that CloudWatch Logs takes, in days.
# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
LOG_RETENTION_DAYS = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731),
    *(1096, 1827, 2192, 2557, 2922, 3288, 3653),
)

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html
TABLE_NAME = re.compile(r"[a-zA-Z0-9_.-]{3,255}")
# https://docs.aws.amazon.com/athena/latest/ug/tables-databases-columns-names.html
GLUE_NAME = re.compile(r"[a-z0-9_]{1,240}")
PIPELINE_NAME = re.compile(r"[a-z]([a-z0-9-]*[a-z0-9])?")
# The longest names derived from a pipeline's, with what AWS allows; Pulumi adds 8 characters.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
DERIVED_NAMES = {
    "-lake-bucket": 63,
    "-catalog-crawler-role": 64,
    "-watch-failed-batches": 64,
    "-backfill-states-role": 64,
    "-transform-function": 64,
    "-delivery-stream": 64,
}
PULUMI_SUFFIX = 8
MAX_PIPELINE_NAME = min(
    limit - len(suffix) - PULUMI_SUFFIX for suffix, limit in DERIVED_NAMES.items()
)
CRON = re.compile(r"cron\((\S+ ){5}\S+\)")


@published
@dataclass(frozen=True, kw_only=True)
class StreamingEtlPipelineArgs:
    """One pipeline: a table, a transform module and partitions; all else has a default."""

    table_name: str
    """Name of the DynamoDB table. Changing it replaces the table and the lake table."""
    transform_module: str
    """Path of the Python file with `transform(change)` and, if wanted, COLUMNS."""
    partitions: PartitionArgs
    """The folders of the lake."""
    format: str = "json"
    """Objects in the lake: json (one object a line), csv or parquet; the last two need COLUMNS.
    Changing it leaves objects that the table can no longer read: move them."""
    catalog: str = "projection"
    """`projection`: an object is queryable as it lands, needs COLUMNS; `crawler`: on a schedule."""
    crawler_schedule: str = "cron(10 * * * ? *)"
    """When the crawler runs, UTC; each run costs at least ten minutes of a DPU."""
    glue_table_name: Optional[str] = None
    """Name of the lake table; by default the table's name in Glue's letters."""
    database_name: Optional[pulumi.Input[str]] = None
    """A Glue database from outside, shared by many pipelines; by default one is made."""
    runtime: str = "python3.13"
    """Lambda runtime of both functions."""
    architecture: str = "arm64"
    """Lambda processor of both functions: arm64 or x86_64."""
    log_retention_days: int = 30
    """Life of the logs, one of CloudWatch's fixed numbers of days."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """Tags for everything that takes tags, beside the pipeline's own name."""
    source: SourceArgs = field(default_factory=SourceArgs)
    """The DynamoDB table."""
    forwarder: ForwarderArgs = field(default_factory=ForwarderArgs)
    """Stream to Firehose."""
    transform: TransformArgs = field(default_factory=TransformArgs)
    """The transform's Lambda."""
    delivery: DeliveryArgs = field(default_factory=DeliveryArgs)
    """Firehose to S3."""
    lake: LakeArgs = field(default_factory=LakeArgs)
    """The bucket."""
    query: QueryArgs = field(default_factory=QueryArgs)
    """Athena."""
    monitoring: MonitoringArgs = field(default_factory=MonitoringArgs)
    """Alarms and dashboard."""
    backfill: BackfillArgs = field(default_factory=BackfillArgs)
    """Large tables: what was there before the stream."""

    def __post_init__(self) -> None:
        check_types(self)
        if not isinstance(self.table_name, str) or not TABLE_NAME.fullmatch(self.table_name):
            raise refuse(
                "table_name",
                self.table_name,
                "is no DynamoDB table name: 3 to 255 of a-z A-Z 0-9 _ . -; use the table's name.",
            )
        require_text("transform_module", self.transform_module, "it is the path of a Python file")
        require_choice("format", self.format, FORMATS, "what the lake's objects hold")
        require_choice("catalog", self.catalog, CATALOGS, "how Athena learns of partitions")
        require_choice("runtime", self.runtime, RUNTIMES, "the Lambda runtimes this code runs on")
        require_choice("architecture", self.architecture, ARCHITECTURES, "Lambda's processors")
        retention = self.log_retention_days
        require_choice("log_retention_days", retention, LOG_RETENTION_DAYS, "CloudWatch's numbers")
        if not CRON.fullmatch(str(self.crawler_schedule)):
            raise refuse(
                "crawler_schedule",
                self.crawler_schedule,
                "is no Glue schedule: six fields in UTC; use for example cron(10 * * * ? *).",
            )
        check_glue_name("glue_table_name", self.glue_table_name)
        if not isinstance(self.database_name, pulumi.Output):
            check_glue_name("database_name", self.database_name)
        self.check_catalog()
        self.check_delivery()
        check_late_forwarding(self.monitoring, self.forwarder)
        self.check_backfill()

    def check_catalog(self) -> None:
        """Refuse settings of the catalog that is not chosen."""
        if self.catalog == "projection":
            reason = "catalog='projection' has no crawler"
            refuse_ignored(self, {"crawler_schedule"}, reason)
        else:
            reason = "catalog='crawler' projects nothing"
            refuse_ignored(self.partitions, {"projection_start_year"}, reason)

    def check_delivery(self) -> None:
        """Refuse what Firehose refuses of format, partitions and buffers together."""
        delivery = self.delivery
        reason = "Parquet" if self.format == "parquet" else "dynamic partitioning"
        if (self.format == "parquet" or self.partitions.dynamic) and delivery.buffer_mib < 64:
            raise refuse(
                "buffer_mib",
                delivery.buffer_mib,
                f"is too small for {reason}: Firehose asks for 64 or more; use 64 to 128.",
            )
        if self.partitions.dynamic and delivery.buffer_seconds < 60:
            raise refuse(
                "buffer_seconds",
                delivery.buffer_seconds,
                "is too short for dynamic partitioning: Firehose asks for 60 or more; use 60.",
            )
        if self.format == "parquet":
            refuse_ignored(delivery, {"compression"}, "Parquet compresses by itself")
        forwarder, buffer_mib = self.forwarder, self.transform.buffer_mib
        if forwarder.max_changes_per_record > 1 and forwarder.max_record_kib > buffer_mib * 1024:
            raise refuse(
                "max_record_kib",
                forwarder.max_record_kib,
                f"exceeds the transform's buffer_mib={buffer_mib}, with which Firehose calls it;"
                f" use {int(buffer_mib * 1024)} or fewer, or a larger buffer_mib.",
            )

    def check_backfill(self) -> None:
        """Refuse what the export of the table does not go with."""
        if not self.backfill.enabled:
            return
        source = self.source
        if not source.use_existing and not source.point_in_time_recovery:
            raise refuse(
                "point_in_time_recovery",
                source.point_in_time_recovery,
                "does not go with backfill.enabled: DynamoDB exports a table from its continuous"
                " backups; drop point_in_time_recovery, or backfill.",
            )
        if self.lake.bucket_name is not None:
            refuse_ignored(self.backfill, {"retention_days"}, "a given bucket stays as it is")


def check_types(args: StreamingEtlPipelineArgs) -> None:
    """Refuse a group given as anything but its own class."""
    groups = {
        "partitions": PartitionArgs,
        "source": SourceArgs,
        "forwarder": ForwarderArgs,
        "transform": TransformArgs,
        "delivery": DeliveryArgs,
        "lake": LakeArgs,
        "query": QueryArgs,
        "monitoring": MonitoringArgs,
        "backfill": BackfillArgs,
    }
    for name, group in groups.items():
        if not isinstance(getattr(args, name), group):
            raise refuse(
                name, getattr(args, name), f"is no {group.__name__}; pass {group.__name__}(...)."
            )
    check_tags(args.tags)


def check_glue_name(field: str, value: object) -> None:
    """Refuse a name that Glue refuses."""
    if value is not None and (not isinstance(value, str) or not GLUE_NAME.fullmatch(value)):
        raise refuse(field, value, "is no Glue name: a-z 0-9 _, at most 240; use lower case.")


def check_pipeline_name(name: str) -> None:
    """Refuse a name from which AWS names cannot be derived."""
    if not isinstance(name, str) or not PIPELINE_NAME.fullmatch(name) or "--" in name:
        raise refuse(
            "name",
            name,
            "is no pipeline name: a-z 0-9 and single - between them, a letter first, because"
            " bucket names derive from it; use lower case.",
        )
    if len(name) > MAX_PIPELINE_NAME:
        raise refuse(
            "name",
            name,
            f"is too long: {len(name)} characters, and AWS names derived from it leave room"
            f" for {MAX_PIPELINE_NAME}; use {MAX_PIPELINE_NAME} or fewer.",
        )
