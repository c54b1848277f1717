"""Existing tables that are created by their description."""

import errno
import json
from pathlib import Path
from typing import Any

import pytest

from local.__main__ import main
from local.deploy.deploy import deploy
from local.deploy.existing_tables import (
    TableDefinition,
    read_definitions,
    require_definitions,
    with_local_streams,
)
from local.emulator import state
from local.emulator.process import ROOT
from local.engine.embedded import EmbeddedBackend
from streaming_etl.stack.clients import Clients
from streaming_etl.stack.config import StackConfig
from streaming_etl.stack.errors import EXIT_FAILURE, CommandError

DESCRIPTION = {
    "TableName": "readings",
    "AttributeDefinitions": [
        {"AttributeName": "at", "AttributeType": "N"},
        {"AttributeName": "device", "AttributeType": "B"},
        {"AttributeName": "owner", "AttributeType": "S"},
    ],
    "KeySchema": [
        {"AttributeName": "device", "KeyType": "HASH"},
        {"AttributeName": "at", "KeyType": "RANGE"},
    ],
    "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    "GlobalSecondaryIndexes": [{"IndexName": "by-owner"}],
}
READINGS = TableDefinition("readings", {"device": "B", "at": "N"}, "NEW_IMAGE")


def described(directory: Path, document: Any) -> Path:
    file = directory / "table.json"
    file.write_text(json.dumps(document))
    return file


@pytest.mark.parametrize("document", [DESCRIPTION, {"Table": DESCRIPTION}])
def test_a_description_is_read(tmp_path: Path, document: Any) -> None:
    definitions = read_definitions([described(tmp_path, document)])

    assert definitions == {"readings": READINGS}
    assert [*definitions["readings"].keys] == ["device", "at"]


def test_a_table_may_have_no_stream_and_no_range_key(tmp_path: Path) -> None:
    disabled = {"StreamEnabled": False, "StreamViewType": "NEW_IMAGE"}
    document = {
        **DESCRIPTION,
        "KeySchema": DESCRIPTION["KeySchema"][:1],
        "StreamSpecification": disabled,
    }

    definitions = read_definitions([described(tmp_path, document)])

    assert definitions == {"readings": TableDefinition("readings", {"device": "B"}, None)}


def test_the_problems_of_all_files_are_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {
        "missing-file": tmp_path / "missing.json",
        "directory": tmp_path,
        "unreadable-file": tmp_path / "unreadable.json",
        "not-utf-8": tmp_path / "utf-16.json",
        "invalid-json": tmp_path / "table.yaml",
        "not-a-description": described(tmp_path, {"TableNames": ["readings"]}),
    }
    files["unreadable-file"].touch()
    files["not-utf-8"].write_text(json.dumps(DESCRIPTION), encoding="utf-16")
    files["invalid-json"].write_text("Table:\n  TableName: readings\n")
    read_text = Path.read_text

    def read(file: Path, **options: Any) -> str:
        if file.name == "unreadable.json":
            raise PermissionError(errno.EACCES, "Permission denied")
        return read_text(file, **options)

    # The superuser may read every file.
    monkeypatch.setattr(Path, "read_text", read)
    with pytest.raises(CommandError) as raised:
        read_definitions(files.values())

    assert (raised.value.code, raised.value.details) == (
        "invalid-table-definition",
        {"problems": {str(file): code for code, file in files.items()}},
    )


@pytest.mark.parametrize("document", [[], 1, None, {"Table": []}, {"Table": None}])
def test_other_json_is_not_a_description(tmp_path: Path, document: Any) -> None:
    file = described(tmp_path, document)

    with pytest.raises(CommandError) as raised:
        read_definitions([file])

    assert raised.value.details == {"problems": {str(file): "not-a-description"}}


