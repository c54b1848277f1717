"""Settings of the stages: source, forwarder, transform, delivery, lake and query."""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import filterfalse
from typing import Any, Optional

import pulumi

from streaming_etl.components.settings.environment import (
    environment_problems,
    secret_problems,
    variable_problems,
)
from streaming_etl.components.settings.existing_resources import (
    BUCKET_NAME,
    KEY_ARN,
    LAYER_ARN,
    LAYER_TEXT,
    MAX_LAYERS,
    STREAM_ARN,
    WORKGROUP_NAME,
)
from streaming_etl.components.settings.filter_patterns import pattern_problems
from streaming_etl.components.settings.functions import concurrent_executions
from streaming_etl.components.settings.validation import (
    NOT_EMPTY,
    Problem,
    Related,
    Settings,
    both_or_none,
    checked,
    fields_except,
    invalid,
    limited,
    no_effect,
    one_of,
    text,
    texts,
)

EVENT_NAMES = ("INSERT", "MODIFY", "REMOVE")
CURRENT_STATE_SOURCES = ("objects", "partitions", "merged")
OLD_IMAGES = ("always", "on_remove", "never")
STREAM_VIEWS = ("NEW_AND_OLD_IMAGES", "NEW_IMAGE")
"""View types that can feed a lake: KEYS_ONLY has no data, and OLD_IMAGE lacks the newest."""

# AWS allows 50 tags per resource; one of them is the pipeline's name.
# https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html
MAX_TAGS, MAX_TAG_KEY, MAX_TAG_VALUE = 49, 128, 256
TAG_SYMBOLS = "_.:/=+-@"
TAG_CATEGORIES = ("L", "N", "Z")
"""Unicode's letters, numbers and separators."""
RESERVED_TAGS = ("aws:", "streaming-etl:")

# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_AttributeDefinition.html
ATTRIBUTE_NAME = {"pattern": NOT_EMPTY, "kind": "non-empty text", "most_bytes": 255}
# Larger batches need a window. https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html
MAX_BATCH_WITHOUT_WINDOW = 10
STREAM_SETTINGS = (
    "stream_arn",
    "stream_view_type",
    "table_kms_key_arn",
    "hash_key",
    "hash_key_type",
    "range_key",
    "range_key_type",
)
"""Settings of `source` that have an effect with `stream_arn`."""
CAPACITY = "DynamoDB's quota of a table is 40,000 units"
LOG_PREFIX = re.compile(r"[ -~]{1,512}")
S3_DAYS = "S3 expires objects after whole days"


@dataclass(frozen=True, kw_only=True)
class SourceArgs(Settings):
    """DynamoDB table with its stream, created or only read."""

    use_existing: bool = False
    """Read the stream of an existing table. The stream must include new images. Turning it on
    deletes the created table."""
    stream_arn: Optional[pulumi.Input[str]] = field(default=None, metadata=STREAM_ARN)
    """ARN of the stream of an existing table, which is then not looked up: for a table of the same
    program, whose `stream_arn` is an output. The settings of keys then describe the existing
    table. A pipeline without `lake_tables` needs `glue_table_name` when `table_name` is an
    output."""
    stream_view_type: str = one_of(*STREAM_VIEWS)
    """View type of the stream of `stream_arn`: NEW_AND_OLD_IMAGES or NEW_IMAGE."""
    table_kms_key_arn: Optional[pulumi.Input[str]] = field(default=None, metadata=KEY_ARN)
    """ARN of the customer key that encrypts the table of `stream_arn`, if one does."""
    hash_key: str = field(default="id", metadata=ATTRIBUTE_NAME)
    """Partition key attribute of the new table, or of that of `stream_arn`, at most 255 bytes.
    Changing it replaces the new table."""
    hash_key_type: str = one_of("S", "N", "B")
    """S, N or B. Changing it replaces the table."""
    range_key: Optional[str] = field(default=None, metadata=ATTRIBUTE_NAME)
    """Sort key attribute, if any, at most 255 bytes. Changing it replaces the table."""
    range_key_type: str = one_of("S", "N", "B")
    """S, N or B. Changing it replaces the table."""
    read_capacity: Optional[int] = limited(None, 1, 40_000, CAPACITY)
    """Provisioned read units, 1 to 40,000; without both capacities the table is on-demand."""
    write_capacity: Optional[int] = limited(None, 1, 40_000, CAPACITY)
    """Provisioned write units, 1 to 40,000; without both capacities the table is on-demand."""
    point_in_time_recovery: bool = True
    """Continuous backups of the last 35 days."""
    deletion_protection: Optional[bool] = None
    """AWS rejects the deletion of the table; by default true with `protect` or `retain`."""
    ttl_attribute: Optional[str] = field(default=None, metadata=ATTRIBUTE_NAME)
    """Attribute with the epoch second at which DynamoDB deletes the item."""

    def further_problems(self) -> Iterator[Problem]:
        if self.use_existing:
            because = Related("use_existing", True)
            of_stream = STREAM_SETTINGS if self.stream_arn is not None else {"stream_arn"}
            ignored = fields_except(self, "use_existing", *of_stream)
            if self.deletion_protection:
                # The default of earlier versions, in the outputs of their stacks.
                ignored -= {"deletion_protection"}
            yield from no_effect(self, ignored, because)
        else:
            names = {"stream_arn", "stream_view_type", "table_kms_key_arn"}
            yield from no_effect(self, names, Related("use_existing", False))
        if self.range_key is None:
            yield from no_effect(self, {"range_key_type"}, Related("range_key", None))
        if self.range_key == self.hash_key:
            because = Related("hash_key", self.hash_key)
            yield invalid("range_key", self.range_key, "same-attribute", because)
        yield from both_or_none(
            self, "read_capacity", "write_capacity", both="provisioned capacity", none="on-demand"
        )


