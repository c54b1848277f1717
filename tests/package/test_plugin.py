"""The plugin as Pulumi runs it: for a program in another directory, over the wire."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import empty_pb2
from pulumi.runtime import rpc
from pulumi.runtime.proto import provider_pb2

from package.host import PipelineProvider
from streaming_etl import (
    ForwarderArgs,
    PartitionArgs,
    StreamingEtlPipeline,
    StreamingEtlPipelineArgs,
    TransformArgs,
)
from streaming_etl.stack.recorder import UNKNOWN, Graph, build
from tests.components.pipelines import TYPED, Pipelines, existing_table
from tests.package.engine import Plugin, output, running_plugin
from tests.package.schemas import camel
from tests.package.test_schema import VERSION

GIVEN = {"tableName": "orders", "transformModule": "transforms/x.py", "partitions": {}}


@pytest.fixture(scope="module")
def pipelines(tmp_path_factory: pytest.TempPathFactory) -> Pipelines:
    return Pipelines(tmp_path_factory.mktemp("transforms"))


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of another team's program, with a transform of its own."""
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


def refusal(plugin: Plugin, given: dict[str, Any], name: str = "shop") -> str:
    """What the engine is told of a pipeline that is refused, before any resource exists."""
    with pytest.raises(grpc.RpcError) as refused:
        plugin.construct(name, given)
    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert plugin.graph.nodes == []
    return str(refused.value.details())


def test_it_tells_its_version_and_its_schema(plugin: Plugin) -> None:
    assert plugin.stub.GetPluginInfo(empty_pb2.Empty()).version == VERSION
    answer = plugin.stub.GetSchema(provider_pb2.GetSchemaRequest(version=0))
    assert json.loads(answer.schema) == json.loads(PipelineProvider().schema or "")


def test_it_takes_outputs_as_such(plugin: Plugin) -> None:
    assert plugin.stub.Configure(provider_pb2.ConfigureRequest()).acceptOutputs


