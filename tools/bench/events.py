"""Events of the stream and of Firehose, as Lambda receives them."""

import json
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator
from itertools import count
from random import Random
from typing import Any, NamedTuple

from tools.bench import images

StreamRecord = dict[str, Any]

# The forwarder's default limits of an aggregated record.
MAX_CHANGES = 500
MAX_BYTES = 256 * 1024

# Of twenty changes, shuffled, so that every stretch has the same mix.
_MIX = ["MODIFY"] * 12 + ["INSERT"] * 5 + ["REMOVE"] * 3

_STREAM_ARN = (
    "arn:aws:dynamodb:ap-northeast-1:123456789012:table/orders/stream/2026-11-01T00:00:00.000"
)
_DELIVERY_ARN = "arn:aws:firehose:ap-northeast-1:123456789012:deliverystream/orders-1a2b3c4"


class Shape(NamedTuple):
    """A kind of item and the bytes of its compact image."""

    name: str
    image: Callable[[Random, int], images.Image]
    image_bytes: int


SHAPES = {
    "small": Shape("small", images.small, 266),
    "medium": Shape("medium", images.medium, 1_500),
    "nested": Shape("nested", images.nested, 4_100),
}


class Event(NamedTuple):
    """The text that a Lambda runtime receives, and its number of changes."""

    text: str
    changes: int

    def parsed(self) -> dict[str, Any]:
        """A new event as a handler receives it."""
        # From bytes, like the runtime: freed blocks affect how malloc treats the next ones.
        event: dict[str, Any] = json.loads(self.text.encode())
        return event


def stream_records(shape: Shape) -> Iterator[StreamRecord]:
    """Endless changes with both images, the same in every run."""
    random = Random(shape.name)
    mix = list(_MIX)
    for number in count():
        if number % len(mix) == 0:
            random.shuffle(mix)
        yield _stream_record(random, shape, number, mix[number % len(mix)])


def _stream_record(random: Random, shape: Shape, number: int, name: str) -> StreamRecord:
    image = shape.image(random, shape.image_bytes)
    item_images = {}
    if name != "REMOVE":
        item_images["NewImage"] = image
    if name != "INSERT":
        item_images["OldImage"] = images.changed(random, image) if name == "MODIFY" else image
    return {
        "eventID": f"{random.getrandbits(128):032x}",
        "eventName": name,
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "ap-northeast-1",
        "dynamodb": {
            "ApproximateCreationDateTime": 1795426200 + number // 50,
            "Keys": {"id": image["id"]},
            **item_images,
            "SequenceNumber": str(4421584500000000017450439091 + 7 * number),
            "SizeBytes": len(item_images) * shape.image_bytes * 4 // 5,
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        },
        "eventSourceARN": _STREAM_ARN,
    }


def streamed_line(record: StreamRecord) -> bytes:
    """The complete stream record as one line."""
    return images.compact(record).encode() + b"\n"


def stream_event(shape: Shape, max_bytes: int, max_changes: int) -> Event:
    """An event of an event source mapping, limited in bytes and changes."""
    texts: list[str] = []
    size = len('{"Records":[]}')
    for record in stream_records(shape):
        text = images.compact(record)
        size += len(text.encode()) + 1
        if texts and (size > max_bytes or len(texts) == max_changes):
            return Event(f'{{"Records":[{",".join(texts)}]}}', len(texts))
        texts.append(text)
    raise AssertionError("the stream is endless")


def firehose_event(
    shape: Shape,
    line: Callable[[StreamRecord], bytes],
    max_bytes: int,
    *,
    aggregated: bool,
) -> Event:
    """A transform's event with `max_bytes` of record data before base64."""
    lines: list[bytes] = []
    size = 0
    for record in stream_records(shape):
        content = line(record)
        size += len(content)
        if lines and size > max_bytes:
            break
        lines.append(content)
    records = [
        {
            "recordId": f"4954698668313554428650745793632162567570019247115678{number:06}",
            "approximateArrivalTimestamp": 1795426201000 + number,
            "data": b64encode(content).decode(),
        }
        for number, content in enumerate(_aggregated(lines) if aggregated else lines)
    ]
    event = {
        "invocationId": "2b4d1ad9-2f48-94bd-a088-767c317e994a",
        "deliveryStreamArn": _DELIVERY_ARN,
        "region": "ap-northeast-1",
        "records": records,
    }
    return Event(json.dumps(event, separators=(",", ":")), len(lines))


def _aggregated(lines: Iterable[bytes]) -> Iterator[bytes]:
    batch: list[bytes] = []
    size = 0
    for line in lines:
        if batch and (len(batch) == MAX_CHANGES or size + len(line) > MAX_BYTES):
            yield b"".join(batch)
            batch, size = [], 0
        batch.append(line)
        size += len(line)
    yield b"".join(batch)
