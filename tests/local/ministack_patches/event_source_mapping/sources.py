"""A table with a stream, a function, and an event source mapping."""

import itertools
import json
from typing import Any

from streaming_etl.stack.clients import Clients
from tests.local.builders import create_bucket, create_function, read_objects, wait_for

NUMBERS = itertools.count(1)

# `do` of an item is what the function does at this item; earlier items have succeeded. From
# invocation number `until` on, the item succeeds too. The log has the ids of each invocation and
# the number of leading ones that succeeded.
FUNCTION = """
import json, os, time

invocations = 0

def lambda_handler(event, context):
    global invocations
    invocations += 1
    images = [record["dynamodb"]["NewImage"] for record in event["Records"]]
    for index, (record, image) in enumerate(zip(event["Records"], images)):
        action = image["do"]["S"]
        if action == "succeed" or invocations >= int(image.get("until", {"N": "1000"})["N"]):
            continue
        if action == "report":
            log(images, index)
            failed = {"itemIdentifier": record["dynamodb"]["SequenceNumber"]}
            return {"batchItemFailures": [failed]}
        log(images, 0)
        if action == "malformed":
            return {"batchItemFailures": [{"itemIdentifier": ""}]}
        if action == "sleep":
            time.sleep(60)
        if action == "exit":
            os._exit(1)
        raise RuntimeError("expected")
    log(images, len(images))
    return {"batchItemFailures": []}

def log(images, succeeded):
    ids = [image["id"]["S"] for image in images]
    print("INVOCATION", json.dumps([ids, succeeded]), flush=True)
"""


class Source:
    """A table, its event source mapping, and a bucket for failed batches."""

    def __init__(self, aws: Clients, timeout: int = 30, **mapping: Any) -> None:
        self._aws = aws
        self.name = f"source-{next(NUMBERS)}"
        self.bucket = create_bucket(aws, f"bucket-of-{self.name}")
        created = aws("dynamodb").create_table(
            TableName=self.name,
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        )
        self.stream_arn = created["TableDescription"]["LatestStreamArn"]
        self.function_arn = create_function(aws, f"reader-of-{self.name}", FUNCTION, timeout)
        self._mapping = {
            "BatchSize": 100,
            "MaximumRetryAttempts": 1,
            "BisectBatchOnFunctionError": True,
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
            **mapping,
        }
        self.uuid = ""

    def map(self) -> None:
        """Create the mapping, which sends earlier writes in full batches."""
        created = self._aws("lambda").create_event_source_mapping(
            EventSourceArn=self.stream_arn,
            FunctionName=self.function_arn,
            StartingPosition="TRIM_HORIZON",
            DestinationConfig={"OnFailure": {"Destination": f"arn:aws:s3:::{self.bucket}"}},
            **self._mapping,
        )
        self.uuid = created["UUID"]

    def write(self, *items: str | tuple[str, str] | tuple[str, str, int]) -> None:
        """Put items in order: an id, (id, do), or (id, do, until)."""
        for one in items:
            id_, do, *until = (one, "succeed") if isinstance(one, str) else one
            item = {"id": {"S": id_}, "do": {"S": do}}
            if until:
                item["until"] = {"N": str(until[0])}
            self._aws("dynamodb").put_item(TableName=self.name, Item=item)

    def stream(self) -> list[dict[str, Any]]:
        """Return the stream's records, oldest first."""
        streams = self._aws("dynamodbstreams")
        [shard] = streams.describe_stream(StreamArn=self.stream_arn)["StreamDescription"]["Shards"]
        iterator = streams.get_shard_iterator(
            StreamArn=self.stream_arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        return list(streams.get_records(ShardIterator=iterator)["Records"])

    def invocations(self, until: str) -> list[tuple[list[str], int]]:
        """Wait until an id has succeeded; return ids and successes per invocation."""
        return wait_for(
            self.invocations_so_far, lambda all_: any(until in ids[:count] for ids, count in all_)
        )

    def invocations_so_far(self) -> list[tuple[list[str], int]]:
        logs = self._aws("logs")
        pages = logs.get_paginator("filter_log_events")
        group = f"/aws/lambda/reader-of-{self.name}"
        try:
            listed = list(pages.paginate(logGroupName=group))
        except logs.exceptions.ResourceNotFoundException:
            return []
        lines = [event["message"] for page in listed for event in page["events"]]
        prefix = "INVOCATION "
        logged = [line.removeprefix(prefix) for line in lines if line.startswith(prefix)]
        return [tuple(json.loads(text)) for text in logged]

    def failed_batches(self, count: int = 1) -> dict[str, dict[str, Any]]:
        """Wait for failed batches; return records by key, oldest change first."""
        objects = wait_for(
            lambda: read_objects(self._aws, self.bucket), lambda read: len(read) >= count
        )
        records = {key: json.loads(body) for key, body in objects.items()}

        def first(key: str) -> str:
            return str(records[key]["DDBStreamBatchInfo"]["startSequenceNumber"])

        return {key: records[key] for key in sorted(records, key=first)}


def ids_of(record: dict[str, Any]) -> list[str]:
    """Return the item ids of a failed batch."""
    changes = json.loads(record["payload"])["Records"]
    return [change["dynamodb"]["Keys"]["id"]["S"] for change in changes]
