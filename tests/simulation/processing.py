"""Firehose, middle part: records gathered, taken apart and transformed, the answers judged."""

import json
from base64 import b64decode, b64encode
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from tests.simulation.delivery import Delivery, Record
from tests.simulation.functions import MAX_PAYLOAD_BYTES, Answer, Function
from tests.simulation.scenario import STREAM_ARN, Scenario
from tests.simulation.world import EndlessError, World

# https://docs.aws.amazon.com/firehose/latest/dev/dynamic-partitioning-multirecord-deaggergation.html
MAX_DOCUMENTS = 500
# What a record costs in the transform's event beside its data.
RECORD_BYTES = 150

_decode = json.JSONDecoder().raw_decode


class Processing:
    """What `arrive` takes comes out as rows, as error records or, put back, as new records."""

    def __init__(
        self, world: World, scenario: Scenario, transform: Function, delivery: Delivery
    ) -> None:
        self.world, self.scenario = world, scenario
        self.transform, self.delivery = transform, delivery
        self.settings = scenario.args.transform
        self.waiting: list[Record] = []
        self.size = 0
        """Bytes of what waits."""
        self.count = 0
        self.batches = 0
        self.owed = 0
        """How many batches may be transformed: a record of n changes ends or is parted in at most
        2n - 1, since each batch ends at least one record or parts one. A record put back is paid
        by the record it came from, unless a fault repeats it."""
        self.put_back: list[bytes] = []
        """What the invocation that runs has put back."""

    def arrive(self, contents: list[bytes], told: bool) -> None:
        """Take what one PutRecordBatch call of either function delivers.

        A function that is not told of it will put it again.
        """
        if self.world.running is self.transform:
            self.world.events["records put back"] += len(contents)
        else:
            self.world.events["records put"] += len(contents)
        if self.world.running is self.transform and told:
            self.put_back += contents
        else:
            self.owed += sum(map(cost, contents))
        self.world.after(0.05, self.gather, contents)

    def gather(self, contents: list[bytes]) -> None:
        """Buffer records until there are enough for a batch, or its time has come."""
        for content in contents:
            copies = 1 + self.world.strikes("firehose repeats a record")
            self.owed += (copies - 1) * cost(content)
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
                self.world.after(self.settings.buffer_seconds, self.flush, self.waiting)

    def fits(self, record: Record) -> bool:
        """Whether the buffer, and the request made of it, hold the record too."""
        size = self.size + len(record.data)
        request = size * 4 / 3 + RECORD_BYTES * len(self.waiting)
        full = size > self.settings.buffer_mib * 2**20 or request > MAX_PAYLOAD_BYTES - 2000
        return not self.waiting or not full

    def flush(self, waiting: list[Record]) -> None:
        """Begin a batch, unless it was full before its time."""
        if waiting is not self.waiting or not waiting:
            return
        self.waiting, self.size = [], 0
        if self.world.strikes("firehose reorders records"):
            self.world.chance("reorder").shuffle(waiting)
        self.batches += 1
        if self.batches > self.owed:
            raise EndlessError(f"the transform gets more than {self.owed} batches")
        self.world.after(0, self.attempt, waiting, 1)

    def attempt(self, batch: list[Record], number: int) -> None:
        """Invoke the transform; an error is tried again, an answer, right or wrong, is final."""
        if self.world.strikes("transform is throttled"):
            answer = Answer(False, None, 0.1, True)
        else:
            self.put_back = []
            answer = self.transform.invoke(event_of(batch))
            self.account(batch, answer)
        self.world.after(answer.seconds, self.settle, batch, number, answer)

    def account(self, batch: list[Record], answer: Answer) -> None:
        """Hold what an invocation put back against what it was given."""
        back = sum(map(cost, self.put_back))
        if not answer.ok:
            # The batch comes again, and what it put back is there as well.
            self.owed += back
        elif back >= sum(cost(record.data) for record in batch):
            raise EndlessError("the transform puts back as much as it was given")

    def settle(self, batch: list[Record], number: int, answer: Answer) -> None:
        if answer.ok:
            self.judge(batch, answer.response, number)
        elif number <= self.settings.maximum_retry_attempts:
            self.world.events["transform tried again"] += 1
            self.world.after(
                self.world.chance("pauses").uniform(0.5, 5), self.attempt, batch, number + 1
            )
        else:
            self.world.events["transform batches given up"] += 1
            message = (
                "The Lambda function was successfully invoked but it returned an error result."
            )
            self.delivery.fail(batch, "Lambda.FunctionError", message, number)

    def judge(self, batch: list[Record], response: Any, attempts: int) -> None:
        """Sort the records by what the answer says of each, as AWS does.

        https://docs.aws.amazon.com/firehose/latest/dev/data-transformation-status-model.html
        """
        answers = defaultdict(list)
        listed = response.get("records") if isinstance(response, dict) else None
        for item in listed if isinstance(listed, list) else []:
            if isinstance(item, dict):
                answers[item.get("recordId")].append(item)
        failures = defaultdict(list)
        for record in batch:
            code = self.judge_one(record, answers[record.id])
            if code is not None:
                failures[code].append(record)
        for code, records in failures.items():
            self.delivery.fail(records, code, "The answer is no good.", attempts)

    def judge_one(self, record: Record, answers: list[dict[str, Any]]) -> str | None:
        """Deliver what is Ok; else the code under which the record goes to the error output."""
        if len(answers) != 1:
            return "Lambda.DuplicatedRecordId" if answers else "Lambda.MissingRecordId"
        [answer] = answers
        match answer:
            case {"result": "Dropped"}:
                return None
            case {"result": "ProcessingFailed"}:
                return "Lambda.ProcessingFailedStatus"
            case {"result": "Ok", "data": str(text)}:
                try:
                    data = b64decode(text, validate=True)
                except ValueError:
                    return "Lambda.JsonProcessingException"
                metadata = answer.get("metadata") or {}
                keys: Mapping[str, str] = metadata.get("partitionKeys") or {}
                self.delivery.add(record._replace(data=data), keys)
                return None
        return "Lambda.JsonProcessingException"


def event_of(batch: list[Record]) -> str:
    """The transform's event.

    https://docs.aws.amazon.com/lambda/latest/dg/services-kinesisfirehose.html
    """
    event = {
        "invocationId": batch[0].id,
        "deliveryStreamArn": STREAM_ARN,
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
        raise ValueError(f"an event of {len(text)} bytes is no event")
    return text


def cost(content: bytes) -> int:
    """The batches that a record can take: one for each change, and one for each parting."""
    return max(1, 2 * sum(1 for line in content.split(b"\n") if line.strip()) - 1)


def documents(content: bytes) -> list[bytes]:
    """The record's JSON documents, without what stands between them; the whole if too many."""
    text = content.decode()
    found: list[bytes] = []
    position = 0
    while position < len(text):
        if text[position].isspace():
            position += 1
            continue
        try:
            _, end = _decode(text, position)
        except ValueError:
            return [content]
        found.append(text[position:end].encode())
        position = end
    return found if len(found) <= MAX_DOCUMENTS else [content]
