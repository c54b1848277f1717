"""Deployed stacks, from a file, pulumi or the embedded AWS."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from streaming_etl import StreamingEtlPipelineArgs
from streaming_etl.stack.errors import CommandError
from streaming_etl.stack.outputs import (
    STATE_FILE,
    DeployedLakeTable,
    DeployedPipeline,
    DeployedStack,
    open_stack,
    pipelines_of,
)
from tests.support.deployed import OUTPUTS, deployed_pipeline

EXPORTS = {"orders": OUTPUTS, "url": "https://", "other": {"bucket": "none"}}
EMBEDDED = "http://127.0.0.1:4566"


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory, which has neither config nor program; outputs in `outputs.json`."""
    (tmp_path / "outputs.json").write_text(json.dumps(EXPORTS))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def code_of(*arguments: Any) -> str:
    """The code of the error when a stack cannot be opened."""
    with pytest.raises(CommandError) as error:
        open_stack(*arguments)
    return error.value.code


def test_reads_pipelines_from_a_file_of_outputs() -> None:
    stack = open_stack("dev", Path("outputs.json"), None)
    [pipeline] = stack.pipelines
    assert pipeline == stack.pipeline("orders") == deployed_pipeline()
    assert pipeline.outputs == OUTPUTS
    clients = stack.clients(pipeline)
    assert (clients.region, clients.endpoint) == ("ap-northeast-1", None)


def test_reads_the_outputs_of_programs_in_other_languages() -> None:
    def camel(name: str) -> str:
        first, *words = name.split("_")
        return first + "".join(word.title() for word in words)

    exports = {"orders": {camel(name): value for name, value in OUTPUTS.items()} | {"urn": "x"}}
    assert pipelines_of(exports) == [deployed_pipeline()]


def test_one_lake_table_has_the_outputs_of_the_pipeline() -> None:
    pipeline = deployed_pipeline()
    assert pipeline.tables == {
        "lake-table": DeployedLakeTable(
            key="lake-table",
            table="orders",
            delivery_stream="orders-delivery",
            errors_location="s3://lake/errors/shop/orders/",
            transform_function="orders-transform-function",
            view="orders_current",
            current_state_query_id="query",
        )
    }
    assert pipeline.select([]) == pipeline.tables
    with pytest.raises(CommandError) as error:
        pipeline.select(["lake-table"])
    assert error.value.code == "unknown-lake-table"


def test_several_lake_tables_have_outputs_by_name() -> None:
    names = ("table", "deliveryStream", "errorsLocation")
    tables = {key: {name: f"{key}-{name}" for name in names} for key in ("items", "orders")}
    nothing = dict.fromkeys(("table", "delivery_stream", "errors_location", "view"))
    pipeline = deployed_pipeline(lake_tables=tables, **nothing)
    assert {key: table.delivery_stream for key, table in pipeline.tables.items()} == {
        "items": "items-deliveryStream",
        "orders": "orders-deliveryStream",
    }
    assert list(pipeline.select(["orders"])) == ["orders"]
    with pytest.raises(CommandError) as error:
        pipeline.select(["orders", "carts"])
    assert error.value.details["lake_tables"] == ["carts"]
    with pytest.raises(CommandError) as error:
        deployed_pipeline(**nothing)
    assert error.value.details["missing"] == ["table", "delivery_stream", "errors_location"]


def test_a_pipeline_has_the_name_before_all_renames() -> None:
    names: list[Any] = [[], "sales", ["store", "sales"]]
    pipelines = [deployed_pipeline({"renamed_from": former}) for former in names]
    assert [pipeline.oldest_name for pipeline in pipelines] == ["orders", "sales", "store"]
    # The settings of an earlier version.
    assert deployed_pipeline().oldest_name == "orders"


def test_rebuilds_the_settings_of_a_pipeline() -> None:
    args = deployed_pipeline({"forwarder": {"old_image": "never"}}).args
    assert isinstance(args, StreamingEtlPipelineArgs)
    assert (args.table_name, args.forwarder.old_image) == ("orders", "never")
    with pytest.raises(CommandError) as error:
        _ = deployed_pipeline({"format": "xml"}).args
    assert error.value.code == "invalid-settings"
    assert error.value.details["problems"]


