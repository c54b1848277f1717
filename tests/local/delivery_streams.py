"""Delivery streams with a transform that does what each record tells it to."""

import base64
import gzip
import io
import itertools
import json
import time
import zipfile
from typing import Any

from streaming_etl.stack.clients import Clients

WAIT_SECONDS = 20.0
ROLE = "arn:aws:iam::000000000000:role/any"
NUMBERS = itertools.count(1)

# Each record is JSON: `do` says what the transform is to answer, `text` is the row. Of a record
# with several JSON objects, the first one is obeyed.
TRANSFORM = """
import base64, json, time, boto3

def lambda_handler(event, context):
    answers = []
    for record in event["records"]:
        data = base64.b64decode(record["data"]).decode()
        wish, _ = json.JSONDecoder().raw_decode(data)
        answers += answer(event, record["recordId"], wish, data)
    return {"records": answers}

def answer(event, record_id, wish, data):
    ok = {"recordId": record_id, "result": "Ok", "data": encode(wish.get("text", ""))}
    if wish["do"] == "raise":
        raise RuntimeError("as wished")
    if wish["do"] == "sleep":
        time.sleep(60)
    if wish["do"] == "put back":
        again = {"do": "ok", "text": wish["text"]}
        name = event["deliveryStreamArn"].partition("/")[2]
        boto3.client("firehose").put_record_batch(
            DeliveryStreamName=name, Records=[{"Data": json.dumps(again)}]
        )
        return [{"recordId": record_id, "result": "Dropped"}]
    return {
        "ok": [ok],
        "tell": [{**ok, "data": encode(f"<{data}>")}],
        "tell id": [{**ok, "data": encode(f"<{record_id}>")}],
        "keys": [{**ok, "metadata": {"partitionKeys": wish.get("keys", {})}}],
        "drop": [{"recordId": record_id, "result": "Dropped"}],
        "fail": [{"recordId": record_id, "result": "ProcessingFailed"}],
        "forget": [],
        "repeat": [ok, ok],
        "unknown": [{**ok, "result": "Fine"}],
        "no data": [{"recordId": record_id, "result": "Ok"}],
        "bad data": [{**ok, "data": "!"}],
        "many": [{**ok, "data": encode("x" * 5_000_000)}],
    }[wish["do"]]

def encode(text):
    return base64.b64encode(text.encode()).decode()
"""


class Stream:
    """A delivery stream with its bucket and its transform."""

    def __init__(
        self, aws: Clients, *, split: bool = False, buffer_mb: str = "1", **destination: Any
    ) -> None:
        self._aws = aws
        self.name = f"stream-{next(NUMBERS)}"
        self.bucket = f"bucket-of-{self.name}"
        location = {"LocationConstraint": aws.region}
        aws("s3").create_bucket(Bucket=self.bucket, CreateBucketConfiguration=location)
        self.function_arn = self._create_function()
        processors = [
            processor("Lambda", LambdaArn=f"{self.function_arn}:$LATEST", BufferSizeInMBs=buffer_mb)
        ]
        if split:
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

    def _create_function(self) -> str:
        code = io.BytesIO()
        with zipfile.ZipFile(code, "w") as file:
            file.writestr("stub.py", TRANSFORM)
        made = self._aws("lambda").create_function(
            FunctionName=f"transform-of-{self.name}",
            Runtime="python3.13",
            Handler="stub.lambda_handler",
            Role=ROLE,
            Timeout=60,
            Code={"ZipFile": code.getvalue()},
        )
        return str(made["FunctionArn"])

    def put(self, *wishes: dict[str, Any]) -> list[bytes]:
        """Put records in one call; their data."""
        return self.put_data(*(json.dumps(wish).encode() for wish in wishes))

    def put_data(self, *contents: bytes) -> list[bytes]:
        """The same of records that need not be one wish each."""
        answer = self._aws("firehose").put_record_batch(
            DeliveryStreamName=self.name, Records=[{"Data": data} for data in contents]
        )
        assert answer["FailedPutCount"] == 0
        assert len(answer["RequestResponses"]) == len(contents)
        return list(contents)

    def objects(self, prefix: str, count: int = 1) -> dict[str, bytes]:
        """Wait until at least `count` objects are there; key to content."""
        deadline = time.monotonic() + WAIT_SECONDS
        while True:
            listed = self._aws("s3").list_objects_v2(Bucket=self.bucket, Prefix=prefix)
            keys = [item["Key"] for item in listed.get("Contents", [])]
            if len(keys) >= count:
                return {key: self._read(key) for key in keys}
            assert time.monotonic() < deadline, f"{keys} after {WAIT_SECONDS} s"
            time.sleep(0.05)

    def errors(self, count: int = 1) -> list[dict[str, Any]]:
        """Wait for error objects; their lines."""
        found = self.objects("errors/", count).values()
        return [json.loads(line) for body in found for line in body.splitlines()]

    def invocations(self) -> int:
        """How many times the transform has run, by its log."""
        group = f"/aws/lambda/transform-of-{self.name}"
        events = self._aws("logs").filter_log_events(logGroupName=group, filterPattern="START")
        return len(events["events"])

    def _read(self, key: str) -> bytes:
        body: bytes = self._aws("s3").get_object(Bucket=self.bucket, Key=key)["Body"].read()
        return gzip.decompress(body) if key.endswith(".gz") else body


def processor(type_: str, **parameters: str) -> dict[str, Any]:
    """A processor as the API has it."""
    given = [{"ParameterName": key, "ParameterValue": item} for key, item in parameters.items()]
    return {"Type": type_, "Parameters": given}


def packed(*wishes: dict[str, Any], between: str = "\n") -> bytes:
    """Several wishes as one record's data."""
    return between.join(json.dumps(wish) for wish in wishes).encode()


def raw(error: dict[str, Any]) -> bytes:
    return base64.b64decode(error["rawData"])
