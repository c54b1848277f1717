"""PutRecord and PutRecordBatch: fill a buffer that one thread per stream delivers.

Also completes what DescribeDeliveryStream returns.
"""

import base64
import binascii
import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from ministack.core.responses import get_account_id, get_region, json_response, request_scope
from ministack.services import firehose, glue, lambda_svc, s3

from local.ministack_patches.compat import require_private_api
from local.ministack_patches.firehose.deaggregation import deaggregate
from local.ministack_patches.firehose.objects import ObjectWriter, exact_documents
from local.ministack_patches.firehose.processor import Record, batches, transform
from local.ministack_patches.metrics import publish

BUFFER_SECONDS = 0.2

# https://docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecordBatch.html
MAX_RECORDS = 500
MAX_CALL_BYTES = 4 * 1024 * 1024
MAX_RECORD_BYTES = 1000 * 1024

# Private names of ministack that this package uses.
PRIVATE_API = {
    firehose: (
        "_DeliveryError _HANDLERS _convert_to_parquet _dest_description _evaluate_prefix "
        "_hive_to_duckdb_type _invalid _java_time _json_documents _not_found _record_id "
        "_s3_bucket_from_arn _streams"
    ),
    glue: "_tables",
    lambda_svc: "_execute_function _get_func_record_for_qualifier _resolve_name_and_qualifier",
    s3: "_put_object",
}

logger = logging.getLogger(__name__)


def install() -> None:
    """Replace PutRecord, PutRecordBatch, the parser of Parquet rows and a description."""
    require_private_api(PRIVATE_API)
    firehose._json_documents = partial(exact_documents, firehose._json_documents)
    firehose._dest_description = partial(described_destination, firehose._dest_description)
    firehose._HANDLERS["PutRecord"] = put_record
    firehose._HANDLERS["PutRecordBatch"] = put_record_batch


def described_destination(
    describe: Callable[[dict[str, Any]], dict[str, Any]], destination: dict[str, Any]
) -> dict[str, Any]:
    """Add what ministack omits from the description of an S3 destination."""
    description = describe(destination)
    if destination["type"] == "ExtendedS3":
        for key in ("CustomTimeZone", "FileExtension"):
            if key in destination["config"]:
                value = destination["config"][key]
                description["ExtendedS3DestinationDescription"][key] = value
    return description


class Buffer:
    """Buffered records of one delivery stream, and the thread that delivers them."""

    def __init__(self, account: str, region: str, name: str) -> None:
        self._scope = (account, region)
        self._name = name
        self._records: list[Record] = []
        self._lock = threading.Lock()
        threading.Thread(target=self._run, daemon=True, name=f"firehose-{name}").start()

    def put(self, records: list[Record]) -> None:
        with self._lock:
            self._records += records

    def _run(self) -> None:
        # ministack selects its state by account and region of the current request.
        with request_scope(*self._scope):
            while True:
                time.sleep(BUFFER_SECONDS)
                with self._lock:
                    records, self._records = self._records, []
                stream = firehose._streams.get(self._name)
                if records and stream is not None:
                    deliver(stream, records)


def deliver(stream: dict[str, Any], records: list[Record]) -> None:
    """Deliver records to the destinations of the stream."""
    for destination in stream["destinations"]:
        config = destination["config"]
        parts, unreadable = deaggregate(records, config)
        with logged_failures(stream, len(unreadable)):
            ObjectWriter(stream, config, records[0].arrived).write_errors(unreadable)
        for batch in batches(parts, config):
            with logged_failures(stream, len(batch)):
                writer = ObjectWriter(stream, config, batch[0].arrived)
                rows, failures = transform(stream["arn"], config, batch)
                not_written = writer.write_rows(rows)
                publish_delivery(stream["name"], batch, len(rows) - len(not_written))
                writer.write_errors(failures + not_written)


def publish_delivery(name: str, batch: list[Record], written: int) -> None:
    """Publish Firehose's metrics of a delivery.

    https://docs.aws.amazon.com/firehose/latest/dev/monitoring-with-cloudwatch-metrics.html
    """
    metrics = {
        "DeliveryToS3.DataFreshness": time.time() - batch[0].arrived,
        **({"DeliveryToS3.Records": written} if written else {}),
    }
    publish("AWS/Firehose", "DeliveryStreamName", name, metrics)


@contextlib.contextmanager
def logged_failures(stream: dict[str, Any], records: int) -> Iterator[None]:
    """Log an exception, so that the stream's thread continues."""
    try:
        yield
    except Exception:
        logger.exception("%s: %d records are lost", stream["name"], records)


_buffers: dict[tuple[str, str, str], Buffer] = {}
_buffers_lock = threading.Lock()


def put_record(request: dict[str, Any]) -> Any:
    return _put(request, [request.get("Record") or {}], lambda ids: {"RecordId": ids[0]})


def put_record_batch(request: dict[str, Any]) -> Any:
    def response(ids: list[str]) -> dict[str, Any]:
        return {"FailedPutCount": 0, "RequestResponses": [{"RecordId": id_} for id_ in ids]}

    return _put(request, request.get("Records") or [], response)


def _put(
    request: dict[str, Any],
    records: list[dict[str, Any]],
    response: Callable[[list[str]], dict[str, Any]],
) -> Any:
    """Check AWS's limits, buffer the records, and return the response."""
    name = request.get("DeliveryStreamName", "")
    if firehose._streams.get(name) is None:
        return firehose._not_found(name)
    try:
        contents = [base64.b64decode(record.get("Data", ""), validate=True) for record in records]
    except binascii.Error:
        return firehose._invalid("Record.Data must be valid base64.")
    if not 1 <= len(contents) <= MAX_RECORDS:
        return firehose._invalid(f"Records must have 1 to {MAX_RECORDS} elements.")
    if max(map(len, contents)) > MAX_RECORD_BYTES or sum(map(len, contents)) > MAX_CALL_BYTES:
        return firehose._invalid("A record must be at most 1,000 KiB, a call at most 4 MiB.")
    now = time.time()
    buffered = [Record(firehose._record_id(), content, now) for content in contents]
    key = (get_account_id(), get_region(), name)
    with _buffers_lock:
        buffer = _buffers.get(key) or _buffers.setdefault(key, Buffer(*key))
    buffer.put(buffered)
    return json_response(response([record.id for record in buffered]))
