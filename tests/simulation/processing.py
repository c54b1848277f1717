"""Firehose before and during the transform: buffers, batches, results."""

import json
from base64 import b64decode, b64encode
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from streaming_etl.components.settings.lake_table_names import ONLY_LAKE_TABLE
from tests.simulation.delivery import Delivery, Record
from tests.simulation.functions import MAX_PAYLOAD_BYTES, Function, InvocationResult
from tests.simulation.scenario import FIREHOSE_ARN, Scenario
from tests.simulation.world import EndlessError, World

# https://docs.aws.amazon.com/firehose/latest/dev/dynamic-partitioning-multirecord-deaggergation.html
MAX_DOCUMENTS = 500
# Bytes of a record in the transform's event in addition to its data.
RECORD_BYTES = 150

_decode = json.JSONDecoder().raw_decode


class Processing:
    """Turns accepted records into rows, error records and requeued records."""

    def __init__(
        self, world: World, scenario: Scenario, transform: Function, delivery: Delivery
    ) -> None:
        self.world, self.scenario = world, scenario
        self.transform, self.delivery = transform, delivery
        self.settings = scenario.args.transform
        self.buffer_seconds = scenario.args.tables[ONLY_LAKE_TABLE].buffers.transform_seconds
        self.waiting: list[Record] = []
        self.size = 0
        """Bytes of the waiting records."""
        self.count = 0
        self.batches = 0
        self.max_batches = 0
        """Limit of transformed batches: a record of n changes needs at most 2n - 1, as each batch
        ends or divides at least one record. A requeued record is part of the limit of the record
        it came from, unless a fault repeats it."""
        self.requeued: list[bytes] = []
        """Records that the current invocation requeued."""

    def accept(self, contents: list[bytes], acknowledged: bool) -> None:
        """Accept the records of one PutRecordBatch call.

        acknowledged: the function gets the response; otherwise it sends the records again.
        """
        if self.world.running is self.transform:
            self.world.events["records requeued"] += len(contents)
        else:
            self.world.events["records put"] += len(contents)
        if self.world.running is self.transform and acknowledged:
            self.requeued += contents
        else:
            self.max_batches += sum(map(cost, contents))
        self.world.after(0.05, self.receive, contents)

    def receive(self, contents: list[bytes]) -> None:
        """Buffer records up to a size and a time."""
        for content in contents:
            copies = 1 + self.world.occurs("firehose repeats a record")
            self.max_batches += (copies - 1) * cost(content)
            for _ in range(copies):
                self.buffer(content)

    def buffer(self, content: bytes) -> None:
        parts = documents(content) if self.scenario.deaggregates else [content]
        for part in parts:
            self.count += 1
            identity = f"49546986683135544286507457936321625675700192471{self.count:09}"
            record = Record(identity, part, int(self.world.now * 1000))
            if not self.fits(record):
                self.flush(self.waiting)
            self.waiting.append(record)
            self.size += len(part)
            if len(self.waiting) == 1:
                self.world.after(self.buffer_seconds, self.flush, self.waiting)

    def fits(self, record: Record) -> bool:
        """Return whether buffer and event have space for the record."""
        size = self.size + len(record.data)
        request = size * 4 / 3 + RECORD_BYTES * len(self.waiting)
        full = size > self.settings.buffer_mib * 2**20 or request > MAX_PAYLOAD_BYTES - 2000
        return not self.waiting or not full

    def flush(self, waiting: list[Record]) -> None:
        """Begin a batch, unless it was full earlier."""
        if waiting is not self.waiting or not waiting:
            return
        self.waiting, self.size = [], 0
        if self.world.occurs("firehose reorders records"):
            self.world.chance("reorder").shuffle(waiting)
        self.batches += 1
        if self.batches > self.max_batches:
            raise EndlessError(f"the transform receives more than {self.max_batches} batches")
        self.world.after(0, self.attempt, waiting, 1)

    def attempt(self, batch: list[Record], number: int) -> None:
        """Invoke the transform; an error is retried, any response is final."""
        if self.world.occurs("transform is throttled"):
            self.world.metrics.put("transform", "Throttles", self.world.now)
            result = InvocationResult(False, None, 0.1, True)
        else:
            self.requeued = []
            result = self.transform.invoke(event_of(batch, self.scenario.stream_name))
            self.check_requeued(batch, result)
        self.world.after(result.seconds, self.settle, batch, number, result)

    def check_requeued(self, batch: list[Record], result: InvocationResult) -> None:
        """Check that an invocation requeued less than it received."""
        requeued = sum(map(cost, self.requeued))
        if not result.ok:
            # The batch is retried, in addition to its requeued records.
            self.max_batches += requeued
        elif requeued >= sum(cost(record.data) for record in batch):
            raise EndlessError("the transform requeues as much as it received")

    def settle(self, batch: list[Record], number: int, result: InvocationResult) -> None:
        if result.ok:
            self.apply_results(batch, result.response, number)
        elif number <= self.settings.maximum_retry_attempts:
            self.world.events["transform retries"] += 1
            self.world.after(
                self.world.chance("pauses").uniform(0.5, 5), self.attempt, batch, number + 1
            )
        else:
            self.world.events["transform retries exhausted"] += 1
            message = (
                "The Lambda function was successfully invoked but it returned an error result."
            )
            self.delivery.fail(batch, "Lambda.FunctionError", message, number)

    def apply_results(self, batch: list[Record], response: Any, attempts: int) -> None:
        """Deliver or dead-letter each record by its result, as AWS does.

        https://docs.aws.amazon.com/firehose/latest/dev/data-transformation-status-model.html
        """
        results = defaultdict(list)
        listed = response.get("records") if isinstance(response, dict) else None
        for item in listed if isinstance(listed, list) else []:
            if isinstance(item, dict):
                results[item.get("recordId")].append(item)
        failures = defaultdict(list)
        for record in batch:
            code = self.apply_result(record, results[record.id])
            if code is not None:
                failures[code].append(record)
        for code, records in failures.items():
            self.delivery.fail(records, code, "The response is invalid.", attempts)

    def apply_result(self, record: Record, results: list[dict[str, Any]]) -> str | None:
        """Deliver an Ok result; else return the code of the error record."""
        if len(results) != 1:
            return "Lambda.DuplicatedRecordId" if results else "Lambda.MissingRecordId"
        [result] = results
        match result:
            case {"result": "Dropped"}:
                return None
            case {"result": "ProcessingFailed"}:
                return "Lambda.ProcessingFailedStatus"
            case {"result": "Ok", "data": str(text)}:
                try:
                    data = b64decode(text, validate=True)
                except ValueError:
                    return "Lambda.JsonProcessingException"
                metadata = result.get("metadata") or {}
                keys: Mapping[str, str] = metadata.get("partitionKeys") or {}
                self.delivery.add(record._replace(data=data), keys)
                return None
        return "Lambda.JsonProcessingException"


