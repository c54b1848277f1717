"""Failed batches as objects in S3, as Lambda writes them."""

import datetime
import json
import logging
from collections.abc import Mapping
from typing import Any

from ministack.core.responses import new_uuid
from ministack.services import dynamodb_streams, s3

from local.ministack_patches.event_source_mapping.batch import Change, InvocationResult

RETRIES_EXHAUSTED = "RetryAttemptsExhausted"
RECORD_AGE_EXCEEDED = "RecordAgeExceeded"
S3_ARN = "arn:aws:s3:::"

logger = logging.getLogger(__name__)


def dead_letter(
    mapping: Mapping[str, Any],
    changes: list[Change],
    condition: str,
    invocations: int,
    result: InvocationResult,
) -> None:
    """Write the records to the mapping's failure destination.

    As on AWS, they are lost without a destination or with a bucket that does not exist.
    """
    destination = (mapping.get("DestinationConfig") or {}).get("OnFailure") or {}
    arn = destination.get("Destination") or ""
    uuid = mapping["UUID"]
    if not arn.startswith(S3_ARN):
        logger.error("%s: %d records are lost: no bucket as destination", uuid, len(changes))
        return
    now = datetime.datetime.now(datetime.UTC)
    record = invocation_record(mapping, changes, condition, invocations, result, now)
    headers = {"content-type": "application/json"}
    status, *_ = s3._put_object(
        arn.removeprefix(S3_ARN), object_key(uuid, now), json.dumps(record).encode(), headers
    )
    if status >= 300:
        logger.error("%s: %d records are lost: S3 returned %d", uuid, len(changes), status)
    else:
        logger.warning("%s: %d records are dead-lettered: %s", uuid, len(changes), condition)


def object_key(uuid: str, now: datetime.datetime) -> str:
    """Build the key that Lambda uses.

    https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
    """
    shard = dynamodb_streams._DEFAULT_SHARD_ID
    return f"aws/lambda/{uuid}/{shard}/{now:%Y/%m/%d}/{now:%Y-%m-%dT%H.%M.%S}-{new_uuid()}"


def invocation_record(
    mapping: Mapping[str, Any],
    changes: list[Change],
    condition: str,
    invocations: int,
    result: InvocationResult,
    now: datetime.datetime,
) -> dict[str, Any]:
    """Build the object's content, which has the event as JSON text.

    https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
    """
    first, last = changes[0]["dynamodb"], changes[-1]["dynamodb"]
    response = {
        "statusCode": 200,
        "executedVersion": mapping.get("Qualifier") or "$LATEST",
        "functionError": "Unhandled" if result.error else None,
    }
    return {
        "requestContext": {
            "requestId": new_uuid(),
            "functionArn": mapping["FunctionArn"],
            "condition": condition,
            "approximateInvokeCount": invocations,
        },
        # Expired records are discarded without an invocation.
        **({"responseContext": response} if condition == RETRIES_EXHAUSTED else {}),
        "version": "1.0",
        "timestamp": f"{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond // 1000:03}Z",
        "DDBStreamBatchInfo": {
            "shardId": dynamodb_streams._DEFAULT_SHARD_ID,
            "startSequenceNumber": first["SequenceNumber"],
            "endSequenceNumber": last["SequenceNumber"],
            "approximateArrivalOfFirstRecord": iso_time(first["ApproximateCreationDateTime"]),
            "approximateArrivalOfLastRecord": iso_time(last["ApproximateCreationDateTime"]),
            "batchSize": len(changes),
            "streamArn": mapping["EventSourceArn"],
        },
        "payload": json.dumps({"Records": changes}),
    }


def iso_time(epoch_seconds: float) -> str:
    """Format epoch seconds without their fraction."""
    return f"{datetime.datetime.fromtimestamp(epoch_seconds, datetime.UTC):%Y-%m-%dT%H:%M:%SZ}"
