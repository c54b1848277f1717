"""Waiting: a rate limit that threads share, and exponential back-off."""

import random
import threading
import time
from collections.abc import Callable, Iterator


class RateLimiter:
    """Budget of units per second, which threads may share.

    Unused time is not saved up.
    """

    def __init__(
        self,
        units_per_second: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._units_per_second = units_per_second
        self._clock, self._sleep = clock, sleep
        self._lock = threading.Lock()
        self._free_at = clock()
        """When the budget covers all units that were taken."""

    def take(self, units: float, *, deadline: float = float("inf")) -> bool:
        """Wait until the budget covers all earlier units, then take `units`.

        Returns False, and takes nothing, when that is not before `deadline`.
        """
        with self._lock:
            now = self._clock()
            begin = max(self._free_at, now)
            if begin >= deadline:
                return False
            self._free_at = begin + units / self._units_per_second
        if begin > now:
            self._sleep(begin - now)
        return True

    def correct(self, units: float) -> None:
        """Take more units, or return some, once the cost is known."""
        with self._lock:
            self._free_at += units / self._units_per_second


def backoff(
    first_seconds: float, longest_seconds: float, jitter: Callable[[], float] = random.random
) -> Iterator[float]:
    """Yield pauses without end: exponential back-off with full jitter.

    https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
    """
    longest = first_seconds
    while True:
        yield jitter() * longest
        longest = min(2 * longest, longest_seconds)
