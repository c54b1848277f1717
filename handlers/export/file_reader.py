"""Export files of DynamoDB, read from S3 in ranges."""

import gzip
import io
from typing import Any

# One request, held in memory. Short requests need no connection for the entire file.
RANGE_BYTES = 4 * 1024 * 1024


class _Object(io.RawIOBase):
    """One object of S3 as a stream of bytes."""

    def __init__(self, client: Any, bucket: str, key: str) -> None:
        head = client.head_object(Bucket=bucket, Key=key)
        self._client, self._bucket, self._key = client, bucket, key
        self._size, self._etag, self._position = head["ContentLength"], head["ETag"], 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        end = min(self._position + len(buffer), self._size)
        if end == self._position:
            return 0
        response = self._client.get_object(
            Bucket=self._bucket,
            Key=self._key,
            Range=f"bytes={self._position}-{end - 1}",
            IfMatch=self._etag,
        )
        with response["Body"] as body:
            content = body.read()
        buffer[: len(content)] = content
        self._position += len(content)
        return len(content)


def export_file(client: Any, bucket: str, key: str) -> gzip.GzipFile:
    """Open an export file for reading.

    Each line is {"Item": {...}} in DynamoDB JSON, with binary as base64.
    client: boto3's S3 client. The file of a partition without items is empty.
    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.Output.html
    """
    return gzip.GzipFile(fileobj=io.BufferedReader(_Object(client, bucket, key), RANGE_BYTES))
