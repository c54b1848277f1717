"""How fast a backfill may read: one budget, which the threads of a scan share."""

import threading
import time
from collections.abc import Callable


class Pace:
    """A budget of units per second: what is taken is paid off before anyone takes more."""

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
        """When all that was taken so far is paid off."""

    def take(self, units: float) -> None:
        """Wait for one's turn, and take what the next request is likely to cost."""
        with self._lock:
            now = self._clock()
            turn = max(self._free_at, now)
            self._free_at = turn + units / self._units_per_second
        if turn > now:
            self._sleep(turn - now)

    def settle(self, taken: float, cost: float) -> None:
        """Tell what the request did cost."""
        with self._lock:
            self._free_at += (cost - taken) / self._units_per_second
