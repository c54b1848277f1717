"""What the commands show: results on the standard output, progress on the standard error."""

import contextlib
import json
import sys
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
"""Is told how much more is done."""

# Into a file or a pipe nothing is folded to the width of a screen.
UNFOLDED = 1000


def say(text: str) -> None:
    """A line for people, on the standard error."""
    click.echo(text, err=True)


def show_json(value: Any) -> None:
    """The result for scripts: one JSON document."""
    click.echo(json.dumps(value, indent=2))


def show_table(title: str, head: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
    """The result for people: numbers flush right with thousands set apart, None as nothing."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for index, name in enumerate(head):
        numeric = (int, float, Decimal, type(None))
        numbers = rows and all(isinstance(row[index], numeric) for row in rows)
        table.add_column(escape(name), justify="right" if numbers else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_text(cell) for cell in row))
    screen = Console(width=None if sys.stdout.isatty() else UNFOLDED)
    # Not the table's own title: it would be folded to the table's width.
    screen.print(escape(title), style="bold")
    screen.print(table)


def _text(cell: Cell) -> str:
    if cell is None:
        return ""
    return escape(cell) if isinstance(cell, str) else f"{cell:,}"


@contextlib.contextmanager
def progress(
    doing: str, total: Optional[float], *, unit: Optional[str] = None
) -> Iterator[Advance]:
    """A bar while the block runs; it is gone afterwards, and silent where nobody looks.

    total: what there is to do; None when that is not known. unit: what is counted; None for bytes.
    """
    counts: list[ProgressColumn]
    if unit is None:
        counts = [DownloadColumn(binary_units=True), TransferSpeedColumn()]
    else:
        counts = [MofNCompleteColumn(), TextColumn(escape(unit))]
    screen = Console(stderr=True)
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=40),
        *counts,
        TimeRemainingColumn(),
        console=screen,
        transient=True,
        disable=not screen.is_terminal,
    )
    with bar:
        task = bar.add_task(escape(doing), total=total)
        yield lambda done: bar.advance(task, done)
