"""The plugin as Pulumi runs it, for a program in another directory."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import empty_pb2
from pulumi.provider.experimental.util import camel_case
from pulumi.runtime import rpc
from pulumi.runtime.proto import provider_pb2

from package.host import PipelineProvider
from streaming_etl import (
    ForwarderArgs,
    LakeTableArgs,
    LakeTableQueryArgs,
    PartitionArgs,
    SettingsError,
    StreamingEtlPipeline,
    StreamingEtlPipelineArgs,
    TransformArgs,
    args_from_config,
)
from streaming_etl.components.settings.validation import Problem, invalid
from streaming_etl.stack.recorder import UNKNOWN, Graph, archive_files, build
from tests.package.engine import SIGNATURE, Plugin, output, running_plugin
from tests.package.test_schema import VERSION
from tests.support.pipelines import TYPED, existing_table
from tests.support.problems import problems_of

REQUIRED = {"tableName": "orders", "transformModule": "transforms/x.py", "partitions": {}}


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Directory of a program with its own transform."""
    directory = tmp_path_factory.mktemp("web-shop")
    (directory / "transforms").mkdir()
    (directory / "transforms" / "x.py").write_text(TYPED)
    return directory


@pytest.fixture(scope="module")
def plugin(program: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plugin]:
    with running_plugin(program, tmp_path_factory.mktemp("log") / "stderr") as running:
        yield running


def nodes(graph: Graph) -> list[Any]:
    return sorted(graph.nodes, key=lambda node: (node.type, node.name))


def message(plugin: Plugin, arguments: dict[str, Any], name: str = "shop") -> str:
    """The error that the engine shows; no resource is created."""
    with pytest.raises(grpc.RpcError) as error:
        plugin.construct(name, arguments)
    assert error.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert plugin.graph.nodes == []
    return str(error.value.details())


def text_of(*problems: Problem) -> str:
    return str(SettingsError(problems))


def test_returns_its_version_and_schema(plugin: Plugin) -> None:
    assert plugin.stub.GetPluginInfo(empty_pb2.Empty()).version == VERSION
    response = plugin.stub.GetSchema(provider_pb2.GetSchemaRequest(version=0))
    assert json.loads(response.schema) == json.loads(PipelineProvider().schema or "")


def test_accepts_outputs(plugin: Plugin) -> None:
    assert plugin.stub.Configure(provider_pb2.ConfigureRequest()).acceptOutputs