@dataclass(frozen=True, kw_only=True)
class ForwarderArgs(Settings):
    """Stage 1: event source mapping of the stream, and its Lambda function."""

    batch_size: int = limited(500, 1, 10_000, "Lambda reads 1 to 10,000 changes per batch")
    """Changes per invocation, 1 to 10,000 (and 6 MB)."""
    batching_window_seconds: Optional[int] = limited(
        None, 0, 300, "Lambda gathers a batch for 0 to 300 s"
    )
    """Time in which the mapping gathers a batch, 0 to 300 s; at least 1 with a `batch_size` above
    10. Adds that much latency. By default that of `freshness`: 1, 5 or 60, and less than
    `maximum_record_age_seconds`."""
    parallelization_factor: int = limited(2, 1, 10, "Lambda runs 1 to 10 batches per shard")
    """Concurrent batches per shard, 1 to 10. The order of each item's changes is kept."""
    maximum_retry_attempts: int = limited(3, 0, 100, "A failing batch blocks its shard until then")
    """Retries of a batch, 0 to 100, before it is dead-lettered completely in the bucket."""
    maximum_record_age_seconds: int = limited(
        43_200, 60, 86_400, "The stream keeps a change for 24 h"
    )
    """Age at which a change is dead-lettered, 60 to 86,400 s. It expires in the stream at 24 h."""
    event_names: Sequence[str] = texts(EVENT_NAMES, len(EVENT_NAMES), 1, choices=EVENT_NAMES)
    """Event types to forward: INSERT, MODIFY, REMOVE. Other changes never reach the lake. A current
    state needs MODIFY and REMOVE, and a change then a new `glue_table_name`."""
    filter_patterns: Sequence[str] = texts((), 5, pattern=re.compile(r"(?s).*"), kind="text")
    """Lambda event filter patterns (JSON), at most 5 of 4,096 characters. A change that matches one
    is forwarded. Numbers are text: {"N": ["5"]}. A REMOVE has no NewImage. With a current state a
    change needs a new `glue_table_name`."""
    old_image: str = one_of(*OLD_IMAGES, default="on_remove")
    """Changes that include the item before the write: `always`, `on_remove` (only a REMOVE) or
    `never`. For others `change.old` is None; a REMOVE without it has only `change.keys`."""
    max_changes_per_record: int = limited(500, 1, 500, "Firehose splits a record into at most 500")
    """Changes in one aggregated Firehose record, 1 to 500. With 1 each change is a record, and
    Firehose bills it rounded up to 5 KB."""
    max_record_kib: int = limited(256, 1, 1000, "Firehose accepts 1,000 KiB per record")
    """Size of an aggregated record, 1 to 1,000 KiB and at most the transform's `buffer_mib`; a
    larger change is a single-change record."""
    unmatched: str = one_of("count", "fail")
    """Changes that the `where` of no lake table matches: `count` counts them in a metric; `fail`
    makes each a failed change, which is dead-lettered."""
    timeout_seconds: int = limited(60, 30, 900, "Lambda runs at most 900 s, slow puts need 30 s")
    """Lambda time-out, 30 to 900 s, and at least 12 s and 2 s per lake table. Puts are retried
    until 12 s before it."""
    memory_mib: int = limited(256, 128, 10_240, "Lambda has 128 to 10,240 MiB")
    """Lambda memory, 128 to 10,240 MiB. CPU grows with it."""
    reserved_concurrency: Optional[int] = concurrent_executions(0)
    """Concurrent executions that are reserved for the forwarder, and its limit. With less than
    `parallelization_factor` for each shard Lambda throttles it, and changes arrive later. 0 pauses
    it: changes older than `maximum_record_age_seconds` are dead-lettered."""

    def further_problems(self) -> Iterator[Problem]:
        yield from self.window_problems()
        yield from self.pattern_problems()
        if self.max_changes_per_record == 1:
            yield from no_effect(self, {"max_record_kib"}, Related("max_changes_per_record", 1))

    def pattern_problems(self) -> Iterator[Problem]:
        """Problems of the filter patterns by themselves."""
        for pattern in self.filter_patterns:
            yield from pattern_problems("filter_patterns", pattern)

    def window_problems(self) -> Iterator[Problem]:
        """Problems of the batching window with batch size and record age."""
        name, window = "batching_window_seconds", self.batching_window_seconds
        if window is None:
            return
        if window == 0 and self.batch_size > MAX_BATCH_WITHOUT_WINDOW:
            yield invalid(name, window, "minimum", Related("batch_size", self.batch_size), low=1)
        age = self.maximum_record_age_seconds
        if window >= age:
            # A change expires in the window and is dead-lettered without a call.
            because = Related("maximum_record_age_seconds", age)
            yield invalid(name, window, "maximum", because, high=age - 1)


