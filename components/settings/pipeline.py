"""Settings of a pipeline, and the rules across its groups."""

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Optional

import pulumi

from streaming_etl.components.settings.backfill import CALL_SECONDS, BackfillArgs
from streaming_etl.components.settings.existing_resources import KEY_ARN
from streaming_etl.components.settings.filter_patterns import excluded_changes
from streaming_etl.components.settings.freshness import MINUTES, PRESETS
from streaming_etl.components.settings.functions import FunctionsArgs
from streaming_etl.components.settings.iam import IamArgs
from streaming_etl.components.settings.lake_table import (
    MAX_LAKE_TABLES,
    QUERY_FIELDS,
    SHARED_FIELDS,
    LakeTableArgs,
    LakeTableSettings,
)
from streaming_etl.components.settings.lake_table_names import ONLY_LAKE_TABLE
from streaming_etl.components.settings.monitoring import MonitoringArgs, iterator_age_problems
from streaming_etl.components.settings.names import (
    GLUE_NAME,
    GLUE_TEXT,
    PIPELINE_NAME,
    as_names,
    former_names,
    own_name_problems,
)
from streaming_etl.components.settings.partitions import PartitionArgs
from streaming_etl.components.settings.stages import (
    STREAM_VIEWS,
    ForwarderArgs,
    LakeArgs,
    LakeTableQueryArgs,
    QueryArgs,
    SourceArgs,
    tag_problems,
)
from streaming_etl.components.settings.validation import (
    NOT_EMPTY,
    Problem,
    Related,
    build,
    invalid,
    join,
    no_effect,
    one_of,
    text,
    texts,
)
from streaming_etl.components.settings.where import where_of_table_problems, where_problems

RUNTIMES = ("python3.11", "python3.12", "python3.13", "python3.14")
NO_WHEEL = {"python3.15": "The pinned orjson has no wheel for it"}
"""Runtimes of Lambda in which the handlers' packages cannot be installed, with the reason."""
ARCHITECTURES = ("arm64", "x86_64")
# Each is part of every policy that reads objects, and IAM limits the size of a role's policies.
MAX_FORMER_KEYS = 10

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


