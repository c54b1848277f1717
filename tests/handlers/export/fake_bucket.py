"""Fake of S3 with one export file."""

import io
from typing import Any

from tests.support.fake_aws import client_error

BUCKET = "lake"
KEY = "backfill/shop/orders/exports/AWSDynamoDB/01795-2d8752fd/data/asdl123.json.gz"


class FakeBucket:
    """S3 with one file, read in ranges; `objects` are those written."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.ranges: list[str] = []
        self.objects: dict[str, bytes] = {}
        self.failing: set[int] = set()
        """Numbers of the reads that fail."""

    def head_object(self, **request: Any) -> dict[str, Any]:
        assert request == {"Bucket": BUCKET, "Key": KEY}
        return {"ContentLength": len(self.content), "ETag": '"tag"'}

    def get_object(self, *, Range: str, **request: Any) -> dict[str, Any]:  # noqa: N803
        assert request == {"Bucket": BUCKET, "Key": KEY, "IfMatch": '"tag"'}
        self.ranges.append(Range)
        if len(self.ranges) - 1 in self.failing:
            raise client_error("SlowDown")
        first, last = map(int, Range.removeprefix("bytes=").split("-"))
        assert 0 <= first <= last < len(self.content), "S3 rejects the range with 416"
        return {"Body": io.BytesIO(self.content[first : last + 1])}

    def put_object(self, *, Bucket: str, Key: str, Body: bytes) -> None:  # noqa: N803
        assert Bucket == BUCKET
        self.objects[Key] = Body