@dataclass(frozen=True, kw_only=True)
class TransformArgs(Settings):
    """Stage 2a: Lambda function that runs the transform module, called by Firehose."""

    timeout_seconds: int = limited(120, 60, 300, "Firehose waits 1 to 5 minutes for a transform")
    """Lambda time-out, 60 to 300 s. Firehose waits at most 5 minutes."""
    memory_mib: int = limited(512, 128, 10_240, "Lambda has 128 to 10,240 MiB")
    """Lambda memory, 128 to 10,240 MiB. CPU grows with it."""
    buffer_mib: float = limited(1.0, 0.2, 3.0, "Firehose buffers 0.2 to 3 MiB for a transform")
    """Firehose calls the transform with this much data, 0.2 to 3 MiB ..."""
    buffer_seconds: Optional[int] = limited(
        None, 0, 900, "Firehose buffers 0 to 900 s for a transform"
    )
    """... or after this time, 0 to 900 s. Adds that much latency. By default that of `freshness`:
    0, 60 or 60."""
    maximum_retry_attempts: int = limited(3, 0, 300, "Firehose retries a transform 0 to 300 times")
    """Retries of a failed call, 0 to 300, before the batch becomes error records."""
    requirements: Optional[str] = text(None, kind="the path of a lock file")
    """Path of a lock file of packages that the transform module imports, each with `==` version
    and hashes, as `uv pip compile --universal --generate-hashes` or
    `pip-compile --generate-hashes` writes it; wheels only."""
    layers: Sequence[pulumi.Input[str]] = texts(
        (), MAX_LAYERS, pattern=LAYER_ARN, kind=LAYER_TEXT, outputs=True
    )
    """ARNs of versions of Lambda layers, at most 5, in the order in which Lambda merges them. The
    module's imports are then not checked before the deployment. The archive's packages precede
    those of a layer."""
    reserved_concurrency: Optional[int] = concurrent_executions(1)
    """Concurrent executions that are reserved for the transform, and its limit. Firehose retries a
    throttled call up to `maximum_retry_attempts` times before the batch becomes error records."""
    ephemeral_storage_mib: Optional[int] = limited(
        None, 512, 10_240, "Lambda has 512 to 10,240 MiB of /tmp"
    )
    """Size of /tmp in the transform, 512 to 10,240 MiB; by default 512."""
    environment: Mapping[str, pulumi.Input[str]] = checked(environment_problems)
    """Environment variables of the transform: texts by name, at most 4,096 bytes with `secrets`.
    Anyone who may read the function's configuration can read them."""
    secrets: Mapping[str, pulumi.Input[str]] = checked(secret_problems)
    """ARNs of SSM parameters and Secrets Manager secrets by the name of an environment variable,
    into which a new process of the function reads the value before it imports the module."""

    def further_problems(self) -> Iterator[Problem]:
        yield from variable_problems(self.environment, self.secrets)


