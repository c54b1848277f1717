"""The command line: exit codes, errors and help."""

import subprocess
import sys

import click
import pytest
from botocore.exceptions import ClientError, NoCredentialsError

from streaming_etl.ops.__main__ import commands, main
from streaming_etl.ops.aws_errors import aws_error
from streaming_etl.stack.errors import (
    EXIT_CODES,
    EXIT_FAILURE,
    EXIT_INTERRUPTED,
    EXIT_PARTIAL,
    EXIT_USAGE,
    CommandError,
    UsageError,
)

SECRET = "the item {secret}"


def client_error(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": SECRET}}, "PutItem")


@pytest.mark.parametrize(
    ("result", "status"),
    [
        (0, 0),
        (None, 0),
        (EXIT_PARTIAL, EXIT_PARTIAL),
        (CommandError("Failed.", code="failed"), EXIT_FAILURE),
        (UsageError("Wrong.", code="wrong"), EXIT_USAGE),
        (click.UsageError("Wrong."), EXIT_USAGE),
        (client_error("AccessDenied"), EXIT_FAILURE),
        (NoCredentialsError(), EXIT_FAILURE),
        (KeyboardInterrupt(), EXIT_INTERRUPTED),
        (click.Abort(), EXIT_INTERRUPTED),
    ],
    ids=repr,
)
def test_exit_codes(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    result: int | BaseException | None,
    status: int,
) -> None:
    @click.command()
    def example() -> int | None:
        if isinstance(result, BaseException):
            raise result
        return result

    monkeypatch.setitem(commands.commands, "example", example)
    assert main(["example"]) == status
    printed = capsys.readouterr()
    assert printed.out == ""
    assert bool(printed.err) == isinstance(result, BaseException)


def test_the_message_of_aws_is_shown_for_missing_permissions_only() -> None:
    # Other messages may quote what was sent.
    assert SECRET in (aws_error(client_error("AccessDenied")) or "")
    assert SECRET not in (aws_error(client_error("ValidationException")) or "")


def test_an_error_of_the_program_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    @click.command()
    def example() -> None:
        raise ZeroDivisionError

    monkeypatch.setitem(commands.commands, "example", example)
    with pytest.raises(ZeroDivisionError):
        main(["example"])


def test_the_help_documents_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    assert EXIT_CODES in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("name", sorted(commands.commands))
def test_the_help_of_a_command_has_examples(capsys: pytest.CaptureFixture[str], name: str) -> None:
    assert main([name, "--help"]) == 0
    assert f"streaming-etl {name} " in capsys.readouterr().out


def test_help_does_not_import_pulumi() -> None:
    code = (
        "import sys; from streaming_etl.ops.__main__ import main\n"
        "main(['replay', '--help']); main(['backfill', '--help']); main(['merge', '--help'])\n"
        "sys.exit('pulumi' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0


def test_the_module_exits_with_the_code_of_the_command() -> None:
    command = [sys.executable, "-m", "streaming_etl", "replay"]
    assert subprocess.run(command, capture_output=True).returncode == EXIT_USAGE