def event_of(batch: list[Record], stream: str) -> str:
    """Return the transform's event.

    https://docs.aws.amazon.com/lambda/latest/dg/services-kinesisfirehose.html
    """
    event = {
        "invocationId": batch[0].id,
        "deliveryStreamArn": f"{FIREHOSE_ARN}/{stream}",
        "region": "ap-northeast-1",
        "records": [
            {
                "recordId": record.id,
                "approximateArrivalTimestamp": record.arrived,
                "data": b64encode(record.data).decode(),
            }
            for record in batch
        ],
    }
    text = json.dumps(event)
    if len(text) > MAX_PAYLOAD_BYTES:
        raise ValueError(f"an event must have at most {MAX_PAYLOAD_BYTES} bytes (got {len(text)})")
    return text


def cost(content: bytes) -> int:
    """Return the most batches that a record needs."""
    return max(1, 2 * sum(1 for line in content.split(b"\n") if line.strip()) - 1)


def documents(content: bytes) -> list[bytes]:
    """Return the record's JSON documents; the entire record if too many."""
    text = content.decode()
    parts: list[bytes] = []
    position = 0
    while position < len(text):
        if text[position].isspace():
            position += 1
            continue
        try:
            _, end = _decode(text, position)
        except ValueError:
            return [content]
        parts.append(text[position:end].encode())
        position = end
    return parts if len(parts) <= MAX_DOCUMENTS else [content]
