"""Who knows whom: components and handlers agree without importing each other, stages not at all."""

import ast
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from components import monitoring
from components.pins import read_pins
from components.schema import METADATA
from components.stage_settings import OLD_IMAGES
from components.wheels import HANDLERS_LOCK
from handlers import log
from handlers.line import OLD_IMAGE_KINDS
from handlers.rows import METADATA_COLUMNS
from tests.components.pipelines import ROOT, dev_stack

COMPONENTS = sorted((ROOT / "components").glob("*.py"))
HANDLERS = sorted((ROOT / "handlers").glob("*.py"))
STAGES = ("source", "lake", "catalog", "delivery", "forwarder", "query", "monitoring")

# What may be asked and what is planned, told without any cloud.
NO_PROVIDER = (
    *("refusals", "settings", "stage_settings", "filters", "config", "partitions"),
    *("schema", "transform_module", "lake_table", "queries"),
    *("pins", "fetch", "wheels"),
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
    assert log.METRIC_NAMESPACE == monitoring.METRIC_NAMESPACE


def environment_names(path: Path) -> Iterator[str]:
    """Every X of os.environ["X"]; any other use of the environment would need a look here."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Subscript) and ast.unparse(node.value) == "os.environ":
            assert isinstance(node.slice, ast.Constant)
            yield node.slice.value
        elif isinstance(node, ast.Attribute) and ast.unparse(node) in ("os.getenv", "environ.get"):
            raise AssertionError(f"{path.name} reads the environment in another way")


def test_the_functions_get_the_environment_that_the_handlers_read() -> None:
    read = {name for path in HANDLERS for name in environment_names(path)}
    for pipeline in ("orders", "shipments"):
        forwarder = dev_stack()[f"{pipeline}-forwarder-function"].inputs
        assert set(forwarder["environment"]["variables"]) == read
        assert "environment" not in dev_stack()[f"{pipeline}-transform-function"].inputs


@pytest.mark.parametrize("function", ["forwarder", "transform"])
def test_a_functions_handler_stands_in_its_archive(function: str) -> None:
    inputs = dev_stack()[f"orders-{function}-function"].inputs
    module, _, name = inputs["handler"].rpartition(".")
    assert f"{module.replace('.', '/')}.py" in inputs["code"]
    assert callable(getattr(importlib.import_module(module), name))
