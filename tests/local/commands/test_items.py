"""Invalid arguments of `put`, `delete` and `query`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from local.commands.items import delete_item, import_files, put_item, run_query
from local.emulator import state
from streaming_etl.stack.clients import Clients
from streaming_etl.stack.errors import CommandError
from streaming_etl.stack.outputs import DeployedStack
from tests.local.ministack_patches.athena.catalog import Database
from tests.support.deployed import OUTPUTS


@pytest.fixture(autouse=True)
def state_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "local.json"
    monkeypatch.setattr(state, "STATE_FILE", path)
    return path


def code_of(command: Callable[..., Any], *arguments: Any) -> str:
    with pytest.raises(CommandError) as raised:
        command(*arguments)
    return raised.value.code


def test_every_command_requires_a_running_emulator() -> None:
    codes = [
        code_of(put_item, "orders", "{}"),
        code_of(delete_item, "orders", "1"),
        code_of(import_files, "orders", []),
        code_of(run_query, "orders"),
    ]

    assert codes == ["not-running"] * 4


@pytest.mark.e2e
def test_a_pipeline_must_be_in_the_stack(aws: Clients) -> None:
    with state.state_file(DeployedStack("dev", {}, aws.endpoint)):
        assert code_of(put_item, "unknown", "{}") == "unknown-pipeline"
        assert code_of(run_query, "unknown") == "unknown-pipeline"
        assert code_of(run_query, "SELECT 1") == "no-pipeline"


@pytest.mark.e2e
def test_a_pipeline_without_current_state_is_queried_by_sql_only(aws: Clients) -> None:
    stack = DeployedStack(
        "dev", {"orders": {**OUTPUTS, "current_state_query_id": None, "view": None}}, aws.endpoint
    )
    with state.state_file(stack):
        assert code_of(run_query, "orders") == "no-current-state"


@pytest.mark.e2e
@pytest.mark.parametrize("name", ["orders", "orders.carts", "orders.lake-table"])
def test_one_of_several_lake_tables_is_queried_by_its_name(aws: Clients, name: str) -> None:
    table = {"table": "leads", "delivery_stream": "leads", "errors_location": "s3://lake/errors/"}
    outputs = {
        **OUTPUTS,
        "settings": {"lake_tables": {"leads": {}, "customers": {}}},
        "lake_tables": {"leads": table, "customers": table},
    }
    with state.state_file(DeployedStack("dev", {"orders": outputs}, aws.endpoint)):
        with pytest.raises(CommandError) as raised:
            run_query(name)
        assert raised.value.code == "unknown-lake-table"
        assert raised.value.details["known"] == ["orders.customers", "orders.leads"]
        assert code_of(run_query, "orders.leads") == "no-current-state"


@pytest.mark.e2e
def test_a_pipeline_with_one_lake_table_is_queried_by_its_own_name(aws: Clients) -> None:
    with state.state_file(DeployedStack("dev", {"orders": OUTPUTS}, aws.endpoint)):
        assert code_of(run_query, "orders.orders") == "unknown-lake-table"


@pytest.mark.e2e
def test_a_query_of_a_missing_table_names_those_that_exist(aws: Clients) -> None:
    first, second = Database(aws), Database(aws)
    for database, tables in ((first, ("orders", "orders_objects")), (second, ("leads", "other"))):
        for table in tables:
            database.create_table(table, "json", {"id": "string"})
    first.create_view("orders_current", 'SELECT * FROM "orders"')
    exports = {
        "orders": {**OUTPUTS, "database": first.name, "workgroup": first.name},
        # A crawler has not created the lake table of the third yet.
        "leads": {**OUTPUTS, "database": second.name, "table": "leads", "view": None},
        "late": {**OUTPUTS, "database": second.name, "table": "late", "view": None},
    }
    with (
        state.state_file(DeployedStack("dev", exports, aws.endpoint)),
        pytest.raises(CommandError) as raised,
    ):
        run_query("SELECT * FROM nothing")

    assert (raised.value.code, raised.value.details) == (
        "unknown-table",
        {
            "table": f'awsdatacatalog."{first.name}"."nothing"',
            "known": [
                f'"{first.name}"."orders"',
                f'"{first.name}"."orders_current"',
                f'"{second.name}"."leads"',
            ],
        },
    )


@pytest.mark.e2e
def test_another_failure_of_a_query_has_its_reason(aws: Clients) -> None:
    database = Database(aws)
    exports = {"orders": {**OUTPUTS, "database": database.name, "workgroup": database.name}}
    with state.state_file(DeployedStack("dev", exports, aws.endpoint)):
        assert code_of(run_query, "SELEC 1") == "query-failed"


@pytest.mark.e2e
def test_a_second_server_is_rejected(aws: Clients, state_file: Path) -> None:
    with state.state_file(DeployedStack("dev", {}, aws.endpoint)):
        assert code_of(state.ensure_none_running) == "already-running"
    assert not state_file.exists()
    state.ensure_none_running()
