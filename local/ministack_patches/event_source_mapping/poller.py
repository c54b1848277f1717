"""Poll the streams of all event source mappings and invoke their functions.

ministack treats each response without an error as a success, including `batchItemFailures`,
retries an error without limit, and has no failure destination. Here one thread per mapping reads
the stream and invokes the function.

As on AWS: batch size, filters, partial failures, errors, timeouts, retries, bisection, record
age, failed batches in S3. Not as on AWS: a stream has one shard, and a mapping sends one batch
at a time regardless of its parallelization factor, which keeps the order of all items. Batching
windows and pauses before a retry are at most WINDOW_SECONDS and MAX_PAUSE_SECONDS.
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

from local.ministack_patches.compat import require_private_api
from local.ministack_patches.event_source_mapping.batch import (
    UNLIMITED,
    Batch,
    Change,
    InvocationResult,
    Settings,
    count_in_one_event,
    process_result,
    split_expired,
)
from local.ministack_patches.event_source_mapping.failure_destination import (
    RECORD_AGE_EXCEEDED,
    RETRIES_EXHAUSTED,
    dead_letter,
)
from local.ministack_patches.metrics import publish

WINDOW_SECONDS = 0.2
PAUSE_SECONDS = 0.1
MAX_PAUSE_SECONDS = 1.0
IDLE_SECONDS = 1.0

# Private names of ministack that this package uses.
PRIVATE_API = {
    lambda_svc: (
        "_apply_filter_criteria _dynamodb_stream_positions "
        "_dynamodb_stream_table_from_arn_spec _esms _execute_function "
        "_get_func_record_for_qualifier _init_stream_position _iter_all_esms "
        "_poll_dynamodb_streams"
    ),
    dynamodb: "_tables stream_records_since stream_start_position",
    dynamodb_streams: "_DEFAULT_SHARD_ID",
    s3: "_put_object",
}

logger = logging.getLogger(__name__)


def install() -> None:
    """Replace ministack's polling of DynamoDB streams."""
    require_private_api(PRIVATE_API)
    lambda_svc._poll_dynamodb_streams = notify_pollers


_pollers: dict[tuple[str, str, str], "ShardPoller"] = {}


def notify_pollers() -> bool:
    """Notify all pollers; ministack calls this when a stream grows."""
    keys = {
        (account, region, mapping["UUID"])
        for account, region, mapping in lambda_svc._iter_all_esms()
        if table_of(mapping["EventSourceArn"])
    }
    for key in keys:
        poller = _pollers.get(key) or _pollers.setdefault(key, ShardPoller(*key))
        poller.new_records.set()
    for key in _pollers.keys() - keys:
        del _pollers[key]
    # False lets ministack wait for the next growth.
    return False


def table_of(source_arn: str) -> str | None:
    """Return the table of a stream's ARN, None for other sources."""
    try:
        table = lambda_svc._dynamodb_stream_table_from_arn_spec(parse_arn(source_arn))
    except ArnParseError:
        return None
    return str(table[0]) if table else None