@dataclass(frozen=True, kw_only=True)
class StreamingEtlPipelineArgs(LakeTableSettings):
    """One pipeline, of a table, a transform module and partitions."""

    table_name: pulumi.Input[str] = field(
        metadata={"pattern": TABLE_NAME, "kind": "3 to 255 of a-z A-Z 0-9 _ . -"}
    )
    """Name of the DynamoDB table. Changing it replaces the table and the lake table. It may be an
    output with `source.stream_arn`."""
    transform_module: Optional[str] = text(None, NOT_EMPTY, "the path of a file")
    """Path of the Python file or folder with COLUMNS, `transform(change)`, or both; required
    without `lake_tables`. Without `transform` each column is an attribute of the item. With a
    crawler, a module without COLUMNS deletes the lake table, which the crawler creates again."""
    partitions: Optional[PartitionArgs] = None
    """Partition keys of the lake table; required without `lake_tables`."""
    lake_tables: Mapping[str, LakeTableArgs] = field(default_factory=dict)
    """Several lake tables of one stream, at most 20, by name: a-z 0-9 and single - between them,
    with the pipeline's name at most 34 characters. Each has a delivery stream, a transform and a
    Glue table. The settings of a lake table are then set there and not in the pipeline. An update
    without a former entry, or with `lake_tables` for the first time, deletes the lake table that
    the settings no longer have. Its preview fails unless that lake table had
    `allow_layout_change: true` in an update before; `renamed_from` keeps a lake table."""
    freshness: str = one_of(*PRESETS, default=MINUTES)
    """`seconds`, `minutes` or `economy`: the default of the forwarder's `batching_window_seconds`,
    the transform's `buffer_seconds`, and the delivery's `buffer_mib` and `buffer_seconds`. A change
    updates in place. [Freshness](freshness.md) has the delay, the cost and the objects of each."""
    database_name: Optional[pulumi.Input[str]] = text(None, GLUE_NAME, GLUE_TEXT)
    """Existing Glue database, shared by many pipelines; by default one is created. Changing it
    replaces the lake table and needs a new `glue_table_name`; setting it needs `retain: true` in an
    update before, which keeps the created database."""
    runtime: str = field(
        default="python3.13", metadata={"choices": RUNTIMES, "unavailable": NO_WHEEL}
    )
    """Lambda runtime of all functions: python3.11 to python3.14."""
    architecture: str = one_of(*ARCHITECTURES)
    """Lambda processor of all functions: arm64 or x86_64."""
    log_retention_days: int = one_of(*LOG_RETENTION_DAYS, default=30)
    """Days after which logs are deleted, one of CloudWatch's fixed numbers."""
    tags: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    """Tags of all resources that have tags, in addition to the pipeline's name."""
    kms_key_arn: Optional[pulumi.Input[str]] = field(default=None, metadata=KEY_ARN)
    """ARN of a customer key in the stack's region, not of an alias, that encrypts everything that
    the pipeline creates and that can have one; by default AWS's keys. Its policy must allow the
    services. Whoever uses the created table needs the key. Changing it updates in place; the former
    key must stay in `former_kms_key_arns`."""
    former_kms_key_arns: Sequence[str] = texts((), MAX_FORMER_KEYS, **KEY_ARN)
    """Former keys of `kms_key_arn` and `lake.kms_key_arn`, at most 10: existing objects remain
    encrypted with them, so the roles may still decrypt with them."""
    protect: bool = True
    """Reject the deletion of the source table, the bucket, the database and the merged tables that
    the pipeline creates: a preview that deletes or replaces one of them fails. Also the default of
    `source.deletion_protection`, and the opposite of `lake.force_destroy` and
    `query.force_destroy`."""
    retain: bool = False
    """Keep source table, bucket, database, Glue tables and workgroup in AWS when the pipeline is
    removed from the stack, when they are replaced, and when the pipeline stops creating them to
    hand them over. Set it in an update before that one. It turns off only the part of `protect`
    that fails previews. A retained table gets another key only with another `table_name`."""
    renamed_from: Sequence[str] = former_names("pipeline")
    """Former names of the pipeline, the oldest first, at most 10; one name may be written as text.
    The renamed pipeline keeps every resource. Database, workgroup, dashboard and saved queries keep
    the names that derive from the oldest one, so never remove it: another oldest name replaces the
    database and its tables."""
    source: SourceArgs = field(default_factory=SourceArgs)
    """The DynamoDB table."""
    forwarder: ForwarderArgs = field(default_factory=ForwarderArgs)
    """From the stream to Firehose."""
    lake: LakeArgs = field(default_factory=LakeArgs)
    """The bucket."""
    query: QueryArgs = field(default_factory=QueryArgs)
    """Athena."""
    functions: FunctionsArgs = field(default_factory=FunctionsArgs)
    """Network and logs of all functions."""
    monitoring: MonitoringArgs = field(default_factory=MonitoringArgs)
    """Alarms and dashboard."""
    backfill: BackfillArgs = field(default_factory=BackfillArgs)
    """Load of a large table's existing items."""
    iam: IamArgs = field(default_factory=IamArgs)
    """Roles."""

    @property
    def former_names(self) -> tuple[str, ...]:
        """Former names of the pipeline, the oldest first."""
        return as_names(self.renamed_from)

    @property
    def tables(self) -> dict[str, LakeTableArgs]:
        """The lake tables by name: those of `lake_tables`, or the only one.

        Sorted, because a config and the programs of other languages have no order: another order
        would change the forwarder's archive, policies and the dashboard.
        """
        if self.lake_tables:
            tables = sorted(self.lake_tables.items(), key=lambda item: str(item[0]))
            return {
                key: args.with_default_freshness(self.freshness)
                if isinstance(args, LakeTableArgs)
                else args
                for key, args in tables
            }
        values = {name: getattr(self, name) for name in (*SHARED_FIELDS, *OWN_FIELDS)}
        values["query"] = LakeTableQueryArgs(
            **{name: getattr(self.query, name) for name in QUERY_FIELDS}
        )
        values["freshness"] = self.freshness
        # Valid already, and where it is not, reported.
        return {ONLY_LAKE_TABLE: build(LakeTableArgs, values)[0]}

    @property
    def batching_window_seconds(self) -> int:
        """The forwarder's batching window, by default that of `freshness`."""
        if (window := self.forwarder.batching_window_seconds) is not None:
            return window
        window = PRESETS[self.freshness].batching_window_seconds
        # A change of the record age is dead-lettered without a call.
        return min(window, self.forwarder.maximum_record_age_seconds - 1)

    @property
    def lake_key_arn(self) -> Optional[pulumi.Input[str]]:
        """Key of the bucket's objects; None with keys of S3."""
        own = self.lake.kms_key_arn
        return self.kms_key_arn if own is None else own

    def lake_table_path(self, key: str) -> str:
        """Path of a lake table's settings: "" for the only one."""
        return f"lake_tables.{key}" if self.lake_tables else ""

    def physical_name(self, name: str) -> str:
        """Return the name that physical names of the pipeline `name` derive from.

        It is the oldest one, because AWS cannot rename a database, a workgroup or a dashboard.
        """
        return next(iter(self.former_names), name)

    @property
    def role_names(self) -> list[str]:
        """Names of the pipeline's roles in `iam.role_arns`."""
        names = ["forwarder"]
        if self.backfill.enabled:
            names += ["backfill", "backfill-states"]
            names += ["backfill-start"] if self.backfill.on_create else []
        for key, args in self.valid_lake_tables.items():
            roles = ["transform", "delivery"]
            roles += ["catalog-crawler"] if args.catalog == "crawler" else []
            roles += ["merge-states", "merge-schedule"] if args.merge.enabled else []
            prefix = "" if key == ONLY_LAKE_TABLE else f"{key}-"
            names += [f"{prefix}{role}" for role in roles]
        return names

    def further_problems(self) -> Iterator[Problem]:
        yield from tag_problems(self.tags)
        yield from self.table_name_problems()
        yield from self.stream_problems()
        yield from self.form_problems()
        yield from self.retain_problems()
        yield from self.record_size_problems()
        yield from iterator_age_problems(self.monitoring, self.forwarder)
        yield from self.lag_problems()
        yield from self.backfill_problems()
        yield from self.current_state_problems()
        yield from self.routing_problems()
        yield from self.merge_stage_problems()
        yield from self.role_problems()
        yield from self.query_result_problems()

    def form_problems(self) -> Iterator[Problem]:
        """Problems of the lake tables, or of the only one."""
        if not self.lake_tables:
            # Not required if `lake_tables` was meant and is invalid.
            instead = Related("lake_tables", None)
            for name in OWN_FIELDS:
                if getattr(self, name) is None:
                    yield invalid(name, None, "required", instead)
            yield from self.lake_table_problems(self.partitions or PartitionArgs(), self.query)
            return
        names = Related("lake_tables", list(self.lake_tables))
        if len(self.lake_tables) > MAX_LAKE_TABLES:
            yield invalid("lake_tables", len(self.lake_tables), "too-many", most=MAX_LAKE_TABLES)
        for problem in no_effect(self, {*SHARED_FIELDS, *OWN_FIELDS}, names):
            yield replace(problem, rule="lake-table-setting")
        for problem in no_effect(self.query, QUERY_FIELDS, names):
            yield replace(problem, rule="lake-table-setting", path="query")
        for key, args in self.lake_tables.items():
            if not isinstance(key, str) or not PIPELINE_NAME.fullmatch(key):
                yield invalid("lake_tables", key, "lake-table-name")
            elif key == ONLY_LAKE_TABLE:
                yield invalid("lake_tables", key, "reserved-name", item=key, reserved=[key])
            if not isinstance(args, LakeTableArgs):
                yield invalid("lake_tables", args, "type", item=key, kind="LakeTableArgs(...)")
        yield from self.former_lake_table_problems()

    def table_name_problems(self) -> Iterator[Problem]:
        """Settings that the name of a later table does not imply."""
        if not isinstance(self.table_name, pulumi.Output):
            return
        if self.source.stream_arn is None:
            yield invalid("table_name", None, "table-of-program")
        if not self.lake_tables and self.glue_table_name is None:
            yield invalid("glue_table_name", None, "required", Related("table_name", None))

    def stream_problems(self) -> Iterator[Problem]:
        """A stream of another table than the one that is named."""
        table, arn = self.table_name, self.source.stream_arn
        if isinstance(table, str) and isinstance(arn, str) and f":table/{table}/stream/" not in arn:
            yield invalid("stream_arn", arn, "stream-of-other-table", path="source", table=table)

    def former_lake_table_problems(self) -> Iterator[Problem]:
        """Former names that another lake table has or had."""
        owners = {key: key for key in self.lake_tables}
        for key, args in self.valid_lake_tables.items():
            for problem in own_name_problems(key, args.former_names):
                yield replace(problem, path=f"lake_tables.{key}")
            for former in args.former_names:
                owner = owners.setdefault(former, key)
                if owner != key:
                    details = {"path": f"lake_tables.{key}", "other": f"lake_tables.{owner}"}
                    yield invalid("renamed_from", former, "former-name-in-use", **details)

    @property
    def valid_lake_tables(self) -> dict[str, LakeTableArgs]:
        """The lake tables that are LakeTableArgs."""
        return {key: args for key, args in self.tables.items() if isinstance(args, LakeTableArgs)}

    def retain_problems(self) -> Iterator[Problem]:
        """Settings about the deletion of resources that `retain` keeps."""
        for path, group in (("lake", self.lake), ("query", self.query)):
            if self.retain and group.force_destroy:
                related = Related("retain", True)
                yield invalid("force_destroy", True, "no-effect", related, path=path)

    def record_size_problems(self) -> Iterator[Problem]:
        """Aggregated records that are larger than a transform's buffer."""
        forwarder = self.forwarder
        for key, args in self.valid_lake_tables.items():
            high = args.transform.buffer_mib * 1024
            if forwarder.max_changes_per_record > 1 and forwarder.max_record_kib > high:
                name = join(self.lake_table_path(key), "transform.buffer_mib")
                yield invalid(
                    "max_record_kib",
                    forwarder.max_record_kib,
                    "maximum",
                    Related(name, args.transform.buffer_mib),
                    path="forwarder",
                    high=int(high),
                )
                return

    def lag_problems(self) -> Iterator[Problem]:
        """An alarm on a lag that changes have without a failure."""
        seconds = self.monitoring.max_lag_seconds
        if seconds is None:
            return
        window = self.batching_window_seconds
        for key, args in self.valid_lake_tables.items():
            buffer = args.buffers.transform_seconds
            if seconds <= window + buffer:
                name = join(self.lake_table_path(key), "transform.buffer_seconds")
                yield invalid(
                    "max_lag_seconds",
                    seconds,
                    "minimum",
                    Related("forwarder.batching_window_seconds", window),
                    Related(name, buffer),
                    path="monitoring",
                    low=window + buffer + 1,
                )
                return

    def routing_problems(self) -> Iterator[Problem]:
        """Conditions that never match, and settings without effect."""
        keys = {self.source.hash_key: self.source.hash_key_type}
        if self.source.range_key is not None:
            keys[self.source.range_key] = self.source.range_key_type
        tables = self.valid_lake_tables
        stream_arn, view = self.source.stream_arn, self.source.stream_view_type
        if not self.source.use_existing or stream_arn is not None:
            yield from self.where_problems_of(keys, has_old_images=view == STREAM_VIEWS[0])
        if (image := self.forwarder.old_image) == "always" and view != STREAM_VIEWS[0]:
            details = {"got": view, "view": STREAM_VIEWS[0]}
            rule = "stream-without-old-images"
            yield invalid("old_image", image, rule, path="forwarder", **details)
        seconds, low = self.forwarder.timeout_seconds, MARGIN_SECONDS + PUT_SECONDS * len(tables)
        if seconds < low:
            names = Related("lake_tables", list(tables))
            yield invalid("timeout_seconds", seconds, "minimum", names, path="forwarder", low=low)
        if not all(args.where for args in tables.values()):
            because = Related("where", None)
            for problem in no_effect(self.forwarder, {"unmatched"}, because):
                yield replace(problem, path="forwarder", rule="never-unmatched")

    def where_problems_of(self, keys: Mapping[str, str], has_old_images: bool) -> Iterator[Problem]:
        """Problems of the lake tables' conditions with the source table.

        keys: the types of the table's key attributes. has_old_images: those of the stream.
        """
        for key, args in self.valid_lake_tables.items():
            if any(where_problems(args.where)):
                continue
            for problem in where_of_table_problems(args.where, keys, has_old_images):
                yield replace(problem, path=self.lake_table_path(key))

    def backfill_problems(self) -> Iterator[Problem]:
        """Settings that do not go together with an export of the table."""
        if not self.backfill.enabled:
            return
        low, seconds = CALL_SECONDS * (len(self.tables) + 1), self.backfill.timeout_seconds
        if seconds < low and len(self.tables) <= MAX_LAKE_TABLES:
            names = Related("lake_tables", list(self.tables))
            yield invalid("timeout_seconds", seconds, "minimum", names, path="backfill", low=low)
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
        """Settings with which current state or merged table lack changes."""
        reasons = [
            Related(join(self.lake_table_path(key), name), True)
            for key, args in self.valid_lake_tables.items()
            for name, is_on in (
                ("query.current_state", args.query.current_state),
                ("merge.enabled", args.merge.enabled),
            )
            if is_on
        ]
        if not reasons:
            return
        current_state = reasons[0]
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

    def merge_stage_problems(self) -> Iterator[Problem]:
        """Settings of merge stages that the rest of the pipeline contradicts."""
        failures = self.lake.failures_retention_days
        for key, args in self.valid_lake_tables.items():
            merge, path = args.merge, join(self.lake_table_path(key), "merge")
            if not merge.enabled:
                continue
            database = self.database_name
            if isinstance(database, str) and not database[0].isalpha():
                # Athena documents no quotes for the database in OPTIMIZE and VACUUM.
                enabled = Related(join(path, "enabled"), True)
                kind = "a name that begins with a letter"
                yield invalid("database_name", database, "conflict", enabled, kind=kind)
            related = [
                Related(join(path, "interval_minutes"), merge.interval_minutes),
                Related(join(path, "alarm_after_hours"), merge.alarm_after_hours),
            ]
            if args.partitions.partition_time == "event":
                seconds = self.forwarder.maximum_record_age_seconds
                related.append(Related("forwarder.maximum_record_age_seconds", seconds))
            low = merge.least_window_hours(self.record_age_hours(args))
            if merge.window_hours < low:
                hours = merge.window_hours
                yield invalid("window_hours", hours, "minimum", *related, path=path, low=low)
            days, low = merge.tombstone_days, merge.least_tombstone_days(failures)
            if days is not None and days < low:
                related = [Related(join(path, "window_hours"), merge.window_hours)]
                if merge.change_log_retention_days is not None:
                    name = join(path, "change_log_retention_days")
                    related = [Related(name, merge.change_log_retention_days)]
                if failures is not None:
                    related.append(Related("lake.failures_retention_days", failures))
                yield invalid("tombstone_days", days, "minimum", *related, path=path, low=low)
            days = merge.change_log_retention_days
            if days is not None and self.lake.bucket_name is not None:
                bucket = Related("lake.bucket_name", self.lake.bucket_name)
                yield invalid("change_log_retention_days", days, "no-effect", bucket, path=path)

    def query_result_problems(self) -> Iterator[Problem]:
        """Settings about results of queries in workgroups that do not exist."""
        merges = any(args.merge.enabled for args in self.valid_lake_tables.values())
        workgroup = Related("query.workgroup_name", self.query.workgroup_name)
        no_workgroup = self.query.workgroup_name is not None and not merges
        if no_workgroup:
            for problem in no_effect(self.query, {"managed_results"}, workgroup):
                yield replace(problem, path="query")
        if no_workgroup or self.query.managed_results:
            managed = Related("query.managed_results", True)
            because = managed if self.query.managed_results else workgroup
            for problem in no_effect(self.lake, {"query_results_retention_days"}, because):
                yield replace(problem, path="lake")

    @property
    def results_in_bucket(self) -> bool:
        """Whether a workgroup of the pipeline writes results to the bucket."""
        merges = any(args.merge.enabled for args in self.tables.values())
        creates = self.query.workgroup_name is None or merges
        return creates and not self.query.managed_results

    def record_age_hours(self, lake_table: LakeTableArgs) -> int:
        """Longest time between a change and its row's prefix, in hours."""
        if lake_table.partitions.partition_time != "event":
            return 0
        return math.ceil(self.forwarder.maximum_record_age_seconds / 3600)

    def role_problems(self) -> Iterator[Problem]:
        """Problems of unknown existing roles, and settings of no created role."""
        names, arns = self.role_names, self.iam.role_arns
        # They decide which roles there are.
        groups = [
            Related("lake_tables", list(self.lake_tables)),
            Related("catalog", self.catalog),
            Related("merge.enabled", self.merge.enabled),
            Related("backfill.enabled", self.backfill.enabled),
        ]
        for name in arns:
            if name not in names:
                problem = invalid(
                    "role_arns", arns[name], "unknown-role", *groups, item=name, names=names
                )
                yield replace(problem, path="iam")
        if set(names) <= set(arns):
            settings = {"permissions_boundary_arn", "role_path", "role_name_prefix"}
            because = Related("iam.role_arns", list(names))
            for problem in no_effect(self.iam, settings, because):
                yield replace(problem, path="iam")

    def region_problems(self, region: Optional[str]) -> Iterator[Problem]:
        """Problems of existing resources outside the region; none if it is unknown.

        A service encrypts with a key of its region, an alarm notifies resources of its region, and
        Lambda reads a stream of its region.
        https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html
        """
        arns: list[tuple[str, str, object, Optional[str]]] = [
            ("", "kms_key_arn", self.kms_key_arn, None),
            ("source", "stream_arn", self.source.stream_arn, None),
            ("source", "table_kms_key_arn", self.source.table_kms_key_arn, None),
            *(("", "former_kms_key_arns", arn, None) for arn in self.former_kms_key_arns),
            ("lake", "kms_key_arn", self.lake.kms_key_arn, None),
            ("monitoring", "alarm_topic_arn", self.monitoring.alarm_topic_arn, None),
            *(("monitoring", "alarm_actions", arn, None) for arn in self.monitoring.alarm_actions),
            *(("monitoring", "ok_actions", arn, None) for arn in self.monitoring.ok_actions),
        ]
        for key, args in self.valid_lake_tables.items():
            path = join(self.lake_table_path(key), "transform")
            arns += [(path, "layers", arn, None) for arn in args.transform.layers]
            arns += [(path, "secrets", arn, name) for name, arn in args.transform.secrets.items()]
        for path, name, arn, item in arns:
            # Response plans are global.
            if region and isinstance(arn, str) and arn.split(":")[3] not in ("", region):
                yield invalid(name, arn, "other-region", path=path, item=item, region=region)


# The forwarder ends its calls this long before its timeout. A stream needs about six calls of 1 MiB
# for a batch of 6 MB.
MARGIN_SECONDS, PUT_SECONDS = 12, 2

OWN_FIELDS = ("transform_module", "partitions")
"""Settings of the only lake table that are required without `lake_tables`."""
