"""Who knows whom: components and handlers agree without importing each other, stages not at all."""

import ast
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from components import BackfillArgs, alarms
from components.pins import read_pins
from components.schema import METADATA
from components.stage_settings import OLD_IMAGES
from components.wheels import HANDLERS_LOCK
from graph.recorder import Node
from handlers import log
from handlers.line import OLD_IMAGE_KINDS
from handlers.rows import METADATA_COLUMNS
from tests.components.pipelines import ROOT, Pipelines

COMPONENTS = sorted((ROOT / "components").glob("*.py"))
HANDLERS = sorted((ROOT / "handlers").glob("*.py"))
STAGES = ("source", "lake", "catalog", "delivery", "forwarder", "backfill", "query", "monitoring")

# What may be asked and what is planned, told without any cloud.
NO_PROVIDER = (
    *("refusals", "published", "settings", "stage_settings", "filters", "config", "partitions"),
    *("schema", "transform_module", "lake_table", "queries"),
    *("pins", "fetch", "wheels", "document", "tags"),
    *("monitoring_settings", "alarms", "dashboard"),
    *("backfill_settings", "backfill_definition"),
)


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, wherever in the file it does so."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            assert node.module is not None
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def tops(path: Path) -> set[str]:
    return {name.partition(".")[0] for name in imports(path)}


@pytest.mark.parametrize("path", COMPONENTS, ids=lambda path: path.stem)
def test_a_component_imports_only_components_and_the_deployments_libraries(path: Path) -> None:
    allowed = {"components", "packaging", "pulumi", "pulumi_aws", *sys.stdlib_module_names}
    assert tops(path) - allowed == set()


@pytest.mark.parametrize("path", HANDLERS, ids=lambda path: path.stem)
def test_a_handler_imports_only_what_lambda_has(path: Path) -> None:
    carried = {pin.name for pin in read_pins(HANDLERS_LOCK, "the lock")}
    # mypy_boto3_firehose stands below TYPE_CHECKING: Lambda never imports it.
    given = {"boto3", "botocore", "mypy_boto3_firehose", *sys.stdlib_module_names}
    allowed = {"handlers", *carried, *given}
    # The user's module, by its name in the archive.
    assert tops(path) - allowed - {"transform_module"} == set()


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_knows_no_other_stage_and_no_pipeline(stage: str) -> None:
    others = {f"components.{other}" for other in STAGES if other != stage}
    found = set(imports(ROOT / "components" / f"{stage}.py"))
    assert found & {*others, "components.streaming_etl_pipeline"} == set()


@pytest.mark.parametrize("name", NO_PROVIDER)
def test_settings_and_plans_import_no_provider(name: str) -> None:
    assert "pulumi_aws" not in tops(ROOT / "components" / f"{name}.py")


@pytest.mark.parametrize("path", COMPONENTS, ids=lambda path: path.stem)
def test_a_component_reads_no_config_and_exports_nothing(path: Path) -> None:
    used = {
        node.attr
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "pulumi"
    }
    assert used & {"Config", "export", "get_project"} == set()


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
    return {node.inputs["handler"].split(".")[1]: node for node in graph.of("Function")}


@pytest.mark.parametrize("path", HANDLERS, ids=lambda path: path.stem)
def test_a_function_gets_the_environment_that_its_handler_reads(
    functions: dict[str, Node], path: Path
) -> None:
    function = functions.get(path.stem)
    given = function.inputs.get("environment", {}).get("variables", {}) if function else {}
    assert set(environment_names(path)) == set(given)


@pytest.mark.parametrize("module", ["forward", "transform", "backfill"])
def test_a_functions_handler_stands_in_its_archive(functions: dict[str, Node], module: str) -> None:
    inputs = functions[module].inputs
    path, _, name = inputs["handler"].rpartition(".")
    assert f"{path.replace('.', '/')}.py" in inputs["code"]
    assert callable(getattr(importlib.import_module(path), name))
