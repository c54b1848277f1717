"""A bucket with failure objects, for tests of replays."""

import hashlib
import io
import json
from base64 import b64encode
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

BUCKET = "lake"
ERRORS = "errors/shop/orders/"
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def client_error(code: str, operation: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "Rejected."}}, operation)


class FakeS3:
    """One bucket without versions.

    `operations` are the calls that changed it, in order. `before_change` is called before each of
    them and may raise. `unreadable` has error codes of GetObject by key.
    """

    def __init__(self) -> None:
        self.contents: dict[str, bytes] = {}
        self.written: dict[str, datetime] = {}
        self.operations: list[tuple[str, str]] = []
        self.downloads: list[str] = []
        self.unreadable: dict[str, str] = {}
        self.before_change: Callable[[str, str], None] = lambda *_: None

    def add(self, key: str, body: bytes, minutes: int = 0) -> str:
        """Add an object that was written `minutes` after noon."""
        self.contents[key] = body
        self.written[key] = NOON + timedelta(minutes=minutes)
        return key

    def get_paginator(self, operation: str) -> "FakeS3":
        assert operation == "list_objects_v2"
        return self

    def paginate(self, **request: Any) -> Iterator[dict[str, Any]]:
        assert set(request) <= {"Bucket", "Prefix", "Delimiter"}
        self._bucket(request)
        if "Delimiter" in request:
            # No object is below a folder of a change log.
            yield {}
            return
        for key in sorted(self.contents):
            if key.startswith(request["Prefix"]):
                size, written = len(self.contents[key]), self.written[key]
                yield {"Contents": [{"Key": key, "Size": size, "LastModified": written}]}
        yield {}

    def get_object(self, **request: Any) -> dict[str, Any]:
        assert set(request) == {"Bucket", "Key"}
        if code := self.unreadable.get(request["Key"]):
            raise client_error(code, "GetObject")
        body = self._existing(request, "GetObject")
        self.downloads.append(request["Key"])
        return {"Body": io.BytesIO(body), "ETag": etag(body)}

    def put_object(self, **request: Any) -> None:
        self._change("put", request)
        self.add(request["Key"], request["Body"])

    def copy_object(self, **request: Any) -> None:
        body = self._existing(request["CopySource"], "CopyObject")
        if request["CopySourceIfMatch"] != etag(body):
            raise client_error("PreconditionFailed", "CopyObject")
        self._change("copy", request)
        self.add(request["Key"], body)

    def delete_object(self, **request: Any) -> None:
        self._change("delete", request)
        self.contents.pop(request["Key"], None)

    def _change(self, operation: str, request: dict[str, Any]) -> None:
        self._bucket(request)
        self.before_change(operation, request["Key"])
        self.operations.append((operation, request["Key"]))

    def _existing(self, request: dict[str, Any], operation: str) -> bytes:
        self._bucket(request)
        if request["Key"] not in self.contents:
            raise client_error("NoSuchKey", operation)
        return self.contents[request["Key"]]

    def _bucket(self, request: dict[str, Any]) -> None:
        assert request["Bucket"] == BUCKET


def etag(body: bytes) -> str:
    return f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'


def error_line(
    data: bytes | str,
    code: str = "Lambda.ProcessingFailedStatus",
    function: str | None = "orders-transform-function-0a1b2c3",
) -> bytes:
    """A line of Firehose's error output; text `data` becomes rawData unchanged."""
    raw = data if isinstance(data, str) else b64encode(data).decode()
    failure = {"rawData": raw, "errorCode": code, "errorMessage": "failed", "attemptsMade": 1}
    if function:
        failure["lambdaARN"] = f"arn:aws:lambda:ap-northeast-1:123456789012:function:{function}"
    return json.dumps(failure | {"arrivalTimestamp": 1}).encode() + b"\n"


def batch(
    *records: Any,
    text: bool = True,
    condition: str = "RetryAttemptsExhausted",
    function: str | None = None,
    stream: str | None = None,
) -> bytes:
    """A failed batch, its event as JSON text or an object.

    function, stream: ARNs, which are left out by default.
    """
    event = {"Records": list(records)}
    document: dict[str, Any] = {
        "requestContext": {"condition": condition},
        "payload": json.dumps(event) if text else event,
    }
    if function:
        document["requestContext"]["functionArn"] = function
    if stream:
        document["DDBStreamBatchInfo"] = {"streamArn": stream}
    return json.dumps(document).encode()
