"""Changes onto a delivery stream from outside: packed, paced, and all of them or an error."""

import time
from collections.abc import Callable, Sequence
from typing import Any

from handlers.groups import groups
from handlers.put import put_records
from ops import OpsError

# Beyond this without Firehose taking all of a call, something is wrong that waiting does not mend.
PATIENCE_SECONDS = 120.0


class Feed:
    """Puts lines on one delivery stream at no more than `kib_per_second`.

    max_changes, max_bytes: what goes into one Firehose record, as the forwarder packs.
    """

    def __init__(
        self,
        client: Any,
        stream: str,
        *,
        max_changes: int,
        max_bytes: int,
        kib_per_second: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._stream = stream
        self._max_changes, self._max_bytes = max_changes, max_bytes
        self._bytes_per_second = kib_per_second * 1024
        self._clock, self._sleep = clock, sleep
        self._free_at = clock()
        """When what was put so far has had its share of the rate."""

    def put(self, lines: Sequence[bytes]) -> None:
        """Put the changes, each a line with its line break; returns once Firehose has them all.

        Raises OpsError when it does not take them; some of them it may have.
        """
        packs = groups(lines, self._max_changes, self._max_bytes)
        self.put_packed([b"".join(lines[pack.start : pack.stop]) for pack in packs])

    def put_packed(self, records: Sequence[bytes]) -> None:
        """Put Firehose records as they are; otherwise as `put`."""
        size = sum(map(len, records))
        now = self._clock()
        if self._free_at > now:
            self._sleep(self._free_at - now)
        self._free_at = max(self._free_at, now) + size / self._bytes_per_second
        deadline = self._clock() + PATIENCE_SECONDS
        failed = put_records(
            self._client, self._stream, records, deadline, clock=self._clock, sleep=self._sleep
        )
        if failed:
            raise OpsError(
                f"Firehose did not take {len(failed)} of {len(records)} records for "
                f"{self._stream}; the line above names its reason. Run the same command again."
            )
