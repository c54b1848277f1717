"""What may be asked of each stage: every setting, its default and its refusal; no provider."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Optional

import pulumi

from streaming_etl.components.settings.filters import (
    EVENT_NAMES,
    check_event_names,
    check_filter_patterns,
)
from streaming_etl.components.settings.schema_annotations import published
from streaming_etl.components.settings.validation import (
    SettingsError,
    all_but,
    refuse,
    refuse_ignored,
    require_bool,
    require_choice,
    require_input_text,
    require_range,
    require_text,
)

OLD_IMAGES = ("always", "on_remove", "never")


@published
@dataclass(frozen=True, kw_only=True)
class SourceArgs:
    """The DynamoDB table: made here with its stream, or an existing one that is only read."""

    use_existing: bool = False
    """Read the stream of a table that is already there. Its stream must carry new images."""
    hash_key: str = "id"
    """Partition key attribute of the new table. Changing it replaces the table."""
    hash_key_type: str = "S"
    """S, N or B. Changing it replaces the table."""
    range_key: Optional[str] = None
    """Sort key attribute, if any. Changing it replaces the table."""
    range_key_type: str = "S"
    """S, N or B. Changing it replaces the table."""
    read_capacity: Optional[int] = None
    """Provisioned read units; without both capacities the table is on-demand."""
    write_capacity: Optional[int] = None
    """Provisioned write units; without both capacities the table is on-demand."""
    point_in_time_recovery: bool = True
    """Continuous backups of the last 35 days."""
    deletion_protection: bool = True
    """AWS refuses to delete the table; turn it off in an update before `pulumi destroy`."""
    ttl_attribute: Optional[str] = None
    """Attribute with the epoch second at which DynamoDB removes the item."""

    def __post_init__(self) -> None:
        for name in ("use_existing", "point_in_time_recovery", "deletion_protection"):
            require_bool(name, getattr(self, name))
        if self.use_existing:
            refuse_ignored(self, all_but(self, "use_existing"), "an existing table is only read")
        require_text("hash_key", self.hash_key, "a table needs a partition key attribute")
        for name in ("hash_key_type", "range_key_type"):
            require_choice(name, getattr(self, name), ("S", "N", "B"), "DynamoDB key types")
        if self.range_key is None:
            refuse_ignored(self, {"range_key_type"}, "there is no range_key")
        else:
            require_text("range_key", self.range_key, "it names an attribute")
            if self.range_key == self.hash_key:
                raise refuse("range_key", self.range_key, "is the hash_key; name another.")
        if self.ttl_attribute is not None:
            require_text("ttl_attribute", self.ttl_attribute, "it names an attribute")
        if (self.read_capacity is None) != (self.write_capacity is None):
            raise SettingsError(
                f"read_capacity={self.read_capacity!r} and write_capacity={self.write_capacity!r}"
                " do not go together: give both for provisioned capacity, none for on-demand."
            )
        for name in ("read_capacity", "write_capacity"):
            if getattr(self, name) is not None:
                require_range(name, getattr(self, name), 1, 40_000, "DynamoDB's table quota")


@published
@dataclass(frozen=True, kw_only=True)
class ForwarderArgs:
    """Stage 1: the stream's event source mapping and the Lambda that it calls."""

    batch_size: int = 500
    """Changes per invocation, 1 to 10,000 (and 6 MB)."""
    batching_window_seconds: int = 5
    """How long the mapping gathers a batch, 0 to 300 s. Adds that much latency."""
    parallelization_factor: int = 2
    """Batches at a time per shard, 1 to 10; order is kept per item."""
    maximum_retry_attempts: int = 3
    """Tries after the first, 0 to 100, before a batch is set aside whole in the bucket."""
    maximum_record_age_seconds: int = 43_200
    """Age at which a change is set aside, 60 to 86,400 s; the stream forgets it at 24 h."""
    event_names: Sequence[str] = EVENT_NAMES
    """Kinds of changes to take: INSERT, MODIFY, REMOVE. The rest never reaches the lake."""
    filter_patterns: Sequence[str] = ()
    """Lambda event filter patterns (JSON), at most 5; a change that matches one is taken."""
    old_image: str = "on_remove"
    """Changes that bring the item as it was before: `always`, `on_remove` (a REMOVE only) or `never`.
    `change.old` is None for the rest; a REMOVE without it tells only `change.keys`."""
    max_changes_per_record: int = 500
    """Changes packed into one Firehose record, 1 to 500; with 1 each travels alone, and Firehose
    bills it rounded up to 5 KB."""
    max_record_kib: int = 256
    """Size of a packed record, 1 to 1,000 KiB and at most the transform's `buffer_mib`; a larger
    change travels alone."""
    timeout_seconds: int = 60
    """Lambda time-out, 30 to 900 s; puts are tried again until 12 s before it."""
    memory_mib: int = 256
    """Lambda memory, 128 to 10,240 MiB; CPU grows with it."""

    def __post_init__(self) -> None:
        limits = {
            "batch_size": (1, 10_000, "Lambda reads 1 to 10,000 changes per batch"),
            "batching_window_seconds": (0, 300, "Lambda gathers a batch for 0 to 300 s"),
            "parallelization_factor": (1, 10, "Lambda runs 1 to 10 batches per shard"),
            "maximum_retry_attempts": (0, 100, "a failing batch blocks its shard until it ends"),
            "maximum_record_age_seconds": (60, 86_400, "the stream keeps a change for 24 h"),
            "max_changes_per_record": (1, 500, "Firehose splits a record into at most 500"),
            "max_record_kib": (1, 1000, "Firehose takes 1,000 KiB a record"),
            "timeout_seconds": (30, 900, "a Lambda runs for 900 s, and a slow Firehose needs 30"),
            "memory_mib": (128, 10_240, "a Lambda has 128 to 10,240 MiB"),
        }
        for name, (low, high, meaning) in limits.items():
            require_range(name, getattr(self, name), low, high, meaning)
        check_event_names(self.event_names)
        check_filter_patterns(self.filter_patterns)
        require_choice("old_image", self.old_image, OLD_IMAGES, "changes that bring the old item")
        if self.max_changes_per_record == 1:
            refuse_ignored(self, {"max_record_kib"}, "max_changes_per_record=1 packs nothing")


