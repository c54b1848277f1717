"""What an operator runs: replay, backfill, cost; and what the author of a transform runs."""

import click


class OpsError(click.ClickException):
    """Something the operator can put right; the text says what it is and what to do."""


LEFT = 3
"""Exit code of a command that did what it could and left something to look at."""
INTERRUPTED = 130
"""Exit code after Ctrl-C; the same command goes on where it stopped."""
