"""What becomes of a batch after an answer, held against AWS's pages and the simulation's model."""

from typing import Any

import pytest

from local.ministack_patches.event_source_mapping.batch import (
    MAX_EVENT_BYTES,
    Answer,
    Batch,
    Change,
    Settings,
    first_reported,
    fitting,
    settings_of,
    settle,
    without_old,
)
from tests.simulation import mapping as simulated
from tests.simulation.table import Change as SimulatedChange

ERROR = Answer(error="RuntimeError")
SETTINGS = Settings(
    batch_size=100, window_seconds=0, retries=2, age_seconds=-1, halves=True, reports=True
)


def changes(count: int, created: int = 0) -> list[Change]:
    return [
        {"dynamodb": {"SequenceNumber": str(100 + number), "ApproximateCreationDateTime": created}}
        for number in range(count)
    ]


def reports(*numbers: Any) -> dict[str, Any]:
    return {"batchItemFailures": [{"itemIdentifier": number} for number in numbers]}


def test_what_a_mapping_leaves_out_is_as_lambda_has_it() -> None:
    assert settings_of({"BatchSize": 10}) == Settings(
        batch_size=10, window_seconds=0, retries=-1, age_seconds=-1, halves=False, reports=False
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
        pytest.param(reports(["101"]), 0, id="an identifier that is no text fails the batch"),
        pytest.param({"batchItemFailures": [{"id": "102"}]}, 0, id="a wrong key fails the batch"),
        pytest.param({"batchItemFailures": ["102"]}, 0, id="a bare number fails the batch"),
        pytest.param({"batchItemFailures": "102"}, 0, id="a text for the list fails the batch"),
        pytest.param("done", 0, id="a text fails the batch"),
    ],
)
def test_an_answer_is_read_as_aws_reads_it_and_as_the_simulation_does(
    response: Any, first: int | None
) -> None:
    assert first_reported(changes(4), response) == first
    assert simulated.first_failure(simulated_changes(4), response) == first


def simulated_changes(count: int) -> list[SimulatedChange]:
    return [
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
        for number in range(count)
    ]


def test_halving_uses_no_retries_and_sends_both_halves_at_once() -> None:
    batch = Batch(changes(5), retries=1, pauses=1)

    settled = settle(batch, ERROR, SETTINGS)

    assert settled.left == [
        Batch(changes(5)[:2], retries=1, calls=1),
        Batch(changes(5)[2:], retries=1, calls=1),
    ]
    assert settled.given_up is None


def test_one_change_that_fails_is_given_up_after_its_retries() -> None:
    once = settle(Batch(changes(1)), ERROR, SETTINGS)
    assert once.left == [Batch(changes(1), retries=1, calls=1, pauses=1)]

    twice = settle(once.left[0], ERROR, SETTINGS)
    assert twice.left == [Batch(changes(1), retries=2, calls=2, pauses=2)]

    thrice = settle(twice.left[0], ERROR, SETTINGS)
    assert thrice == ([], Batch(changes(1), retries=2, calls=3, pauses=2))


def test_without_halving_a_whole_batch_is_retried_and_given_up() -> None:
    whole = SETTINGS._replace(halves=False, retries=0)

    assert settle(Batch(changes(3)), ERROR, whole) == ([], Batch(changes(3), calls=1))


def test_without_a_limit_a_batch_is_retried_for_ever() -> None:
    batch = Batch(changes(1), retries=10_000, calls=10_000, pauses=10_000)

    settled = settle(batch, ERROR, SETTINGS._replace(retries=-1))

    assert settled.left == [Batch(changes(1), retries=10_001, calls=10_001, pauses=10_001)]


def test_a_function_that_was_not_reached_costs_no_retry() -> None:
    batch = Batch(changes(3), retries=2, calls=2)

    settled = settle(batch, Answer(invoked=False), SETTINGS)

    assert settled.left == [Batch(changes(3), retries=2, calls=2, pauses=1)]


def test_a_partial_success_sends_only_the_rest_and_costs_no_retry() -> None:
    settled = settle(Batch(changes(4), pauses=1), Answer(reports("102")), SETTINGS)

    assert settled.left == [Batch(changes(4)[2:], calls=1)]


def test_a_report_of_the_first_change_is_a_retry_of_the_whole_batch() -> None:
    settled = settle(Batch(changes(4)), Answer(reports("100")), SETTINGS)

    assert settled.left == [Batch(changes(4), retries=1, calls=1, pauses=1)]


def test_what_is_older_than_the_limit_leaves_the_batch() -> None:
    old, young = changes(2, created=99), changes(3, created=100)

    assert without_old(Batch(old + young, retries=1), 100) == (old, Batch(young, retries=1))


def test_a_batch_ends_where_one_event_is_full() -> None:
    text = "x" * (MAX_EVENT_BYTES // 3)
    large = [{"text": text} for _ in range(4)]

    assert fitting(large) == 2
    assert fitting([{"text": text * 4}]) == 1
    assert fitting(changes(3)) == 3
    assert fitting([]) == 0