@published
@dataclass(frozen=True, kw_only=True)
class TransformArgs:
    """Stage 2a: the Lambda in which the transform module runs, and Firehose's calls to it."""

    timeout_seconds: int = 120
    """Lambda time-out, 60 to 300 s; Firehose waits at most 5 minutes."""
    memory_mib: int = 512
    """Lambda memory, 128 to 10,240 MiB; CPU grows with it."""
    buffer_mib: float = 1.0
    """Firehose calls the transform with this much, 0.2 to 3 MiB ..."""
    buffer_seconds: int = 60
    """... or after this time, 0 to 900 s. Adds that much latency."""
    maximum_retry_attempts: int = 3
    """Tries after a failed call, 0 to 300, before the batch goes to the error prefix."""
    requirements: Optional[str] = None
    """Path of a lock file of packages that the transform module imports, each `==` a version and
    with hashes, as `uv pip compile --universal --generate-hashes` or
    `pip-compile --generate-hashes` writes it; wheels only."""

    def __post_init__(self) -> None:
        limits: dict[str, tuple[float, float, str]] = {
            "timeout_seconds": (60, 300, "Firehose waits 1 to 5 minutes for a transform"),
            "memory_mib": (128, 10_240, "a Lambda has 128 to 10,240 MiB"),
            "buffer_mib": (0.2, 3.0, "Firehose buffers 0.2 to 3 MiB for a transform"),
            "buffer_seconds": (0, 900, "Firehose buffers 0 to 900 s for a transform"),
            "maximum_retry_attempts": (
                0,
                300,
                "Firehose calls a failing transform again 0 to 300 times",
            ),
        }
        for name, (low, high, meaning) in limits.items():
            require_range(name, getattr(self, name), low, high, meaning)
        if self.requirements is not None:
            require_text("requirements", self.requirements, "it is the path of a lock file")


