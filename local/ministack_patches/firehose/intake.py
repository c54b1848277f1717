"""Firehose as AWS runs it, put in the place of ministack's own delivery: taking records in.

ministack delivers inside PutRecord, one object for each record, and holds a lock while the
transform runs, so that a transform that puts records back waits for itself; it drops what the
transform marks ProcessingFailed, never tries again, and passes through what is answered wrongly.
Here a put only fills a buffer, and a thread for each stream empties it: packed records split
(firehose_split.py), through the transform (firehose_transform.py) into objects
(firehose_objects.py).
"""

import base64
import binascii
import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from ministack.core.responses import get_account_id, get_region, json_response, request_scope
from ministack.services import firehose, lambda_svc, s3

from local.ministack_patches.compat import refuse_lacking
from local.ministack_patches.firehose.deaggregation import split
from local.ministack_patches.firehose.objects import Objects
from local.ministack_patches.firehose.processor import Record, batches, transform

DRAIN_SECONDS = 0.2

# https://docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecordBatch.html
MAX_RECORDS = 500
MAX_CALL_BYTES = 4 * 1024 * 1024
MAX_RECORD_BYTES = 1000 * 1024

# ministack's private parts in use here and in the modules above.
BORROWED = {
    firehose: (
        *("_HANDLERS", "_streams", "_not_found", "_invalid", "_record_id", "_DeliveryError"),
        *("_evaluate_prefix", "_java_time", "_convert_to_parquet", "_s3_bucket_from_arn"),
    ),
    lambda_svc: (
        *("_resolve_name_and_qualifier", "_get_func_record_for_qualifier", "_execute_function"),
    ),
    s3: ("_put_object",),
}

logger = logging.getLogger("local.ministack_patches.firehose.intake")


def install() -> None:
    """Replace ministack's PutRecord and PutRecordBatch; refuses a ministack it does not fit."""
    refuse_lacking(BORROWED, "local/firehose.py")
    firehose._HANDLERS["PutRecord"] = put_record
    firehose._HANDLERS["PutRecordBatch"] = put_record_batch


class Buffer:
    """The records of one delivery stream that wait for delivery, and the thread that delivers."""

    def __init__(self, account: str, region: str, name: str) -> None:
        self._scope = (account, region)
        self._name = name
        self._waiting: list[Record] = []
        self._lock = threading.Lock()
        threading.Thread(target=self._run, daemon=True, name=f"firehose-{name}").start()

    def put(self, records: list[Record]) -> None:
        with self._lock:
            self._waiting += records

    def _run(self) -> None:
        # ministack keeps its state by the account and region of the request, and a thread of
        # our own has no request.
        with request_scope(*self._scope):
            while True:
                time.sleep(DRAIN_SECONDS)
                with self._lock:
                    waiting, self._waiting = self._waiting, []
                stream = firehose._streams.get(self._name)
                if waiting and stream is not None:
                    deliver(stream, waiting)


def deliver(stream: dict[str, Any], records: list[Record]) -> None:
    """Take records to the destinations of the stream."""
    for destination in stream["destinations"]:
        config = destination["config"]
        parts, unreadable = split(records, config)
        with carry_on(stream, len(unreadable)):
            Objects(stream, config, records[0].arrived).write_errors(unreadable)
        for batch in batches(parts, config):
            with carry_on(stream, len(batch)):
                objects = Objects(stream, config, batch[0].arrived)
                good, failures = transform(stream["arn"], config, batch)
                failures += objects.write_rows(good)
                objects.write_errors(failures)


@contextlib.contextmanager
def carry_on(stream: dict[str, Any], records: int) -> Iterator[None]:
    """Log what goes wrong: the thread must live on, and the demo shows the log."""
    try:
        yield
    except Exception:
        logger.exception("%s: %d records are lost", stream["name"], records)


_buffers: dict[tuple[str, str, str], Buffer] = {}
_buffers_lock = threading.Lock()


def put_record(data: dict[str, Any]) -> Any:
    return _put(data, [data.get("Record") or {}], lambda ids: {"RecordId": ids[0]})


def put_record_batch(data: dict[str, Any]) -> Any:
    def answer(ids: list[str]) -> dict[str, Any]:
        return {"FailedPutCount": 0, "RequestResponses": [{"RecordId": id_} for id_ in ids]}

    return _put(data, data.get("Records") or [], answer)


def _put(
    data: dict[str, Any],
    given: list[dict[str, Any]],
    answer: Callable[[list[str]], dict[str, Any]],
) -> Any:
    name = data.get("DeliveryStreamName", "")
    if firehose._streams.get(name) is None:
        return firehose._not_found(name)
    try:
        contents = [base64.b64decode(record.get("Data", ""), validate=True) for record in given]
    except binascii.Error:
        return firehose._invalid("Record.Data must be valid base64.")
    if not 1 <= len(contents) <= MAX_RECORDS:
        return firehose._invalid(f"A call takes 1 to {MAX_RECORDS} records.")
    if max(map(len, contents)) > MAX_RECORD_BYTES or sum(map(len, contents)) > MAX_CALL_BYTES:
        return firehose._invalid("A record takes 1,000 KiB and a call takes 4 MiB.")
    now = time.time()
    records = [Record(firehose._record_id(), content, now) for content in contents]
    key = (get_account_id(), get_region(), name)
    with _buffers_lock:
        buffer = _buffers.get(key) or _buffers.setdefault(key, Buffer(*key))
    buffer.put(records)
    return json_response(answer([record.id for record in records]))
