"""Settings of the merge stage."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Optional

from streaming_etl.components.settings.validation import (
    Problem,
    Related,
    Settings,
    fields_except,
    invalid,
    limited,
    no_effect,
)

# Firehose retries a delivery for 24 h, to a prefix of the first attempt's time.
# https://docs.aws.amazon.com/firehose/latest/dev/basic-deliver.html
FIREHOSE_RETRY_HOURS = 24
# An alarm with periods of an hour evaluates at most seven days.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
MAX_ALARM_HOURS = 168
# DynamoDB exports the state of at most 35 days ago, and a scan's snapshots are newer.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.HowItWorks.html
LONGEST_BACKFILL_DAYS = 35
# A window reads full days, a run may be late, and a MERGE renews tombstones after a day.
MARGIN_DAYS = 3


@dataclass(frozen=True, kw_only=True)
class MergeArgs(Settings):
    """Iceberg table with the rows of each item's last change."""

    enabled: bool = False
    """Create the merged table and its schedule; the current state then reads it, and a window of
    the change log. Needs COLUMNS, `catalog: projection` and partitions of days or hours. On a lake
    table with rows set `query.current_state_source: objects` with it, until
    `streaming-etl merge --rebuild` has merged the existing rows. Turning it off deletes the merged
    table, which `protect` rejects."""
    interval_minutes: int = limited(60, 15, 1440, "A run is billed, and a day is the longest wait")
    """Minutes between two runs, 15 to 1,440. The current state is as fresh as the change log with
    every interval."""
    window_hours: int = limited(50, 26, 720, "A run and each query read this part of the log")
    """Hours of the change log that runs and the current state read, 26 to 720: at least 24, two
    intervals and `alarm_after_hours`, and with `partition_time: event` the forwarder's
    `maximum_record_age_seconds`."""
    alarm_after_hours: int = limited(6, 1, MAX_ALARM_HOURS, "CloudWatch evaluates seven days")
    """Hours without a successful run that raise an alarm, 1 to 168 and at least two intervals."""
    optimize_every: int = limited(12, 1, 100, "Each run adds files that the next one reads")
    """Runs after which the files of the merged table are compacted and old ones deleted, 1 to
    100."""
    tombstone_days: Optional[int] = limited(None, 1, 36_500, "A tombstone expires after whole days")
    """Days after which the row of a deleted item, its tombstone, is deleted from the merged table.
    An older change that arrives after that, by replay or backfill, brings the item back. The
    default and the minimum are the sum of 35 days or `lake.failures_retention_days`, of the window
    or `change_log_retention_days`, the larger of each pair, and of three days. Without
    `lake.failures_retention_days` the default is never; if you set a number then, replay no failure
    that is older."""
    change_log_retention_days: Optional[int] = limited(
        None, 30, 36_500, "The merged table must have the rows before"
    )
    """Days after which rows of the change log are deleted, 30 to 36,500; by default never. Only in
    the pipeline's own bucket, and with the current state from the merged table. A rebuild of the
    merged table then has only the rows that are left."""

    def further_problems(self) -> Iterator[Problem]:
        if not self.enabled:
            because = Related("enabled", False)
            yield from no_effect(self, fields_except(self, "enabled"), because)
            return
        low = math.ceil(2 * self.interval_minutes / 60)
        if self.alarm_after_hours < low:
            interval = Related("interval_minutes", self.interval_minutes)
            hours = self.alarm_after_hours
            yield invalid("alarm_after_hours", hours, "minimum", interval, low=low)

    def least_window_hours(self, record_age_hours: int) -> int:
        """Hours after which each row was merged, or the alarm has fired.

        record_age_hours: longest time between a change and its prefix's time.
        """
        intervals = math.ceil(2 * self.interval_minutes / 60)
        return FIREHOSE_RETRY_HOURS + intervals + self.alarm_after_hours + record_age_hours

    def hours_until_rows_leave(self, record_age_hours: int) -> int:
        """Hours without success after which unmerged rows leave the window.

        At least `alarm_after_hours`; record_age_hours: as of `least_window_hours`.
        """
        least = self.least_window_hours(record_age_hours)
        return self.window_hours - least + self.alarm_after_hours

    def least_tombstone_days(self, failures_retention_days: Optional[int]) -> int:
        """Days in which an older change may still arrive."""
        longest = max(LONGEST_BACKFILL_DAYS, failures_retention_days or 0)
        # A rebuild reads such a change again until its row expires.
        readable = max(math.ceil(self.window_hours / 24), self.change_log_retention_days or 0)
        return longest + readable + MARGIN_DAYS

    def expiry_days(self, failures_retention_days: Optional[int]) -> Optional[int]:
        """Days after which tombstones are deleted; None for never."""
        if self.tombstone_days is not None or failures_retention_days is None:
            return self.tombstone_days
        return self.least_tombstone_days(failures_retention_days)
