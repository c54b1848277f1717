"""Generator of the example and the tables in docs/transforms.md."""

import inspect
import json
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, Optional

import msgspec
from click.testing import CliRunner

from streaming_etl.components.table.column_types import (
    METADATA,
    athena_type,
    glue_type,
    is_nested,
    parse_type,
)
from streaming_etl.handlers.change.change import Change
from streaming_etl.handlers.wire.change_line import change_line
from streaming_etl.ops.__main__ import commands
from streaming_etl.ops.transform_test.row_parser import parse_value
from streaming_etl.ops.transform_test.runner import TransformResult, TransformRunner
from streaming_etl.ops.transform_test.sample_records import stream_record
from streaming_etl.ops.transform_test.selection import select_transform
from tools.docs.settings_tables import field_docs, table
from tools.docs.transform_cases import FAILURES, METADATA_MEANINGS, TYPES, VALUES, Failure
from tools.project import ROOT

PAGE = ROOT / "docs" / "transforms.md"
EXAMPLE = ["test-transform", "transforms/shipments.py"]
HEAD = """\
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

"""


def code(text: str) -> str:
    """Format text as code in a table cell."""
    shown = text.replace("|", "\\|").replace("\u2028", "⏎")
    return f"`` {shown} ``" if "`" in shown else f"`{shown}`"


def example() -> str:
    """The first change of the command's output."""
    result = CliRunner().invoke(commands, EXAMPLE, catch_exceptions=False)
    first, *_ = result.stdout.split("\n\n")
    return "\n".join(["```text", *(line.rstrip() for line in first.splitlines()), "```"])


def change() -> str:
    """Every attribute of `change` with its docstring."""
    docs = {name: text for name, text in field_docs(Change).items() if not name.startswith("_")}
    for name, member in vars(Change).items():
        if isinstance(member, property):
            docs[name] = " ".join(str(inspect.getdoc(member)).split())
    order = ["kind", "new", "old", "keys", "changed_at", "is_ttl_delete"]
    rows = [[f"`{name}`", docs[name]] for name in [*order, *sorted(docs.keys() - {*order})]]
    return table(["attribute", "meaning"], rows)


def metadata() -> str:
    rows = [
        [f"`{column.name}`", f"`{glue_type(column.type)}`", METADATA_MEANINGS[column.name]]
        for column in METADATA
    ]
    return table(["column", "type", "meaning"], rows)


def types() -> str:
    """Each type with the values that it accepts."""
    rows = []
    for text in TYPES:
        reason = run("return {'v': object()}", f"{{'v': {text!r}}}").reason
        accepted = re.search(r"(?:takes|must be) (.*?)(?:, not| \(got) object", str(reason))
        assert accepted is not None, reason
        rows.append([f"`{text}`", f"`{athena_type(parse_type(text))}`", accepted[1]])
    return table(["in COLUMNS", "in SQL", "accepts"], rows)


def values() -> str:
    """Each value in the lake, and as Athena returns it."""
    rows = []
    for case in VALUES:
        kind = parse_type(case.type)
        does, columns = f"return {{'v': {case.returned}}}", f"{{'v': {case.type!r}}}"
        [line] = run(does, columns).lines
        in_json = bytes(msgspec.json.decode(line, type=dict[str, msgspec.Raw])["v"]).decode()
        in_csv = "not in CSV" if is_nested(kind) else code(csv_cell(does, columns))
        value = parse_value(kind, json.loads(in_json, parse_float=Decimal))
        shown = repr(value).replace("datetime.datetime(", "datetime(")
        shown = shown.replace("datetime.date", "date")
        rows.append([f"`{case.type}`", code(case.returned), code(in_json), in_csv, code(shown)])
    return table(["type", "returned", "JSON, and before Parquet", "CSV", "read"], rows)


def csv_cell(does: str, columns: str) -> str:
    """The text of the only column in a CSV row."""
    [line] = run(does, columns, format="csv").lines
    return line.partition("2026-11-23 09:30:00,")[2]


def failures() -> str:
    rows = [[code(case.does), failure(case), case.meaning] for case in FAILURES]
    return table(["last line of `transform`", "reason in the log", "meaning"], rows)


def failure(case: Failure) -> str:
    """The reason in the log for a module with this last line."""
    keys = {"dynamic_partition_keys": {"store": ["tokyo", "osaka"]}}
    settings = {"partitions": keys} if case.dynamic_partition_keys else {}
    reason = run(case.does, case.columns, **settings).reason
    assert reason is not None, f"{case.does} does not fail"
    return reason


def run(does: str, columns: Optional[str], **settings: Any) -> TransformResult:
    """Run a module with this last line over one change."""
    head = "" if columns is None else f"COLUMNS = {columns}\n\n\n"
    with module(f"{HEAD}{head}def transform(change):\n    {does}\n") as path:
        runner = TransformRunner(select_transform(path, None, settings))
        return runner.run(change_line(stream_record(1, ["id"], new={"id": "o-1"})))


@contextmanager
def module(text: str) -> Iterator[str]:
    """Write a module."""
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory, "orders.py")
        file.write_text(text)
        yield str(file)


BLOCKS = {
    "example": example,
    "change": change,
    "metadata": metadata,
    "types": types,
    "values": values,
    "failures": failures,
}
