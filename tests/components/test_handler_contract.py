"""Values that components and handlers share, although neither imports the other."""

import ast
import importlib
import inspect
import json
from pathlib import Path
from types import MappingProxyType

import pytest

from streaming_etl import BackfillArgs, ForwarderArgs, MonitoringArgs, QueryArgs
from streaming_etl.components.monitoring import alarms
from streaming_etl.components.settings.environment import LOG_LEVEL_VARIABLE, SECRETS_VARIABLE
from streaming_etl.components.settings.lake_table_names import ONLY_LAKE_TABLE
from streaming_etl.components.settings.stages import OLD_IMAGES
from streaming_etl.components.table.column_types import METADATA
from streaming_etl.components.table.routing import forwarder_config, route
from streaming_etl.handlers import forwarder, structured_log, transform
from streaming_etl.handlers.firehose import deadline
from streaming_etl.handlers.rows.metadata import METADATA_COLUMNS
from streaming_etl.handlers.wire.change_line import OLD_IMAGE_KINDS
from streaming_etl.handlers.wire.routing import Route, route_of
from streaming_etl.stack.recorder import Node, archive_files
from tests.support.pipeline_settings import pipeline_args
from tests.support.pipelines import Pipelines

ENTRY_MODULES = ("forwarder", "transform", "backfill")


@pytest.fixture(scope="module")
def functions(pipelines: Pipelines) -> dict[str, Node]:
    """Return every function by the module of its handler."""
    graph = pipelines.build(backfill=BackfillArgs(enabled=True))
    return {node.inputs["handler"].split(".")[2]: node for node in graph.of("Function")}


def test_the_lake_table_has_the_metadata_columns_that_handlers_write() -> None:
    assert tuple(column.name for column in METADATA) == METADATA_COLUMNS


def test_the_forwarder_supports_every_value_of_old_image() -> None:
    assert set(OLD_IMAGES) == set(OLD_IMAGE_KINDS)


def test_alarms_and_handlers_use_the_same_metric_namespace() -> None:
    assert structured_log.METRIC_NAMESPACE == alarms.METRIC_NAMESPACE


def test_the_transform_reports_the_metrics_of_its_alarms() -> None:
    source = inspect.getsource(transform)
    reported = {
        keyword.arg
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("count", "measure")
        for keyword in node.keywords
    }
    monitoring = MonitoringArgs(alarms="all", max_lag_seconds=300)
    monitored = {
        alarm.metric
        for alarm in alarms.alarms(pipeline_args(monitoring=monitoring))
        if alarm.metric_source == "transform_counts"
    }
    assert monitored == {"ChangeLag", "ChangesFailed", "ChangesRequeued"}
    assert monitored <= reported


def test_the_alarm_on_duration_knows_when_the_transform_stops() -> None:
    assert alarms.TRANSFORM_MARGIN_SECONDS == deadline.TRANSFORM_MARGIN_SECONDS


SETS_VARIABLES = {"secret_variables": ["os.environ.update"]}
"""Modules with another use of os.environ than `"X" in os.environ` and `os.environ["X"]`."""


def environment_variables(path: Path) -> set[str]:
    """Every X of os.environ["X"], the only form of reading in handlers."""
    names, others = set(), []
    tree = ast.parse(path.read_text())
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    for node in ast.walk(tree):
        assert not isinstance(node, ast.ImportFrom) or node.module != "os"
        if isinstance(node, ast.Attribute):
            assert ast.unparse(node) != "os.getenv"
        if not isinstance(node, ast.Attribute) or ast.unparse(node) != "os.environ":
            continue
        use = parents[node]
        if isinstance(use, ast.Subscript) and isinstance(use.ctx, ast.Load):
            assert isinstance(use.slice, ast.Constant)
            names.add(use.slice.value)
        elif not (isinstance(use, ast.Compare) and isinstance(use.left, ast.Constant)):
            others.append(ast.unparse(use))
    assert others == SETS_VARIABLES.get(path.stem, [])
    return names


def test_every_function_gets_the_environment_variables_that_its_handler_reads(
    functions: dict[str, Node],
) -> None:
    package = Path(structured_log.__file__).parent
    read = {path.stem: environment_variables(path) for path in package.rglob("*.py")}
    defined = {
        name: set(node.inputs.get("environment", {}).get("variables", {}))
        for name, node in functions.items()
    }
    # Of every function with the setting `functions.log_level`.
    assert read.pop("structured_log") == {LOG_LEVEL_VARIABLE}
    # Of a transform with the setting `transform.secrets`.
    assert read.pop("secret_variables") == {SECRETS_VARIABLE}
    assert {name: names for name, names in read.items() if names} == {
        name: names for name, names in defined.items() if names
    }


def test_the_forwarder_reads_the_settings_in_its_archive_and_environment(
    pipelines: Pipelines,
) -> None:
    args = ForwarderArgs(
        event_names=["INSERT"],
        old_image="never",
        max_changes_per_record=7,
        max_record_kib=9,
    )
    graph = pipelines.build(forwarder=args, query=QueryArgs(current_state=False))
    [inputs] = [
        node.inputs for node in graph.of("Function") if ".forwarder." in node.inputs["handler"]
    ]
    config = json.loads(archive_files(inputs["code"])["forwarder.json"])
    streams = json.loads(inputs["environment"]["variables"]["DELIVERY_STREAMS"])
    [stream] = graph.of("FirehoseDeliveryStream")
    assert streams[ONLY_LAKE_TABLE].startswith(stream.name)
    route = Route(ONLY_LAKE_TABLE, streams[ONLY_LAKE_TABLE], "never", 7, 9 * 1024)
    assert forwarder.routing_of(config, streams) == (frozenset({"INSERT"}), False, [route])


def test_the_environment_of_twenty_routes_has_less_than_its_limit() -> None:
    names = {"n" * 34 + "x": "s" * 64}
    assert 20 * len(json.dumps(names)) + len("DELIVERY_STREAMS") < 4096


def test_the_forwarder_fails_unmatched_changes_on_request() -> None:
    config = forwarder_config(ForwarderArgs(unmatched="fail"), [])
    assert forwarder.routing_of(config, {}).unmatched_fails


def test_the_forwarder_reads_conditions_of_any_mapping_and_sequence() -> None:
    where = MappingProxyType({"n": range(3), "s": MappingProxyType({"prefix": "a"})})
    config = json.loads(json.dumps(route("orders", ForwarderArgs(), where)))
    assert config["where"] == {"n": [0, 1, 2], "s": {"prefix": "a"}}
    condition = route_of(config, {"orders": "stream"}).where
    assert condition is not None
    assert condition.matches({"n": {"N": "2"}, "s": {"S": "ab"}})


@pytest.mark.parametrize("module", ENTRY_MODULES)
def test_the_handler_of_a_function_is_in_its_archive(
    functions: dict[str, Node], module: str
) -> None:
    inputs = functions[module].inputs
    path, _, name = inputs["handler"].rpartition(".")
    assert f"{path.replace('.', '/')}.py" in archive_files(inputs["code"])
    assert callable(getattr(importlib.import_module(path), name))
