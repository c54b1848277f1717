"""A number that AWS would refuse is refused here, at both ends of its range, and so is no number.

Every refusal is that of the whole program, and comes before any resource exists.
"""

import dataclasses
from collections.abc import Iterator
from typing import Any, NamedTuple, Optional

import pytest

from streaming_etl import StreamingEtlPipelineArgs, args_from_config
from tests.components.pipelines import Pipelines


class Range(NamedTuple):
    """What `group.field` takes, and why."""

    group: str
    field: str
    low: float
    high: float
    meaning: str
    low_text: str
    high_text: str
    beside: dict[str, Any] = {}  # noqa: RUF012 (never changed)
    elsewhere: dict[str, Any] = {}  # noqa: RUF012 (never changed)


S3_DAYS = "S3 expires after whole days"
QUOTA = "DynamoDB's table quota"
HALF_A_DAY = "a change is kept for 24 h, and half of that is left to act in"

RANGES = [
    Range("source", "read_capacity", 1, 40_000, QUOTA, "1", "40,000", {"write_capacity": 1}),
    Range("source", "write_capacity", 1, 40_000, QUOTA, "1", "40,000", {"read_capacity": 1}),
    Range(
        *("forwarder", "batch_size", 1, 10_000),
        *("Lambda reads 1 to 10,000 changes per batch", "1", "10,000"),
    ),
    Range(
        *("forwarder", "batching_window_seconds", 0, 300),
        *("Lambda gathers a batch for 0 to 300 s", "0", "300"),
    ),
    Range(
        *("forwarder", "parallelization_factor", 1, 10),
        *("Lambda runs 1 to 10 batches per shard", "1", "10"),
    ),
    Range(
        *("forwarder", "maximum_retry_attempts", 0, 100),
        *("a failing batch blocks its shard until it ends", "0", "100"),
    ),
    Range(
        *("forwarder", "maximum_record_age_seconds", 60, 86_400),
        *("the stream keeps a change for 24 h", "60", "86,400"),
    ),
    Range(
        *("forwarder", "max_changes_per_record", 1, 500),
        *("Firehose splits a record into at most 500", "1", "500"),
    ),
    Range(
        *("forwarder", "max_record_kib", 1, 1000),
        *("Firehose takes 1,000 KiB a record", "1", "1000"),
    ),
    Range(
        *("forwarder", "timeout_seconds", 30, 900),
        *("a Lambda runs for 900 s, and a slow Firehose needs 30", "30", "900"),
    ),
    Range(
        *("forwarder", "memory_mib", 128, 10_240),
        *("a Lambda has 128 to 10,240 MiB", "128", "10,240"),
    ),
    Range(
        *("transform", "timeout_seconds", 60, 300),
        *("Firehose waits 1 to 5 minutes for a transform", "60", "300"),
    ),
    Range(
        *("transform", "memory_mib", 128, 10_240),
        *("a Lambda has 128 to 10,240 MiB", "128", "10,240"),
    ),
    Range(
        *("transform", "buffer_mib", 0.2, 3.0),
        *("Firehose buffers 0.2 to 3 MiB for a transform", "0.2", "3.0"),
        elsewhere={"forwarder": {"max_record_kib": 204}},
    ),
    Range(
        *("transform", "buffer_seconds", 0, 900),
        *("Firehose buffers 0 to 900 s for a transform", "0", "900"),
    ),
    Range(
        *("transform", "maximum_retry_attempts", 0, 300),
        *("Firehose calls a failing transform again 0 to 300 times", "0", "300"),
    ),
    Range("delivery", "buffer_mib", 1, 128, "Firehose buffers 1 to 128 MiB", "1", "128"),
    Range("delivery", "buffer_seconds", 0, 900, "Firehose buffers 0 to 900 s", "0", "900"),
    Range("lake", "data_retention_days", 1, 36_500, S3_DAYS, "1", "36,500"),
    Range("lake", "failures_retention_days", 1, 36_500, S3_DAYS, "1", "36,500"),
    Range(
        *("lake", "query_results_retention_days", 1, 36_500),
        *("S3 expires after days", "1", "36,500"),
    ),
    Range(
        "partitions",
        "projection_start_year",
        2000,
        2100,
        "the first year in the lake",
        "2000",
        "2100",
    ),
    Range(
        *("monitoring", "max_iterator_age_seconds", 30, 43_200, HALF_A_DAY, "30", "43,200"),
        elsewhere={"forwarder": {"maximum_record_age_seconds": 86_400}},
    ),
    Range("monitoring", "max_data_freshness_seconds", 60, 43_200, HALF_A_DAY, "60", "43,200"),
    Range(
        *("monitoring", "max_requeued_changes", 1, 1_000_000),
        *("it is a count in five minutes", "1", "1,000,000"),
    ),
    Range(
        *("monitoring", "max_transform_duration_percent", 10, 99),
        *("at 100 percent Lambda has ended the call", "10", "99"),
    ),
    Range(
        *("backfill", "concurrency", 1, 1000),
        *("an account runs 1,000 functions at a time", "1", "1000"),
        {"enabled": True, "kib_per_second": 16_000},
    ),
    Range(
        *("backfill", "kib_per_second", 16, 1_048_576),
        *("16 KiB/s keep one function going", "16", "1,048,576"),
        {"enabled": True, "concurrency": 1},
    ),
    Range(
        *(
            "backfill",
            "maximum_retry_attempts",
            0,
            100,
            "what fails that often is no passing fault",
            "0",
            "100",
        ),
        {"enabled": True},
    ),
    Range(
        *("backfill", "tolerated_failure_percentage", 0, 100, "it is a percentage", "0", "100"),
        {"enabled": True},
    ),
    Range(
        *("backfill", "timeout_seconds", 60, 900),
        *("a Lambda runs for 900 s, and a slow Firehose needs 60", "60", "900"),
        {"enabled": True},
    ),
    Range(
        *("backfill", "memory_mib", 128, 10_240),
        *("a Lambda has 128 to 10,240 MiB", "128", "10,240"),
        {"enabled": True},
    ),
    Range("backfill", "retention_days", 1, 36_500, S3_DAYS, "1", "36,500", {"enabled": True}),
    Range(
        "query",
        "bytes_scanned_cutoff_mib",
        10,
        10**9,
        "Athena's least limit",
        "10",
        "1,000,000,000",
    ),
]
IDS = [f"{limit.group}.{limit.field}" for limit in RANGES]
UNTOLD = {"log_retention_days"}


