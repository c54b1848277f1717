"""The project's handlers as the benchmark calls them.

Imports nothing that Lambda does not import, so that memory can be measured.
"""

from collections.abc import Callable
from datetime import UTC
from typing import Any

from tools.bench import all_attributes, five_columns

Handler = Callable[[dict[str, Any]], Any]

FORMATS = ("csv", "json")
"""CSV of five columns, JSON lines of all attributes."""

DELIVERY_STREAM = "orders-1a2b3c4"
FORWARDER_CONFIG = {
    "event_names": ["INSERT", "MODIFY", "REMOVE"],
    "unmatched": "count",
    "routes": [
        {
            "name": "orders",
            "old_image": "on_remove",
            "max_changes_per_record": 500,
            "max_record_kib": 256,
        }
    ],
}
"""The content of forwarder.json with default settings."""


class Context:
    """The part of Lambda's context that handlers read."""

    def get_remaining_time_in_millis(self) -> int:
        """The default timeout."""
        return 60_000


def transform(kind: str) -> Handler:
    """The transform with a user module."""
    from streaming_etl.handlers.transform import transform_records

    pipeline = _pipeline(kind)
    return lambda event: transform_records(
        event["records"], pipeline, _requeue, report_lag=_report_lag
    )


def _pipeline(kind: str) -> Any:
    """What a cold start builds from transform.json and the user module."""
    from streaming_etl.handlers.rows.encoder import RowEncoder
    from streaming_etl.handlers.transform import TransformRuntime

    module: Any = five_columns if kind == "csv" else all_attributes
    encoder = RowEncoder(pipeline_settings(kind), UTC)
    return TransformRuntime(module.transform, {}, encoder)


def five_columns_transform(kind: str, *, function: bool) -> Handler:
    """The transform of a module with five columns."""
    from streaming_etl.handlers.transform import make_runtime, transform_records

    module: Any = five_columns if function else None
    runtime = make_runtime(five_columns_settings(kind, function=function), module, UTC)
    return lambda event: transform_records(
        event["records"], runtime, _requeue, report_lag=_report_lag
    )


def five_columns_settings(kind: str, *, function: bool) -> dict[str, Any]:
    """The content of transform.json with five columns in either format."""
    sources = None if function else {name: [name] for name in five_columns.COLUMNS}
    return pipeline_settings("csv") | {"format": kind, "sources": sources}


def pipeline_settings(kind: str) -> dict[str, Any]:
    """The content of transform.json."""
    types = {"decimal(10,2)": {"decimal": [10, 2]}}
    columns = [
        {"name": name, "type": types.get(type_, type_)}
        for name, type_ in five_columns.COLUMNS.items()
    ]
    return {
        "format": kind,
        "columns": columns if kind == "csv" else None,
        "sources": None,
        "dynamic_partition_keys": {},
        "partition_keys": ["year", "month", "day"],
        "time_keys": [],
        "time_zone": "UTC",
        "lazy_items": True,
    }


def _requeue(records: list[bytes]) -> list[int]:
    raise ValueError(f"{len(records)} records are requeued: failed, or too large for a response")


def _report_lag(seconds: list[int]) -> None:
    from streaming_etl.handlers.structured_log import measure

    measure("lag", "transform", ChangeLag=seconds)


def forwarder() -> Handler:
    """The forwarder and its client; needs the stub's environment."""
    from streaming_etl.handlers.forwarder import handle, routing_of

    routing = routing_of(FORWARDER_CONFIG, {"orders": DELIVERY_STREAM})
    return lambda event: handle(event, Context(), routing)


def forwarded_line(record: dict[str, Any]) -> bytes:
    """The line of a stream record with default settings."""
    from streaming_etl.handlers.wire.change_line import change_line

    return change_line(record, "on_remove")
