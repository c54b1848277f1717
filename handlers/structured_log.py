"""Log lines as JSON objects, without the content of changes."""

import json
import logging
import os
import time
from collections.abc import Mapping, Sequence
from typing import Any, Optional

# Texts from a record, such as an event id, may have any length.
_MAX_TEXT = 1000

METRIC_NAMESPACE = "StreamingEtl"

SEVERITIES = {"DEBUG": 10, "INFO": 20, "WARNING": 30, "ERROR": 40}
"""Those of `logging`."""


def log(level: str, message: str, **fields: Any) -> None:
    """Print one line; `message` is constant text.

    Texts of more than 1,000 characters are truncated. Lines below the level of the setting
    `functions.log_level` are not printed.
    """
    if SEVERITIES[level] >= SEVERITIES[log_level() or "INFO"]:
        _print_line(level, message, fields)


def _print_line(level: str, message: str, fields: Mapping[str, Any]) -> None:
    short = {
        name: value[:_MAX_TEXT] if isinstance(value, str) else value
        for name, value in fields.items()
    }
    print(json.dumps({"level": level, "message": message, **short}))


def count(message: str, function_name: str, **metrics: int) -> None:
    """Print one line that CloudWatch also counts as metrics of the function."""
    _print_metrics(message, function_name, "Count", metrics)


def measure(message: str, function_name: str, **seconds: Sequence[float]) -> None:
    """Print one line that CloudWatch also reads as distributions of seconds.

    seconds: at most 100 values of each metric, each of which is a sample.
    """
    _print_metrics(message, function_name, "Seconds", seconds)


def _print_metrics(
    message: str, function_name: str, unit: str, metrics: Mapping[str, int | Sequence[float]]
) -> None:
    """Print metrics of the function in CloudWatch's embedded metric format.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
    """
    directive = {
        "Namespace": METRIC_NAMESPACE,
        "Dimensions": [["FunctionName"]],
        "Metrics": [{"Name": name, "Unit": unit} for name in metrics],
    }
    metadata = {"Timestamp": time.time_ns() // 1_000_000, "CloudWatchMetrics": [directive]}
    # At any level: alarms need the metrics.
    _print_line("INFO", message, {"FunctionName": function_name, **metrics, "_aws": metadata})


def set_logging_level() -> None:
    """Apply the setting `functions.log_level` to Python's `logging`."""
    # Without it, `logging` has the level of Lambda's runtime.
    if level := log_level():
        logging.getLogger().setLevel(level)


def log_level() -> Optional[str]:
    """Return the setting `functions.log_level`, in upper case."""
    is_set = "STREAMING_ETL_LOG_LEVEL" in os.environ
    return os.environ["STREAMING_ETL_LOG_LEVEL"] if is_set else None
