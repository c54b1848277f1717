"""Row encoders, transform runtimes, and the rows that they return."""

import base64
import json
from collections.abc import Callable, Iterable
from datetime import UTC, tzinfo
from pathlib import Path
from typing import Any

from streaming_etl.handlers.change.change import Change
from streaming_etl.handlers.rows.encoder import RowEncoder
from streaming_etl.handlers.rows.metadata import metadata_of
from streaming_etl.handlers.rows.row_error import RowError
from streaming_etl.handlers.transform import TransformRuntime, make_runtime
from tests.support.changes import line, read_change

METADATA = metadata_of(read_change(line(1))._record)


def row_encoder(
    file_format: str = "json",
    columns: dict[str, Any] | None = None,
    dynamic_partition_keys: Iterable[str] | dict[str, list[str]] = (),
    time_keys: Iterable[str] = (),
    zone: tzinfo = UTC,
) -> RowEncoder:
    """Encoder of a lake table with this transform.json."""
    if not isinstance(dynamic_partition_keys, dict):
        dynamic_partition_keys = dict.fromkeys(dynamic_partition_keys)
    config = {
        "format": file_format,
        "columns": columns and [{"name": name, "type": kind} for name, kind in columns.items()],
        "dynamic_partition_keys": dynamic_partition_keys,
        "partition_keys": [*dynamic_partition_keys, *(time_keys or ["year", "month", "day"])],
        "time_keys": list(time_keys),
        "time_zone": str(zone),
    }
    return RowEncoder(config, zone)


def runtime(
    transform: Callable[[Change], Any],
    columns: dict[str, Any] | None = None,
    dynamic_partition_keys: Iterable[str] = (),
    time_keys: Iterable[str] = (),
) -> TransformRuntime:
    """Runtime of JSON rows with this user's function."""
    encoder = row_encoder("json", columns, dynamic_partition_keys, time_keys)
    file = transform.__code__.co_filename
    return TransformRuntime(transform, {file: Path(file).name}, encoder)


def columns_config(
    columns: dict[str, Any],
    paths: dict[str, list[str | int]] | None = None,
    file_format: str = "json",
    dynamic_partition_keys: dict[str, list[str] | None] | None = None,
    time_keys: Iterable[str] = (),
) -> dict[str, Any]:
    """The transform.json without `transform`; paths: of columns with another attribute."""
    keys = dynamic_partition_keys or {}
    return {
        "format": file_format,
        "columns": [{"name": name, "type": kind} for name, kind in columns.items()],
        "sources": {name: [name] for name in (*columns, *keys)} | (paths or {}),
        "dynamic_partition_keys": keys,
        "partition_keys": [*keys, *(time_keys or ["year", "month", "day"])],
        "time_keys": list(time_keys),
        "time_zone": "UTC",
        "lazy_items": True,
    }


def columns_only(*arguments: Any, **options: Any) -> TransformRuntime:
    """Runtime of a module without `transform`; arguments as of `columns_config`."""
    return make_runtime(columns_config(*arguments, **options), None, UTC)


def cell(file_format: str, declared: Any, value: Any) -> str:
    """Text of a value in a column `c` of the declared type."""
    columns = {"before": "int", "c": declared, "after": "int"}
    row = {"before": 0, "c": value, "after": 0}
    text = row_encoder(file_format, columns).encode(METADATA, row).data.decode()
    start, end = (":00,0,", ",0\n") if file_format == "csv" else ('{"before":0,"c":', ',"after":0,')
    return text[text.index(start) + len(start) : text.rindex(end)]


def fields(error: RowError) -> tuple[str, str, dict[str, object]]:
    """Rule, column and details of an error, to compare them."""
    return error.rule, error.column, error.details


def rows_of(result: dict[str, Any]) -> list[Any]:
    """JSON rows in the data of an Ok result."""
    return [json.loads(row) for row in base64.b64decode(result["data"]).splitlines()]