def test_the_command_reports_a_missing_file_as_other_problems(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = str(tmp_path / "missing.json")
    monkeypatch.setattr("sys.argv", ["local", "serve", "--like", missing])
    monkeypatch.setattr(state, "STATE_FILE", tmp_path / "local.json")

    assert main() == EXIT_FAILURE
    assert missing in capsys.readouterr().err


def test_all_existing_tables_of_a_stack_need_a_description() -> None:
    settings = {
        "transform_module": "transforms/orders.py",
        "partitions": {"granularity": "day"},
        "source": {"use_existing": True},
    }
    tables = {name: {**settings, "table_name": name} for name in ("readings", "app", "events")}
    config = StackConfig("p", "dev", {"p:tables": json.dumps(tables)})

    with pytest.raises(CommandError) as raised:
        require_definitions(config, {"readings": READINGS})

    assert raised.value.code == "missing-table-definition"
    assert sorted(raised.value.details["tables"]) == ["app", "events"]
    assert raised.value.details["stack"] == "dev"


@pytest.mark.e2e
def test_the_program_finds_a_table_with_these_keys_and_stream(aws: Clients, tmp_path: Path) -> None:
    (tmp_path / "__main__.py").write_text(
        "import pulumi, pulumi_aws as aws\n"
        "table = aws.dynamodb.get_table(name='readings')\n"
        "pulumi.export('table', [table.hash_key, table.range_key, table.stream_view_type,\n"
        "    sorted((one.name, one.type) for one in table.attributes)])\n"
    )
    config = StackConfig("project", "prod", {})

    with pytest.raises(CommandError) as raised:
        deploy(tmp_path, config, aws)
    deployed = deploy(tmp_path, config, aws, definitions={"readings": READINGS})

    assert (raised.value.code, raised.value.details) == (
        "missing-table-definition",
        {"tables": ["readings"], "stack": "prod"},
    )
    assert "make local STACK=prod LIKE=" in raised.value.message
    assert "describe-table --output json --table-name readings >" in raised.value.message
    assert deployed.outputs["table"] == [
        "device",
        "at",
        "NEW_IMAGE",
        [("at", "N"), ("device", "B")],
    ]
    # The table exists now, for example in an update.
    assert deploy(tmp_path, config, aws).outputs == deployed.outputs


@pytest.mark.e2e
def test_the_engine_names_the_stack_of_a_table_without_a_description(aws: Clients) -> None:
    backend = EmbeddedBackend(aws, ROOT, stack="prod")

    with pytest.raises(CommandError) as raised:
        backend.invoke("aws:dynamodb/getTable:getTable", {"name": "nothing"})

    assert (raised.value.code, raised.value.details) == (
        "missing-table-definition",
        {"tables": ["nothing"], "stack": "prod"},
    )


@pytest.mark.e2e
def test_a_stream_of_the_config_is_that_of_a_local_table(aws: Clients) -> None:
    arn = "arn:aws:dynamodb:eu-west-1:123456789012:table/meters/stream/2026-01-01T00:00:00.000"
    source = {"use_existing": True, "stream_arn": arn, "stream_view_type": "NEW_IMAGE"}
    meters = {
        "table_name": "meters",
        "transform_module": "transforms/orders.py",
        "partitions": {"granularity": "day"},
        "source": {**source, "hash_key": "meter", "range_key": "at", "range_key_type": "N"},
    }
    created = {**meters, "table_name": "created", "source": {}}
    tables = {"meters": meters, "created": created}
    config = StackConfig("p", "dev", {"p:tables": json.dumps(tables), "aws:region": "eu-west-1"})

    require_definitions(config, {})
    local = with_local_streams(config, aws)

    table = aws("dynamodb").describe_table(TableName="meters")["Table"]
    assert [(one["AttributeName"], one["KeyType"]) for one in table["KeySchema"]] == [
        ("meter", "HASH"),
        ("at", "RANGE"),
    ]
    assert table["StreamSpecification"]["StreamViewType"] == "NEW_IMAGE"
    source = {**meters["source"], "stream_arn": table["LatestStreamArn"]}
    assert local.section("tables") == {"meters": {**meters, "source": source}, "created": created}
    assert local.values["aws:region"] == "eu-west-1"
    # For an update, too.
    assert with_local_streams(config, aws) == local
