"""Python of the pages: programs under Pulumi's mocks, transforms in the real handler."""

import ast
import contextlib
import importlib.util
import io
import re
import tempfile
from datetime import UTC
from pathlib import Path
from typing import Any

from boto3.dynamodb.types import TypeSerializer

from streaming_etl import PartitionArgs, SettingsError, StreamingEtlPipelineArgs
from streaming_etl.components.table.column_types import Column, is_nested
from streaming_etl.components.table.lake_table import plan_lake_table
from streaming_etl.components.table.transform_module import TransformModule, read_transform_module
from streaming_etl.handlers.change.decode import Reader
from streaming_etl.handlers.rows.encoder import RowEncoder
from streaming_etl.handlers.transform import Pipeline, transform_records
from streaming_etl.handlers.wire.change_line import change_line
from streaming_etl.stack.outputs import ROOT
from streaming_etl.stack.recorder import UNKNOWN, build
from tests.docs.blocks import Block, DocError
from tests.handlers.fakes import firehose_records, stream_record

# The order that the pages' transforms are about. Columns that it lacks get a value by their type.
ORDER = {
    "id": "o-0001",
    "user_id": "u-001",
    "store_id": "sapporo",
    "created": "2026-11-23T09:30:00",
    "updated_at": "2026-11-23T10:00:00",
}
VALUES = {"boolean": True, "date": "2026-11-23", "timestamp": "2026-11-23 09:30:00"}
NUMBERS = {"tinyint", "smallint", "int", "bigint", "float", "double"}


def run(block: Block) -> None:
    tree = ast.parse(block.text)
    functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    if "transform" in functions:
        transform(block)
    elif "StreamingEtlPipeline(" in block.text:
        program(block)
    else:
        namespace = execute(block)
        for name in sorted(functions):
            if name.startswith("test_"):
                namespace[name]()


def execute(block: Block) -> dict[str, Any]:
    """Run the block in the repository's folder; an error names the page's own lines."""
    # Not `__main__`: Pulumi's program needs none, and a block is no script that parses arguments.
    namespace: dict[str, Any] = {"__name__": "block"}
    code = compile("\n" * block.line + block.text, block.page, "exec")
    with contextlib.chdir(ROOT):
        exec(code, namespace)
    return namespace


def program(block: Block) -> None:
    graph = build(lambda: execute(block))
    empty = [name for name, value in graph.exports.items() if value in (None, UNKNOWN, {})]
    if not graph.custom or empty:
        raise DocError(
            f"the program makes {len(graph.custom)} resources; exports {empty} are empty"
        )


def transform(block: Block) -> None:
    """Every kind of change of one order becomes rows, in each format that the columns allow."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "transform_module.py")
        file.write_text("\n" * block.line + block.text)
        try:
            module = read_transform_module(str(file))
        except SettingsError as error:
            raise DocError(str(error)) from None
        for kind in formats(module):
            refused = refusals(module, kind)
            if refused:
                raise DocError(f"as {kind} the handler refuses its rows: {refused}")


def formats(module: TransformModule) -> list[str]:
    columns = module.columns
    nested = columns is None or any(is_nested(column.type) for column in columns)
    return ["json"] if nested else ["json", "csv"]


def refusals(module: TransformModule, kind: str) -> list[str]:
    """Why the handler, with what the archive would tell it, refuses rows of the block."""
    args = StreamingEtlPipelineArgs(
        table_name="orders",
        transform_module=str(module.path),
        partitions=PartitionArgs(),
        format=kind,
        catalog="projection" if module.columns else "crawler",
    )
    table = plan_lake_table(args, module)
    spec = importlib.util.spec_from_file_location("transform_module", module.path)
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    encoder = RowEncoder(table.transform_config, UTC)
    pipeline = Pipeline(loaded.transform, str(module.path), encoder, Reader(lazy=module.pure))
    log = io.StringIO()
    with contextlib.redirect_stdout(log):
        answer = transform_records(
            firehose_records(*lines(module)), pipeline, put_back=lambda _: []
        )
    results = {record["result"] for record in answer["records"]}
    return [] if results <= {"Ok", "Dropped"} else re.findall(r'"error": "(.*?)"', log.getvalue())


def lines(module: TransformModule) -> list[bytes]:
    """A change of each kind, as the forwarder sends it."""
    item = {**{it.name: value_of(it) for it in module.columns or ()}, **ORDER}
    image = {name: TypeSerializer().serialize(value) for name, value in item.items()}
    found = []
    for number, kind in enumerate(("INSERT", "MODIFY", "SNAPSHOT", "REMOVE")):
        record = stream_record(number, kind, **image)
        if kind == "REMOVE":
            record["dynamodb"]["OldImage"] = record["dynamodb"].pop("NewImage")
        found.append(change_line(record))
    return found


def value_of(column: Column) -> Any:
    if isinstance(column.type, str):
        return 1 if column.type in NUMBERS else VALUES.get(column.type, "text")
    [(kind, _)] = column.type.items()
    return {"decimal": 1, "array": []}.get(kind, {})
