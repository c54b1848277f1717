"""A table with a stream, and a function behind an event source mapping that does as it is told."""

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

# `do` of an item says what the function is to do once it meets it; what came before is done. With
# `until` an item behaves from its so many-th call on. The log tells what each call was given, and
# how many of it, from the first on, were done.
FUNCTION = """
import json, os, time

calls = 0

def lambda_handler(event, context):
    global calls
    calls += 1
    images = [record["dynamodb"]["NewImage"] for record in event["Records"]]
    for done, (record, image) in enumerate(zip(event["Records"], images)):
        wish = image["do"]["S"]
        if wish == "well" or calls >= int(image.get("until", {"N": "1000"})["N"]):
            continue
        if wish == "report":
            tell(images, done)
            failed = {"itemIdentifier": record["dynamodb"]["SequenceNumber"]}
            return {"batchItemFailures": [failed]}
        tell(images, 0)
        if wish == "malformed":
            return {"batchItemFailures": [{"itemIdentifier": ""}]}
        if wish == "sleep":
            time.sleep(60)
        if wish == "die":
            os._exit(1)
        raise RuntimeError("as wished")
    tell(images, len(images))
    return {"batchItemFailures": []}

def tell(images, done):
    ids = [image["id"]["S"] for image in images]
    print("CALL", json.dumps([ids, done]), flush=True)
"""


class Source:
    """A table, the mapping of its stream, and the bucket for failed batches."""

    def __init__(self, aws: Clients, timeout: int = 30, **mapping: Any) -> None:
        self._aws = aws
        self.name = f"source-{next(NUMBERS)}"
        self.bucket = f"bucket-of-{self.name}"
        location = {"LocationConstraint": aws.region}
        aws("s3").create_bucket(Bucket=self.bucket, CreateBucketConfiguration=location)
        made = aws("dynamodb").create_table(
            TableName=self.name,
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        )
        self.stream_arn = made["TableDescription"]["LatestStreamArn"]
        self.function_arn = self._create_function(timeout)
        self._mapping = {
            "MaximumRetryAttempts": 1,
            "BisectBatchOnFunctionError": True,
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
            **mapping,
        }
        self.uuid = ""

    def _create_function(self, timeout: int) -> str:
        code = io.BytesIO()
        with zipfile.ZipFile(code, "w") as file:
            file.writestr("stub.py", FUNCTION)
        made = self._aws("lambda").create_function(
            FunctionName=f"reader-of-{self.name}",
            Runtime="python3.13",
            Handler="stub.lambda_handler",
            Role=ROLE,
            Timeout=timeout,
            Code={"ZipFile": code.getvalue()},
        )
        return str(made["FunctionArn"])

    def map(self) -> None:
        """Create the mapping: what was written before comes in batches cut by size alone."""
        made = self._aws("lambda").create_event_source_mapping(
            EventSourceArn=self.stream_arn,
            FunctionName=self.function_arn,
            StartingPosition="TRIM_HORIZON",
            DestinationConfig={"OnFailure": {"Destination": f"arn:aws:s3:::{self.bucket}"}},
            **{"BatchSize": 100, **self._mapping},
        )
        self.uuid = made["UUID"]

    def write(self, *items: str | tuple[str, str] | tuple[str, str, int]) -> None:
        """Put items in order: an id, or an id and what to do, or for how many calls to do it."""
        for given in items:
            id_, do, *until = (given, "well") if isinstance(given, str) else given
            item = {"id": {"S": id_}, "do": {"S": do}}
            if until:
                item["until"] = {"N": str(until[0])}
            self._aws("dynamodb").put_item(TableName=self.name, Item=item)

    def stream(self) -> list[dict[str, Any]]:
        """The stream's records, oldest first, as JSON."""
        streams = self._aws("dynamodbstreams")
        [shard] = streams.describe_stream(StreamArn=self.stream_arn)["StreamDescription"]["Shards"]
        iterator = streams.get_shard_iterator(
            StreamArn=self.stream_arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        return list(streams.get_records(ShardIterator=iterator)["Records"])

    def calls(self, until: str) -> list[tuple[list[str], int]]:
        """What each invocation was given, and how many of it were done, once `until` is done."""
        deadline = time.monotonic() + WAIT_SECONDS
        while True:
            calls = self._calls()
            if any(until in ids[:done] for ids, done in calls):
                return calls
            assert time.monotonic() < deadline, f"{calls} after {WAIT_SECONDS} s"
            time.sleep(0.05)

    def _calls(self) -> list[tuple[list[str], int]]:
        pages = self._aws("logs").get_paginator("filter_log_events")
        group = f"/aws/lambda/reader-of-{self.name}"
        try:
            events = [
                event["message"]
                for page in pages.paginate(logGroupName=group)
                for event in page["events"]
            ]
        except self._aws("logs").exceptions.ResourceNotFoundException:
            return []
        told = [message.removeprefix("CALL ") for message in events if message.startswith("CALL ")]
        return [tuple(json.loads(text)) for text in told]

    def set_aside(self, count: int = 1) -> dict[str, dict[str, Any]]:
        """Wait until so many batches are set aside; key to record, oldest change first."""
        deadline = time.monotonic() + WAIT_SECONDS
        while True:
            found = self._set_aside()
            if len(found) >= count:
                return found
            assert time.monotonic() < deadline, f"{list(found)} after {WAIT_SECONDS} s"
            time.sleep(0.05)

    def _set_aside(self) -> dict[str, dict[str, Any]]:
        listed = self._aws("s3").list_objects_v2(Bucket=self.bucket).get("Contents", [])
        keys = [item["Key"] for item in listed]
        found = {
            key: json.loads(self._aws("s3").get_object(Bucket=self.bucket, Key=key)["Body"].read())
            for key in keys
        }
        return dict(
            sorted(
                found.items(), key=lambda one: one[1]["DDBStreamBatchInfo"]["startSequenceNumber"]
            )
        )


def ids_of(record: dict[str, Any]) -> list[str]:
    """The items of a batch that was set aside."""
    changes = json.loads(record["payload"])["Records"]
    return [change["dynamodb"]["Keys"]["id"]["S"] for change in changes]
