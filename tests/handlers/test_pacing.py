"""Rate limit and back-off, without waiting."""

import threading
from itertools import islice

import pytest

from streaming_etl.handlers.pacing import RateLimiter, backoff
from tests.support.fake_aws import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def limiter(clock: FakeClock) -> RateLimiter:
    return RateLimiter(10, clock=clock, sleep=clock.sleep)


def test_waits_until_the_budget_covers_the_units_taken_before(
    limiter: RateLimiter, clock: FakeClock
) -> None:
    assert all(limiter.take(units) for units in (20, 5, 1))
    assert clock.pauses == [2.0, 0.5]


def test_corrects_an_estimate_by_the_actual_cost(limiter: RateLimiter, clock: FakeClock) -> None:
    for correction in (25, -10, 0):
        limiter.take(10)
        limiter.correct(correction)
    assert clock.pauses == [3.5]


def test_does_not_save_up_unused_time(limiter: RateLimiter, clock: FakeClock) -> None:
    clock.now += 60
    limiter.take(10)
    limiter.take(10)
    assert clock.pauses == [1.0]


def test_never_exceeds_the_budget_by_more_than_one_request(
    limiter: RateLimiter, clock: FakeClock
) -> None:
    start, spent = clock.now, 0.0
    for number in range(200):
        limiter.take(8)
        assert spent <= (clock.now - start) * 10 + 1e-6
        cost = number * 7 % 17
        limiter.correct(cost - 8)
        spent += cost


def test_takes_nothing_that_would_begin_at_or_after_the_deadline(
    limiter: RateLimiter, clock: FakeClock
) -> None:
    deadline = clock.now + 5
    assert limiter.take(50, deadline=deadline)
    assert not limiter.take(1, deadline=deadline)
    assert clock.pauses == []
    clock.now += 4
    assert limiter.take(1)
    assert clock.pauses == [1.0]


def test_threads_share_the_budget() -> None:
    pauses: list[float] = []
    limiter = RateLimiter(1, clock=lambda: 0.0, sleep=pauses.append)
    threads = [threading.Thread(target=limiter.take, args=[1]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(pauses) == [1.0, 2.0, 3.0]


def test_backoff_doubles_up_to_the_longest_pause_with_full_jitter() -> None:
    assert [*islice(backoff(0.5, 3, lambda: 1.0), 5)] == [0.5, 1.0, 2.0, 3, 3]
    assert [*islice(backoff(0.5, 3, lambda: 0.5), 2)] == [0.25, 0.5]
