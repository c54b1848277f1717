"""Firehose, second part: records through the transform Lambda, its answer checked as on AWS."""

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

# Firehose's own defaults.
# https://docs.aws.amazon.com/firehose/latest/APIReference/API_ProcessorParameter.html
DEFAULT_BUFFER_MB = 1
DEFAULT_RETRIES = 3


class Record(NamedTuple):
    """One record as it came in."""

    id: str
    data: bytes
    arrived: float


class Good(NamedTuple):
    """What the transform made of a record, with the partition keys that it gave."""

    record: Record
    data: bytes
    keys: Mapping[str, str]


@dataclass(frozen=True)
class Failure:
    """A record on its way to the error prefix; `extra` are more fields of its error object."""

    record: Record
    code: str
    message: str
    kind: str = "processing-failed"
    attempts: int = 1
    extra: Mapping[str, Any] = field(default_factory=dict)


Outcome = tuple[list[Good], list[Failure]]


def parameters_of(config: Mapping[str, Any], processor: str) -> dict[str, str]:
    """The parameters of the destination's processor of this type; empty without one."""
    processing = config.get("ProcessingConfiguration") or {}
    if not processing.get("Enabled"):
        return {}
    for candidate in processing.get("Processors", []):
        if candidate["Type"] == processor:
            given = candidate["Parameters"]
            return {item["ParameterName"]: item["ParameterValue"] for item in given}
    return {}


def batches(records: list[Record], config: Mapping[str, Any]) -> Iterator[list[Record]]:
    """Cut records where the processor's buffer is full."""
    parameters = parameters_of(config, "Lambda")
    megabytes = float(parameters.get("BufferSizeInMBs", DEFAULT_BUFFER_MB))
    batch: list[Record] = []
    size = 0
    for record in records:
        if batch and size + len(record.data) > megabytes * 1024 * 1024:
            yield batch
            batch, size = [], 0
        batch.append(record)
        size += len(record.data)
    if batch:
        yield batch


def transform(stream_arn: str, config: Mapping[str, Any], batch: list[Record]) -> Outcome:
    """Invoke the processor, again after an error; an answer, right or wrong, is final."""
    parameters = parameters_of(config, "Lambda")
    if not parameters:
        return [Good(record, record.data, {}) for record in batch], []
    arn = parameters["LambdaArn"]
    attempts = 1 + int(parameters.get("NumberOfRetries", DEFAULT_RETRIES))
    event = event_of(stream_arn, batch)
    for attempt in range(1, attempts + 1):
        answer, problem = invoke(arn, event)
        if not problem:
            good, failures = check_answer(batch, answer)
            break
        if attempt < attempts:
            time.sleep(RETRY_SECONDS * attempt)
    else:
        good = []
        failures = [Failure(record, "Lambda.FunctionError", problem) for record in batch]
    extra = {"lambdaARN": arn}
    return good, [replace(failure, attempts=attempt, extra=extra) for failure in failures]


def event_of(stream_arn: str, batch: list[Record]) -> dict[str, Any]:
    """The event that the processor receives.

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
    """The function's answer, and what went wrong (empty when nothing did)."""
    name, qualifier = lambda_svc._resolve_name_and_qualifier(arn)
    function, _ = lambda_svc._get_func_record_for_qualifier(name, qualifier)
    if function is None:
        return None, "The Lambda function was not found."
    result = lambda_svc._execute_function(function, event)
    if result.get("error") or result.get("throttle"):
        return None, "The Lambda function was successfully invoked but it returned an error result."
    answer = result.get("body")
    if len(json.dumps(answer)) > MAX_RESPONSE_BYTES:
        return None, "The Lambda function's response is larger than 6 MB."
    return answer, ""


def check_answer(batch: list[Record], answer: Any) -> Outcome:
    """Sort the records by what the answer says of each."""
    answers = defaultdict(list)
    listed = answer.get("records") if isinstance(answer, dict) else None
    for item in listed if isinstance(listed, list) else []:
        if isinstance(item, dict):
            answers[item.get("recordId")].append(item)
    outcomes = [check_one(record, answers[record.id]) for record in batch]
    return (
        [outcome for outcome in outcomes if isinstance(outcome, Good)],
        [outcome for outcome in outcomes if isinstance(outcome, Failure)],
    )


def check_one(record: Record, answers: list[dict[str, Any]]) -> Good | Failure | None:
    """What becomes of one record; None when the transform leaves it out."""
    if not answers:
        return Failure(record, "Lambda.MissingRecordId", "The answer lacks this recordId.")
    if len(answers) > 1:
        return Failure(record, "Lambda.DuplicatedRecordId", "The answer repeats this recordId.")
    [item] = answers
    match item.get("result"):
        case "Dropped":
            return None
        case "ProcessingFailed":
            message = "ProcessingFailed status set for record"
            return Failure(record, "Lambda.ProcessingFailedStatus", message)
        case "Ok":
            return check_ok(record, item)
        case _:
            return Failure(record, "Lambda.JsonProcessingException", "The result is unknown.")


def check_ok(record: Record, item: Mapping[str, Any]) -> Good | Failure:
    try:
        data = base64.b64decode(item["data"], validate=True)
    except (KeyError, TypeError, ValueError):
        return Failure(record, "Lambda.JsonProcessingException", "An Ok needs base64 data.")
    keys = (item.get("metadata") or {}).get("partitionKeys") or {}
    return Good(record, data, {str(key): str(value) for key, value in keys.items()})
