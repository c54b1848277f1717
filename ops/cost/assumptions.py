"""What the model takes for granted, in one place: sizes, times and shares, with their source."""

import dataclasses
import difflib
from collections.abc import Sequence
from dataclasses import dataclass

from streaming_etl.ops.cost.number_format import read_amount
from streaming_etl.stack.errors import CommandError

# AWS's own month of its price examples.
# https://aws.amazon.com/lambda/pricing/
HOURS = 730
MONTH_SECONDS = HOURS * 3600.0

# CPU microseconds a change by the bytes of its item in DynamoDB JSON, as docs/performance.md
# measured them; a test compares. Between two sizes a straight line, beyond the last one too.
SIZES = (266, 1_500, 4_100)
FORWARDER = {
    "packed": (9.5, 21.3, 64.2),
    "alone": (30.7, 74.7, 246.3),
}
"""The whole handler with boto3: ours, and one that puts each stream record as it is."""
TRANSFORM = {
    ("csv", "packed"): (9.5, 11.3, 17.2),
    ("csv", "alone"): (13.6, 14.7, 22.1),
    ("csv", "simple"): (42.2, 89.2, 295.1),
    ("json", "packed"): (8.5, 22.1, 81.5),
    ("json", "alone"): (12.1, 27.1, 96.0),
    ("json", "simple"): (31.7, 89.9, 335.1),
}
"""Ours on changes as our forwarder sends them; `simple`: a handler as one writes it in an
afternoon, on whole stream records. Parquet is JSON until Firehose converts it."""


# What is divided by, or has a least that AWS sets; 0 and more is allowed of the rest.
LEAST = {
    "gzip_ratio": 0.1,
    "parquet_ratio": 0.1,
    "on_demand_shards": 1,
    "minimum_wait_seconds": 0.1,
    "any_value_folders": 1,
    "crawler_minutes": 10,
}


@dataclass(frozen=True, kw_only=True)
class Assumptions:
    """Each may be given anew: `--assume name=value`."""

    insert_share: float = 0.25
    """Changes that are an INSERT, of all; docs/performance.md measures with the same mix."""
    remove_share: float = 0.15
    """Changes that are a REMOVE, of all; the rest is MODIFY, with two images on the stream."""
    stream_bytes: float = 490
    """Bytes of a stream record beside its images, measured on the events of `make bench`."""
    line_bytes: float = 240
    """Bytes of a change on Firehose beside its images, measured on the same."""
    metadata_bytes: float = 150
    """Bytes that the metadata columns add to a row."""
    row_share: float = 1.0
    """Bytes of a row of the transform, of its item's; 0 for a transform that leaves all out."""
    gzip_ratio: float = 4.0
    """How many times smaller GZIP makes rows of csv and json."""
    parquet_ratio: float = 3.0
    """How many times smaller Parquet makes the JSON of its rows."""
    on_demand_shards: float = 4
    """Shards of the stream of a table on demand, or of one from outside: a new table takes 4,000
    writes a second, a partition 1,000.
    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/on-demand-capacity-mode.html"""
    poll_seconds: float = 0.25
    """Lambda polls a shard four times a second; without a batching window that gathers a batch.
    https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-eventsourcemapping.html"""
    cpu_factor: float = 2.0
    """How much longer a vCPU of Lambda takes than the machine of docs/performance.md."""
    call_cpu_ms: float = 1.0
    """CPU of a call beside its changes on that machine: Lambda's runtime, boto3."""
    parse_ms_per_mib: float = 20.0
    """CPU in which Lambda's runtime parses a MiB of stream event there; measured: json.loads."""
    put_wait_ms: float = 50.0
    """Time that the forwarder waits for Firehose to answer one PutRecordBatch."""
    log_bytes: float = 450
    """Log lines of a call: Lambda's START, END and REPORT, and the handler's own."""
    log_bytes_by_hand: float = 310
    """Log lines of a call of the hand-made functions: Lambda's own."""
    any_value_folders: float = 10
    """Folders at a time of a row key that takes any value."""
    crawler_dpus: float = 1
    """DPUs of a crawl; AWS chooses them, and its price examples have 2."""
    crawler_minutes: float = 10
    """Minutes billed of a crawl; Glue's least is 10.
    https://aws.amazon.com/glue/pricing/"""
    minimum_wait_seconds: float = 1
    """What a buffer of 0 seconds waits all the same."""
    key_requests_per_object: float = 0.01
    """KMS requests of an object in a bucket with a customer key: S3 Bucket Keys save 99 %.
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-key.html"""

    def __post_init__(self) -> None:
        if self.insert_share + self.remove_share > 1:
            raise CommandError(
                f"insert_share={self.insert_share:g} and remove_share={self.remove_share:g} are"
                " more than all changes: at most 1 together is allowed; lower one of them."
            )
        for name, low in LEAST.items():
            _require(self, name, low)

    @property
    def shares(self) -> dict[str, float]:
        """Shares of the kinds of changes, 1 together."""
        modify = 1 - self.insert_share - self.remove_share
        return {"INSERT": self.insert_share, "MODIFY": modify, "REMOVE": self.remove_share}


def _require(given: Assumptions, name: str, low: float) -> None:
    if getattr(given, name) < low:
        raise CommandError(
            f"{name}={getattr(given, name):g} is out of range: {low:g} or more is allowed;"
            f" use {low:g} or more."
        )


def assume(given: Sequence[str]) -> Assumptions:
    """The assumptions with those of `name=value` put in their place."""
    known = [item.name for item in dataclasses.fields(Assumptions)]
    values: dict[str, float] = {}
    for text in given:
        name, _, number = text.partition("=")
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}."
            raise CommandError(f"--assume {text}: there is no assumption {name!r}: {hint}")
        try:
            values[name] = read_amount(number)
        except ValueError as error:
            raise CommandError(f"--assume {text}: {error}") from None
    return Assumptions(**values)


def cpu_us(points: Sequence[float], item_bytes: float) -> float:
    """CPU of a change of this size, from what was measured at SIZES."""
    middle = 1 if item_bytes < SIZES[1] else 2
    low, high = SIZES[middle - 1], SIZES[middle]
    slope = (points[middle] - points[middle - 1]) / (high - low)
    # Below the smallest measured a change costs what that one does.
    return points[middle - 1] + slope * (max(item_bytes, SIZES[0]) - low)
