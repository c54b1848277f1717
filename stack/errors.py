"""Errors and exit codes of the operator's commands."""

from typing import Any

import click


class CommandError(click.ClickException):
    """A failure that the operator can correct.

    code: stable identifier of the kind of failure, such as `unknown-pipeline`; tests compare it.
    details: the values that the message was made from, by name.
    """

    def __init__(self, message: str, *, code: str = "", **details: Any) -> None:
        super().__init__(message)
        self.code = code
        self.details = details


EXIT_PARTIAL = 3
"""Exit code of a command that completed in part and left something for review."""
EXIT_INTERRUPTED = 130
"""Exit code after Ctrl-C; the same command continues where it stopped."""
