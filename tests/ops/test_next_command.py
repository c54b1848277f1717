"""The command that a dry run prints."""

import shlex
from pathlib import Path

import click
import pytest

from streaming_etl.ops.__main__ import commands, main
from streaming_etl.ops.next_command import program, same_command, show_next_command


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