def test_a_program_elsewhere_gets_what_a_python_program_there_gets(
    plugin: Plugin, program: Path
) -> None:
    state = plugin.construct(
        "shop",
        {
            **GIVEN,
            "partitions": {
                "timeZone": "Asia/Tokyo",
                "dynamicPartitionKeys": {"store_id": ["a", "b"]},
            },
            "tags": {"costCenter": "7", "owned_by": "shop"},
            # Whole numbers, which travel as floats, and one that is none.
            "logRetentionDays": 90,
            "forwarder": {"batchSize": 100, "eventNames": ["INSERT"], "maxRecordKib": 128},
            "transform": {"bufferMib": 0.5},
            # Left out by a language that sends it all the same.
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
        forwarder=ForwarderArgs(batch_size=100, event_names=["INSERT"], max_record_kib=128),
        transform=TransformArgs(buffer_mib=0.5),
    )
    exports: dict[str, Any] = {}
    with contextlib.chdir(program):
        graph = build(lambda: exports.update(StreamingEtlPipeline("shop", settings).outputs))
    assert nodes(plugin.graph) == nodes(graph)
    code = plugin.graph["shop-transform-function"].inputs["code"]
    assert code["transform_module.py"] == {"file": "transforms/x.py"}
    assert {camel(name) for name, value in exports.items() if value is not None} == set(state)
    assert state["currentStateQueryId"] == "shop-query-current-state-id"
    assert state["view"] == "orders_current"


def test_an_existing_table_is_looked_up(plugin: Plugin) -> None:
    given = {**GIVEN, "source": {"use_existing": True}}
    state = plugin.construct("shop", given, tables=existing_table())
    assert state["sourceStreamArn"].endswith("/stream/2020-02-02T02:02:02.000")
    assert ("aws:dynamodb/getTable:getTable", "") in plugin.graph.calls


def test_a_setting_that_may_be_an_output_reaches_the_resources(plugin: Plugin) -> None:
    given = {**GIVEN, "lake": {"bucketName": output("theirs")}}
    assert plugin.construct("shop", given)["bucket"] == "theirs"
    assert plugin.graph["shop-delivery-stream"].inputs["extendedS3Configuration"]["bucketArn"] == (
        "arn:aws:s3:::theirs"
    )


@pytest.mark.parametrize("unknown", [output(), rpc.UNKNOWN])
def test_so_does_one_that_only_an_update_would_tell(plugin: Plugin, unknown: Any) -> None:
    state = plugin.construct("shop", {**GIVEN, "databaseName": unknown}, preview=True)
    assert state["database"] == UNKNOWN
    assert "shop-catalog-database" not in {node.name for node in plugin.graph.nodes}


def test_a_refusal_is_told_in_one_sentence(plugin: Plugin) -> None:
    assert refusal(plugin, {**GIVEN, "forwarder": {"parallelizationFactor": 12}}) == (
        "shop.forwarder: parallelization_factor=12 is out of range: Lambda runs 1 to 10 batches"
        " per shard; use 10 or fewer."
    )


@pytest.mark.parametrize(
    "settings",
    [
        {"forwarder": {"parallelization_factor": 12}},
        {"forwarder": {"batch_size": 1.5}},
        {"forwarder": {"batch_size": "100"}},
        {"forwarder": {"event_names": "INSERT"}},
        {"forwarder": {"batchsize": 1}},
        {"fromat": "csv"},
        {"format": 7},
        {"tags": {"cost": 7}},
        {"tags": {"aws:cost": "7"}},
        {"partitions": ["day"]},
        {"partitions": {"dynamic_partition_keys": {"Store": []}}},
        {"partitions": {"dynamic_partition_keys": {"store_id": [7]}}},
        {"delivery": {"buffer_mib": 32}, "format": "parquet"},
        {"crawler_schedule": "cron(0 3 * * ? *)"},
        {"log_retention_days": True},
        {"lake": {"bucket_name": ""}},
    ],
    ids=str,
)
def test_a_setting_is_refused_in_the_words_of_the_stacks_config(
    plugin: Plugin, pipelines: Pipelines, settings: dict[str, Any]
) -> None:
    given = {camel(name): value for name, value in settings.items()}
    for name, value in given.items():
        if name not in ("tags", "fromat") and isinstance(value, dict):
            given[name] = {camel(setting): it for setting, it in value.items()}
    told = refusal(plugin, {**GIVEN, **given})
    assert f"tables.{told}" == pipelines.config_refusal(**settings)


def test_a_setting_that_is_given_by_both_of_its_names_is_refused(plugin: Plugin) -> None:
    both = {"logRetentionDays": 30, "log_retention_days": 1}
    assert refusal(plugin, {**GIVEN, **both}) == (
        "log_retention_days is given by two names; drop one."
    )


def test_all_that_must_be_given_is_named(plugin: Plugin) -> None:
    assert refusal(plugin, {"tableName": "orders"}) == (
        "shop: transform_module, partitions must be set."
    )


@pytest.mark.parametrize("given", [output(), output("orders"), output("orders", secret=True)])
@pytest.mark.parametrize(
    ("path", "told"),
    [
        (("tableName",), "table_name"),
        (("tags", "costCenter"), "tags['costCenter']"),
        (("lake",), "lake"),
        (("lake", "forceDestroy"), "lake: force_destroy"),
        (
            ("partitions", "dynamicPartitionKeys", "store_id"),
            "partitions: dynamic_partition_keys['store_id']",
        ),
    ],
)
def test_an_output_that_shapes_what_is_made_is_refused(
    plugin: Plugin, path: tuple[str, ...], told: str, given: dict[str, Any]
) -> None:
    for name in reversed(path):
        given = {name: given}
    assert refusal(plugin, {**GIVEN, **given}) == (
        f"{told} is the output of a resource, or a secret: what is made depends on it, so it"
        " must be known before anything is; write its value out."
    )


def test_so_is_a_list_with_an_output_in_it(plugin: Plugin) -> None:
    given = {**GIVEN, "forwarder": {"eventNames": ["INSERT", output("MODIFY")]}}
    assert refusal(plugin, given).startswith("forwarder: event_names is the output of a resource")


def test_a_file_that_is_not_there_is_refused_with_the_programs_directory(
    plugin: Plugin, program: Path
) -> None:
    assert refusal(plugin, {**GIVEN, "transformModule": "transforms/orders.py"}) == (
        f"transform_module='transforms/orders.py' does not exist below {program}: give the path"
        " of a Python file with `def transform(change)`."
    )
    lock = {"requirements": "transforms/x.txt"}
    assert refusal(plugin, {**GIVEN, "transform": lock}).startswith(
        f"requirements='transforms/x.txt' does not exist below {program}: "
    )


def test_a_name_from_which_no_bucket_can_be_called_is_refused(plugin: Plugin) -> None:
    assert refusal(plugin, GIVEN, name="Web_Shop").startswith("name='Web_Shop' is no pipeline name")