@pytest.mark.parametrize(
    ("exports", "known"), [(EXPORTS, ["orders"]), ({"orders": {"bucket": "lake"}}, [])]
)
def test_reports_the_known_pipelines(exports: dict[str, Any], known: list[str]) -> None:
    with pytest.raises(CommandError) as error:
        DeployedStack("dev", exports).pipeline("shop")
    assert error.value.code == "unknown-pipeline"
    assert error.value.details == {"pipeline": "shop", "known": known}


def test_reports_missing_outputs() -> None:
    outputs = {name: value for name, value in OUTPUTS.items() if name not in ("bucket", "settings")}
    with pytest.raises(CommandError) as error:
        DeployedPipeline.from_outputs("orders", outputs | {"region": None, "table": "[secret]"})
    assert error.value.code == "missing-outputs"
    assert sorted(error.value.details["missing"]) == ["bucket", "region", "settings", "table"]


@pytest.mark.parametrize("text", ["{", "[]"])
def test_rejects_outputs_that_are_not_a_json_object(directory: Path, text: str) -> None:
    (directory / "outputs.json").write_text(text)
    assert code_of("dev", Path("outputs.json"), None) == "outputs-not-json"


@pytest.fixture
def pulumi(directory: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A pulumi on the PATH that prints `response` and exits with `status`."""
    binary = directory / "bin" / "pulumi"
    binary.parent.mkdir()
    binary.write_text(
        '#!/bin/sh\necho "$PWD $*" > arguments\ncat response\n'
        "echo \"no stack named 'dev' found\" >&2\nexit $(cat status)\n"
    )
    binary.chmod(0o755)
    monkeypatch.setenv("PATH", f"{binary.parent}:{os.environ['PATH']}")
    (directory / "response").write_text(json.dumps(EXPORTS))
    (directory / "status").write_text("0")
    return directory


def test_runs_pulumi_in_the_current_directory_without_showing_secrets(pulumi: Path) -> None:
    assert open_stack("dev", None, None).pipelines == [deployed_pipeline()]
    arguments = (pulumi / "arguments").read_text().strip()
    assert arguments == f"{pulumi} stack output --json --non-interactive --stack dev"


def test_reports_why_pulumi_failed(pulumi: Path) -> None:
    (pulumi / "status").write_text("255")
    with pytest.raises(CommandError) as error:
        open_stack("dev", None, None)
    assert error.value.code == "pulumi-failed"
    assert error.value.details == {"reason": "no stack named 'dev' found"}


def test_reports_that_pulumi_is_not_installed(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(directory))
    assert code_of("dev", None, None) == "pulumi-not-installed"


def test_reads_the_outputs_of_the_embedded_aws_that_runs_at_the_endpoint(directory: Path) -> None:
    assert code_of("dev", None, EMBEDDED) == "embedded-aws-not-running"
    state = directory / STATE_FILE
    state.parent.mkdir()
    state.write_text(json.dumps({"endpoint": EMBEDDED, "stack": "dev", "outputs": EXPORTS}))

    stack = open_stack("dev", None, f"{EMBEDDED}/")

    assert stack.pipelines == [deployed_pipeline()]
    assert stack.clients(stack.pipeline("orders")).endpoint == f"{EMBEDDED}/"
    assert code_of("dev", None, "http://127.0.0.1:1") == "embedded-aws-not-running"
    assert code_of("prod", None, EMBEDDED) == "embedded-aws-other-stack"


@pytest.mark.parametrize("url", ["http://10.0.0.1:4566", "https://s3.amazonaws.com", "localhost"])
def test_rejects_an_endpoint_on_another_machine(url: str) -> None:
    stack = open_stack("dev", Path("outputs.json"), url)
    with pytest.raises(CommandError) as error:
        stack.clients(stack.pipeline("orders"))
    assert (error.value.code, error.value.details) == ("endpoint-not-local", {"endpoint": url})
