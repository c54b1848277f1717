"""A delivery stream whose transform follows instructions in the records."""

import base64
import gzip
import itertools
import json
from typing import Any

from streaming_etl.stack.clients import Clients
from tests.local.builders import ROLE, create_bucket, create_function, read_objects, wait_for

NUMBERS = itertools.count(1)

# Each record is JSON: `do` is what the transform returns, `text` is the row. In an aggregated
# record, the first object counts.
TRANSFORM = """
import base64, json, time, boto3

def lambda_handler(event, context):
    results = []
    for record in event["records"]:
        data = base64.b64decode(record["data"]).decode()
        instruction, _ = json.JSONDecoder().raw_decode(data)
        results += transform(event, record["recordId"], instruction, data)
    return {"records": results}

def transform(event, record_id, instruction, data):
    action, text = instruction["do"], instruction.get("text", "")
    ok = {"recordId": record_id, "result": "Ok", "data": encode(text)}
    if action == "raise":
        raise RuntimeError("expected")
    if action == "sleep":
        time.sleep(60)
    if action == "requeue":
        name = event["deliveryStreamArn"].partition("/")[2]
        boto3.client("firehose").put_record_batch(
            DeliveryStreamName=name, Records=[{"Data": json.dumps({"do": "ok", "text": text})}]
        )
        action = "drop"
    return {
        "ok": [ok],
        "echo": [{**ok, "data": encode(f"<{data}>")}],
        "echo id": [{**ok, "data": encode(f"<{record_id}>")}],
        "keys": [{**ok, "metadata": {"partitionKeys": instruction.get("keys", {})}}],
        "drop": [{"recordId": record_id, "result": "Dropped"}],
        "fail": [{"recordId": record_id, "result": "ProcessingFailed"}],
        "omit": [],
        "repeat": [ok, ok],
        "unknown result": [{**ok, "result": "Fine"}],
        "no data": [{"recordId": record_id, "result": "Ok"}],
        "invalid data": [{**ok, "data": "!"}],
        "large": [{**ok, "data": encode("x" * 5_000_000)}],
    }[action]

def encode(text):
    return base64.b64encode(text.encode()).decode()
"""

DYNAMIC = {
    "Prefix": "data/carrier=!{partitionKeyFromLambda:carrier}/!{timestamp:yyyy}/",
    "DynamicPartitioningConfiguration": {"Enabled": True},
}


class Stream:
    """A delivery stream with its bucket and its transform."""

    def __init__(
        self, aws: Clients, *, deaggregate: bool = False, buffer_mb: str = "1", **destination: Any
    ) -> None:
        self._aws = aws
        self.name = f"stream-{next(NUMBERS)}"
        self.bucket = create_bucket(aws, f"bucket-of-{self.name}")
        self.function_arn = create_function(aws, f"transform-of-{self.name}", TRANSFORM)
        lambda_arn = f"{self.function_arn}:$LATEST"
        processors = [processor("Lambda", LambdaArn=lambda_arn, BufferSizeInMBs=buffer_mb)]
        if deaggregate:
            processors.insert(0, processor("RecordDeAggregation", SubRecordType="JSON"))
        aws("firehose").create_delivery_stream(
            DeliveryStreamName=self.name,
            ExtendedS3DestinationConfiguration={
                "RoleARN": ROLE,
                "BucketARN": f"arn:aws:s3:::{self.bucket}",
                "Prefix": "data/year=!{timestamp:yyyy}/",
                "ErrorOutputPrefix": "errors/!{firehose:error-output-type}/",
                "ProcessingConfiguration": {"Enabled": True, "Processors": processors},
                **destination,
            },
        )

    def put(self, *instructions: dict[str, Any]) -> list[bytes]:
        """Put one record per instruction in one call; return their data."""
        return self.put_data(*(json.dumps(one).encode() for one in instructions))

    def put_data(self, *contents: bytes) -> list[bytes]:
        """Put records in one call; return their data."""
        response = self._aws("firehose").put_record_batch(
            DeliveryStreamName=self.name, Records=[{"Data": data} for data in contents]
        )
        assert response["FailedPutCount"] == 0
        assert len(response["RequestResponses"]) == len(contents)
        return list(contents)

    def objects(self, prefix: str, count: int = 1) -> dict[str, bytes]:
        """Wait for at least `count` objects; return their uncompressed content by key."""
        objects = wait_for(
            lambda: read_objects(self._aws, self.bucket, prefix), lambda read: len(read) >= count
        )
        return {
            key: gzip.decompress(body) if key.endswith(".gz") else body
            for key, body in objects.items()
        }

    def rows(self, count: int = 1) -> list[bytes]:
        """Wait for at least `count` objects of rows; return their content."""
        return list(self.objects("data/", count).values())

    def rows_by_carrier(self) -> dict[str, bytes]:
        """Wait for the rows of two carriers; return them by prefix."""
        return {key.split("/")[1]: body for key, body in self.objects("data/", 2).items()}

    def errors(self, count: int = 1) -> list[dict[str, Any]]:
        """Wait for error objects; return their error records."""
        objects = self.objects("errors/", count).values()
        return [json.loads(line) for body in objects for line in body.splitlines()]

    def invocations(self) -> int:
        """Return the transform's invocations, from its log."""
        group = f"/aws/lambda/transform-of-{self.name}"
        events = self._aws("logs").filter_log_events(logGroupName=group, filterPattern="START")
        return len(events["events"])


def processor(type_: str, **parameters: str) -> dict[str, Any]:
    pairs = [{"ParameterName": key, "ParameterValue": item} for key, item in parameters.items()]
    return {"Type": type_, "Parameters": pairs}


def aggregated(*instructions: dict[str, Any], separator: str = "\n") -> bytes:
    """Return the data of one record with several instructions."""
    return separator.join(json.dumps(one) for one in instructions).encode()


def raw_data(error: dict[str, Any]) -> bytes:
    return base64.b64decode(error["rawData"])
