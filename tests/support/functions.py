"""Runs the archive of a transform function as Lambda does."""

import base64
import json
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from streaming_etl.stack.recorder import Node

RUN = """
import json, sys
from streaming_etl.handlers.transform import lambda_handler
class Context:
    function_name = "shop-transform-function"
    def get_remaining_time_in_millis(self):
        return 60000
response = lambda_handler(json.load(sys.stdin), Context())
print(json.dumps([response["records"], sorted({"boto3", "botocore", "pulumi"} & {*sys.modules})]))
"""


def run_transform(function: Node, folder: Path, *changes: str) -> tuple[list[Any], list[Any]]:
    """Run an archive, and return the response's records and the log.

    The process has Python's own library and the archive: no installed package.
    """
    with zipfile.ZipFile(function.inputs["code"]["archive"]) as code:
        code.extractall(folder)
    event = {
        "deliveryStreamArn": "arn:aws:firehose:ap-northeast-1:123456789012:deliverystream/s",
        "records": [
            {"recordId": str(number), "approximateArrivalTimestamp": 0, "data": data}
            for number, data in enumerate(changes)
        ],
    }
    done = subprocess.run(
        [sys.executable, "-E", "-S", "-c", RUN],
        cwd=folder,
        input=json.dumps(event),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    *logged, [records, aws_libraries] = map(json.loads, done.stdout.splitlines())
    assert aws_libraries == []
    return records, logged


def rows_of(record: Mapping[str, Any]) -> str:
    return base64.b64decode(record["data"]).decode()
