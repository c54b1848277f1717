"""Errors and exit codes of the operator's commands."""

import click


class CommandError(click.ClickException):
    """A failure that the operator can correct; its message says what is wrong and how to fix it."""


EXIT_PARTIAL = 3
"""Exit code of a command that completed in part and left something for review."""
EXIT_INTERRUPTED = 130
"""Exit code after Ctrl-C; the same command continues where it stopped."""
