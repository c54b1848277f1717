"""Outcome of an invocation, compared with AWS's docs and the simulation."""

from typing import Any

import pytest

from local.ministack_patches.event_source_mapping.batch import (
    MAX_EVENT_BYTES,
    Batch,
    Change,
    InvocationResult,
    Settings,
    count_in_one_event,
    first_reported,
    process_result,
    split_expired,
)
from tests.simulation import mapping as simulated
from tests.simulation.table import Change as SimulatedChange

ERROR = InvocationResult(error="RuntimeError")
SETTINGS = Settings(
    batch_size=100,
    window_seconds=0,
    maximum_retry_attempts=2,
    maximum_record_age_seconds=-1,
    bisect_on_error=True,
    report_item_failures=True,
)


def changes(count: int, created: int = 0) -> list[Change]:
    return [
        {"dynamodb": {"SequenceNumber": str(100 + number), "ApproximateCreationDateTime": created}}
        for number in range(count)
    ]


def reports(*identifiers: Any) -> dict[str, Any]:
    return {"batchItemFailures": [{"itemIdentifier": one} for one in identifiers]}


def test_defaults_of_a_mapping_are_those_of_lambda() -> None:
    assert Settings.of({"BatchSize": 10}) == Settings(
        batch_size=10,
        window_seconds=0,
        maximum_retry_attempts=-1,
        maximum_record_age_seconds=-1,
        bisect_on_error=False,
        report_item_failures=False,
    )


@pytest.mark.parametrize(
    ("response", "first"),
    [
        pytest.param(None, None, id="null is success"),
        pytest.param({}, None, id="an empty object is success"),
        pytest.param("", None, id="an empty text is success"),
        pytest.param([], None, id="an empty list is success"),
        pytest.param({"batchItemFailures": []}, None, id="no failures are success"),
        pytest.param({"batchItemFailures": None}, None, id="null failures are success"),
        pytest.param(reports("102"), 2, id="a reported record is the checkpoint"),
        pytest.param(reports("103", "101"), 1, id="the lowest is the checkpoint"),
        pytest.param(reports("103", ""), 0, id="an empty identifier fails the batch"),
        pytest.param(reports(None), 0, id="a null identifier fails the batch"),
        pytest.param(reports("900"), 0, id="an unknown identifier fails the batch"),
        pytest.param(reports(["101"]), 0, id="an identifier must be text"),
        pytest.param({"batchItemFailures": [{"id": "102"}]}, 0, id="a wrong key fails the batch"),
        pytest.param({"batchItemFailures": ["102"]}, 0, id="a failure must be an object"),
        pytest.param({"batchItemFailures": "102"}, 0, id="failures must be a list"),
        pytest.param("done", 0, id="a text fails the batch"),
    ],
)
def test_reads_a_response_as_aws_and_the_simulation_do(response: Any, first: int | None) -> None:
    simulated_changes = [
        SimulatedChange(
            event_id=str(number),
            kind="INSERT",
            keys={},
            new=None,
            old=None,
            sequence_number=str(100 + number),
            at=0,
            by_ttl=False,
            shard="0",
            float_time=False,
        )
        for number in range(4)
    ]

    assert first_reported(changes(4), response) == first
    assert simulated.first_failure(simulated_changes, response) == first


@pytest.mark.parametrize(("count", "middle"), [(2, 1), (5, 2)])
def test_bisection_uses_no_retry_and_no_pause(count: int, middle: int) -> None:
    outcome = process_result(Batch(changes(count), retries=1, failures=1), ERROR, SETTINGS)

    assert outcome.remaining == [
        Batch(changes(count)[:middle], retries=1, invocations=1),
        Batch(changes(count)[middle:], retries=1, invocations=1),
    ]
    assert outcome.exhausted is None


def test_retries_of_a_single_record_are_exhausted_after_their_maximum() -> None:
    first = process_result(Batch(changes(1)), ERROR, SETTINGS)
    assert first.remaining == [Batch(changes(1), retries=1, invocations=1, failures=1)]

    second = process_result(first.remaining[0], ERROR, SETTINGS)
    assert second.remaining == [Batch(changes(1), retries=2, invocations=2, failures=2)]

    third = process_result(second.remaining[0], ERROR, SETTINGS)
    assert third == ([], Batch(changes(1), retries=2, invocations=3, failures=2))


@pytest.mark.parametrize(
    ("batch", "result", "settings", "outcome"),
    [
        pytest.param(
            Batch(changes(3)),
            ERROR,
            {"bisect_on_error": False, "maximum_retry_attempts": 0},
            ([], Batch(changes(3), invocations=1)),
            id="without bisection the batch is retried as one",
        ),
        pytest.param(
            Batch(changes(1), retries=9_999, invocations=9_999, failures=9_999),
            ERROR,
            {"maximum_retry_attempts": -1},
            ([Batch(changes(1), retries=10_000, invocations=10_000, failures=10_000)], None),
            id="without a maximum retries are never exhausted",
        ),
        pytest.param(
            Batch(changes(3), retries=2, invocations=2),
            InvocationResult(invoked=False),
            {},
            ([Batch(changes(3), retries=2, invocations=2, failures=1)], None),
            id="a function that was not invoked uses no retry",
        ),
        pytest.param(
            Batch(changes(4), failures=1),
            InvocationResult(reports("102")),
            {},
            ([Batch(changes(4)[2:], invocations=1)], None),
            id="a partial success uses no retry",
        ),
        pytest.param(
            Batch(changes(4)),
            InvocationResult(reports("100")),
            {},
            ([Batch(changes(4), retries=1, invocations=1, failures=1)], None),
            id="a report of the first record retries the batch",
        ),
    ],
)
def test_outcome_of_one_invocation(
    batch: Batch, result: InvocationResult, settings: dict[str, Any], outcome: Any
) -> None:
    assert process_result(batch, result, SETTINGS._replace(**settings)) == outcome


def test_separates_expired_records() -> None:
    old, new = changes(2, created=99), changes(3, created=100)

    assert split_expired(Batch(old + new, retries=1), 100) == (old, Batch(new, retries=1))


def test_a_batch_has_at_most_the_records_of_one_event() -> None:
    text = "x" * (MAX_EVENT_BYTES // 3)
    large = [{"text": text} for _ in range(4)]

    assert count_in_one_event(large) == 2
    assert count_in_one_event([{"text": text * 4}]) == 1
    assert count_in_one_event(changes(3)) == 3
    assert count_in_one_event([]) == 0
