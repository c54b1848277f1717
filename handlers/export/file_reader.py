"""A file of DynamoDB's export to S3, read in ranges, so that no connection has to last."""

import gzip
import io
from typing import Any

# Each is one request, held in memory.
RANGE_BYTES = 4 * 1024 * 1024


class _Object(io.RawIOBase):
    """The bytes of one object of S3."""

    def __init__(self, client: Any, bucket: str, key: str) -> None:
        head = client.head_object(Bucket=bucket, Key=key)
        self._client, self._bucket, self._key = client, bucket, key
        self._size, self._etag, self._at = head["ContentLength"], head["ETag"], 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        end = min(self._at + len(buffer), self._size)
        if end == self._at:
            return 0
        answer = self._client.get_object(
            Bucket=self._bucket,
            Key=self._key,
            Range=f"bytes={self._at}-{end - 1}",
            IfMatch=self._etag,
        )
        with answer["Body"] as body:
            content = body.read()
        buffer[: len(content)] = content
        self._at += len(content)
        return len(content)


def export_file(client: Any, bucket: str, key: str) -> gzip.GzipFile:
    """The file's lines, each {"Item": {...}} in DynamoDB JSON, binary as base64 text.

    client: S3's. The file of a partition without items is empty.
    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.Output.html
    """
    return gzip.GzipFile(fileobj=io.BufferedReader(_Object(client, bucket, key), RANGE_BYTES))
