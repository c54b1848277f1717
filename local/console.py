"""What the demo and the server print; nothing of a refused change but its id."""

import contextlib
import sys
import time
from collections.abc import Iterator

from rich.console import Console
from rich.markup import escape
from rich.measure import Measurement
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from local.emulator.athena import Answer
from local.sample.run import TableReport

SHOWN_ROWS = 3


class Step:
    """What a step of the demo has come to, once it is done."""

    result = ""


@contextlib.contextmanager
def step(console: Console, doing: str, done: str, spinner: bool = True) -> Iterator[Step]:
    """Show a spinner while the block runs, and a line with its result when it is done."""
    begun = time.monotonic()
    current = Step()
    with console.status(f"{doing} ...") if spinner else contextlib.nullcontext():
        yield current
    line = Table.grid(padding=(0, 1))
    line.add_column(style="green")
    line.add_column(width=9, style="bold")
    line.add_column(style="dim", justify="right", width=6)
    line.add_column()
    line.add_row("✓", done, f"{time.monotonic() - begun:.1f} s", escape(current.result))
    console.print(line)


def progress(console: Console) -> Progress:
    """A bar for each table, gone when all is through; silent where nobody looks."""
    return Progress(
        TextColumn("  {task.description:<12}"),
        BarColumn(bar_width=40),
        MofNCompleteColumn(),
        TextColumn("changes"),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


def print_reports(console: Console, reports: list[TableReport]) -> None:
    for report in reports:
        print_folders(console, report)
        print_state(console, report)
    print_agreement(console, reports)
    for report in reports:
        print_refused(console, report)


def print_folders(console: Console, report: TableReport) -> None:
    heading(console, f"{report.pipeline.name}: a row for every change")
    console.print(report.location, style="dim", soft_wrap=True)
    table = columns("Folder", "Objects", "Bytes", "Rows")
    for folder in report.folders:
        numbers = (folder.objects, folder.size, folder.rows)
        table.add_row(folder.path, *(f"{number:,}" for number in numbers))
    console.print(table)


def print_state(console: Console, report: TableReport) -> None:
    """The first rows of the current state, in the columns that are compared with the table."""
    console.print(f"\nThe items as they are now, {SHOWN_ROWS} of {len(report.state):,} rows:")
    names = ("id", *report.compared)
    table = Table(*names, box=None, pad_edge=False, header_style="bold")
    for row in sorted(report.state, key=lambda row: str(row["id"]))[:SHOWN_ROWS]:
        table.add_row(*(escape(row[name] or "") for name in names))
    console.print(table)


def print_agreement(console: Console, reports: list[TableReport]) -> None:
    heading(console, "Does the lake tell what the tables hold?")
    titles = ("Changes", "As rows", "Refused", "Missing", "Items now", "Rows now")
    table = columns("Table", *titles)
    table.add_column("")
    for report in reports:
        as_rows = report.changes - len(report.refused) - report.missing
        counts = (report.changes, as_rows, len(report.refused), report.missing)
        states = (report.items, len(report.state))
        verdict = "[red]they differ[/]" if report.differing else "[green]they agree[/]"
        numbers = (f"{number:,}" for number in (*counts, *states))
        table.add_row(report.pipeline.name, *numbers, verdict)
    console.print(table)


def print_refused(console: Console, report: TableReport) -> None:
    for refused in report.refused:
        heading(console, f"{report.pipeline.name}: a change that the transform refused")
        console.print(
            "One write lacked a field that the transform needs. That one change was set aside "
            "and held up no other; the write after it put the item right. The change lies whole "
            "in the error prefix. The log names it and the reason, never its content."
        )
        lines = {
            "Error code": refused.error_code,
            "Event id": refused.event_id,
            "Object": f"s3://{report.pipeline.bucket}/{refused.key}",
            "Log line": report.refusal_log[refused.event_id] or "none",
        }
        for title, text in lines.items():
            console.print(f"[bold]{title:<12}[/]{escape(text)}", soft_wrap=True)


def columns(first: str, *numbers: str) -> Table:
    """A table of names and their numbers."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(first, overflow="fold")
    for title in numbers:
        table.add_column(title, justify="right", no_wrap=True)
    return table


def print_answer(console: Console, answer: Answer) -> None:
    """A table, or where it is too wide for the screen a block of `name value` lines per row."""
    table = Table(*answer.columns, box=None, pad_edge=False, header_style="bold")
    for row in answer.rows:
        table.add_row(*(escape(row[name] or "") for name in answer.columns))
    unbounded = console.options.update(max_width=sys.maxsize)
    if not answer.rows or Measurement.get(console, unbounded, table).maximum <= console.width:
        console.print(table)
    else:
        print_blocks(console, answer)
    console.print(f"{len(answer.rows):,} row{'' if len(answer.rows) == 1 else 's'}", style="dim")


def print_blocks(console: Console, answer: Answer) -> None:
    width = max(map(len, answer.columns))
    for row in answer.rows:
        for name in answer.columns:
            value = escape(row[name] or "")
            console.print(f"[bold]{name:<{width}}[/]  {value}", soft_wrap=True)
        console.print()


def heading(console: Console, text: str) -> None:
    console.print()
    console.rule(f"[bold]{text}[/]", align="left", style="dim")


def print_log(console: Console, tail: str) -> None:
    heading(console, "The end of the embedded AWS's log")
    console.print(escape(tail), soft_wrap=True, style="dim")


def print_end(console: Console, problems: list[str], seconds: float) -> None:
    console.print()
    for problem in problems:
        console.print(f"[red]✗[/] {escape(problem)}", soft_wrap=True)
    if not problems:
        console.print(
            f"[green]✓[/] All as it should be, in {seconds:.0f} s, and nothing is left running. "
            "`make local` keeps it up, for items and queries of your own."
        )
