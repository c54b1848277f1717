"""Reasons for failed changes, as the transform function logs them."""

from collections.abc import Callable
from datetime import UTC
from typing import Any

from pybase64 import b64encode_as_string

from streaming_etl.handlers.change.change import Change
from streaming_etl.handlers.firehose.response import Response
from streaming_etl.handlers.rows.attribute_row import attribute_row
from streaming_etl.handlers.rows.encoder import RowEncoder
from streaming_etl.handlers.transform import TransformRuntime, _outcomes
from streaming_etl.handlers.wire.change_line import change_line
from streaming_etl.ops.transform_test.sample_records import SAMPLE_STREAM_ARN

MODULE_FILE = "transforms/orders.py"
COLUMNS: dict[str, Any] = {
    "text": "string",
    "flag": "boolean",
    "number": "int",
    "amount": {"decimal": [10, 2]},
    "real": "double",
    "day": "date",
    "at": "timestamp",
    "sizes": {"array": "int"},
    "counts": {"map": ["string", "int"]},
    "address": {"struct": [["city", "string"]]},
}
WITHOUT_COLUMNS = ("column-name", "name-characters", "same-but-for-case")
SAMPLE = {
    "eventID": "1",
    "eventName": "INSERT",
    "eventSourceARN": SAMPLE_STREAM_ARN,
    "dynamodb": {
        "ApproximateCreationDateTime": 1795426200,
        "Keys": {"id": {"S": "o-1"}},
        "NewImage": {"id": {"S": "o-1"}},
        "SequenceNumber": "1",
    },
}

ROWS: dict[str, Any] = {
    "column-name": {"_op": "INSERT"},
    "date": {"day": "23.11.2026"},
    "decimal-digits": {"amount": 10**9},
    "exception-in-rows": {"text": [{1, "a"}]},
    "float": {"real": float("inf")},
    "integer": {"number": 2**40},
    "json-number": {"text": [float("nan")]},
    "name-characters": {"first name": "a"},
    "same-but-for-case": {"map": {"a": 1, "A": 2}},
    "map-keys": {"counts": {1: 1, "1": 1}},
    "partition-missing": {"text": "a"},
    "partition-mixed": [{"store": "a"}, {"store": "b"}],
    "partition-character": {"store": "a/b"},
    "partition-text": {"store": ""},
    "partition-value": {"store": "c"},
    "returned-type": "a text",
    "struct-fields": {"address": {"street": "Ginza"}},
    "timestamp": {"at": "yesterday"},
    "timestamp-range": {"at": "9999-12-31T23:00:00-09:00"},
    "type-array": {"sizes": 1},
    "type-boolean": {"flag": 1},
    "type-date": {"day": 1},
    "type-decimal": {"amount": 1.5},
    "type-double": {"real": "1"},
    "type-int": {"number": "1"},
    "type-item": {"sizes": ["1"]},
    "type-map": {"counts": 1},
    "type-partition": {"store": 1.5},
    "type-string": {"text": object()},
    "type-struct": {"address": 1},
    "type-timestamp": {"at": 1},
    "unknown-column": {"total": 1},
}
"""What a transform returns, by the rule that it breaks."""


def messages() -> dict[str, str]:
    """Return every reason by its rule."""
    return {
        **{name: _reason(lambda _, row=row: row, name) for name, row in ROWS.items()},
        "base64": str(_outcomes("not base64", _runtime(_user_function(), "base64"))[1][0]),
        "path": _reason(attribute_row({"text": ["id", "city"]}), "path"),
        "change-format": _reason(_user_function(), "change-format", b"junk"),
        "exception": _reason(_user_function(), "exception"),
        "response-size": _response_size(),
    }


def _user_function() -> Callable[[Change], Any]:
    names: dict[str, Any] = {}
    source = "def transform(change):\n    return {'text': change.new['note']}\n"
    exec(compile(source, MODULE_FILE, "exec"), names)
    function: Callable[[Change], Any] = names["transform"]
    return function


def _runtime(transform: Callable[..., Any], name: str) -> TransformRuntime:
    columns = [{"name": column, "type": kind} for column, kind in COLUMNS.items()]
    config = {
        "format": "json",
        "columns": None if name in WITHOUT_COLUMNS else columns,
        "dynamic_partition_keys": {"store": ["a", "b"]} if "partition" in name else {},
        "partition_keys": ["year"],
        "time_keys": [],
    }
    return TransformRuntime(transform, {MODULE_FILE: "orders.py"}, RowEncoder(config, UTC))


def _reason(transform: Callable[..., Any], name: str, line: bytes | None = None) -> str:
    data = change_line(SAMPLE) if line is None else line
    [outcome] = _outcomes(b64encode_as_string(data), _runtime(transform, name))[1]
    return str(outcome)


def _response_size() -> str:
    runtime = _runtime(lambda _: {"text": "a"}, "response-size")
    chunks, outcomes, _ = _outcomes(b64encode_as_string(change_line(SAMPLE)), runtime)
    response = Response(["1"], (), max_bytes=200)
    response.add("1", chunks, outcomes)
    [(_, error)] = response.failed
    return str(error)