class ShardPoller:
    """Thread that sends the batches of one mapping, one at a time."""

    def __init__(self, account: str, region: str, uuid: str) -> None:
        self._scope = (account, region)
        self._uuid = uuid
        self.new_records = threading.Event()
        self._batches: deque[Batch] = deque()
        """The unfinished parts of the current batch, in order."""
        self._next_position = 0
        """Position in the stream after the current batch."""
        threading.Thread(target=self._run, daemon=True, name=f"mapping-{uuid}").start()

    def _run(self) -> None:
        # ministack selects its state by account and region of the current request.
        with request_scope(*self._scope):
            while (mapping := lambda_svc._esms.get(self._uuid)) is not None:
                self.new_records.clear()
                try:
                    busy = mapping.get("Enabled", True) and self._send_next(mapping)
                except Exception:
                    # The batch is kept and sent again.
                    logger.exception("%s: the poller failed", self._uuid)
                    busy = False
                if not busy:
                    self.new_records.wait(IDLE_SECONDS)

    def _send_next(self, mapping: dict[str, Any]) -> bool:
        """Send the next batch, if there is one."""
        settings = Settings.of(mapping)
        if not self._batches and not self._read(mapping, settings):
            return False
        self._send(mapping, settings)
        if not self._batches:
            lambda_svc._dynamodb_stream_positions[self._uuid] = self._next_position
        return True

    def _read(self, mapping: dict[str, Any], settings: Settings) -> bool:
        """Read the next batch; filters may leave it empty."""
        arn = mapping["EventSourceArn"]
        name = table_of(arn)
        table = dynamodb._tables.get(name)
        if table is None or table.get("LatestStreamArn") != arn:
            return False
        lambda_svc._init_stream_position(self._uuid, arn, mapping.get("StartingPosition"))
        position = max(
            lambda_svc._dynamodb_stream_positions[self._uuid], dynamodb.stream_start_position(name)
        )
        read = partial(dynamodb.stream_records_since, name, position, settings.batch_size)
        changes = read()
        if 0 < len(changes) < settings.batch_size:
            time.sleep(min(settings.window_seconds, WINDOW_SECONDS))
            changes = read()
        if not changes:
            return False
        changes = changes[: count_in_one_event(changes)]
        polled = {"PolledEventCount": len(changes)}
        publish("AWS/Lambda", "EventSourceMappingUUID", self._uuid, polled)
        self._next_position = position + len(changes)
        self._batches.append(Batch(lambda_svc._apply_filter_criteria(changes, mapping)))
        return True

    def _send(self, mapping: dict[str, Any], settings: Settings) -> None:
        """Send the first batch without its expired records."""
        batch = self._batches[0]
        time.sleep(min(PAUSE_SECONDS * batch.failures, MAX_PAUSE_SECONDS))
        if settings.maximum_record_age_seconds != UNLIMITED:
            oldest = time.time() - settings.maximum_record_age_seconds
            expired, batch = split_expired(batch, oldest)
            if expired:
                not_invoked = InvocationResult(invoked=False)
                dead_letter(mapping, expired, RECORD_AGE_EXCEEDED, batch.invocations, not_invoked)
        if not batch.changes:
            self._batches.popleft()
            return
        publish_age(mapping, batch.changes)
        result = invoke(mapping, batch.changes)
        remaining, exhausted = process_result(batch, result, settings)
        if exhausted:
            dead_letter(mapping, batch.changes, RETRIES_EXHAUSTED, exhausted.invocations, result)
        self._batches.popleft()
        self._batches.extendleft(reversed(remaining))
        failed = remaining or exhausted
        mapping["LastProcessingResult"] = "PROBLEM: Function call failed" if failed else "OK"


def publish_age(mapping: dict[str, Any], changes: list[Change]) -> None:
    """Publish the age of the newest change of a call.

    https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
    """
    newest = changes[-1]["dynamodb"]["ApproximateCreationDateTime"]
    name = mapping["FunctionName"].rpartition(":function:")[2]
    age = max(0.0, time.time() - newest) * 1000
    publish("AWS/Lambda", "FunctionName", name, {"IteratorAge": age})


def invoke(mapping: dict[str, Any], changes: list[Change]) -> InvocationResult:
    """Invoke the mapping's function."""
    function, _ = lambda_svc._get_func_record_for_qualifier(
        mapping["FunctionName"], mapping.get("Qualifier")
    )
    if function is None:
        return InvocationResult(invoked=False)
    result = lambda_svc._execute_function(function, {"Records": changes})
    if result.get("throttle"):
        return InvocationResult(invoked=False)
    body = result.get("body")
    if result.get("error"):
        # An error's message may quote a change, so only its type is logged.
        error = str(body.get("errorType")) if isinstance(body, dict) else "Unhandled"
        uuid, count = mapping["UUID"], len(changes)
        logger.warning("%s: the function failed on %d records: %s", uuid, count, error)
        return InvocationResult(error=error)
    return InvocationResult(response=body)
