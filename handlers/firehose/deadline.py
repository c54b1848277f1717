"""Last times of an invocation to begin a call or a change."""

import time
from typing import Any

CONNECT_SECONDS = 2
READ_SECONDS = 8
# A call that begins just before the deadline ends before Lambda's time-out.
_CALL_SECONDS = CONNECT_SECONDS + READ_SECONDS + 2

# Seconds of an invocation that are left to requeue the other records and to encode the response.
# Firehose sends at most 3 MiB at a time: three calls, or twenty with short changes, and retries.
TRANSFORM_MARGIN_SECONDS = _CALL_SECONDS + 8


def deadline_of(context: Any, margin_seconds: float = _CALL_SECONDS) -> float:
    """Return the last time, on `time.monotonic`, to begin a call.

    margin_seconds: the rest of the invocation after this time.
    """
    remaining_ms: int = context.get_remaining_time_in_millis()
    return time.monotonic() + remaining_ms / 1000 - margin_seconds
