"""The tables for people: on the terminal, and in docs/performance.md."""

import re
from collections.abc import Iterable
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table as Grid

from tools.bench.report import MISSED, Table

BLOCKS = {
    "figures": ("transform", "forwarder", "memory"),
    "figures of the program": ("program",),
}
"""The page's blocks, and the parts of the benchmark that each tells of."""

PAGE = Path(__file__).resolve().parents[2] / "docs" / "performance.md"


def show(console: Console, tables: Iterable[Table]) -> None:
    """The tables on the terminal, what misses its mark in red."""
    for table in tables:
        grid = Grid(
            title=table.title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD
        )
        for index, name in enumerate(table.head):
            grid.add_column(name, justify="right" if is_number(table, index) else "left")
        for row in table.rows:
            grid.add_row(*row, style="red" if MISSED in row else None)
        console.print(grid)


def markdown(tables: Iterable[Table]) -> str:
    """The tables in Markdown, what misses its mark in bold."""
    parts = []
    for table in tables:
        rule = ["---:" if is_number(table, index) else "---" for index in range(len(table.head))]
        rows = [[f"**{cell}**" if cell == MISSED else cell for cell in row] for row in table.rows]
        lines = [f"| {' | '.join(cells)} |" for cells in (table.head, rule, *rows)]
        parts.append("\n".join([f"### {table.title}", "", *lines]))
    return "\n\n".join(parts)


def is_number(table: Table, column: int) -> bool:
    """Whether the column is set flush right."""
    return any(re.match(r"[\d.,]+$", row[column]) for row in table.rows)


def written(page: str, block: str, text: str) -> str:
    """The page with `text` between the marks of a block."""
    begin, end = f"<!-- {block} -->", f"<!-- end of {block} -->"
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    if len(pattern.findall(page)) != 1:
        raise ValueError(f"{PAGE.name} must hold {begin} ... {end} once")
    return pattern.sub(lambda _: f"{begin}\n{text}\n{end}", page)
