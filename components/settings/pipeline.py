"""Settings of a pipeline, and the rules across its groups."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Optional

import pulumi

from streaming_etl.components.settings.backfill import BackfillArgs
from streaming_etl.components.settings.cron import CRON
from streaming_etl.components.settings.filter_patterns import excluded_changes
from streaming_etl.components.settings.monitoring import MonitoringArgs, iterator_age_problems
from streaming_etl.components.settings.partitions import PartitionArgs
from streaming_etl.components.settings.schedules import schedule_problems
from streaming_etl.components.settings.stages import (
    DeliveryArgs,
    ForwarderArgs,
    LakeArgs,
    QueryArgs,
    SourceArgs,
    TransformArgs,
    tag_problems,
)
from streaming_etl.components.settings.validation import (
    NOT_EMPTY,
    Problem,
    Related,
    Settings,
    invalid,
    no_effect,
    one_of,
    text,
    texts,
)

RUNTIMES = ("python3.11", "python3.12", "python3.13", "python3.14")
NO_WHEEL = {"python3.15": "The pinned orjson has no wheel for it"}
"""Runtimes of Lambda in which the handlers' packages cannot be installed, with the reason."""
ARCHITECTURES = ("arm64", "x86_64")

# Retentions that CloudWatch Logs accepts, in days.
# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
# fmt: off
LOG_RETENTION_DAYS = (
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922,
    3288, 3653,
)
# fmt: on

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html
TABLE_NAME = re.compile(r"[a-zA-Z0-9_.-]{3,255}")
# https://docs.aws.amazon.com/athena/latest/ug/tables-databases-columns-names.html
GLUE_NAME = re.compile(r"[a-z0-9_]{1,240}")
PIPELINE_NAME = re.compile(r"[a-z](-?[a-z0-9])*")
# Longest names derived from a pipeline's, with AWS's limits; Pulumi adds 8 characters.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
DERIVED_NAMES = {
    "-lake-bucket": 63,
    "-catalog-crawler-role": 64,
    "-watch-crawler-failed": 64,
    "-backfill-states-role": 64,
    "-transform-function": 64,
    "-delivery-stream": 64,
}
PULUMI_SUFFIX = 8
MAX_PIPELINE_NAME = min(
    limit - len(suffix) - PULUMI_SUFFIX for suffix, limit in DERIVED_NAMES.items()
)

MAX_FORMER_NAMES = 10
"""Each of them adds two aliases to each resource."""

GLUE_TEXT = "at most 240 of a-z 0-9 _"
# Firehose's minimum buffer for Parquet and for dynamic partitioning.
# https://docs.aws.amazon.com/firehose/latest/APIReference/API_ExtendedS3DestinationConfiguration.html
MIN_BUFFER_MIB, MIN_BUFFER_SECONDS = 64, 60


