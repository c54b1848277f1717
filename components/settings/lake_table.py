"""Settings of a lake table."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Optional

from streaming_etl.components.settings.cron import CRON
from streaming_etl.components.settings.freshness import MINUTES, PRESETS, Buffers
from streaming_etl.components.settings.merge import MergeArgs
from streaming_etl.components.settings.names import (
    GLUE_NAME,
    GLUE_TEXT,
    as_names,
    former_names,
)
from streaming_etl.components.settings.partitions import PartitionArgs
from streaming_etl.components.settings.schedules import schedule_problems
from streaming_etl.components.settings.stages import (
    DeliveryArgs,
    LakeTableQueryArgs,
    TransformArgs,
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
)
from streaming_etl.components.settings.where import where_problems

MAX_LAKE_TABLES = 20

# Firehose's minimum buffer for Parquet and for dynamic partitioning.
# https://docs.aws.amazon.com/firehose/latest/APIReference/API_ExtendedS3DestinationConfiguration.html
MIN_BUFFER_MIB, MIN_BUFFER_SECONDS = 64, 60
# Firehose buffers dynamic partitions in several stages, up to 1.5 times as long.
# https://docs.aws.amazon.com/firehose/latest/dev/buffering.html
DYNAMIC_STAGES = 1.5


@dataclass(frozen=True, kw_only=True)
class LakeTableSettings(Settings):
    """Optional settings of a lake table, in both forms of a pipeline."""

    where: Mapping[str, Any] = field(default_factory=dict)
    """Items of the lake table, by attributes of the item: a list of texts, numbers and booleans, or
    `{prefix: text}`. All attributes must match; by default all items do. An item that begins to
    match is an INSERT, one that no longer matches a REMOVE. A change needs a new
    `glue_table_name` and a backfill, because it rewrites no existing row."""
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
    """Name of the Glue table; by default the name of the DynamoDB table, or in `lake_tables` the
    name there, in Glue's characters. Changing it replaces the Glue table: the existing rows stay
    below the former location, without a table; run a backfill."""
    allow_layout_change: bool = False
    """Permit a change of the layout that puts existing rows at risk, with a warning, but not one
    that deletes the bucket or the database. For a table without rows, and for one update. The
    removal of the lake table needs it in an update before."""
    transform: TransformArgs = field(default_factory=TransformArgs)
    """The transform's Lambda function."""
    delivery: DeliveryArgs = field(default_factory=DeliveryArgs)
    """From Firehose to S3."""
    merge: MergeArgs = field(default_factory=MergeArgs)
    """The merged table, for a current state whose cost does not grow with history."""

    def lake_table_problems(
        self, partitions: PartitionArgs, query: LakeTableQueryArgs
    ) -> Iterator[Problem]:
        """Problems of conditions, catalog, format, partitions and buffers together."""
        yield from where_problems(self.where)
        catalog = Related("catalog", self.catalog)
        if self.catalog == "projection":
            yield from no_effect(self, {"crawler_schedule"}, catalog)
        else:
            yield from schedule_problems("crawler_schedule", self.crawler_schedule)
            for problem in no_effect(partitions, {"projection_start_year"}):
                yield replace(problem, path="partitions", related=(catalog,))
        yield from self.delivery_problems(partitions)
        yield from self.merge_problems(partitions, query)

    def delivery_problems(self, partitions: PartitionArgs) -> Iterator[Problem]:
        """Combinations of format, partitions and buffers that Firehose rejects."""
        delivery = self.delivery
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
            if related and value is not None and value < low:
                yield invalid(name, value, "minimum", *related, path="delivery", low=low)
        if because:
            for problem in no_effect(delivery, {"compression"}):
                yield replace(problem, path="delivery", related=tuple(because))

    def merge_problems(
        self, partitions: PartitionArgs, query: LakeTableQueryArgs
    ) -> Iterator[Problem]:
        """Settings with which no window of the change log can be read."""
        source = query.current_state_source
        enabled = Related("merge.enabled", self.merge.enabled)
        if not self.merge.enabled:
            if source == "merged":
                name = "current_state_source"
                yield invalid(name, source, "needs-merge", enabled, path="query")
            return
        if self.catalog == "crawler":
            # A row becomes queryable with a crawl, which may be after the merges of its window.
            yield invalid("catalog", self.catalog, "conflict", enabled, kind="projection")
        if partitions.granularity in ("year", "month"):
            # A window has full partitions: each run would read months, and late rows for as long.
            name, value = "granularity", partitions.granularity
            yield invalid(name, value, "conflict", enabled, path="partitions", kind="day or hour")
        for key, values in partitions.dynamic_partition_keys.items():
            if not values:
                name = "dynamic_partition_keys"
                yield invalid(name, [], "merge-any-value", enabled, path="partitions", item=key)
        days = self.merge.change_log_retention_days
        if days is not None and query.current_state and source not in (None, "merged"):
            because = Related("query.current_state_source", source)
            name = "change_log_retention_days"
            yield invalid(name, days, "needs-merged-state", because, path="merge")