def test_creates_the_resources_of_a_python_program(
    plugin: Plugin, program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Paths of archives are relative to the program's directory.
    monkeypatch.chdir(program)
    state = plugin.construct(
        "shop",
        {
            **REQUIRED,
            "partitions": {
                "timeZone": "Asia/Tokyo",
                "dynamicPartitionKeys": {"store_id": ["a", "b"]},
            },
            "tags": {"costCenter": "7", "owned_by": "shop"},
            # Integers, which arrive as floats, and one float.
            "logRetentionDays": 90,
            "forwarder": {
                "batchSize": 100,
                "eventNames": ["MODIFY", "REMOVE"],
                "maxRecordKib": 128,
            },
            "transform": {"bufferMib": 0.5},
            "retain": True,
            "renamedFrom": ["store", "sales"],
            # Left out, but sent as null by some languages.
            "format": None,
            "lake": {"versioning": None},
        },
    )
    settings = StreamingEtlPipelineArgs(
        table_name="orders",
        transform_module="transforms/x.py",
        partitions=PartitionArgs(
            time_zone="Asia/Tokyo", dynamic_partition_keys={"store_id": ["a", "b"]}
        ),
        tags={"costCenter": "7", "owned_by": "shop"},
        log_retention_days=90,
        forwarder=ForwarderArgs(
            batch_size=100, event_names=["MODIFY", "REMOVE"], max_record_kib=128
        ),
        transform=TransformArgs(buffer_mib=0.5),
        retain=True,
        renamed_from=["store", "sales"],
    )
    exports: dict[str, Any] = {}
    with contextlib.chdir(program):
        graph = build(lambda: exports.update(StreamingEtlPipeline("shop", settings).outputs))
    assert nodes(plugin.graph) == nodes(graph)
    code = plugin.graph["shop-transform-function"].inputs["code"]
    module = (program / "transforms" / "x.py").read_bytes()
    assert archive_files(code)["transform_module/x.py"] == module
    assert {camel_case(name) for name, value in exports.items() if value is not None} == set(state)
    assert state["view"] == "orders_current"


def shop(orders: Any, **settings: Any) -> dict[str, Any]:
    """Arguments of a pipeline with the lake tables `orders` and `order-items`."""
    part = {"transformModule": "transforms/x.py", "partitions": {}}
    orders = {**part, **orders} if isinstance(orders, dict) and SIGNATURE not in orders else orders
    return {"tableName": "shop", "lakeTables": {"orders": orders, "order-items": part}, **settings}


def test_creates_several_lake_tables(plugin: Plugin, program: Path) -> None:
    orders = {
        "where": {"orderType": ["a", 5, 2.5, True], "created_at": {"prefix": "2026"}},
        "glueTableName": "sales",
        "partitions": {"timeZone": "Asia/Tokyo"},
        "query": {"currentState": False},
        "transform": {"bufferMib": 0.5, "bufferSeconds": 90},
        "renamedFrom": ["lake-table"],
        "format": None,
    }
    arguments = shop(orders, forwarder={"maxRecordKib": 128})
    state = plugin.construct("shop", arguments)
    module = {"transform_module": "transforms/x.py"}
    settings = StreamingEtlPipelineArgs(
        table_name="shop",
        forwarder=ForwarderArgs(max_record_kib=128),
        lake_tables={
            # By name, in whatever order the engine sends them.
            "order-items": LakeTableArgs(**module, partitions=PartitionArgs()),
            "orders": LakeTableArgs(
                **module,
                # Names of attributes are the user's.
                where={"orderType": ["a", 5, 2.5, True], "created_at": {"prefix": "2026"}},
                glue_table_name="sales",
                partitions=PartitionArgs(time_zone="Asia/Tokyo"),
                query=LakeTableQueryArgs(current_state=False),
                transform=TransformArgs(buffer_mib=0.5, buffer_seconds=90),
                renamed_from=["lake-table"],
            ),
        },
    )
    with contextlib.chdir(program):
        graph = build(lambda: StreamingEtlPipeline("shop", settings))
    for node in [*graph.of("Function"), *plugin.graph.of("Function")]:
        node.inputs["code"] = Path(node.inputs["code"]["archive"]).name
    assert nodes(plugin.graph) == nodes(graph)
    assert "table" not in state
    # Without the values that do not exist.
    assert state["lakeTables"] == {
        "orders": {
            "table": "sales",
            "deliveryStream": "shop-orders-delivery-stream-0000000",
            "transformFunction": "shop-orders-transform-function-0000000",
            "errorsLocation": "s3://shop-lake-bucket-0000000/errors/shop_test/sales/",
        },
        "order-items": {
            "table": "order_items",
            "view": "order_items_current",
            "deliveryStream": "shop-order-items-delivery-stream-0000000",
            "transformFunction": "shop-order-items-transform-function-0000000",
            "errorsLocation": "s3://shop-lake-bucket-0000000/errors/shop_test/order_items/",
        },
    }


@pytest.mark.parametrize(
    ("arguments", "path", "name", "item"),
    [
        (shop({"transformModule": output("x.py")}), "lake_tables.orders", "transform_module", None),
        (shop({"where": output()}), "lake_tables.orders", "where", None),
        (shop({"where": {"a": [output(5)]}}), "lake_tables.orders", "where", "a"),
        (shop({"where": {"a": {"prefix": output("x")}}}), "lake_tables.orders", "where", "prefix"),
        (
            shop({"delivery": {"bufferMib": output(64)}}),
            "lake_tables.orders.delivery",
            "buffer_mib",
            None,
        ),
        (shop(output()), "lake_tables", "orders", None),
        ({"tableName": "shop", "lakeTables": output()}, "", "lake_tables", None),
    ],
    ids=str,
)
def test_rejects_outputs_in_lake_tables(
    plugin: Plugin, arguments: dict[str, Any], path: str, name: str, item: str | None
) -> None:
    problem = invalid(name, None, "known-value", path=path, item=item)
    assert message(plugin, arguments) == text_of(problem)


def test_reports_problems_of_lake_tables_with_their_path(plugin: Plugin) -> None:
    orders = {
        "batchSize": 1,
        "format": "xml",
        "delivery": {"bufferMib": 500},
        "where": {"orderType": []},
    }
    required = {"transform_module": "transforms/x.py", "partitions": {}}
    settings = {
        "batchSize": 1,
        "format": "xml",
        "delivery": {"buffer_mib": 500},
        "where": {"orderType": []},
    }
    tables = {"orders": {**required, **settings}, "order-items": required}
    problems = problems_of(args_from_config, "shop", {"table_name": "shop", "lake_tables": tables})
    assert {problem.path for problem in problems} == {
        "shop.lake_tables.orders",
        "shop.lake_tables.orders.delivery",
    }
    assert len(problems) == 4
    lines = message(plugin, shop(orders)).splitlines()
    assert sorted(lines) == sorted(text_of(*problems).splitlines())
    text = {"tableName": "shop", "lakeTables": {"orders": "transforms/x.py"}}
    assert message(plugin, text) == text_of(
        *problems_of(
            args_from_config,
            "shop",
            {"table_name": "shop", "lake_tables": {"orders": "transforms/x.py"}},
        )
    )


def test_looks_up_an_existing_table(plugin: Plugin) -> None:
    arguments = {**REQUIRED, "source": {"use_existing": True}}
    state = plugin.construct("shop", arguments, tables=existing_table())
    assert state["sourceStreamArn"].endswith("/stream/2020-02-02T02:02:02.000")
    assert ("aws:dynamodb/getTable:getTable", "") in plugin.graph.calls


def test_an_output_reaches_the_resources(plugin: Plugin) -> None:
    arguments = {**REQUIRED, "lake": {"bucketName": output("theirs")}}
    assert plugin.construct("shop", arguments)["bucket"] == "theirs"
    assert plugin.graph["shop-delivery-stream"].inputs["extendedS3Configuration"]["bucketArn"] == (
        "arn:aws:s3:::theirs"
    )


def test_reports_a_module_with_a_missing_import(plugin: Plugin, program: Path) -> None:
    (program / "transforms" / "yaml.py").write_text(f"import yaml\n{TYPED}")
    module = "transforms/yaml.py"
    assert message(plugin, {**REQUIRED, "transformModule": module}) == text_of(
        invalid("transform_module", module, "module-imports", imports=("yaml",), line=1)
    )


@pytest.mark.parametrize("unknown", [output(), rpc.UNKNOWN])
def test_an_unknown_output_is_unknown_in_the_preview(plugin: Plugin, unknown: Any) -> None:
    state = plugin.construct("shop", {**REQUIRED, "databaseName": unknown}, preview=True)
    assert state["database"] == UNKNOWN
    assert "shop-catalog-database" not in {node.name for node in plugin.graph.nodes}


@pytest.mark.parametrize(
    "settings",
    [
        {"forwarder": {"parallelization_factor": 12, "batch_size": 1.5}},
        {"forwarder": {"batch_size": "100", "event_names": "INSERT", "batchsize": 1}},
        {"fromat": "csv", "format": 7},
        {"partitions": {"since_year": 2020}},
        {"tags": {"aws:cost": "7", "cost": 7}},
        {"partitions": ["day"]},
        {"partitions": {"dynamic_partition_keys": {"Store": [], "store_id": [7]}}},
        {"delivery": {"buffer_mib": 32}, "format": "parquet"},
        {"crawler_schedule": "cron(0 3 * * ? *)", "log_retention_days": True},
        {"lake": {"bucket_name": ""}},
    ],
    ids=str,
)
def test_reports_the_problems_that_the_stacks_config_has(
    plugin: Plugin, settings: dict[str, Any]
) -> None:
    arguments = {camel_case(name): value for name, value in settings.items()}
    for name, value in arguments.items():
        if name != "tags" and isinstance(value, dict):
            arguments[name] = {
                setting if setting == "since_year" else camel_case(setting): item
                for setting, item in value.items()
            }
    required = {"table_name": "orders", "transform_module": "transforms/x.py", "partitions": {}}
    problems = problems_of(args_from_config, "shop", {**required, **settings})
    lines = message(plugin, {**REQUIRED, **arguments}).splitlines()
    # The engine sorts the names of a map in its way.
    assert sorted(lines) == sorted(text_of(*problems).splitlines())


def test_rejects_a_setting_with_two_names(plugin: Plugin) -> None:
    both = {"logRetentionDays": 30, "log_retention_days": 1}
    assert message(plugin, {**REQUIRED, **both}) == text_of(
        invalid("log_retention_days", None, "two-names")
    )


def test_reports_every_missing_setting(plugin: Plugin) -> None:
    missing = [
        invalid(name, None, "required", path="shop") for name in ("transform_module", "partitions")
    ]
    assert message(plugin, {"tableName": "orders"}) == text_of(*missing)


@pytest.mark.parametrize("value", [output(), output("orders"), output("orders", secret=True)])
@pytest.mark.parametrize(
    ("arguments", "path", "name", "item"),
    [
        (("format",), "", "format", None),
        (("lake",), "", "lake", None),
        (("lake", "forceDestroy"), "lake", "force_destroy", None),
        (
            ("partitions", "dynamicPartitionKeys", "store_id"),
            "partitions",
            "dynamic_partition_keys",
            "store_id",
        ),
    ],
)
def test_rejects_an_output_that_determines_the_resources(
    plugin: Plugin,
    arguments: tuple[str, ...],
    path: str,
    name: str,
    item: str | None,
    value: dict[str, Any],
) -> None:
    for argument in reversed(arguments):
        value = {argument: value}
    problem = invalid(name, None, "known-value", path=path, item=item)
    assert message(plugin, {**REQUIRED, **value}) == text_of(problem)


@pytest.mark.parametrize("known", [True, False])
def test_accepts_outputs_that_determine_no_resource(plugin: Plugin, known: bool) -> None:
    stream = "arn:aws:dynamodb:eu-west-1:123456789012:table/own/stream/2026-01-01T00:00:00.000"
    values = [output(stream), output("own"), output("web")] if known else [output()] * 3
    arguments = {
        "tableName": values[1],
        "glueTableName": "orders",
        "source": {"useExisting": True, "streamArn": values[0]},
        "tags": {"team": values[2]},
    }
    state = plugin.construct("shop", {**REQUIRED, **arguments}, preview=not known)
    if known:
        assert (state["sourceTable"], state["sourceStreamArn"]) == ("own", stream)
    [bucket] = plugin.graph.of("s3/bucket:Bucket")
    assert bucket.inputs["tags"].get("team") == ("web" if known else None)


ACCOUNT = "ap-northeast-1:123456789012"
TOPIC, LAYER = f"arn:aws:sns:{ACCOUNT}:page", f"arn:aws:lambda:{ACCOUNT}:layer:shared:1"


# Without a value, an output is unknown; an older engine marks it differently.
@pytest.mark.parametrize("unknown", [None, output(), rpc.UNKNOWN])
def test_accepts_lists_with_an_output(plugin: Plugin, unknown: Any) -> None:
    known = unknown is None
    topic, layer, subnet = (
        output(value) if known else unknown for value in (TOPIC, LAYER, "subnet-1a")
    )
    arguments = {
        "monitoring": {"alarmActions": [topic]},
        "transform": {"layers": [layer]},
        "functions": {"subnetIds": [subnet], "securityGroupIds": ["sg-1a"]},
    }
    plugin.construct("shop", {**REQUIRED, **arguments}, preview=not known)
    function = plugin.graph["shop-transform-function"].inputs
    alarms = plugin.graph.of("MetricAlarm")
    found = [
        function["layers"],
        function["vpcConfig"]["subnetIds"],
        next(iter(alarms)).inputs["alarmActions"][1:],
    ]
    assert found == ([[LAYER], ["subnet-1a"], [TOPIC]] if known else [[None]] * 3)


def test_rejects_a_list_with_an_output(plugin: Plugin) -> None:
    arguments = {**REQUIRED, "forwarder": {"eventNames": ["INSERT", output("MODIFY")]}}
    problem = invalid("event_names", None, "known-value", path="forwarder")
    assert message(plugin, arguments) == text_of(problem)


def test_searches_files_in_the_programs_directory(plugin: Plugin, program: Path) -> None:
    path = "transforms/orders.py"
    problem = invalid("transform_module", path, "module-missing", directory=program)
    assert message(plugin, {**REQUIRED, "transformModule": path}) == text_of(problem)
    requirements = {"requirements": "transforms/x.txt"}
    assert str(program) in message(plugin, {**REQUIRED, "transform": requirements})


def test_rejects_an_invalid_name(plugin: Plugin) -> None:
    problem = invalid("name", "Web_Shop", "pipeline-name")
    assert message(plugin, REQUIRED, name="Web_Shop") == text_of(problem)
