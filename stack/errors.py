"""Errors and exit codes of all commands."""

from typing import Any

import click

from streaming_etl.stack.console import printable

EXIT_FAILURE = 1
EXIT_USAGE = 2
EXIT_PARTIAL = 3
EXIT_INTERRUPTED = 130

EXIT_MEANINGS = {
    0: "done, and nothing is left",
    EXIT_FAILURE: "failed, with the reason on the standard error",
    EXIT_USAGE: "wrong usage",
    EXIT_PARTIAL: "done, and the result lists what needs attention",
    EXIT_INTERRUPTED: "interrupted, and the same command continues where this one stopped",
}
"""The exit codes of every command."""

# `streaming-etl --help` shows this text.
EXIT_CODES = f"Exit codes: {'; '.join(f'{code} {text}' for code, text in EXIT_MEANINGS.items())}."


class CommandError(click.ClickException):
    """A failure that the operator can correct.

    code: stable identifier of the kind of failure, such as `unknown-pipeline`; tests compare it.
    details: the values in the message, by name.
    """

    exit_code = EXIT_FAILURE

    def __init__(self, message: str, *, code: str, **details: Any) -> None:
        super().__init__(message)
        self.code = code
        self.details = details

    def format_message(self) -> str:
        return printable(super().format_message(), keep="\n")


class UsageError(CommandError):
    """Options or arguments that no stack can satisfy."""

    exit_code = EXIT_USAGE