@dataclass(frozen=True, kw_only=True)
class LakeTableArgs(LakeTableSettings):
    """One of several lake tables that a pipeline fills."""

    transform_module: str = field(metadata={"pattern": NOT_EMPTY, "kind": "the path of a file"})
    """As the pipeline's `transform_module`."""
    partitions: PartitionArgs
    """Partition keys of the lake table."""
    query: LakeTableQueryArgs = field(default_factory=LakeTableQueryArgs)
    """The current state."""
    freshness: Optional[str] = one_of(*PRESETS, default=None)
    """`seconds`, `minutes` or `economy` for the buffers of this lake table; by default the
    pipeline's."""
    renamed_from: Sequence[str] = former_names("lake table")
    """Former names in `lake_tables`, the oldest first, at most 10; `lake-table` is the one of
    a pipeline without `lake_tables`. The renamed lake table keeps every resource; set
    `glue_table_name` to keep its Glue table."""

    @property
    def former_names(self) -> tuple[str, ...]:
        """Former names of the lake table, the oldest first."""
        return as_names(self.renamed_from)

    @property
    def current_state_source(self) -> str:
        """What the current state reads, by default the merged table, if any."""
        return self.query.current_state_source or ("merged" if self.merge.enabled else "objects")

    @property
    def buffers(self) -> Buffers:
        """Firehose's buffers: those that are set, and those of `freshness`."""
        preset, delivery = PRESETS[self.freshness or MINUTES].buffers, self.delivery
        least_seconds = 0
        if self.partitions.dynamic or self.format == "parquet":
            # Firehose has a minimum for dynamic partitioning only, but a Parquet object of one
            # second's rows is larger than the same rows as JSON, and slower to read.
            least_seconds = MIN_BUFFER_SECONDS
        return Buffers(
            transform_seconds=_first(self.transform.buffer_seconds, preset.transform_seconds),
            delivery_mib=_first(delivery.buffer_mib, preset.delivery_mib),
            delivery_seconds=_first(
                delivery.buffer_seconds, max(preset.delivery_seconds, least_seconds)
            ),
            delivery_stages=DYNAMIC_STAGES if self.partitions.dynamic else 1,
        )

    def with_default_freshness(self, freshness: str) -> "LakeTableArgs":
        """Return the settings, with this freshness if they have none."""
        if self.freshness is not None:
            return self
        # Not by the constructor, which raises for problems that are reported elsewhere.
        args = copy.copy(self)
        vars(args)["freshness"] = freshness
        return args

    def further_problems(self) -> Iterator[Problem]:
        # A QueryArgs is one, too, with settings of the workgroup, which belong to the pipeline.
        if type(self.query) is not LakeTableQueryArgs:
            yield invalid("query", self.query, "type", kind="a LakeTableQueryArgs")
        yield from self.lake_table_problems(self.partitions, self.query)


def _first(value: Optional[int], default: int) -> int:
    return default if value is None else value


SHARED_FIELDS = tuple(item.name for item in fields(LakeTableSettings))
"""Settings with the same name and type in a pipeline and in its lake tables."""
QUERY_FIELDS = tuple(item.name for item in fields(LakeTableQueryArgs))
