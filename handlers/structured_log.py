"""Log lines as JSON objects, without the content of changes."""

import json
import time
from typing import Any

# Texts from a record, such as an event id, may have any length.
_MAX_TEXT = 1000

METRIC_NAMESPACE = "StreamingEtl"


def log(level: str, message: str, **fields: Any) -> None:
    """Print one line; `message` is constant text, which metric filters match.

    Texts of more than 1,000 characters are truncated.
    """
    short = {
        name: value[:_MAX_TEXT] if isinstance(value, str) else value
        for name, value in fields.items()
    }
    print(json.dumps({"level": level, "message": message, **short}))


def count(message: str, function_name: str, **metrics: int) -> None:
    """Print one line that CloudWatch also counts as metrics of the function.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
    """
    directive = {
        "Namespace": METRIC_NAMESPACE,
        "Dimensions": [["FunctionName"]],
        "Metrics": [{"Name": name, "Unit": "Count"} for name in metrics],
    }
    metadata = {"Timestamp": time.time_ns() // 1_000_000, "CloudWatchMetrics": [directive]}
    log("INFO", message, FunctionName=function_name, **metrics, _aws=metadata)
