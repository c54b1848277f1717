"""The status of a stack on the embedded AWS."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from local.emulator.process import Emulator
from streaming_etl.ops.__main__ import main
from streaming_etl.ops.status.collect import mapping_of
from streaming_etl.stack.clients import Clients
from streaming_etl.stack.errors import EXIT_PARTIAL
from streaming_etl.stack.outputs import DeployedPipeline
from tests.local.builders import wait_for
from tests.support.deployed import embedded_options
from tests.support.stack_folder import deploy_stack

pytestmark = pytest.mark.e2e

MODULE = """\
COLUMNS = {"id": "string", "total": "int"}


def transform(change):
    item = change.new or change.old
    return {"id": item["id"], "total": item["total"]}
"""
DAY = {"granularity": "day"}
TABLES = {
    "carts": {"partitions": DAY, "catalog": "crawler", "format": "csv"},
    "visits": {
        "lake_tables": {
            "all": {"partitions": DAY, "merge": {"enabled": True}},
            "some": {"partitions": DAY, "where": {"kind": ["some"]}},
        }
    },
}


@dataclass
class World:
    """The stack, and the command."""

    aws: Clients
    pipelines: dict[str, DeployedPipeline]
    outputs: Path
    capsys: Any = None

    @property
    def options(self) -> list[str]:
        return embedded_options(self.outputs, self.aws.endpoint)

    def status(self, *names: str) -> tuple[int, dict[str, Any]]:
        """Run the command; return its exit code and pipelines."""
        code = main(["status", *names, *self.options, "--json"])
        return code, json.loads(self.capsys.readouterr().out)["pipelines"]

    def write(self, name: str, **item: str) -> None:
        table = self.pipelines[name].source_table
        typed = {key: {"N" if key == "total" else "S": value} for key, value in item.items()}
        self.aws("dynamodb").put_item(TableName=table, Item=typed)


@pytest.fixture(scope="module")
def deployed(emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> World:
    directory = tmp_path_factory.mktemp("stack")
    (directory / "module.py").write_text(MODULE)
    module = {"transform_module": str(directory / "module.py")}
    tables: dict[str, Any] = {name: {"table_name": name, **each} for name, each in TABLES.items()}
    tables["carts"] |= module
    for each in tables["visits"]["lake_tables"].values():
        each |= module
    pipelines = deploy_stack(emulator, directory, tables)
    return World(emulator.clients, pipelines, directory / "outputs.json")


@pytest.fixture
def world(deployed: World, capsys: pytest.CaptureFixture[str]) -> World:
    deployed.capsys = capsys
    return deployed


def test_a_stack_without_traffic_needs_no_attention(world: World) -> None:
    code, pipelines = world.status()
    assert code == 0
    assert list(pipelines) == ["carts", "visits"]
    carts = pipelines["carts"]
    assert carts["alarms"] == {
        "total": len(world.pipelines["carts"].alarm_names or ()),
        "in_alarm": [],
    }
    assert (carts["mapping_state"], carts["changes_today"]) == ("Enabled", None)
    assert carts["failed_batches"] == {"objects": 0, "complete": True, "oldest": None}
    last = {"succeeded": None, "failed": None, "running": False}
    runs = {
        (name, key): table["last_run"]
        for name, pipeline in pipelines.items()
        for key, table in pipeline["lake_tables"].items()
    }
    assert runs == {
        ("carts", "lake-table"): {"kind": "crawl", **last},
        ("visits", "all"): {"kind": "merge", **last},
        ("visits", "some"): None,
    }


def test_deliveries_and_failures_are_in_the_status(world: World) -> None:
    world.write("visits", id="a", total="1", kind="some")
    world.write("visits", id="b", total="2", kind="other")

    def complete(result: tuple[int, dict[str, Any]]) -> bool:
        tables = result[1]["visits"]["lake_tables"].values()
        return all(table["records_today"] for table in tables)

    code, pipelines = wait_for(world.status, complete)
    visits = pipelines["visits"]
    assert (code, visits["changes_today"], visits["problems"]) == (0, 2, [])
    assert visits["iterator_age_seconds"] is not None
    assert visits["last_delivery"] is not None
    for table in visits["lake_tables"].values():
        assert table["data_freshness_seconds"] is not None
        assert table["hourly_records"][-1] > 0

    world.write("visits", id="c", kind="some")
    code, pipelines = wait_for(
        world.status, lambda result: len(result[1]["visits"]["problems"]) == 2
    )
    assert code == EXIT_PARTIAL
    problems = pipelines["visits"]["problems"]
    assert [(each["code"], each["lake_table"]) for each in problems] == [
        ("error-records", "all"),
        ("error-records", "some"),
    ]


def test_the_printed_command_shows_the_failures(world: World) -> None:
    _, pipelines = world.status("visits")
    command = pipelines["visits"]["problems"][0]["command"].split()
    assert command.pop(0) == "streaming-etl"
    assert main([*command, "--json"]) == 0
    assert json.loads(world.capsys.readouterr().out)["changes"]["sent"] == 1


def test_alarms_merges_and_crawls_are_in_the_status(world: World) -> None:
    carts, visits = world.pipelines["carts"], world.pipelines["visits"]
    [alarm] = [name for name in carts.alarm_names or () if "iterator-age" in name]
    world.aws("cloudwatch").set_alarm_state(AlarmName=alarm, StateValue="ALARM", StateReason="test")
    world.write("carts", id="a", total="1")
    wait_for(lambda: world.status()[1]["carts"]["last_delivery"], bool)
    world.aws("glue").start_crawler(Name=carts.tables["lake-table"].crawler)
    machine = visits.tables["all"].merge_state_machine_arn
    world.aws("stepfunctions").start_execution(stateMachineArn=machine)

    def ended(result: tuple[int, dict[str, Any]]) -> bool:
        crawled = result[1]["carts"]["lake_tables"]["lake-table"]["last_run"]
        merged = result[1]["visits"]["lake_tables"]["all"]["last_run"]
        return bool(crawled["succeeded"] and merged["succeeded"])

    _, pipelines = wait_for(world.status, ended)
    assert pipelines["carts"]["alarms"]["in_alarm"] == [alarm]
    [problem] = pipelines["carts"]["problems"]
    assert (problem["code"], problem["see"]) == ("alarm", "docs/runbook.md#iterator-age")


def test_a_disabled_mapping_needs_attention(world: World) -> None:
    lambda_, mapping = world.aws("lambda"), mapping_of(world.pipelines["carts"])
    lambda_.update_event_source_mapping(UUID=mapping, Enabled=False)
    _, pipelines = world.status("carts")
    lambda_.update_event_source_mapping(UUID=mapping, Enabled=True)
    assert list(pipelines) == ["carts"]
    assert "not-polling" in [each["code"] for each in pipelines["carts"]["problems"]]


def test_the_screen_has_a_row_for_each_lake_table(world: World) -> None:
    main(["status", *world.options])
    lines = world.capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[2:5]] == ["carts", "visits", "visits.some"]
