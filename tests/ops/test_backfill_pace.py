import pytest

from streaming_etl.ops.backfill.pace import Pace
from tests.handlers.fakes import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def pace(clock: FakeClock) -> Pace:
    return Pace(10, clock=clock, sleep=clock.sleep)


def test_who_comes_first_waits_for_nothing_and_the_next_until_that_is_paid_off(
    pace: Pace, clock: FakeClock
) -> None:
    for units in (20, 5, 1):
        pace.take(units)

    assert clock.pauses == [2.0, 0.5]


def test_a_request_that_cost_more_than_guessed_holds_up_the_next_and_one_that_cost_less_does_not(
    pace: Pace, clock: FakeClock
) -> None:
    pace.take(10)
    pace.settle(10, 35)
    pace.take(10)
    pace.settle(10, 0)
    pace.take(10)

    assert clock.pauses == [3.5]


def test_time_in_which_nothing_is_read_is_not_saved_up(pace: Pace, clock: FakeClock) -> None:
    clock.now += 60
    pace.take(10)
    pace.take(10)

    assert clock.pauses == [1.0]


def test_over_any_time_no_more_is_read_than_the_budget_and_one_page(
    pace: Pace, clock: FakeClock
) -> None:
    start, spent = clock.now, 0.0
    for number in range(200):
        pace.take(8)
        assert spent <= (clock.now - start) * 10 + 1e-6
        cost = float(number * 7 % 17)
        pace.settle(8, cost)
        spent += cost
