"""The command that a dry run prints."""

import shlex
from pathlib import Path

import click
import pytest

from streaming_etl.ops.__main__ import commands, main
from streaming_etl.ops.next_command import (
    NextCommands,
    program,
    same_command,
    show_next_command,
)
from streaming_etl.stack.outputs import DeployedStack
from tests.support.deployed import OUTPUTS, REGION


def test_a_dry_run_prints_the_same_command_without_its_option(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    @click.command()
    @click.argument("name")
    @click.option("--dry-run", is_flag=True)
    @click.option("--stack")
    def example(name: str, dry_run: bool, stack: str) -> None:
        assert (name, dry_run, stack) == ("orders", True, "my stack")
        show_next_command("Run it")

    monkeypatch.setitem(commands.commands, "example", example)
    assert main(["example", "orders", "--dry-run", "--stack", "my stack"]) == 0
    command = capsys.readouterr().out.splitlines()[-1]
    assert shlex.split(command) == ["streaming-etl", "example", "orders", "--stack", "my stack"]


def test_a_command_that_is_not_on_the_path_is_printed_as_typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", [".venv/bin/streaming-etl"])
    monkeypatch.setenv("PATH", str(tmp_path))
    assert program() == ".venv/bin/streaming-etl"
    installed = tmp_path / "streaming-etl"
    installed.touch(mode=0o700)
    assert program() == "streaming-etl"
    monkeypatch.setattr("sys.argv", ["pytest"])
    assert program() == "streaming-etl"


def test_there_is_none_outside_of_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert same_command(without="--dry-run") is None
    show_next_command("Run it")
    assert capsys.readouterr().out == ""


def test_next_commands_read_the_same_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["pytest"])
    stack = DeployedStack(
        "my dev", {"my orders": OUTPUTS}, "http://127.0.0.1:4566/?a&b", Path("out puts.json")
    )
    commands = NextCommands(stack, "my orders")
    endpoint = ["--endpoint-url", "http://127.0.0.1:4566/?a&b"]

    assert shlex.split(commands.own("replay", "--from", "a b", lake_table="my table")) == [
        *("streaming-etl", "replay", "my orders", "--stack", "my dev"),
        *("--outputs", "out puts.json", *endpoint, "--lake-table", "my table", "--from", "a b"),
    ]
    assert shlex.split(commands.aws("s3", "ls", "s3://a b")) == [
        *("aws", *endpoint, "s3", "ls", "s3://a b", "--region", REGION)
    ]
    assert shlex.split(commands.pulumi("up")) == ["pulumi", "up", "--stack", "my dev"]


def test_next_commands_of_an_aws_account_have_no_other_options(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.argv", ["pytest"])
    commands = NextCommands(DeployedStack("dev", {"orders": OUTPUTS}), "orders")

    assert commands.own("replay") == "streaming-etl replay orders --stack dev"
    assert commands.aws("s3", "ls") == f"aws s3 ls --region {REGION}"
