"""What components and handlers agree on, although neither imports the other."""

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from streaming_etl import BackfillArgs
from streaming_etl.components.monitoring import alarms
from streaming_etl.components.settings.stages import OLD_IMAGES
from streaming_etl.components.table.column_types import METADATA
from streaming_etl.handlers import structured_log as log
from streaming_etl.handlers.rows.metadata import METADATA_COLUMNS
from streaming_etl.handlers.wire.change_line import OLD_IMAGE_KINDS
from streaming_etl.stack.recorder import Node, archive_files
from tests.components.pipelines import ROOT, Pipelines

HANDLERS = sorted((ROOT / "handlers").rglob("*.py"))


def test_the_lake_table_declares_the_metadata_that_the_handlers_write() -> None:
    assert tuple(column.name for column in METADATA) == METADATA_COLUMNS


def test_the_forwarder_knows_every_wish_for_the_old_item() -> None:
    assert set(OLD_IMAGES) == set(OLD_IMAGE_KINDS)


def test_the_transform_counts_where_the_alarms_count() -> None:
    assert log.METRIC_NAMESPACE == alarms.METRIC_NAMESPACE


def environment_names(path: Path) -> Iterator[str]:
    """Every X of os.environ["X"]; any other use of the environment would need a look here."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Subscript) and ast.unparse(node.value) == "os.environ":
            assert isinstance(node.slice, ast.Constant)
            yield node.slice.value
        elif isinstance(node, ast.Attribute) and ast.unparse(node) in ("os.getenv", "environ.get"):
            raise AssertionError(f"{path.name} reads the environment in another way")


@pytest.fixture(scope="module")
def functions(pipelines: Pipelines) -> dict[str, Node]:
    """Every function that a pipeline may have, by the module of its handler."""
    graph = pipelines.build(backfill=BackfillArgs(enabled=True))
    return {node.inputs["handler"].split(".")[2]: node for node in graph.of("Function")}


@pytest.mark.parametrize("path", HANDLERS, ids=lambda path: path.stem)
def test_a_function_gets_the_environment_that_its_handler_reads(
    functions: dict[str, Node], path: Path
) -> None:
    function = functions.get(path.stem)
    given = function.inputs.get("environment", {}).get("variables", {}) if function else {}
    assert set(environment_names(path)) == set(given)


@pytest.mark.parametrize("module", ["forwarder", "transform", "backfill"])
def test_a_functions_handler_stands_in_its_archive(functions: dict[str, Node], module: str) -> None:
    inputs = functions[module].inputs
    path, _, name = inputs["handler"].rpartition(".")
    assert f"{path.replace('.', '/')}.py" in archive_files(inputs["code"])
    assert callable(getattr(importlib.import_module(path), name))
