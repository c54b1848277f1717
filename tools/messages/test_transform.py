"""Messages of `streaming-etl test-transform`."""

import json
from pathlib import Path
from typing import Any

from streaming_etl.ops.transform_test.render import summary, summary_line
from streaming_etl.ops.transform_test.runner import TransformRunner
from streaming_etl.ops.transform_test.sample_formats import SampleSource, samples_of
from streaming_etl.ops.transform_test.selection import select_transform
from streaming_etl.stack.errors import CommandError
from tools.messages.cost import error_of, program

ITEM = {"id": "a"}

SAMPLES: dict[str, Any] = {
    "damaged-gzip": b"\x1f\x8b",
    "empty": b"",
    "exceeds-item-limits": b"[" * 100_000,
    "image-not-an-item": {"kind": "INSERT", "new": 7},
    "invalid-attribute": {"id": "a", "n": 10**38 + 1},
    "invalid-dynamodb-json": {"id": {"N": "x"}},
    "invalid-field": {"kind": "INSERT", "new": ITEM, "changed_at": "noon"},
    "invalid-json": b'{"id": }',
    "invalid-key": {"id": True},
    "invalid-stream-record": {"eventName": "INSERT", "dynamodb": {}},
    "missing-image": {"kind": "MODIFY", "old": ITEM},
    "missing-key": {"n": 1},
    "no-changes": [],
    "no-item": {"kind": "REMOVE"},
    "not-a-change": 7,
    "not-a-delete": {"kind": "INSERT", "new": ITEM, "is_ttl_delete": True},
    "not-utf-8": b"\xff",
    "output-without-changes": {"Table": {}},
    "unexpected-image": {"kind": "REMOVE", "new": ITEM},
    "unknown-field": {"kind": "REMOVE", "old": ITEM, "ttl_delete": True},
    "unknown-kind": {"kind": "UPDATE", "new": ITEM},
}
COMMANDS = {
    "ambiguous-module": ["shared.py"],
    "invalid-key-option": ["one", "--key", "a", "--key", "a"],
    "key-mismatch": ["one", "--key", "pk"],
    "module-not-in-stack": ["other.py", "--stack", "dev"],
    "no-samples": ["other.py"],
    "several-lake-tables": ["several"],
    "unknown-lake-table": ["several.carts"],
    "unknown-pipeline": ["orders"],
}
OUTCOMES = """\
COLUMNS = {"id": "string", "gone": "int"}


def transform(change):
    return {"a": {"id": "a"}, "b": None}[change.new["id"]]
"""
LAKE_TABLES = ("orders", "customers")
COLUMNS_ONLY = """\
COLUMNS = {"id": "string"}
"""


def messages() -> dict[str, str]:
    """Return every message by its code or name."""
    rejected = {name: _rejection(name, content, "id") for name, content in SAMPLES.items()}
    rejected["unknown-key"] = _rejection("unknown-key", ITEM)
    with program() as directory:
        _write_program(directory)
        for name, arguments in COMMANDS.items():
            rejected[name] = error_of(["test-transform", *arguments])
        runner = TransformRunner(select_transform("outcomes.py"))
        routed = TransformRunner(select_transform("several.orders"))
    items = [{"id": "a"}, {"id": "b"}, {"id": "c"}]
    body = json.dumps(items).encode()
    results = [runner.run(line) for line in samples_of(body, SampleSource("", ["id"], "always"))]
    lines = [summary_line(runner.table, number, each) for number, each in enumerate(results, 1)]
    [other] = samples_of(json.dumps(items[0]).encode(), SampleSource("", ["id"], "always"))
    return {
        **rejected,
        "outcomes": "\n".join([*lines, summary(runner.table, results)]),
        "unmatched": summary_line(routed.table, 1, routed.run(other)),
    }


def _rejection(code: str, content: Any, *key_names: str) -> str:
    source = SampleSource("orders.json", key_names, "always")
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    try:
        samples_of(body, source)
    except CommandError as error:
        if error.code == code:
            return error.format_message()
    raise AssertionError(f"{code} is not raised")


def _write_program(directory: Path) -> None:
    table = {"transform_module": "shared.py", "catalog": "crawler", "partitions": {}}
    tables: dict[str, Any] = {name: {**table, "table_name": name} for name in ("one", "two")}
    of_table = {"transform_module": "columns.py", "where": {"type": ["order"]}, "partitions": {}}
    lake_tables = dict.fromkeys(LAKE_TABLES, of_table)
    tables["several"] = {"table_name": "three", "lake_tables": lake_tables}
    config = {"config": {"shop:tables": tables}}
    (directory / "Pulumi.dev.yaml").write_text(json.dumps(config))
    module = "def transform(change):\n    return change.new\n"
    (directory / "shared.py").write_text(module)
    (directory / "other.py").write_text(module)
    (directory / "outcomes.py").write_text(OUTCOMES)
    (directory / "columns.py").write_text(COLUMNS_ONLY)
