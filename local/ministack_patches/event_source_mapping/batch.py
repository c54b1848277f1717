"""Next step of a batch after each invocation, as on AWS.

AWS does not document a function that reports the first record of its batch: here the batch is
retried, and only an error of the function bisects it.
https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

# The request of a synchronous invocation.
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
MAX_EVENT_BYTES = 6 * 1024 * 1024

UNLIMITED = -1

Change = dict[str, Any]
"""A stream record, as in the function's event."""


class Settings(NamedTuple):
    """Settings of a mapping; UNLIMITED as in Lambda's API."""

    batch_size: int
    window_seconds: float
    maximum_retry_attempts: int
    maximum_record_age_seconds: int
    bisect_on_error: bool
    report_item_failures: bool

    @classmethod
    def of(cls, mapping: Mapping[str, Any]) -> "Settings":
        """Read the API's description of a mapping."""
        return cls(
            mapping["BatchSize"],
            mapping.get("MaximumBatchingWindowInSeconds", 0),
            mapping.get("MaximumRetryAttempts", UNLIMITED),
            mapping.get("MaximumRecordAgeInSeconds", UNLIMITED),
            mapping.get("BisectBatchOnFunctionError", False),
            "ReportBatchItemFailures" in mapping.get("FunctionResponseTypes", []),
        )


class InvocationResult(NamedTuple):
    """Result of one invocation."""

    response: Any = None
    error: str = ""
    """Type of the function's error; a timeout is an error too."""
    invoked: bool = True
    """False if Lambda did not invoke the function; this uses no retry."""


@dataclass(frozen=True)
class Batch:
    """Records that are sent together."""

    changes: list[Change]
    retries: int = 0
    invocations: int = 0
    """Includes those of the batch that this one is a half of."""
    failures: int = 0
    """Consecutive failures of exactly these records; the pause grows with them."""


class BatchOutcome(NamedTuple):
    """Batches to send next, and the batch whose retries are exhausted."""

    remaining: list[Batch]
    exhausted: Batch | None = None


def process_result(batch: Batch, result: InvocationResult, settings: Settings) -> BatchOutcome:
    """Apply the result of an invocation to its batch."""
    if not result.invoked:
        return BatchOutcome([replace(batch, failures=batch.failures + 1)])
    batch = replace(batch, invocations=batch.invocations + 1)
    first = first_failure(batch.changes, result, settings)
    if first is None:
        return BatchOutcome([])
    if first > 0:
        return BatchOutcome([replace(batch, changes=batch.changes[first:], failures=0)])
    if result.error and settings.bisect_on_error and len(batch.changes) > 1:
        middle = len(batch.changes) // 2
        halves = batch.changes[:middle], batch.changes[middle:]
        return BatchOutcome([replace(batch, changes=half, failures=0) for half in halves])
    limit = settings.maximum_retry_attempts
    if limit != UNLIMITED and batch.retries >= limit:
        return BatchOutcome([], batch)
    return BatchOutcome([replace(batch, retries=batch.retries + 1, failures=batch.failures + 1)])


def first_failure(
    changes: list[Change], result: InvocationResult, settings: Settings
) -> int | None:
    """Return the index of the first failed record, None after a success."""
    if result.error:
        return 0
    return first_reported(changes, result.response) if settings.report_item_failures else None


def first_reported(changes: list[Change], response: Any) -> int | None:
    """Return the lowest index in the response, 0 if it is malformed."""
    failures = response.get("batchItemFailures") if isinstance(response, dict) else response
    if not failures:
        return None
    if not isinstance(failures, list):
        return 0
    indexes = {change["dynamodb"]["SequenceNumber"]: i for i, change in enumerate(changes)}
    ids = [item.get("itemIdentifier") if isinstance(item, dict) else None for item in failures]
    return min(indexes.get(id_, 0) if isinstance(id_, str) else 0 for id_ in ids)


def split_expired(batch: Batch, oldest: float) -> tuple[list[Change], Batch]:
    """Separate the records created before `oldest`, in epoch seconds."""
    expired: list[Change] = []
    remaining: list[Change] = []
    for change in batch.changes:
        created = change["dynamodb"]["ApproximateCreationDateTime"]
        (expired if created < oldest else remaining).append(change)
    return expired, replace(batch, changes=remaining)


def count_in_one_event(changes: list[Change]) -> int:
    """Count the leading records that fit one event, at least one."""
    size = len('{"Records": []}')
    for count, change in enumerate(changes):
        size += len(json.dumps(change)) + len(", ")
        if size > MAX_EVENT_BYTES and count:
            return count
    return len(changes)
