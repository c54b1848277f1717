"""Invoke the transform function and check its response as Firehose does."""

import base64
import json
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from ministack.core.responses import get_region, new_uuid
from ministack.services import lambda_svc

RETRY_SECONDS = 0.1

# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
MAX_RESPONSE_BYTES = 6 * 1024 * 1024

# Defaults of Firehose.
# https://docs.aws.amazon.com/firehose/latest/APIReference/API_ProcessorParameter.html
DEFAULT_BUFFER_MB = 1
DEFAULT_RETRIES = 3


class Record(NamedTuple):
    """A record of a PutRecord call, or a part of one."""

    id: str
    data: bytes
    arrived: float
    """Epoch seconds."""


class TransformedRecord(NamedTuple):
    """A record with the data and partition keys that the transform returned."""

    record: Record
    data: bytes
    partition_keys: Mapping[str, str]


@dataclass(frozen=True)
class FailedRecord:
    """A record that becomes an error record with additional `fields`."""

    record: Record
    code: str
    message: str
    error_output_type: str = "processing-failed"
    attempts: int = 1
    fields: Mapping[str, Any] = field(default_factory=dict)


Results = tuple[list[TransformedRecord], list[FailedRecord]]


def parameters_of(config: Mapping[str, Any], processor: str) -> dict[str, str]:
    """Return the parameters of the processor of this type, empty without one."""
    processing = config.get("ProcessingConfiguration") or {}
    if not processing.get("Enabled"):
        return {}
    for candidate in processing.get("Processors", []):
        if candidate["Type"] == processor:
            pairs = candidate["Parameters"]
            return {pair["ParameterName"]: pair["ParameterValue"] for pair in pairs}
    return {}


def batches(records: list[Record], config: Mapping[str, Any]) -> Iterator[list[Record]]:
    """Split records into batches of the processor's buffer size."""
    parameters = parameters_of(config, "Lambda")
    max_bytes = float(parameters.get("BufferSizeInMBs", DEFAULT_BUFFER_MB)) * 1024 * 1024
    batch: list[Record] = []
    size = 0
    for record in records:
        if batch and size + len(record.data) > max_bytes:
            yield batch
            batch, size = [], 0
        batch.append(record)
        size += len(record.data)
    if batch:
        yield batch


def transform(stream_arn: str, config: Mapping[str, Any], batch: list[Record]) -> Results:
    """Invoke the transform; retries errors, and never an invalid response."""
    parameters = parameters_of(config, "Lambda")
    if not parameters:
        return [TransformedRecord(record, record.data, {}) for record in batch], []
    arn = parameters["LambdaArn"]
    attempts = 1 + int(parameters.get("NumberOfRetries", DEFAULT_RETRIES))
    event = build_event(stream_arn, batch)
    for attempt in range(1, attempts + 1):
        response, error = invoke(arn, event)
        if not error:
            rows, failures = check_response(batch, response)
            break
        if attempt < attempts:
            time.sleep(RETRY_SECONDS * attempt)
    else:
        rows = []
        failures = [FailedRecord(record, "Lambda.FunctionError", error) for record in batch]
    fields = {"lambdaARN": arn}
    return rows, [replace(failure, attempts=attempt, fields=fields) for failure in failures]


def build_event(stream_arn: str, batch: list[Record]) -> dict[str, Any]:
    """Build the transform's event.

    https://docs.aws.amazon.com/lambda/latest/dg/services-kinesisfirehose.html
    """
    return {
        "invocationId": new_uuid(),
        "deliveryStreamArn": stream_arn,
        "region": get_region(),
        "records": [
            {
                "recordId": record.id,
                "approximateArrivalTimestamp": int(record.arrived * 1000),
                "data": base64.b64encode(record.data).decode(),
            }
            for record in batch
        ],
    }


def invoke(arn: str, event: dict[str, Any]) -> tuple[Any, str]:
    """Return the function's response, and Firehose's error message or an empty one."""
    name, qualifier = lambda_svc._resolve_name_and_qualifier(arn)
    function, _ = lambda_svc._get_func_record_for_qualifier(name, qualifier)
    if function is None:
        return None, "The Lambda function was not found."
    result = lambda_svc._execute_function(function, event)
    if result.get("error") or result.get("throttle"):
        return None, "The Lambda function was successfully invoked but it returned an error result."
    response = result.get("body")
    if len(json.dumps(response)) > MAX_RESPONSE_BYTES:
        return None, "The Lambda function's response is larger than 6 MB."
    return response, ""


def check_response(batch: list[Record], response: Any) -> Results:
    """Check the response of each record."""
    by_id = defaultdict(list)
    records = response.get("records") if isinstance(response, dict) else None
    for item in records if isinstance(records, list) else []:
        if isinstance(item, dict):
            by_id[item.get("recordId")].append(item)
    results = [check_record(record, by_id[record.id]) for record in batch]
    return (
        [result for result in results if isinstance(result, TransformedRecord)],
        [result for result in results if isinstance(result, FailedRecord)],
    )


def check_record(
    record: Record, responses: list[dict[str, Any]]
) -> TransformedRecord | FailedRecord | None:
    """Return the result of one record, None for a dropped one."""
    if not responses:
        return FailedRecord(record, "Lambda.MissingRecordId", "The response lacks this recordId.")
    if len(responses) > 1:
        message = "The response repeats this recordId."
        return FailedRecord(record, "Lambda.DuplicatedRecordId", message)
    [response] = responses
    match response.get("result"):
        case "Dropped":
            return None
        case "ProcessingFailed":
            message = "ProcessingFailed status set for record"
            return FailedRecord(record, "Lambda.ProcessingFailedStatus", message)
        case "Ok":
            return check_ok(record, response)
        case _:
            return FailedRecord(record, "Lambda.JsonProcessingException", "The result is unknown.")


def check_ok(record: Record, response: Mapping[str, Any]) -> TransformedRecord | FailedRecord:
    """Decode the data and the partition keys of an Ok."""
    try:
        data = base64.b64decode(response["data"], validate=True)
    except (KeyError, TypeError, ValueError):
        return FailedRecord(record, "Lambda.JsonProcessingException", "Ok requires base64 data.")
    keys = (response.get("metadata") or {}).get("partitionKeys") or {}
    return TransformedRecord(record, data, {str(key): str(value) for key, value in keys.items()})