@dataclass(frozen=True, kw_only=True)
class StreamingEtlPipelineArgs(Settings):
    """One pipeline, of a table, a transform module and partitions."""

    table_name: str = field(
        metadata={"pattern": TABLE_NAME, "kind": "3 to 255 of a-z A-Z 0-9 _ . -"}
    )
    """Name of the DynamoDB table. Changing it replaces the table and the lake table."""
    transform_module: str = field(metadata={"pattern": NOT_EMPTY, "kind": "the path of a file"})
    """Path of the Python file with COLUMNS, `transform(change)`, or both. Without `transform` each
    column is an attribute of the item. With a crawler, a module without COLUMNS deletes the lake
    table, which the crawler creates again."""
    partitions: PartitionArgs
    """Partition keys of the lake table."""
    format: str = one_of("json", "csv", "parquet")
    """Objects in the lake: json (one object per line), csv or parquet; the last two need COLUMNS. A
    change needs a new `glue_table_name`."""
    catalog: str = one_of("projection", "crawler")
    """`projection`: an object is queryable when it arrives, needs COLUMNS; `crawler`: after the
    next run of a crawler."""
    crawler_schedule: str = text(
        "cron(10 * * * ? *)", CRON, "a Glue schedule of six fields, such as cron(10 * * * ? *)"
    )
    """When the crawler runs, UTC, at most every 5 minutes. Each run costs at least ten minutes of a
    DPU."""
    glue_table_name: Optional[str] = text(None, GLUE_NAME, GLUE_TEXT)
    """Name of the lake table; by default the table's name in Glue's characters. Changing it
    replaces the lake table: the existing rows stay below the former location, without a table; run
    a backfill."""
    database_name: Optional[pulumi.Input[str]] = text(None, GLUE_NAME, GLUE_TEXT)
    """Existing Glue database, shared by many pipelines; by default one is created. Changing it
    replaces the lake table and needs a new `glue_table_name`; setting it needs `retain: true` in an
    update before, which keeps the created database."""
    allow_layout_change: bool = False
    """Permit a change of the layout that puts existing rows at risk, with a warning, but not one
    that deletes the bucket or the database. For a table without rows, and for one update."""
    runtime: str = field(
        default="python3.13", metadata={"choices": RUNTIMES, "unavailable": NO_WHEEL}
    )
    """Lambda runtime of all functions: python3.11 to python3.14."""
    architecture: str = one_of(*ARCHITECTURES)
    """Lambda processor of all functions: arm64 or x86_64."""
    log_retention_days: int = one_of(*LOG_RETENTION_DAYS, default=30)
    """Days after which logs are deleted, one of CloudWatch's fixed numbers."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """Tags of all resources that have tags, in addition to the pipeline's name."""
    protect: bool = True
    """Reject the deletion of the source table, the bucket and the database that the pipeline
    creates: a preview that deletes or replaces one of them fails. Also the default of
    `source.deletion_protection`, and the opposite of `lake.force_destroy` and
    `query.force_destroy`."""
    retain: bool = False
    """Keep source table, bucket, database, Glue tables and workgroup in AWS when the pipeline is
    removed from the stack, when they are replaced, and when the pipeline stops creating them to
    hand them over. Set it in an update before that one. It turns off only the part of `protect`
    that fails previews. A retained table gets another key only with another `table_name`."""
    renamed_from: Sequence[str] = texts(
        (),
        MAX_FORMER_NAMES,
        or_text=True,
        pattern=PIPELINE_NAME,
        kind="former names of the pipeline, a-z 0-9 and single - between them, a letter first",
        most_bytes=MAX_PIPELINE_NAME,
    )
    """Former names of the pipeline, the oldest first, at most 10; one name may be written as text.
    The renamed pipeline keeps every resource. Database, workgroup, dashboard and saved queries keep
    the names that derive from the oldest one, so never remove it: another oldest name replaces the
    database and its tables."""
    source: SourceArgs = field(default_factory=SourceArgs)
    """The DynamoDB table."""
    forwarder: ForwarderArgs = field(default_factory=ForwarderArgs)
    """From the stream to Firehose."""
    transform: TransformArgs = field(default_factory=TransformArgs)
    """The transform's Lambda function."""
    delivery: DeliveryArgs = field(default_factory=DeliveryArgs)
    """From Firehose to S3."""
    lake: LakeArgs = field(default_factory=LakeArgs)
    """The bucket."""
    query: QueryArgs = field(default_factory=QueryArgs)
    """Athena."""
    monitoring: MonitoringArgs = field(default_factory=MonitoringArgs)
    """Alarms and dashboard."""
    backfill: BackfillArgs = field(default_factory=BackfillArgs)
    """Load of a large table's existing items."""

    @property
    def former_names(self) -> tuple[str, ...]:
        """Former names of the pipeline, the oldest first."""
        names = self.renamed_from
        return (names,) if isinstance(names, str) else tuple(names)

    def physical_name(self, name: str) -> str:
        """Return the name that physical names of the pipeline `name` derive from.

        It is the oldest one, because AWS cannot rename a database, a workgroup or a dashboard.
        """
        return next(iter(self.former_names), name)

    def further_problems(self) -> Iterator[Problem]:
        yield from tag_problems(self.tags)
        catalog = Related("catalog", self.catalog)
        if self.catalog == "projection":
            yield from no_effect(self, {"crawler_schedule"}, catalog)
        else:
            yield from schedule_problems("crawler_schedule", self.crawler_schedule)
            for problem in no_effect(self.partitions, {"projection_start_year"}):
                yield replace(problem, path="partitions", related=(catalog,))
        yield from self.retain_problems()
        yield from self.delivery_problems()
        yield from iterator_age_problems(self.monitoring, self.forwarder)
        yield from self.backfill_problems()
        yield from self.current_state_problems()

    def retain_problems(self) -> Iterator[Problem]:
        """Settings about the deletion of resources that `retain` keeps."""
        for path, group in (("lake", self.lake), ("query", self.query)):
            if self.retain and group.force_destroy:
                related = Related("retain", True)
                yield invalid("force_destroy", True, "no-effect", related, path=path)

    def delivery_problems(self) -> Iterator[Problem]:
        """Combinations of format, partitions and buffers that Firehose rejects."""
        delivery, partitions = self.delivery, self.partitions
        because = [Related("format", self.format)] if self.format == "parquet" else []
        dynamic = []
        if partitions.partition_time == "event":
            dynamic = [Related("partitions.partition_time", "event")]
        elif partitions.dynamic:
            keys = partitions.dynamic_partition_keys
            dynamic = [Related("partitions.dynamic_partition_keys", keys)]
        for name, value, low, related in (
            ("buffer_mib", delivery.buffer_mib, MIN_BUFFER_MIB, because or dynamic),
            ("buffer_seconds", delivery.buffer_seconds, MIN_BUFFER_SECONDS, dynamic),
        ):
            if related and value < low:
                yield invalid(name, value, "minimum", *related, path="delivery", low=low)
        if because:
            for problem in no_effect(delivery, {"compression"}):
                yield replace(problem, path="delivery", related=tuple(because))
        forwarder, high = self.forwarder, self.transform.buffer_mib * 1024
        if forwarder.max_changes_per_record > 1 and forwarder.max_record_kib > high:
            yield invalid(
                "max_record_kib",
                forwarder.max_record_kib,
                "maximum",
                Related("transform.buffer_mib", self.transform.buffer_mib),
                path="forwarder",
                high=int(high),
            )

    def backfill_problems(self) -> Iterator[Problem]:
        """Settings that do not go together with an export of the table."""
        if not self.backfill.enabled:
            return
        enabled = Related("backfill.enabled", True)
        recovery = self.source.point_in_time_recovery
        if not self.source.use_existing and not recovery:
            # DynamoDB exports a table from its continuous backups.
            yield invalid(
                "point_in_time_recovery", recovery, "conflict", enabled, path="source", kind="true"
            )
        if self.lake.bucket_name is not None:
            bucket = Related("lake.bucket_name", self.lake.bucket_name)
            for problem in no_effect(self.backfill, {"retention_days"}):
                yield replace(problem, path="backfill", related=(bucket,))

    def current_state_problems(self) -> Iterator[Problem]:
        """Settings with which the current state lacks changes."""
        if not self.query.current_state:
            return
        current_state = Related("query.current_state", True)
        if (days := self.lake.data_retention_days) is not None:
            # The row that expires may be the newest one of an item that still exists.
            yield invalid(
                "data_retention_days", days, "expires-current-state", current_state, path="lake"
            )
        forwarder, rule = self.forwarder, "excludes-changes"
        if missing := [name for name in ("MODIFY", "REMOVE") if name not in forwarder.event_names]:
            names = list(forwarder.event_names)
            yield invalid(
                "event_names", names, rule, current_state, path="forwarder", changes=missing
            )
        if any(forwarder.pattern_problems()):
            return
        patterns = list(forwarder.filter_patterns)
        if excluded := excluded_changes([json.loads(pattern) for pattern in patterns]):
            yield invalid(
                "filter_patterns",
                patterns,
                rule,
                current_state,
                path="forwarder",
                changes=excluded,
            )

    def region_problems(self, region: Optional[str]) -> Iterator[Problem]:
        """Problems of existing resources outside the region; none if it is unknown.

        S3 encrypts with a key of the bucket's region, and an alarm sends to a topic of its region.
        https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html
        """
        for path, name, arn in (
            ("lake", "kms_key_arn", self.lake.kms_key_arn),
            ("monitoring", "alarm_topic_arn", self.monitoring.alarm_topic_arn),
        ):
            if region and isinstance(arn, str) and arn.split(":")[3] != region:
                yield invalid(name, arn, "other-region", path=path, region=region)


def pipeline_name_problems(name: object) -> Iterator[Problem]:
    """Problems of a name from which AWS names cannot be derived."""
    if not isinstance(name, str) or not PIPELINE_NAME.fullmatch(name):
        yield invalid("name", name, "pipeline-name")
    elif len(name) > MAX_PIPELINE_NAME:
        yield invalid("name", name, "pipeline-name-length", most=MAX_PIPELINE_NAME)


def former_name_problems(name: str, args: StreamingEtlPipelineArgs) -> Iterator[Problem]:
    """Problem of the pipeline's own name among its former ones.

    Only the oldest of several may be in use again.
    """
    oldest, *later = args.former_names or ("",)
    if name in later or (name == oldest and not later):
        yield invalid("renamed_from", name, "own-name")
