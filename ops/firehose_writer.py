"""Changes onto a delivery stream from outside: packed, paced, and all of them or an error."""

import random
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from streaming_etl.handlers.firehose.batching import groups
from streaming_etl.handlers.firehose.put_records import (
    MAX_CALL_BYTES,
    MAX_CALL_RECORDS,
    put_records,
)
from streaming_etl.stack.errors import CommandError

# Beyond this without Firehose taking all of a call, something is wrong that waiting does not mend.
PATIENCE_SECONDS = 120.0

# Half of what a stream takes in most regions, so that the pipeline's own changes have the rest.
# https://docs.aws.amazon.com/firehose/latest/dev/limits.html
DEFAULT_KIB_PER_SECOND = 512.0


class Feed:
    """Puts lines on one delivery stream at no more than `kib_per_second`; may be shared by threads.

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
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._client = client
        self._stream = stream
        self._max_changes, self._max_bytes = max_changes, max_bytes
        self._bytes_per_second = kib_per_second * 1024
        self._clock, self._sleep, self._jitter = clock, sleep, jitter
        self._lock = threading.Lock()
        self._free_at = clock()
        """When what was put so far has had its share of the rate."""

    def put(self, lines: Sequence[bytes]) -> None:
        """Put the changes, each a line with its line break; returns once Firehose has them all.

        Raises CommandError when it does not take them; some of them it may have.
        """
        packs = groups(lines, self._max_changes, self._max_bytes)
        self.put_packed([b"".join(lines[pack.start : pack.stop]) for pack in packs])

    def put_packed(self, records: Sequence[bytes]) -> None:
        """Put Firehose records as they are; otherwise as `put`."""
        # A call holds no more than a second's share: the stream's own changes come in between.
        most = min(MAX_CALL_BYTES, int(self._bytes_per_second))
        for call in groups(records, MAX_CALL_RECORDS, most):
            self._call(records[call.start : call.stop])

    def _call(self, records: Sequence[bytes]) -> None:
        self._sleep(self._turn(sum(map(len, records))))
        given_up: dict[str, Any] = {}
        failed = put_records(
            self._client,
            self._stream,
            records,
            self._clock() + PATIENCE_SECONDS,
            clock=self._clock,
            sleep=self._sleep,
            jitter=self._jitter,
            # A line of the handlers' log would stand in the command's own output.
            report=lambda *_, **fields: given_up.update(fields),
        )
        if failed:
            raise CommandError(
                f"Firehose did not take {len(failed)} of {len(records)} records for "
                f"{self._stream}: {given_up['error']}. Run the same command again; "
                "where the stream is too busy, with a lower --kib-per-second."
            )

    def _turn(self, size: int) -> float:
        """Take the next `size` bytes' share of the rate; the seconds until it begins."""
        with self._lock:
            now = self._clock()
            begin = max(self._free_at, now)
            self._free_at = begin + size / self._bytes_per_second
            return begin - now