@published
@dataclass(frozen=True, kw_only=True)
class DeliveryArgs:
    """Stage 2b: Firehose's buffer before S3. Whichever is full first makes an object."""

    buffer_mib: int = 64
    """Object size before compression, 1 to 128 MiB; 64 or more for Parquet and row keys."""
    buffer_seconds: int = 120
    """Longest wait, 0 to 900 s; 60 or more with row keys. Adds that much latency."""
    compression: Optional[str] = None
    """GZIP (default) or UNCOMPRESSED for csv and json; Parquet compresses inside by itself."""

    def __post_init__(self) -> None:
        require_range("buffer_mib", self.buffer_mib, 1, 128, "Firehose buffers 1 to 128 MiB")
        require_range("buffer_seconds", self.buffer_seconds, 0, 900, "Firehose buffers 0 to 900 s")
        if self.compression is not None:
            choices = ("GZIP", "UNCOMPRESSED")
            require_choice("compression", self.compression, choices, "what Athena reads")


@published
@dataclass(frozen=True, kw_only=True)
class LakeArgs:
    """Stage 3: the bucket, made here or given, and the life of what lies in it."""

    bucket_name: Optional[pulumi.Input[str]] = None
    """A bucket from outside, shared by many pipelines; its owner looks after it. The alarms on
    objects set aside need its EventBridge notifications switched on."""
    kms_key_arn: Optional[pulumi.Input[str]] = None
    """Customer key for SSE-KMS; without it SSE-S3. A given bucket's own key goes here too."""
    versioning: bool = True
    """Keep what is overwritten or deleted for 30 days."""
    force_destroy: bool = False
    """Let `pulumi destroy` delete a bucket that still holds data."""
    data_retention_days: Optional[int] = None
    """Delete rows after this many days; without it never."""
    failures_retention_days: Optional[int] = None
    """Delete error records and failed batches, replayed ones too, after this many days; without it
    never."""
    query_results_retention_days: int = 30
    """Delete Athena's results after this many days."""

    def __post_init__(self) -> None:
        for name in ("versioning", "force_destroy"):
            require_bool(name, getattr(self, name))
        for name in ("data_retention_days", "failures_retention_days"):
            if getattr(self, name) is not None:
                require_range(name, getattr(self, name), 1, 36_500, "S3 expires after whole days")
        if self.kms_key_arn is not None:
            require_input_text("kms_key_arn", self.kms_key_arn, "arn:", "it names a KMS key")
        days = self.query_results_retention_days
        require_range("query_results_retention_days", days, 1, 36_500, "S3 expires after days")
        if self.bucket_name is not None:
            require_input_text("bucket_name", self.bucket_name, "", "it names an S3 bucket")
            ignored = all_but(self, "bucket_name", "kms_key_arn")
            refuse_ignored(self, ignored, "a given bucket stays as it is")


@published
@dataclass(frozen=True, kw_only=True)
class QueryArgs:
    """Stage 5: the Athena workgroup."""

    bytes_scanned_cutoff_mib: int = 102_400
    """A query that scans more is cancelled; at least 10 MiB."""
    force_destroy: bool = False
    """Let `pulumi destroy` delete a workgroup that still holds queries made by hand."""

    def __post_init__(self) -> None:
        require_range(
            "bytes_scanned_cutoff_mib",
            self.bytes_scanned_cutoff_mib,
            10,
            10**9,
            "Athena's least limit",
        )
        require_bool("force_destroy", self.force_destroy)
