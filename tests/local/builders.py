"""Buckets, functions and waiting for tests on the embedded AWS."""

import io
import time
import zipfile
from collections.abc import Callable
from typing import Any, TypeVar

from streaming_etl.stack.clients import Clients

Result = TypeVar("Result")

WAIT_SECONDS = 20.0
ROLE = "arn:aws:iam::000000000000:role/any"


def create_bucket(aws: Clients, name: str) -> str:
    """Create a bucket in the clients' region."""
    location = {"LocationConstraint": aws.region}
    aws("s3").create_bucket(Bucket=name, CreateBucketConfiguration=location)
    return name


def create_function(aws: Clients, name: str, code: str, timeout: int = 60) -> str:
    """Create a Python function with a `lambda_handler`; return its ARN."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("stub.py", code)
    created = aws("lambda").create_function(
        FunctionName=name,
        Runtime="python3.13",
        Handler="stub.lambda_handler",
        Role=ROLE,
        Timeout=timeout,
        Code={"ZipFile": archive.getvalue()},
    )
    return str(created["FunctionArn"])


def read_objects(aws: Clients, bucket: str, prefix: str = "") -> dict[str, bytes]:
    """Read all objects below a prefix, by key."""
    s3 = aws("s3")
    listed = s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])
    keys = [item["Key"] for item in listed]
    return {key: s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}


def wait_for(read: Callable[[], Result], is_complete: Callable[[Result], Any]) -> Result:
    """Read repeatedly until the result is complete."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not is_complete(result := read()):
        assert time.monotonic() < deadline, f"{result!r} after {WAIT_SECONDS} s"
        time.sleep(0.05)
    return result
