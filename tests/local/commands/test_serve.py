"""A running `make local`, and the commands that use it."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local.commands.serve import serve
from local.commands.update import preview, up
from local.emulator import state
from local.emulator.process import ROOT
from streaming_etl.stack.clients import Clients
from streaming_etl.stack.errors import CommandError
from tests.local.server import Server
from tests.support.processes import end, members, wait_until

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    started = Server(tmp_path_factory.mktemp("serve")).started()
    try:
        yield started
    finally:
        end(started.process, signal.SIGINT)


LAKE_TABLES = ["orders", "shipments", "shop.customers", "shop.leads", "shop.orders"]


def test_commands_are_printed_for_each_lake_table(server: Server) -> None:
    queries = [arguments for command, *arguments in server.commands() if command == "query"]
    assert [name for [name] in queries if " " not in name] == LAKE_TABLES
    assert len(server.commands()) == 4 * len(LAKE_TABLES) + len(["preview", "up"])


@pytest.mark.parametrize("lake_table", LAKE_TABLES)
def test_every_printed_command_works(server: Server, lake_table: str) -> None:
    first = 4 * LAKE_TABLES.index(lake_table)
    put, current_state, changes, delete = server.commands()[first : first + 4]
    pipeline, _, key = lake_table.partition(".")
    table = key or pipeline
    assert [put[:2], current_state, changes[0], delete[:2]] == [
        ["put", pipeline],
        ["query", lake_table],
        "query",
        ["delete", pipeline],
    ]
    id_ = json.loads(put[2])["id"]

    written = server.run(*put)
    assert (written.returncode, written.stdout.split()[-1]) == (0, lake_table)
    # The command returns when the rows are in the lake.
    assert id_ in server.run(*current_state).stdout
    assert "INSERT" in server.run(*changes).stdout
    assert id_ in server.run("query", f'SELECT * FROM "{pipeline}_dev"."{table}_current"').stdout
    assert server.run(*delete).returncode == 0
    assert id_ not in server.run(*current_state).stdout
    assert "REMOVE" in server.run(*changes).stdout


def test_the_printed_status_command_shows_the_pipelines(server: Server) -> None:
    [line] = re.findall(r"^  \S*streaming-etl (status .*)$", server.output, re.MULTILINE)
    completed = subprocess.run(
        [sys.executable, "-m", "streaming_etl", *shlex.split(line), "--json"],
        cwd=ROOT,
        env={**os.environ, "STREAMING_ETL_LOCAL_STATE": str(server.state)},
        capture_output=True,
    )
    pipelines = json.loads(completed.stdout)["pipelines"]
    assert (completed.returncode, list(pipelines)) == (0, ["orders", "shipments", "shop"])
    assert {each["mapping_state"] for each in pipelines.values()} == {"Enabled"}


def test_an_item_that_changes_its_kind_moves_to_another_lake_table(server: Server) -> None:
    key = {"pk": "CUSTOMER#moves", "sk": "PROFILE"}
    item = {**key, "id": "moves", "name": "Abe", "visits": 1, "created_at": 1793523600}
    item["updated_at"] = "2026-11-23T00:00:00"

    def put(kind: str) -> str:
        return server.run("put", "shop", json.dumps({**item, "type": kind})).stdout

    def has_item(lake_table: str) -> bool:
        return "moves" in server.run("query", lake_table).stdout

    assert put("lead").endswith("query shop.leads\n")
    assert has_item("shop.leads")
    moved = put("customer")
    assert "query shop.customers\n" in moved
    assert "query shop.leads\n" in moved
    assert has_item("shop.customers")
    assert not has_item("shop.leads")
    assert put("visitor").endswith("query shop.customers\n")
    assert not has_item("shop.customers")
    assert "query" not in put("visitor again")


def test_the_server_runs_the_crawlers(server: Server) -> None:
    assert server.run(*server.commands()[0]).returncode == 0
    state = json.loads(server.state.read_text())
    orders = state["outputs"]["orders"]
    glue = Clients(state["endpoint"], orders["region"])("glue")
    table = {"DatabaseName": orders["database"], "TableName": orders["table"]}

    assert wait_until(lambda: bool(glue.get_partitions(**table)["Partitions"]), 20)


def test_nested_values_and_numbers_are_unchanged(server: Server) -> None:
    item = {
        "id": "nested",
        "carrier": "yamato",
        "status": "packed",
        "weight_kg": 1.125,
        "address": {"city": "Kyoto", "postcode": "600", "country": "JP"},
        "updated_at": "2026-11-23T00:00:00",
    }

    assert server.run("put", "shipments", json.dumps(item)).returncode == 0

    assert "1.125" in server.run("query", "shipments").stdout
    assert "{city=Kyoto, postcode=600, country=JP}" in server.run("query", "shipments").stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["put", "unknown", "{}"],
        ["put", "orders", "{id: 1}"],
        ["put", "orders", '{"id": 5}'],
        ["query", "SELECT * FROM unknown"],
        ["query", "shop"],
        ["serve"],
    ],
)
def test_a_failure_is_one_message_without_a_traceback(server: Server, arguments: list[str]) -> None:
    assert server.process.poll() is None

    completed = server.run(*arguments)

    assert completed.returncode == 1
    assert completed.stderr.startswith("Error: ")
    assert "Traceback" not in completed.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("signal_", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_server_leaves_no_process_and_no_file(
    tmp_path: Path, signal_: signal.Signals
) -> None:
    server = Server(tmp_path).started()
    [group] = server.children()
    assert members(group)
    assert {path.name[:20] for path in tmp_path.iterdir()} == {
        "output",
        "local.json",
        "streaming-etl-local-",
    }

    end(server.process, signal_)

    assert server.process.returncode == 128 + signal_
    assert wait_until(lambda: not members(group))
    assert [path.name for path in tmp_path.iterdir()] == ["output"]
    assert "Traceback" not in server.output


def test_the_engine_requires_the_pulumi_cli(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(CommandError) as raised:
        serve(None, engine=True)

    assert raised.value.code == "pulumi-not-installed"


@pytest.mark.parametrize("command", [preview, up])
def test_an_update_requires_a_running_stack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Callable[[], None]
) -> None:
    monkeypatch.setattr(state, "STATE_FILE", tmp_path / "local.json")
    with pytest.raises(CommandError) as raised:
        command()
    assert raised.value.code == "not-running"


def test_a_stack_without_an_edit_previews_as_unchanged(server: Server) -> None:
    resources = json.loads(server.state.read_text())["resources"]
    custom = [one for one in resources.values() if one["id"]]

    previewed = server.run("preview")

    assert previewed.stdout.split()[-2:] == [str(len(custom)), "unchanged"]
