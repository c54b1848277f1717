"""Stream records, change lines and Firehose records as the handlers receive them."""

import base64
from typing import Any

from streaming_etl.handlers.change.change import Change
from streaming_etl.handlers.change.decode import RecordReader
from streaming_etl.handlers.wire.change_line import change_line

STREAM_LABEL = "2026-11-23T00:00:00.000"
STREAM_ARN = f"arn:aws:dynamodb:ap-northeast-1:123456789012:table/orders/stream/{STREAM_LABEL}"


def stream_record(number: int, name: str = "INSERT", /, **image: Any) -> dict[str, Any]:
    """Stream record of change `number`; image: its new image in DynamoDB JSON."""
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
        "eventSourceARN": STREAM_ARN,
    }


def line(number: int, /, **image: Any) -> bytes:
    """Change `number` as the forwarder sends it."""
    return change_line(stream_record(number, **image))


def changes(reader: RecordReader, *lines: bytes) -> list[Change]:
    """Changes of a record with these lines."""
    return [
        chunk.change(record, index)
        for chunk in reader.read(b"".join(lines))
        for index, record in enumerate(chunk.records())
    ]


def read_change(content: bytes) -> Change:
    """Change of a line, with entire items."""
    [change] = changes(RecordReader(lazy=False), content)
    return change


def firehose_records(*contents: bytes) -> list[dict[str, Any]]:
    """Records of a transform event with these contents."""
    return [
        {
            "recordId": f"4954698668313554428650745793632162567570019247115678{number:04}",
            "approximateArrivalTimestamp": 1795426201000 + number,
            "data": base64.b64encode(content).decode(),
        }
        for number, content in enumerate(contents)
    ]
