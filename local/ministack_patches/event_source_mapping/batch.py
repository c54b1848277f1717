"""The event source mapping, second part: what becomes of a batch after each answer, as on AWS.

AWS's pages are silent on a function that reports the very first record of its batch: here that
is a retry of the whole batch, and only an error of the function halves it.
https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

# The request of a synchronous invocation.
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
MAX_EVENT_BYTES = 6 * 1024 * 1024

EXHAUSTED = "RetryAttemptsExhausted"
TOO_OLD = "RecordAgeExceeded"

Change = dict[str, Any]
"""A stream record, as the function's event holds it."""


class Settings(NamedTuple):
    """What a mapping asks for; -1 is without end, as in Lambda's API."""

    batch_size: int
    window_seconds: float
    retries: int
    age_seconds: int
    halves: bool
    """BisectBatchOnFunctionError."""
    reports: bool
    """ReportBatchItemFailures."""


def settings_of(mapping: Mapping[str, Any]) -> Settings:
    return Settings(
        batch_size=mapping["BatchSize"],
        window_seconds=mapping.get("MaximumBatchingWindowInSeconds", 0),
        retries=mapping.get("MaximumRetryAttempts", -1),
        age_seconds=mapping.get("MaximumRecordAgeInSeconds", -1),
        halves=mapping.get("BisectBatchOnFunctionError", False),
        reports="ReportBatchItemFailures" in mapping.get("FunctionResponseTypes", []),
    )


class Answer(NamedTuple):
    """What came of one invocation."""

    response: Any = None
    error: str = ""
    """Why the function failed; a time-out is an error too."""
    invoked: bool = True
    """False where Lambda did not get as far as the function: that uses up no retries."""


@dataclass(frozen=True)
class Batch:
    """Records that are sent together."""

    changes: list[Change]
    retries: int = 0
    calls: int = 0
    """Invocations so far, those of the batch that this one was halved from among them."""
    pauses: int = 0
    """Failures since it took this form: the pause before the next call grows with them."""


class Settled(NamedTuple):
    """What is left of a batch, in order, and whether its first part is given up."""

    left: list[Batch]
    given_up: Batch | None = None


def settle(batch: Batch, answer: Answer, settings: Settings) -> Settled:
    """Do with the batch what the answer asks for."""
    if not answer.invoked:
        return Settled([replace(batch, pauses=batch.pauses + 1)])
    batch = replace(batch, calls=batch.calls + 1)
    first = failed_at(batch.changes, answer, settings)
    if first is None:
        return Settled([])
    if first > 0:
        # Only the rest is sent again.
        return Settled([replace(batch, changes=batch.changes[first:], pauses=0)])
    if answer.error and settings.halves and len(batch.changes) > 1:
        middle = len(batch.changes) // 2
        halves = batch.changes[:middle], batch.changes[middle:]
        return Settled([replace(batch, changes=half, pauses=0) for half in halves])
    if settings.retries == -1 or batch.retries < settings.retries:
        return Settled([replace(batch, retries=batch.retries + 1, pauses=batch.pauses + 1)])
    return Settled([], batch)


def failed_at(changes: list[Change], answer: Answer, settings: Settings) -> int | None:
    """The index of the first record to send again; None where all went well."""
    if answer.error:
        return 0
    return first_reported(changes, answer.response) if settings.reports else None


def first_reported(changes: list[Change], response: Any) -> int | None:
    """The lowest index that the response reports; None for success, 0 for what is malformed."""
    failures = response.get("batchItemFailures") if isinstance(response, dict) else response
    if not failures:
        return None
    if not isinstance(failures, list):
        return 0
    places = {change["dynamodb"]["SequenceNumber"]: i for i, change in enumerate(changes)}
    named = [item.get("itemIdentifier") if isinstance(item, dict) else None for item in failures]
    return min(places.get(name, 0) if isinstance(name, str) else 0 for name in named)


def without_old(batch: Batch, oldest: float) -> tuple[list[Change], Batch]:
    """The records created before `oldest`, in epoch seconds, and the batch without them."""
    created = [change["dynamodb"]["ApproximateCreationDateTime"] for change in batch.changes]
    old = [change for change, at in zip(batch.changes, created, strict=True) if at < oldest]
    young = [change for change, at in zip(batch.changes, created, strict=True) if at >= oldest]
    return old, replace(batch, changes=young)


def fitting(changes: list[Change]) -> int:
    """How many of the records, from the first on, one event holds; at least one."""
    size = len('{"Records": []}')
    for count, change in enumerate(changes):
        size += len(json.dumps(change)) + len(", ")
        if size > MAX_EVENT_BYTES and count:
            return count
    return len(changes)
