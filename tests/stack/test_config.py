"""A stack's config file: values, and what makes it invalid."""

import json
from pathlib import Path
from typing import Any

import pytest

from streaming_etl import PartitionArgs, StreamingEtlPipelineArgs
from streaming_etl.stack.config import StackConfig, read_config, stacks_in
from streaming_etl.stack.errors import CommandError

TABLE = {"table_name": "orders", "transform_module": "orders.py", "partitions": {}}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "Pulumi.yaml").write_text("name: project\n")
    return tmp_path


def test_reads_values_as_pulumi_passes_them_to_the_program(directory: Path) -> None:
    (directory / "Pulumi.dev.yaml").write_text(
        "config:\n  aws:region: eu-west-1\n  tables: {orders: {format: csv}}\n"
        "  count: 3\n  5: {at: 2026-11-23}\n  project:owner: web\n"
    )
    config = read_config(directory)
    assert config.region == "eu-west-1"
    assert config.values == {
        "aws:region": "eu-west-1",
        "project:tables": '{"orders": {"format": "csv"}}',
        "project:count": "3",
        "project:5": '{"at": "2026-11-23 00:00:00 +0000 UTC"}',
        "project:owner": "web",
    }


def test_an_empty_section_has_no_settings(directory: Path) -> None:
    (directory / "Pulumi.dev.yaml").write_text("config:\n  defaults:\n")
    config = read_config(directory)
    assert config.values == {"project:defaults": ""}
    assert config.section("defaults") == {}


def test_lists_the_stacks_of_the_directory(directory: Path) -> None:
    for stack in ("prod", "dev"):
        (directory / f"Pulumi.{stack}.yaml").write_text("")
    assert stacks_in(directory) == ["dev", "prod"]
    assert read_config(directory, "prod").values == {}
    with pytest.raises(CommandError) as error:
        read_config(directory, "test")
    assert (error.value.code, error.value.details["known"]) == ("unknown-stack", ["dev", "prod"])


@pytest.mark.parametrize(
    ("text", "code", "details"),
    [
        ("config:\n  project:key:\n    secure: abc\n", "secret-in-config", {"key": "project:key"}),
        ("config: {tables: [\n", "invalid-yaml", {"line": 2}),
        ("config:\n  tables: {orders: {}, orders: {}}\n", "invalid-yaml", {"line": 2}),
        ("foo\n", "config-not-a-map", {}),
        ("config: [1]\n", "config-not-a-map", {}),
        (
            "config:\n  project:default: {}\n",
            "unknown-config-key",
            {"key": "project:default", "suggestion": "project:defaults"},
        ),
    ],
)
def test_rejects_an_invalid_file(
    directory: Path, text: str, code: str, details: dict[str, Any]
) -> None:
    (directory / "Pulumi.dev.yaml").write_text(text)
    with pytest.raises(CommandError) as error:
        read_config(directory)
    assert error.value.code == code
    assert error.value.details == {"file": "Pulumi.dev.yaml", **details}


def config(tables: Any, **others: Any) -> StackConfig:
    values = {f"project:{key}": json.dumps(value) for key, value in others.items()}
    return StackConfig("project", "dev", {"project:tables": json.dumps(tables), **values})


def test_returns_the_settings_of_each_pipeline() -> None:
    assert config({"orders": TABLE}, defaults={"format": "csv"}).pipelines == {
        "orders": StreamingEtlPipelineArgs(
            table_name="orders",
            transform_module="orders.py",
            partitions=PartitionArgs(),
            format="csv",
        )
    }


@pytest.mark.parametrize(
    "invalid",
    [
        config({"orders": {"table_name": "orders"}}),
        config("abc"),
        config({"orders": TABLE}, defaults="abc"),
        StackConfig("project", "dev", {"project:tables": "abc"}),
    ],
)
def test_reports_invalid_settings_with_the_file(invalid: StackConfig) -> None:
    with pytest.raises(CommandError) as error:
        _ = invalid.pipelines
    assert error.value.code == "invalid-settings"
    assert error.value.details["source"] == "Pulumi.dev.yaml"
    assert error.value.details["problems"]
