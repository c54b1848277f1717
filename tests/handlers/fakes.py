"""Stands in for AWS around the handlers: records as AWS makes them, Firehose as AWS answers."""

import base64
import json
from collections.abc import Callable, Iterable
from datetime import UTC, tzinfo
from itertools import chain, repeat
from typing import Any

from botocore.exceptions import ClientError

from streaming_etl.handlers.change.change import Change
from streaming_etl.handlers.change.decode import RecordReader
from streaming_etl.handlers.rows.encoder import RowEncoder
from streaming_etl.handlers.transform import TransformRuntime
from streaming_etl.handlers.wire.change_line import change_line


def stream_record(number: int, name: str = "INSERT", /, **image: Any) -> dict[str, Any]:
    """The stream record of change `number`; `image` is the new image in DynamoDB JSON."""
    return {
        "eventID": f"event-{number}",
        "eventName": name,
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "ap-northeast-1",
        "dynamodb": {
            "ApproximateCreationDateTime": 1795426200,
            "Keys": {"id": {"S": f"o-{number}"}},
            "NewImage": {"id": {"S": f"o-{number}"}, **image},
            "SequenceNumber": str(4421584500000000017450439000 + number),
            "SizeBytes": 59,
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        },
        "eventSourceARN": "arn:aws:dynamodb:ap-northeast-1:123456789012:table/orders/stream/x",
    }


def line(number: int, /, **image: Any) -> bytes:
    """The change `number` as the forwarder sends it."""
    return change_line(stream_record(number, **image))


def changes(reader: RecordReader, *lines: bytes) -> list[Change]:
    """The changes of a record with these lines."""
    return [
        part.change(record, index)
        for part in reader.read(b"".join(lines))
        for index, record in enumerate(part.records())
    ]


def read_change(content: bytes) -> Change:
    """The change of a line, whole."""
    [change] = changes(RecordReader(lazy=False), content)
    return change


def row_encoder(
    kind: str = "json",
    columns: dict[str, Any] | None = None,
    dynamic_partition_keys: Iterable[str] | dict[str, list[str]] = (),
    time_keys: Iterable[str] = (),
    zone: tzinfo = UTC,
) -> RowEncoder:
    """The encoder of a pipeline whose transform.json says this."""
    declared = columns and [{"name": name, "type": kind} for name, kind in columns.items()]
    pipeline = {
        "format": kind,
        "columns": declared,
        "dynamic_partition_keys": dynamic_partition_keys
        if isinstance(dynamic_partition_keys, dict)
        else dict.fromkeys(dynamic_partition_keys),
        "time_keys": list(time_keys),
        "time_zone": str(zone),
    }
    return RowEncoder(pipeline, zone)


def pipeline(function: Callable[[Change], Any], *args: Any, **options: Any) -> TransformRuntime:
    """A pipeline of JSON rows whose user wrote `function`; the rest is for `row_encoder`."""
    return TransformRuntime(
        function, function.__code__.co_filename, row_encoder("json", *args, **options)
    )


def obey(change: Change) -> Any:
    """A transform that does what the change's `do` says."""
    image = change.new or {}
    row = {"id": image["id"], "store": image.get("store")}
    match image.get("do"):
        case "leave out":
            return None
        case "return nothing":
            return []
        case "return a text":
            return "a text"
        case "return three rows":
            return [row, row, row]
        case "mix partitions":
            return [row | {"store": "a"}, row | {"store": "b"}]
        case "widen":
            return row | {"text": "x" * image["size"]}
        case "fail":
            raise ValueError(f"no good: {image}")
    return row


def order(number: int, what: str, /, **image: Any) -> bytes:
    """The change `number` as the forwarder sends it, with what `obey` shall do."""
    return line(number, do={"S": what}, **image)


def wide(number: int, size: int, /, **image: Any) -> bytes:
    """The change `number`, for which `obey` returns a row of `size` bytes and a few."""
    return order(number, "widen", size={"N": str(size)}, **image)


def firehose_records(*contents: bytes) -> list[dict[str, Any]]:
    """What Firehose hands to the transform for records with these contents."""
    return [
        {
            "recordId": f"4954698668313554428650745793632162567570019247115678{number:04}",
            "approximateArrivalTimestamp": 1795426201000 + number,
            "data": base64.b64encode(content).decode(),
        }
        for number, content in enumerate(contents)
    ]


def rows_of(answer: dict[str, Any]) -> list[Any]:
    """The JSON rows in the data of an Ok answer."""
    return [json.loads(row) for row in base64.b64decode(answer["data"]).splitlines()]


def client_error(code: str) -> ClientError:
    """The error of a call that AWS refuses with `code`."""
    return ClientError({"Error": {"Code": code, "Message": "refused"}}, "PutRecordBatch")


THROTTLED = client_error("ServiceUnavailableException")


class FakeFirehose:
    """Takes PutRecordBatch calls as AWS does, and fails the test where AWS would refuse one.

    Each answer is for one call: an exception to raise, or the positions of the records to fail.
    After `answers`, every call gets `then`.
    """

    def __init__(self, *answers: Any, then: Any = ()) -> None:
        self.calls: list[list[bytes]] = []
        self.streams: set[str] = set()
        self._answers = chain(answers, repeat(then))

    def put_record_batch(self, **request: Any) -> dict[str, Any]:
        assert set(request) == {"DeliveryStreamName", "Records"}
        data = [record["Data"] for record in request["Records"]]
        assert 1 <= len(data) <= 500
        assert sum(map(len, data)) <= 4_194_304
        assert all(len(content) <= 1_024_000 for content in data)
        self.streams.add(request["DeliveryStreamName"])
        self.calls.append(data)
        assert len(self.calls) <= 50, "the caller never gives up"
        answer = next(self._answers)
        if isinstance(answer, Exception):
            raise answer
        return {
            "FailedPutCount": len(answer),
            "Encrypted": False,
            "RequestResponses": [
                {"ErrorCode": "ServiceUnavailableException", "ErrorMessage": "Slow down."}
                if position in answer
                else {"RecordId": f"record-{position}"}
                for position in range(len(data))
            ],
        }


class FakeClock:
    """Time that passes only by sleeping; `pauses` are the sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.pauses: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


class FakeContext:
    """Lambda's context, as far as the handlers read it."""

    function_name = "orders-transform-function"

    def get_remaining_time_in_millis(self) -> int:
        return 60_000


class FakeStream:
    """What goes back on the stream, one list per invocation; fails the records named."""

    def __init__(self, failing: Iterable[int] = ()) -> None:
        self.records: list[bytes] = []
        self._failing = list(failing)

    def __call__(self, records: list[bytes]) -> list[int]:
        self.records += records
        return self._failing