@dataclass(frozen=True, kw_only=True)
class DeliveryArgs(Settings):
    """Stage 2b: Firehose's buffer before S3; the first limit creates an object."""

    buffer_mib: Optional[int] = limited(None, 1, 128, "Firehose buffers 1 to 128 MiB")
    """Object size before compression, 1 to 128 MiB; at least 64 for Parquet and dynamic
    partitioning. By default that of `freshness`: 64, 64 or 128."""
    buffer_seconds: Optional[int] = limited(None, 0, 900, "Firehose buffers 0 to 900 s")
    """Longest wait, 0 to 900 s; at least 60 with dynamic partitioning. Adds that much latency. By
    default that of `freshness`: 0 (60 for Parquet and dynamic partitioning), 120 or 900."""
    compression: Optional[str] = one_of("GZIP", "UNCOMPRESSED", default=None)
    """GZIP (default) or UNCOMPRESSED for csv and json. Parquet is compressed inside the file."""


@dataclass(frozen=True, kw_only=True)
class LakeArgs(Settings):
    """Stage 3: the bucket, and the retention of its objects."""

    bucket_name: Optional[pulumi.Input[str]] = field(default=None, metadata=BUCKET_NAME)
    """Existing bucket, shared by many pipelines and configured by its owner. The alarms on
    dead-lettered objects need its EventBridge notifications enabled. A change needs a new
    `glue_table_name`; setting it deletes the created bucket, and needs `retain: true` in an update
    before, which keeps it."""
    kms_key_arn: Optional[pulumi.Input[str]] = field(default=None, metadata=KEY_ARN)
    """ARN of the bucket's customer key, if it is another one than the pipeline's `kms_key_arn`, in
    the stack's region: for an existing bucket with a key, or a separate key for readers of the
    lake. It also encrypts Athena's results in the bucket. Without both keys SSE-S3."""
    access_log_bucket: Optional[pulumi.Input[str]] = field(default=None, metadata=BUCKET_NAME)
    """Existing bucket that receives S3's log of requests to the created bucket, in the same region
    and account. Its policy must let logging.s3.amazonaws.com write, and its default encryption be
    SSE-S3. It must be another bucket, whose log would be about writing the log."""
    access_log_prefix: Optional[str] = text(None, LOG_PREFIX, "at most 512 printable characters")
    """Key prefix of the log; by default the name of the created bucket and a slash."""
    versioning: bool = True
    """Keep overwritten and deleted objects for 30 days."""
    force_destroy: Optional[bool] = None
    """Delete the bucket with the data that it still contains; by default true without `protect` and
    `retain`."""
    data_retention_days: Optional[int] = limited(None, 1, 36_500, S3_DAYS)
    """Days after which rows are deleted, 1 to 36,500; by default never. Needs
    `query.current_state: false`, and no merge stage, which has
    `merge.change_log_retention_days`."""
    failures_retention_days: Optional[int] = limited(None, 1, 36_500, S3_DAYS)
    """Days after which error records and failed batches are deleted, replayed ones too, 1 to
    36,500; by default never."""
    query_results_retention_days: int = limited(30, 1, 36_500, S3_DAYS)
    """Days after which Athena's results are deleted, 1 to 36,500."""

    def further_problems(self) -> Iterator[Problem]:
        if self.bucket_name is not None:
            because = Related("bucket_name", self.bucket_name)
            ignored = fields_except(self, "bucket_name", "kms_key_arn")
            if not self.force_destroy:
                # The default of earlier versions, in the outputs of their stacks.
                ignored -= {"force_destroy"}
            yield from no_effect(self, ignored, because)
        if self.access_log_bucket is None:
            because = Related("access_log_bucket", None)
            yield from no_effect(self, {"access_log_prefix"}, because)


