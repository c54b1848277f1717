import json
import os
from pathlib import Path
from typing import Any

import pytest

from streaming_etl import PartitionArgs, StreamingEtlPipelineArgs
from streaming_etl.stack import outputs as ops_stack
from streaming_etl.stack.errors import CommandError
from streaming_etl.stack.outputs import Pipeline, StackConfig, open_stack, read_config


def test_the_stacks_yaml_reaches_the_program_as_pulumi_spells_it(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: project\n")
    text = "config:\n  aws:region: eu-west-1\n  tables:\n    orders: {format: csv}\n  count: 3\n"
    (tmp_path / "Pulumi.dev.yaml").write_text(text)

    config = read_config(tmp_path)

    assert config.region == "eu-west-1"
    assert config.values == {
        "aws:region": "eu-west-1",
        "project:tables": '{"orders": {"format": "csv"}}',
        "project:count": "3",
    }


def test_a_secret_in_the_stacks_yaml_is_refused(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: project\n")
    (tmp_path / "Pulumi.dev.yaml").write_text("config:\n  project:key:\n    secure: abc\n")

    with pytest.raises(CommandError, match="project:key is a secret"):
        read_config(tmp_path)


def test_a_stack_config_that_is_no_yaml_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: project\n")
    (tmp_path / "Pulumi.dev.yaml").write_text("config: {tables: [\n")

    with pytest.raises(
        CommandError,
        match=r"^Pulumi\.dev\.yaml, line \d+, column \d+: no valid YAML: [^\n]+; mend it there\.$",
    ):
        read_config(tmp_path)


def test_a_stack_without_a_file_is_refused_with_those_that_have_one(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: project\n")
    for stack in ("prod", "dev"):
        (tmp_path / f"Pulumi.{stack}.yaml").write_text("")

    with pytest.raises(CommandError) as error:
        read_config(tmp_path, "test")
    assert str(error.value) == "There is no Pulumi.test.yaml; the stacks here are dev, prod."
    assert read_config(tmp_path, "prod").values == {}


def config(**tables: dict[str, Any]) -> StackConfig:
    return StackConfig("project", "dev", {"project:tables": json.dumps(tables)})


def test_the_settings_of_a_pipeline_are_those_of_the_program() -> None:
    table = {"table_name": "orders", "transform_module": "orders.py", "partitions": {}}
    assert config(orders=table | {"format": "csv"}).pipelines == {
        "orders": StreamingEtlPipelineArgs(
            table_name="orders",
            transform_module="orders.py",
            partitions=PartitionArgs(),
            format="csv",
        )
    }


def test_settings_that_the_program_refuses_are_refused_in_its_words() -> None:
    with pytest.raises(CommandError) as error:
        _ = config(orders={"table_name": "orders"}).pipelines
    assert str(error.value) == (
        "Pulumi.dev.yaml is refused: tables.orders: transform_module, partitions must be set."
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "config:\n  streaming-etl:default: {}\n",
            "Pulumi.dev.yaml: there is no streaming-etl:default:"
            " did you mean streaming-etl:defaults?",
        ),
        ("foo\n", "Pulumi.dev.yaml holds no map of settings below `config:`; write one."),
        ("config: [1]\n", "Pulumi.dev.yaml holds no map of settings below `config:`; write one."),
    ],
)
def test_a_config_that_says_nothing_to_the_program_is_refused(
    tmp_path: Path, text: str, message: str
) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: streaming-etl\n")
    (tmp_path / "Pulumi.dev.yaml").write_text(text)
    with pytest.raises(CommandError) as error:
        read_config(tmp_path)
    assert str(error.value) == message


def test_other_keys_and_kinds_of_values_are_read_as_pulumi_reads_them(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: streaming-etl\n")
    text = "config:\n  5: {at: 2026-11-23}\n  streaming-etl:owner: web\n"
    (tmp_path / "Pulumi.dev.yaml").write_text(text)
    assert read_config(tmp_path).values == {
        "streaming-etl:5": '{"at": "2026-11-23"}',
        "streaming-etl:owner": "web",
    }


@pytest.mark.parametrize("key", ["tables", "defaults"])
def test_a_text_in_place_of_a_map_is_refused(key: str) -> None:
    tables = {"orders": {"table_name": "orders", "transform_module": "m.py", "partitions": {}}}
    values = {"streaming-etl:tables": json.dumps(tables), f"streaming-etl:{key}": "abc"}
    with pytest.raises(
        CommandError, match=f"^Pulumi.dev.yaml is refused: {key}: 'abc' is no map of "
    ):
        _ = StackConfig("streaming-etl", "dev", values).pipelines


ORDERS = {"delivery_stream": "stream", "bucket": "lake"}
EXPORTS = {"orders": ORDERS, "url": "https://", "other": {"bucket": "none"}}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A program's directory with a stack `dev` and its outputs in `outputs.json`."""
    (tmp_path / "Pulumi.yaml").write_text("name: project\n")
    (tmp_path / "Pulumi.dev.yaml").write_text("config:\n  aws:region: eu-west-1\n")
    (tmp_path / "outputs.json").write_text(json.dumps(EXPORTS))
    return tmp_path


def test_a_stack_is_its_config_its_pipelines_and_clients_of_its_region(directory: Path) -> None:
    stack = open_stack("dev", directory / "outputs.json", None, directory)

    assert stack.pipelines == [Pipeline("orders", ORDERS)]
    assert stack.pipeline("orders").bucket == "lake"
    assert (stack.clients.region, stack.clients.endpoint) == ("eu-west-1", None)
    with pytest.raises(CommandError, match=r"The stack dev has no pipeline nope; it has orders\."):
        stack.pipeline("nope")
    with pytest.raises(AttributeError, match="pipeline orders has no output crawler"):
        _ = stack.pipeline("orders").crawler


def test_a_stack_without_pipelines_says_so(directory: Path) -> None:
    (directory / "outputs.json").write_text("{}")
    stack = open_stack("dev", directory / "outputs.json", None, directory)
    with pytest.raises(CommandError, match=r"The stack dev has no pipeline orders; it has none\."):
        stack.pipeline("orders")


@pytest.mark.parametrize(
    ("text", "reason"),
    [("{", r"outputs\.json is no JSON: "), ("[]", r"outputs\.json is no JSON object of outputs")],
)
def test_outputs_that_are_no_json_are_refused(directory: Path, text: str, reason: str) -> None:
    (directory / "outputs.json").write_text(text)
    with pytest.raises(CommandError, match=reason):
        open_stack("dev", directory / "outputs.json", None, directory)


PULUMI = """\
#!/bin/sh
echo "$PWD $*" > asked
cat answer
echo "no stack named 'dev' found" >&2
exit $(cat status)
"""


@pytest.fixture
def pulumi(directory: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Pulumi on the PATH that answers with the files `answer` and `status`."""
    binary = directory / "bin" / "pulumi"
    binary.parent.mkdir()
    binary.write_text(PULUMI)
    binary.chmod(0o755)
    monkeypatch.setenv("PATH", f"{binary.parent}:{os.environ['PATH']}")
    (directory / "answer").write_text(json.dumps(EXPORTS))
    (directory / "status").write_text("0")
    return directory


def test_pulumi_is_asked_for_the_outputs_in_the_programs_directory(pulumi: Path) -> None:
    stack = open_stack("dev", None, None, pulumi)

    assert [pipeline.name for pipeline in stack.pipelines] == ["orders"]
    asked = (pulumi / "asked").read_text().split()
    assert asked == [
        str(pulumi),
        *("stack", "output", "--json", "--non-interactive", "--stack", "dev"),
    ]


def test_what_pulumi_complains_of_is_told(pulumi: Path) -> None:
    (pulumi / "status").write_text("255")
    with pytest.raises(CommandError) as error:
        open_stack("dev", None, None, pulumi)
    assert str(error.value) == "`pulumi stack output` failed: no stack named 'dev' found"


def test_without_pulumi_the_way_around_it_is_told(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(directory))
    with pytest.raises(
        CommandError, match="--outputs with a file made by `pulumi stack output --json"
    ):
        open_stack("dev", None, None, directory)


EMBEDDED = "http://127.0.0.1:4566"


def test_at_an_endpoint_the_outputs_are_those_of_make_local(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = directory / "local.json"
    state.write_text(json.dumps({"endpoint": EMBEDDED, "outputs": EXPORTS}))
    monkeypatch.setattr(ops_stack, "STATE_FILE", state)

    stack = open_stack("dev", None, f"{EMBEDDED}/", directory)

    assert [pipeline.name for pipeline in stack.pipelines] == ["orders"]
    assert stack.clients.endpoint == f"{EMBEDDED}/"
    with pytest.raises(CommandError, match=f"at http://127.0.0.1:1: one is up at {EMBEDDED}"):
        open_stack("dev", None, "http://127.0.0.1:1", directory)
    state.unlink()
    with pytest.raises(CommandError, match="none is up; start one: make local"):
        open_stack("dev", None, EMBEDDED, directory)


@pytest.mark.parametrize("url", ["http://10.0.0.1:4566", "https://s3.amazonaws.com", "localhost"])
def test_an_endpoint_beyond_this_machine_is_refused(directory: Path, url: str) -> None:
    with pytest.raises(CommandError, match=f"--endpoint-url {url} is not on this machine"):
        open_stack("dev", directory / "outputs.json", url, directory)
