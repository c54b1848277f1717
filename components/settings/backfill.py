"""Settings of the backfill of a large table."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Optional

from streaming_etl.components.settings.functions import concurrent_executions
from streaming_etl.components.settings.validation import (
    Problem,
    Related,
    Settings,
    fields_except,
    invalid,
    limited,
    no_effect,
)

# Below this rate the pauses between two calls exceed the time-out of a function.
MIN_KIB_PER_SECOND = 16

# Of a function. A call to Firehose may take this time, with its time-out and a margin, and a batch
# is a call to the delivery stream of each lake table.
CALL_SECONDS = 12


@dataclass(frozen=True, kw_only=True)
class BackfillArgs(Settings):
    """Backfill of a large table: DynamoDB's export, processed by Step Functions."""

    enabled: bool = False
    """Create the state machine that `streaming-etl backfill --export` starts. It costs nothing
    until then. The table must have point-in-time recovery."""
    on_create: bool = False
    """Load all items once: the update that turns this on starts a run, later updates do not.
    `streaming-etl backfill --export` shows the run, and continues a failed one. An existing table
    must have point-in-time recovery already."""
    concurrency: int = limited(4, 1, 1000, "An account runs 1,000 functions at a time by default")
    """Files of the export that are processed at a time, 1 to 1,000. Each takes one concurrent
    execution of the account, as the forwarder does."""
    kib_per_second: int = limited(512, MIN_KIB_PER_SECOND, 1_048_576, "A file needs 16 KiB/s")
    """Rate of all files together into Firehose, to all delivery streams, at least 16 KiB/s for each
    of `concurrency`. The changes of the stream need the rest of the quota of a delivery stream, 1
    to 5 MiB/s by region unless increased."""
    maximum_retry_attempts: int = limited(5, 0, 100, "A file that fails more often needs a fix")
    """Retries of a failed call, 0 to 100, before a file counts as failed."""
    tolerated_failure_percentage: int = limited(0, 0, 100, "The value is a percentage")
    """Share of failed files, 0 to 100 percent, above which the run ends early. A run with any
    failed file ends as failed; the same command then continues with the files that are left."""
    timeout_seconds: int = limited(900, 60, 900, "Lambda runs at most 900 s, slow puts need 60 s")
    """Lambda time-out, 60 to 900 s, and at least 12 s for each lake table and 12 s more. The next
    call continues a longer file where this one ends."""
    memory_mib: int = limited(512, 128, 10_240, "Lambda has 128 to 10,240 MiB")
    """Lambda memory, 128 to 10,240 MiB. CPU grows with it."""
    reserved_concurrency: Optional[int] = concurrent_executions(1)
    """Concurrent executions that are reserved for the backfill's function, at least `concurrency`,
    so that it never takes those of the forwarder."""
    retention_days: int = limited(30, 1, 36_500, "S3 expires objects after whole days")
    """Days after which exports and results are deleted, 1 to 36,500."""

    def further_problems(self) -> Iterator[Problem]:
        if not self.enabled:
            because = Related("enabled", False)
            yield from no_effect(self, fields_except(self, "enabled"), because)
        low = MIN_KIB_PER_SECOND * self.concurrency
        if self.kib_per_second < low:
            concurrency = Related("concurrency", self.concurrency)
            yield invalid("kib_per_second", self.kib_per_second, "minimum", concurrency, low=low)
        reserved, low = self.reserved_concurrency, self.concurrency
        if self.enabled and reserved is not None and reserved < low:
            concurrency = Related("concurrency", low)
            yield invalid("reserved_concurrency", reserved, "minimum", concurrency, low=low)
