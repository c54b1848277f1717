"""`python -m local serve --engine pulumi`, and updates of its running stack."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from local.emulator.process import ROOT
from streaming_etl.stack.clients import Clients
from streaming_etl.stack.config import read_config
from tests.engine.harness import ORDERS, REGION
from tests.local.server import Server
from tests.support.processes import end, members, wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def write_config(project: Path, **settings: Any) -> None:
    """Write the config of a stack with one pipeline, which is protected."""
    values = {
        "aws:region": REGION,
        "streaming-etl:tables": {"orders": {**ORDERS, **settings}},
    }
    (project / "Pulumi.dev.yaml").write_text(yaml.safe_dump({"config": values}))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the program, its transforms and its config."""
    directory = tmp_path / "project"
    shutil.copytree(ROOT / "transforms", directory / "transforms")
    for name in ("__main__.py", "Pulumi.yaml"):
        shutil.copy(ROOT / name, directory)
    write_config(directory)
    return directory


@pytest.fixture
def server(tmp_path: Path, project: Path) -> Iterator[Server]:
    server = Server(tmp_path, "--engine", "pulumi", "--directory", str(project))
    try:
        yield server
    finally:
        end(server.process)


def item(id_: str) -> str:
    keys = ("user_id", "created", "updated_at")
    return json.dumps(
        {"id": id_, "store_id": "tokyo", **dict.fromkeys(keys, "2026-11-01T00:00:00")}
    )


def operate(server: Server, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run an operator's command on the running stack."""
    endpoint = json.loads(server.state.read_text())["endpoint"]
    options = ("--stack", "dev", "--endpoint-url", endpoint)
    return subprocess.run(
        [sys.executable, "-m", "streaming_etl.ops", *arguments, *options],
        cwd=ROOT,
        env={**os.environ, "STREAMING_ETL_LOCAL_STATE": str(server.state)},
        capture_output=True,
        text=True,
    )


def rows(server: Server) -> str:
    """Return id and store of the current state, one line each."""
    printed = server.run("query", 'SELECT id, store_id FROM "orders_dev"."orders_current"').stdout
    return "\n".join(" ".join(line.split()) for line in printed.splitlines())


def test_an_edit_updates_the_running_stack_in_place(server: Server, project: Path) -> None:
    server.started(120)
    groups = server.children()
    state = json.loads(server.state.read_text())
    dynamodb = Clients(state["endpoint"], REGION)("dynamodb")
    created = dynamodb.describe_table(TableName="orders")["Table"]["CreationDateTime"]
    assert server.run("put", "orders", item("o-1")).returncode == 0
    assert wait_until(lambda: "o-1 tokyo" in rows(server), 30)

    replayed = operate(server, "replay", "orders", "--dry-run", "--json")
    assert replayed.returncode == 0, replayed.stderr

    transform = project / "transforms" / "orders.py"
    transform.write_text(transform.read_text() + EDIT)
    write_config(project, source={"ttl_attribute": "expires_at"})

    previewed = server.run("preview")
    assert previewed.returncode == 0, previewed.stderr
    changes = [" ".join(line.split()) for line in previewed.stdout.splitlines()[1:]]
    assert sorted(changes) == [
        "update orders-source-table: ttl",
        "update orders-transform-function: code",
    ]
    updated = server.run("up")
    assert updated.returncode == 0, updated.stderr

    assert server.run("put", "orders", item("o-2")).returncode == 0
    assert wait_until(lambda: "o-2 TOKYO" in rows(server), 30)
    assert "o-1 tokyo" in rows(server)
    ttl = dynamodb.describe_time_to_live(TableName="orders")["TimeToLiveDescription"]
    assert ttl == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires_at"}

    # Another table name would replace the protected table.
    write_config(project, table_name="other")
    rejected = server.run("up")
    assert rejected.returncode == 1
    assert "[protected-table]" in rejected.stderr
    assert "Traceback" not in rejected.stderr
    table = dynamodb.describe_table(TableName="orders")["Table"]
    assert table["CreationDateTime"] == created

    end(server.process, signal.SIGINT)
    assert wait_until(lambda: not any(map(members, groups)))
    assert {path.name for path in server.directory.iterdir()} == {"output", "project"}
    assert "Traceback" not in server.output


EDIT = """

first = transform


def transform(change):
    row = first(change)
    return {**row, "store_id": row["store_id"].upper()}
"""


def test_a_lake_table_is_added_to_the_running_stack(server: Server, project: Path) -> None:
    values = read_config(ROOT).values
    tables = {"shop": json.loads(str(values["streaming-etl:tables"]))["shop"]}
    customers = tables["shop"]["lake_tables"].pop("customers")
    config = project / "Pulumi.dev.yaml"
    config.write_text(yaml.safe_dump({"config": {**values, "streaming-etl:tables": tables}}))
    server.started(120)
    tables["shop"]["lake_tables"]["customers"] = customers
    config.write_text(yaml.safe_dump({"config": {**values, "streaming-etl:tables": tables}}))

    updated = server.run("up")

    assert updated.returncode == 0, updated.stderr
    changes = [line.split() for line in updated.stdout.splitlines()[1:]]
    assert {name.partition(":")[0] for operation, name, *_ in changes if operation != "create"} == {
        # The component has the settings that its guard compares.
        "shop",
        "shop-forwarder-function",
        "shop-forwarder-policy",
        "shop-monitoring-dashboard",
    }
    assert {operation for operation, *_ in changes} == {"create", "update"}
    customer = {"pk": "CUSTOMER#c-1", "sk": "PROFILE", "id": "c-1", "type": "customer"}
    customer |= {"name": "Abe", "created_at": 1793523600, "updated_at": "2026-11-23T00:00:00"}
    written = server.run("put", "shop", json.dumps(customer))
    assert written.stdout.endswith("query shop.customers\n")
    assert wait_until(lambda: "c-1" in server.run("query", "shop.customers").stdout, 30)


@pytest.mark.parametrize("signal_", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_during_the_first_deployment_ends_everything(
    server: Server, signal_: signal.Signals
) -> None:
    assert wait_until(lambda: len(server.children()) == 2, 60)
    emulator, update = server.children()
    # The command and the CLI that it has started.
    assert wait_until(lambda: len(members(update)) > 1, 60)

    end(server.process, signal_)

    assert server.process.returncode == 128 + signal_
    assert wait_until(lambda: not members(update) + members(emulator))
    assert {path.name for path in server.directory.iterdir()} == {"output", "project"}


def test_an_invalid_setting_ends_the_server_with_one_message(tmp_path: Path, project: Path) -> None:
    write_config(project, format="xml")
    server = Server(tmp_path, "--engine", "pulumi", "--directory", str(project))

    assert server.process.wait(60) == 1

    assert server.output.count("tables.orders: `format` must be") == 1
    assert "Traceback" not in server.output