@dataclass(frozen=True, kw_only=True)
class LakeTableQueryArgs(Settings):
    """The current state of a lake table, and its saved queries."""

    current_state: bool = True
    """Create the current-state view, or a saved query where there can be no view. They need all
    changes, for as long as the item exists: false allows `lake.data_retention_days`."""
    current_state_source: Optional[str] = one_of(*CURRENT_STATE_SOURCES, default=None)
    """`objects`: the current state reads a second Glue table without partition keys, so that a
    query lists the objects; `partitions`: it reads the lake table, and a query lists every
    projected prefix; `merged`: it reads the merged table and a window of the lake table. By default
    `merged` with `merge.enabled`, else `objects`. Changing it updates the view in place."""
    saved_queries: bool = False
    """Save queries in the workgroup: the current state, the rows per partition and the latest
    changes. By default only the current state of a table without a view is saved."""


@dataclass(frozen=True, kw_only=True)
class QueryArgs(LakeTableQueryArgs):
    """Stage 5: the Athena workgroup, and the current state."""

    bytes_scanned_cutoff_mib: int = limited(102_400, 10, 10**9, "Athena's minimum is 10 MiB")
    """Athena cancels a query that scans more, 10 to 1,000,000,000 MiB."""
    managed_results: bool = False
    """Athena keeps results for 24 hours in its storage, encrypted with `kms_key_arn`, and not in
    the bucket: whoever may query in the workgroup may read them, without permission on S3."""
    workgroup_name: Optional[pulumi.Input[str]] = field(default=None, metadata=WORKGROUP_NAME)
    """Existing workgroup for the queries of people, configured by its owner; saved queries are
    created there. By default one is created. Setting it deletes the created workgroup with its
    saved queries, unless `retain: true` in an update before keeps it. Merges have a separate
    workgroup in any case."""
    force_destroy: Optional[bool] = None
    """Delete the workgroup with the queries that it still contains; by default true without
    `protect` and `retain`."""

    def further_problems(self) -> Iterator[Problem]:
        if self.workgroup_name is not None:
            because = Related("workgroup_name", self.workgroup_name)
            yield from no_effect(self, {"bytes_scanned_cutoff_mib", "force_destroy"}, because)


def is_tag_character(character: str) -> bool:
    """Whether AWS accepts a character in tags."""
    return character in TAG_SYMBOLS or unicodedata.category(character)[0] in TAG_CATEGORIES


def tag_problems(tags: Mapping[Any, Any]) -> Iterator[Problem]:
    """Problems of tags that AWS rejects for some resource."""
    if len(tags) > MAX_TAGS:
        yield invalid("tags", len(tags), "too-many", most=MAX_TAGS)
    spellings: dict[str, str] = {}
    for key, value in tags.items():
        if not isinstance(key, str) or not isinstance(value, (str, pulumi.Output)):
            yield invalid("tags", value, "type", item=key, kind="text")
            continue
        # AWS checks what only an update knows.
        value = value if isinstance(value, str) else ""
        if not 1 <= len(key) <= MAX_TAG_KEY or len(value) > MAX_TAG_VALUE:
            most, most_key = MAX_TAG_VALUE, MAX_TAG_KEY
            yield invalid("tags", value, "tag-length", item=key, most=most, most_key=most_key)
        for part in (key, value):
            if found := next(filterfalse(is_tag_character, part), None):
                yield invalid("tags", value, "tag-character", item=key, character=ascii(found))
        if key.lower().startswith(RESERVED_TAGS):
            yield invalid("tags", value, "reserved-name", item=key, reserved=RESERVED_TAGS)
        if (first := spellings.setdefault(key.lower(), key)) != key:
            yield invalid("tags", value, "same-but-for-case", item=key, other=first)
