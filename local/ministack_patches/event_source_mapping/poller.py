"""A DynamoDB stream's event source mapping as AWS runs it, in place of ministack's polling.

ministack takes every answer without an error as a success, `batchItemFailures` too, retries an
error for ever and sends failures to no bucket. Here a thread for each mapping reads the stream
and calls the function; what an answer does to a batch stands in mapping_batch.py, and what
becomes of one given up in mapping_failure.py.

As on AWS: batch size, filters, partial failures, errors and time-outs, retries, halving, record
age, the object in S3. Not as on AWS: a stream has one shard and each mapping one batch at a time,
whatever its parallelization factor, which keeps the order of all items; a batching window ends
after WINDOW_SECONDS and a pause before a retry after LONGEST_PAUSE_SECONDS at most, so that
nobody waits for them on their own machine.
"""

import logging
import threading
import time
from collections import deque
from functools import partial
from typing import Any

from ministack.core.arn import ArnParseError, parse_arn
from ministack.core.responses import request_scope
from ministack.services import dynamodb, dynamodb_streams, lambda_svc, s3

from local.ministack_patches.compat import refuse_lacking
from local.ministack_patches.event_source_mapping.batch import (
    EXHAUSTED,
    TOO_OLD,
    Answer,
    Batch,
    Change,
    Settings,
    fitting,
    settings_of,
    settle,
    without_old,
)
from local.ministack_patches.event_source_mapping.failure_destination import set_aside

WINDOW_SECONDS = 0.2
PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 1.0
IDLE_SECONDS = 1.0

# ministack's private parts in use here and in the modules above.
BORROWED = {
    lambda_svc: (
        *("_poll_dynamodb_streams", "_esms", "_iter_all_esms", "_apply_filter_criteria"),
        *("_dynamodb_stream_positions", "_dynamodb_stream_table_from_arn_spec"),
        *("_init_stream_position", "_get_func_record_for_qualifier", "_execute_function"),
    ),
    dynamodb: ("_tables", "stream_records_since", "stream_start_position"),
    dynamodb_streams: ("_DEFAULT_SHARD_ID",),
    s3: ("_put_object",),
}

logger = logging.getLogger("local.ministack_patches.event_source_mapping.poller")


def install() -> None:
    """Replace ministack's polling of DynamoDB streams; refuses a ministack it does not fit."""
    refuse_lacking(BORROWED, "local/mapping.py")
    lambda_svc._poll_dynamodb_streams = poll


_lanes: dict[tuple[str, str, str], "Lane"] = {}


def poll() -> bool:
    """Wake the lane of each mapping; ministack's poller calls this whenever a stream grows."""
    found = {
        (account, region, mapping["UUID"])
        for account, region, mapping in lambda_svc._iter_all_esms()
        if table_of(mapping["EventSourceArn"])
    }
    for key in found:
        lane = _lanes.get(key) or _lanes.setdefault(key, Lane(*key))
        lane.wake.set()
    for key in _lanes.keys() - found:
        del _lanes[key]
    # Nothing was done here: the poller may sleep until the next wake.
    return False


def table_of(source_arn: str) -> str | None:
    """The table whose stream this is; None for any other source."""
    try:
        found = lambda_svc._dynamodb_stream_table_from_arn_spec(parse_arn(source_arn))
    except ArnParseError:
        return None
    return str(found[0]) if found else None


class Lane:
    """One mapping's batches, one after another, and the thread that sends them."""

    def __init__(self, account: str, region: str, uuid: str) -> None:
        self._scope = (account, region)
        self._uuid = uuid
        self.wake = threading.Event()
        self._batches: deque[Batch] = deque()
        """What is left of the batch under way, parts in order."""
        self._end = 0
        """The stream's position behind the batch under way."""
        threading.Thread(target=self._run, daemon=True, name=f"mapping-{uuid}").start()

    def _run(self) -> None:
        # ministack keeps its state by the account and region of the request, and a thread of
        # our own has no request.
        with request_scope(*self._scope):
            while (mapping := lambda_svc._esms.get(self._uuid)) is not None:
                self.wake.clear()
                try:
                    busy = mapping.get("Enabled", True) and self._step(mapping)
                except Exception:
                    # The thread must live on. The batch is still there and is sent again.
                    logger.exception("%s: a step of the mapping failed", self._uuid)
                    busy = False
                if not busy:
                    self.wake.wait(IDLE_SECONDS)

    def _step(self, mapping: dict[str, Any]) -> bool:
        """Send one batch; whether there was one."""
        settings = settings_of(mapping)
        if not self._batches and not self._read(mapping, settings):
            return False
        self._send(mapping, settings)
        if not self._batches:
            lambda_svc._dynamodb_stream_positions[self._uuid] = self._end
        return True

    def _read(self, mapping: dict[str, Any], settings: Settings) -> bool:
        """Take the next batch off the stream; it may be empty behind the filters."""
        arn = mapping["EventSourceArn"]
        name = table_of(arn)
        table = dynamodb._tables.get(name)
        if table is None or table.get("LatestStreamArn") != arn:
            return False
        lambda_svc._init_stream_position(self._uuid, arn, mapping.get("StartingPosition"))
        begin = max(
            lambda_svc._dynamodb_stream_positions[self._uuid], dynamodb.stream_start_position(name)
        )
        read = partial(dynamodb.stream_records_since, name, begin, settings.batch_size)
        changes = read()
        if 0 < len(changes) < settings.batch_size:
            time.sleep(min(settings.window_seconds, WINDOW_SECONDS))
            changes = read()
        if not changes:
            return False
        changes = changes[: fitting(changes)]
        self._end = begin + len(changes)
        self._batches.append(Batch(lambda_svc._apply_filter_criteria(changes, mapping)))
        return True

    def _send(self, mapping: dict[str, Any], settings: Settings) -> None:
        """Send the first batch, without what has become too old; all of it may be, or filtered."""
        batch = self._batches[0]
        time.sleep(min(PAUSE_SECONDS * batch.pauses, LONGEST_PAUSE_SECONDS))
        if settings.age_seconds != -1:
            old, batch = without_old(batch, time.time() - settings.age_seconds)
            if old:
                set_aside(mapping, old, TOO_OLD, batch.calls, Answer())
        if not batch.changes:
            self._batches.popleft()
            return
        answer = invoke(mapping, batch.changes)
        settled = settle(batch, answer, settings)
        if settled.given_up:
            set_aside(mapping, batch.changes, EXHAUSTED, settled.given_up.calls, answer)
        self._batches.popleft()
        self._batches.extendleft(reversed(settled.left))
        failed = settled.left or settled.given_up
        mapping["LastProcessingResult"] = "PROBLEM: Function call failed" if failed else "OK"


def invoke(mapping: dict[str, Any], changes: list[Change]) -> Answer:
    """Call the mapping's function."""
    function, _ = lambda_svc._get_func_record_for_qualifier(
        mapping["FunctionName"], mapping.get("Qualifier")
    )
    if function is None:
        return Answer(invoked=False)
    result = lambda_svc._execute_function(function, {"Records": changes})
    if result.get("throttle"):
        return Answer(invoked=False)
    body = result.get("body")
    if result.get("error"):
        # The message of an error may quote a change: its type alone is told.
        kind = str(body.get("errorType")) if isinstance(body, dict) else "Unhandled"
        uuid, count = mapping["UUID"], len(changes)
        logger.warning("%s: the function failed on %d records: %s", uuid, count, kind)
        return Answer(error=kind)
    return Answer(response=body)
