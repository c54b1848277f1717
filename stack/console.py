"""Console of all commands: results on standard output, progress on standard error."""

import contextlib
import json
import sys
import threading
import time
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import Any, Optional, Union

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Table

Cell = Union[str, int, float, Decimal, None]
Advance = Callable[[float], None]
"""Adds an amount of completed work to a progress bar."""

# Lines in a file or a pipe are not wrapped.
PIPE_WIDTH = 1000
LINE_SECONDS = 60.0
"""Time between two lines of progress without a terminal."""


def counted(count: int, noun: str) -> str:
    """Return a number with its noun in singular or plural."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def printable(text: str, *, keep: str = "") -> str:
    r"""Escape characters that control a terminal, such as \x1b or \u202e.

    Object keys and content of objects may have them: control characters, format characters (of
    bidirectional text, too), surrogates and line separators. keep: characters to keep.
    """
    if text.isprintable():
        return text
    return "".join(_escaped(each) if each not in keep else each for each in text)


def _escaped(character: str) -> str:
    if unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Zl", "Zp"):
        return character
    return character.encode("unicode_escape").decode()


def show_progress(text: str) -> None:
    """Print a line about progress on the standard error."""
    click.echo(printable(text, keep="\n"), err=True)


def show_json(value: Any) -> None:
    """Print the result for scripts as one JSON document."""
    # Escapes control characters, and everything beyond ASCII.
    click.echo(json.dumps(value, indent=2, ensure_ascii=True))


def show_table(title: str, head: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
    """Print a table: numbers right-aligned with thousands separators, None as empty."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for index, name in enumerate(head):
        numeric = (int, float, Decimal, type(None))
        numbers = rows and all(isinstance(row[index], numeric) for row in rows)
        table.add_column(escape(name), justify="right" if numbers else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_text(cell) for cell in row))
    console = Console(width=None if sys.stdout.isatty() else PIPE_WIDTH)
    # rich wraps a table's title to the table's width.
    console.print(escape(title), style="bold")
    console.print(table)


def _text(cell: Cell) -> str:
    if cell is None:
        return ""
    return escape(printable(cell)) if isinstance(cell, str) else f"{cell:,}"


@contextlib.contextmanager
def progress(
    label: str, total: Optional[float], *, unit: Optional[str] = None
) -> Iterator[Advance]:
    """Show progress while the block runs.

    A terminal has a bar, other outputs a line every minute.

    total: the amount of work, None when unknown. unit: what is counted, None for bytes.
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        yield ProgressLines(label, total, unit or "bytes").advance
        return
    counts: list[ProgressColumn]
    if unit is None:
        counts = [DownloadColumn(binary_units=True), TransferSpeedColumn()]
    else:
        counts = [MofNCompleteColumn(), TextColumn(escape(unit))]
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=40),
        *counts,
        TimeRemainingColumn(),
        console=console,
        transient=True,
    )
    with bar:
        task = bar.add_task(escape(label), total=total)
        yield lambda done: bar.advance(task, done)


class ProgressLines:
    """Progress without a terminal; short work prints nothing."""

    def __init__(
        self,
        label: str,
        total: Optional[float],
        unit: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._label, self._total, self._unit = label, total, unit
        self._clock, self._shown, self._done = clock, clock(), 0.0
        # Threads share the work.
        self._lock = threading.Lock()

    def advance(self, done: float) -> None:
        """Add completed work."""
        with self._lock:
            self._done += done
            if self._clock() - self._shown < LINE_SECONDS:
                return
            self._shown = self._clock()
            total = "" if self._total is None else f" of {self._total:,.0f}"
            show_progress(f"{self._label}: {self._done:,.0f}{total} {self._unit}")