def numbers(cls: Any, path: str = "") -> Iterator[str]:
    """Every setting that is a number."""
    for item in dataclasses.fields(cls):
        if dataclasses.is_dataclass(item.type):
            yield from numbers(item.type, f"{path}{item.name}.")
        elif item.type in (int, float, Optional[int], Optional[float]):
            yield f"{path}{item.name}"


def refusal(pipelines: Pipelines, limit: Range, value: Any) -> str:
    """The refusal of one value, without the path it begins with."""
    message = pipelines.config_refusal(**{limit.group: {**limit.beside, limit.field: value}})
    path, _, rest = message.partition(": ")
    assert path == f"tables.shop.{limit.group}"
    return rest


def test_every_number_has_a_range() -> None:
    assert set(IDS) == set(numbers(StreamingEtlPipelineArgs)) - UNTOLD


@pytest.mark.parametrize("limit", RANGES, ids=IDS)
def test_a_number_below_its_range_is_refused(pipelines: Pipelines, limit: Range) -> None:
    value = limit.low - (0.01 if isinstance(limit.low, float) else 1)
    assert refusal(pipelines, limit, value) == (
        f"{limit.field}={value} is out of range: {limit.meaning}; use {limit.low_text} or more."
    )


@pytest.mark.parametrize("limit", RANGES, ids=IDS)
def test_a_number_above_its_range_is_refused(pipelines: Pipelines, limit: Range) -> None:
    value = limit.high + (0.01 if isinstance(limit.high, float) else 1)
    assert refusal(pipelines, limit, value) == (
        f"{limit.field}={value} is out of range: {limit.meaning}; use {limit.high_text} or fewer."
    )


@pytest.mark.parametrize("limit", RANGES, ids=IDS)
@pytest.mark.parametrize("value", [True, "5", [5], {}])
def test_what_is_no_number_is_refused(pipelines: Pipelines, limit: Range, value: Any) -> None:
    kind = "a number" if isinstance(limit.low, float) else "a whole number"
    assert refusal(pipelines, limit, value) == (
        f"{limit.field}={value!r} is not {kind}: {limit.meaning};"
        f" use {limit.low_text} to {limit.high_text}."
    )


@pytest.mark.parametrize(
    "limit", [limit for limit in RANGES if isinstance(limit.low, int)], ids=lambda limit: limit[1]
)
def test_a_fraction_where_aws_counts_is_refused(pipelines: Pipelines, limit: Range) -> None:
    value = limit.low + 0.5
    assert refusal(pipelines, limit, value) == (
        f"{limit.field}={value!r} is not a whole number: {limit.meaning};"
        f" use {limit.low_text} to {limit.high_text}."
    )


@pytest.mark.parametrize("limit", RANGES, ids=IDS)
def test_both_ends_of_a_range_are_allowed(limit: Range) -> None:
    for value in (limit.low, limit.high):
        given = {**limit.beside, limit.field: value}
        shop = {"table_name": "orders", "transform_module": "shop.py", "partitions": {}}
        args = args_from_config("tables.shop", {**shop, **limit.elsewhere, limit.group: given})
        assert getattr(getattr(args, limit.group), limit.field) == value


def test_a_number_that_is_none_is_refused(pipelines: Pipelines) -> None:
    [nan] = [limit for limit in RANGES if limit.field == "buffer_mib" and limit.group != "delivery"]
    assert refusal(pipelines, nan, float("nan")) == (
        "buffer_mib=nan is out of range: Firehose buffers 0.2 to 3 MiB for a transform;"
        " use 0.2 or more."
    )


@pytest.mark.parametrize("days", [0, 2, 31, 3654, -1, "30", True, None])
def test_a_log_retention_that_cloudwatch_does_not_know_is_refused(
    pipelines: Pipelines, days: object
) -> None:
    assert pipelines.config_refusal(log_retention_days=days) == (
        f"tables.shop: log_retention_days={days!r} is not allowed: CloudWatch's numbers;"
        " use one of 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827,"
        " 2192, 2557, 2922, 3288, 3653."
    )
