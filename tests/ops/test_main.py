"""The way in to the commands: what an operator or a script is told when one fails."""

import click
import pytest
from botocore.exceptions import ClientError, NoCredentialsError

from streaming_etl.ops.__main__ import commands, main
from streaming_etl.stack.errors import CommandError


def refused(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "the item {secret}"}}, "PutItem")


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> dict[str, BaseException]:
    """A command `fail` that raises what stands in here as `error`."""
    given: dict[str, BaseException] = {}

    @click.command()
    def fail() -> None:
        raise given["error"]

    monkeypatch.setitem(commands.commands, "fail", fail)
    return given


@pytest.mark.parametrize(
    ("error", "status", "told"),
    [
        (CommandError("Do this."), 1, "Error: Do this.\n"),
        (click.UsageError("No."), 2, "Error: No.\n"),
        (refused("AccessDenied"), 1, "Error: AWS refuses PutItem with AccessDenied: the item"),
        # This one's message may quote what was sent.
        (
            refused("ValidationException"),
            1,
            "Error: AWS refuses PutItem with ValidationException\n",
        ),
        (NoCredentialsError(), 1, "Error: Unable to locate credentials\n"),
        (KeyboardInterrupt(), 130, "Interrupted; the same command goes on where this one stopped."),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_error_that_is_known_ends_with_its_reason_and_its_exit_code(
    failing: dict[str, BaseException],
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    status: int,
    told: str,
) -> None:
    failing["error"] = error
    assert main(["fail"]) == status
    printed = capsys.readouterr()
    assert printed.out == ""
    assert told in printed.err


def test_an_error_of_the_program_itself_is_not_hidden(
    failing: dict[str, BaseException],
) -> None:
    failing["error"] = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError):
        main(["fail"])


def test_the_exit_code_is_what_the_command_returns(monkeypatch: pytest.MonkeyPatch) -> None:
    @click.command()
    def leave() -> int:
        return 3

    monkeypatch.setitem(commands.commands, "leave", leave)
    assert main(["leave"]) == 3


@pytest.mark.parametrize("name", ["replay", "backfill", "cost", "transform-test"])
def test_the_help_of_a_command_teaches_by_example(
    capsys: pytest.CaptureFixture[str], name: str
) -> None:
    assert main([name, "--help"]) == 0
    assert f"streaming-etl {name} " in capsys.readouterr().out
