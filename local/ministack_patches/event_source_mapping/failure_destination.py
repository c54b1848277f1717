"""The event source mapping, third part: a batch given up becomes an object in S3."""

import datetime
import json
import logging
from collections.abc import Mapping
from typing import Any

from ministack.core.responses import new_uuid
from ministack.services import dynamodb_streams, s3

from local.ministack_patches.event_source_mapping.batch import EXHAUSTED, Answer, Change

S3_ARN = "arn:aws:s3:::"

logger = logging.getLogger("local.ministack_patches.event_source_mapping.poller")


def set_aside(
    mapping: Mapping[str, Any], changes: list[Change], condition: str, calls: int, answer: Answer
) -> None:
    """Write the records to the mapping's on-failure destination.

    Without one they are dropped, as on AWS; so they are with one that is no bucket, or none that
    stands. Only the log tells then.
    """
    destination = (mapping.get("DestinationConfig") or {}).get("OnFailure") or {}
    arn = destination.get("Destination") or ""
    uuid = mapping["UUID"]
    if not arn.startswith(S3_ARN):
        logger.error("%s: %d records are dropped: no bucket for them", uuid, len(changes))
        return
    now = datetime.datetime.now(datetime.UTC)
    record = invocation_record(mapping, changes, condition, calls, answer, now)
    headers = {"content-type": "application/json"}
    status, *_ = s3._put_object(
        arn.removeprefix(S3_ARN), key_of(uuid, now), json.dumps(record).encode(), headers
    )
    if status >= 300:
        logger.error("%s: %d records are dropped: S3 says %d", uuid, len(changes), status)
    else:
        logger.warning("%s: %d records are set aside: %s", uuid, len(changes), condition)


def key_of(uuid: str, now: datetime.datetime) -> str:
    """Where Lambda puts the object.

    https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
    """
    shard = dynamodb_streams._DEFAULT_SHARD_ID
    return f"aws/lambda/{uuid}/{shard}/{now:%Y/%m/%d}/{now:%Y-%m-%dT%H.%M.%S}-{new_uuid()}"


def invocation_record(
    mapping: Mapping[str, Any],
    changes: list[Change],
    condition: str,
    calls: int,
    answer: Answer,
    now: datetime.datetime,
) -> dict[str, Any]:
    """What the object tells; S3 alone among the destinations receives the event, as JSON text.

    https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
    """
    first, last = changes[0]["dynamodb"], changes[-1]["dynamodb"]
    response = {
        "statusCode": 200,
        "executedVersion": mapping.get("Qualifier") or "$LATEST",
        "functionError": "Unhandled" if answer.error else None,
    }
    return {
        "requestContext": {
            "requestId": new_uuid(),
            "functionArn": mapping["FunctionArn"],
            "condition": condition,
            "approximateInvokeCount": calls,
        },
        # What is too old was discarded without asking the function.
        **({"responseContext": response} if condition == EXHAUSTED else {}),
        "version": "1.0",
        "timestamp": f"{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond // 1000:03}Z",
        "DDBStreamBatchInfo": {
            "shardId": dynamodb_streams._DEFAULT_SHARD_ID,
            "startSequenceNumber": first["SequenceNumber"],
            "endSequenceNumber": last["SequenceNumber"],
            "approximateArrivalOfFirstRecord": whole_seconds(first["ApproximateCreationDateTime"]),
            "approximateArrivalOfLastRecord": whole_seconds(last["ApproximateCreationDateTime"]),
            "batchSize": len(changes),
            "streamArn": mapping["EventSourceArn"],
        },
        "payload": json.dumps({"Records": changes}),
    }


def whole_seconds(epoch: float) -> str:
    return f"{datetime.datetime.fromtimestamp(epoch, datetime.UTC):%Y-%m-%dT%H:%M:%SZ}"
