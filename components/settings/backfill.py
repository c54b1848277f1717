"""What may be asked of the backfill of a large table: settings, defaults, refusals; no provider."""

from dataclasses import dataclass

from streaming_etl.components.settings.schema_annotations import published
from streaming_etl.components.settings.validation import (
    all_but,
    refuse,
    refuse_ignored,
    require_bool,
    require_range,
)

# Below this the pauses between two puts outlast what a function may run.
LEAST_SHARE_KIB = 16


@published
@dataclass(frozen=True, kw_only=True)
class BackfillArgs:
    """The backfill of a large table on AWS: DynamoDB's export, run through Step Functions."""

    enabled: bool = False
    """Make the state machine that `streaming-etl backfill --export` starts. It costs nothing until
    then. The table must have point-in-time recovery."""
    concurrency: int = 4
    """Files of the export at a time, 1 to 1,000; each is a run of the function, and the account's
    limit on these is the forwarder's too."""
    kib_per_second: int = 512
    """What all of them together put to Firehose, 16 KiB or more for each of `concurrency`. The
    stream's own changes need the rest of its quota, 1 to 5 MiB/s by region unless AWS raised it."""
    maximum_retry_attempts: int = 5
    """Tries after a failed call, 0 to 100, before a file counts as failed."""
    tolerated_failure_percentage: int = 0
    """The run ends early once more than this share of the files has failed, 0 to 100. With any
    failed file it ends as failed; the same command then takes up what is left."""
    timeout_seconds: int = 900
    """Lambda time-out, 60 to 900 s; a longer file is taken up where the call before ended."""
    memory_mib: int = 512
    """Lambda memory, 128 to 10,240 MiB; CPU grows with it."""
    retention_days: int = 30
    """Delete exports and results after this many days."""

    def __post_init__(self) -> None:
        require_bool("enabled", self.enabled)
        limits = {
            "concurrency": (1, 1000, "an account runs 1,000 functions at a time"),
            "kib_per_second": (LEAST_SHARE_KIB, 1_048_576, "16 KiB/s keep one function going"),
            "maximum_retry_attempts": (0, 100, "what fails that often is no passing fault"),
            "tolerated_failure_percentage": (0, 100, "it is a percentage"),
            "timeout_seconds": (60, 900, "a Lambda runs for 900 s, and a slow Firehose needs 60"),
            "memory_mib": (128, 10_240, "a Lambda has 128 to 10,240 MiB"),
            "retention_days": (1, 36_500, "S3 expires after whole days"),
        }
        for name, (low, high, meaning) in limits.items():
            require_range(name, getattr(self, name), low, high, meaning)
        if not self.enabled:
            refuse_ignored(self, all_but(self, "enabled"), "backfill.enabled is false")
        if self.kib_per_second < LEAST_SHARE_KIB * self.concurrency:
            least = LEAST_SHARE_KIB * self.concurrency
            raise refuse(
                "kib_per_second",
                self.kib_per_second,
                f"is too little for concurrency={self.concurrency}: each file needs"
                f" {LEAST_SHARE_KIB} KiB/s; use {least:,} or more, or fewer files at a time.",
            )
