"""Assumptions of the cost model: sizes, times and shares, with their sources."""

from collections.abc import Sequence
from dataclasses import dataclass

# The month of AWS's price examples.
# https://aws.amazon.com/lambda/pricing/
HOURS = 730
MONTH_SECONDS = HOURS * 3600.0

# CPU microseconds per change at these sizes of an item in DynamoDB JSON, measured by `make bench`
# with the items and events of docs/performance.md. Interpolated linearly, extrapolated above.
SIZES = (266, 1_500, 4_100)
FORWARDER = {
    "aggregated": (6.4, 19.7, 48.6),
    "single": (23.0, 58.0, 176.3),
}
TRANSFORM = {
    ("csv", "aggregated"): (7.7, 8.8, 12.7),
    ("csv", "single"): (11.1, 12.1, 15.6),
    ("json", "aggregated"): (6.2, 16.5, 60.0),
    ("json", "single"): (9.8, 20.1, 60.0),
}
"""Parquet is JSON until Firehose converts it."""


@dataclass(frozen=True, kw_only=True)
class Assumptions:
    """Values that the settings do not determine."""

    insert_share: float = 0.25
    """Share of INSERT in all changes, as in the measurements of docs/performance.md."""
    remove_share: float = 0.15
    """Share of REMOVE in all changes; the remaining changes are MODIFY, with two images."""
    stream_bytes: float = 490
    """Size of a stream record without its images, measured on the events of `make bench`."""
    line_bytes: float = 281
    """Size of a change in Firehose without its images, measured on the same events."""
    metadata_bytes: float = 267
    """Size of a row's metadata columns in JSON, measured on the same events. CSV needs a third
    less."""
    row_share: float = 1.0
    """Size of a row as a share of its item's size."""
    gzip_ratio: float = 4.0
    """Compression ratio of GZIP for CSV and JSON rows."""
    parquet_ratio: float = 3.0
    """Size of JSON rows divided by their size in Parquet."""
    on_demand_shards: float = 4
    """Shards of the stream of an on-demand or existing table. A new table serves 4,000 writes per
    second, and a partition 1,000.
    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/on-demand-capacity-mode.html"""
    poll_seconds: float = 0.25
    """Without a batching window a batch collects the changes between two polls of the shard.
    https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-eventsourcemapping.html"""
    cpu_factor: float = 2.0
    """CPU time on a Lambda vCPU divided by CPU time on the machine of docs/performance.md."""
    call_cpu_ms: float = 1.0
    """CPU time of a call without its changes on that machine: Lambda's runtime and boto3."""
    parse_ms_per_mib: float = 20.0
    """CPU time of Lambda's runtime per MiB of stream event there, measured with json.loads."""
    put_wait_ms: float = 50.0
    """Time until Firehose responds to a PutRecordBatch."""
    log_bytes: float = 450
    """Log lines of a call: START, END and REPORT of Lambda, and the handler's line."""
    lag_bytes: float = 286
    """Log line of the transform with the metric of the lag, without its values."""
    lag_value_bytes: float = 4
    """Each of its at most 100 values, one per change."""
    injected_key_values: float = 10
    """Values that an injected partition key has at the same time."""
    crawler_dpus: float = 1
    """DPUs of a crawler run. AWS chooses them; its price examples have 2."""
    crawler_minutes: float = 10
    """Billed minutes of a crawler run; Glue bills at least 10. https://aws.amazon.com/glue/pricing/"""
    minimum_wait_seconds: float = 1
    """Time until a buffer of 0 seconds is flushed."""
    multipart_requests: float = 3
    """PUT requests of an object with a buffer of less than 60 seconds, as a multipart upload.
    https://docs.aws.amazon.com/firehose/latest/dev/buffering-hints.html"""
    key_requests_per_object: float = 0.01
    """KMS requests per object with a customer managed key. S3 Bucket Keys save 99 %.
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-key.html"""

    queries_per_month: float = 1_000
    """Queries of the current state: one every 44 minutes."""
    stored_months: float = 12
    """Months of rows that a query reads, or fewer by `lake.data_retention_days`. Without
    `--items` the merged table has a row for each item inserted in this time."""
    merge_share: float = 1.3
    """Bytes of the merged table that a MERGE reads, as a share: all columns of the items, and keys
    and positions once more."""
    expiry_share: float = 0.1
    """Share of the merged table that the expiry of tombstones reads: two of its columns."""
    commit_objects: float = 8
    """Objects that a merge writes: rows, deletes, manifests, metadata and the query's result."""

    @property
    def shares(self) -> dict[str, float]:
        """Share of each event type; their sum is 1."""
        modify = 1 - self.insert_share - self.remove_share
        return {"INSERT": self.insert_share, "MODIFY": modify, "REMOVE": self.remove_share}


def cpu_us(points: Sequence[float], item_bytes: float) -> float:
    """Interpolate the CPU time of a change between the measurements at SIZES."""
    middle = 1 if item_bytes < SIZES[1] else 2
    low, high = SIZES[middle - 1], SIZES[middle]
    slope = (points[middle] - points[middle - 1]) / (high - low)
    # Smaller items cost as much as the smallest measured one.
    return points[middle - 1] + slope * (max(item_bytes, SIZES[0]) - low)
