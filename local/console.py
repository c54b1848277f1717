"""Output of the local commands; shows no content of a failed change."""

import contextlib
import shlex
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape

from local.emulator.athena import QueryResult
from local.sample.delivery import DELIVERY_SECONDS, Delivery
from local.sample.merging import MergeReport
from local.sample.report import PipelineReport, TableReport
from streaming_etl.stack.console import counted, show_table

SHOWN_ITEMS = 3

console = Console(highlight=False)


class Step:
    """A step of a command; `result` is printed at its end."""

    result = ""


@contextlib.contextmanager
def step(doing: str, done: str, spinner: bool = True) -> Iterator[Step]:
    """Show a spinner while the block runs, then its duration and result."""
    start = time.monotonic()
    current = Step()
    with console.status(f"{doing} ...") if spinner else contextlib.nullcontext():
        yield current
    seconds = f"{time.monotonic() - start:4.1f} s"
    result = escape(current.result)
    console.print(f"[green]✓[/] [bold]{done:<9}[/] [dim]{seconds}[/]  {result}", soft_wrap=True)


def print_line(text: str = "", style: str | None = None) -> None:
    """Print plain text without wrapping."""
    console.print(escape(text), style=style, soft_wrap=True)


def print_heading(text: str) -> None:
    """Print a bold line after an empty one."""
    console.print()
    print_line(text, "bold")


def print_reports(reports: list[PipelineReport]) -> None:
    """Print the results of the sample."""
    tables = [table for report in reports for table in report.tables]
    for table in tables:
        print_partitions(table)
        print_current_state(table)
    for report in reports:
        if report.is_routed:
            print_routing(report)
    print_comparison(tables)
    for table in tables:
        print_failed_changes(table)


def print_routing(report: PipelineReport) -> None:
    """Print the changes by lake table, and an item that moves."""
    kinds = ("INSERT", "MODIFY", "REMOVE")
    rows: list[tuple[str | int | None, ...]] = []
    for table in report.tables:
        counts = Counter(table.event_types.values())
        rows.append(
            (table.name, conditions(table.rules), counts.total(), *(counts[kind] for kind in kinds))
        )
    rows.append(
        ("none", "unmatched, counted by the forwarder", report.counted_unmatched, None, None, None)
    )
    console.print()
    show_table(
        f"{report.name}: {report.changes} changes of one source table",
        ("Lake table", "Items", "Changes", *kinds),
        rows,
    )
    if report.moved:
        console.print()
        show_table(
            f"{report.name}: the item {report.moved[0].item} changes its kind",
            ("Change", "Lake table", "Event type"),
            [(one.change, one.lake_table, one.event_type) for one in report.moved],
        )


def conditions(rules: Mapping[str, Any]) -> str:
    """Return `where` of a lake table as a sentence."""
    parts = [
        f"{name} begins with {rule['prefix']}"
        if isinstance(rule, Mapping)
        else f"{name} is {' or '.join(map(str, rule))}"
        for name, rule in rules.items()
    ]
    return " and ".join(parts) or "all"


def print_partitions(report: TableReport) -> None:
    console.print()
    show_table(
        f"{report.name}: one row per change in {report.location}",
        ("Partition prefix", "Objects", "Bytes", "Rows"),
        [(one.prefix, one.objects, one.size, one.rows) for one in report.partitions],
    )


def print_current_state(report: TableReport) -> None:
    """Print the compared columns of the first rows."""
    if report.current_state is None:
        return
    names = ("id", *report.compared_columns)
    rows = sorted(report.current_state, key=lambda row: str(row["id"]))[:SHOWN_ITEMS]
    console.print()
    show_table(
        f"{report.name}: current state, {len(rows)} of {len(report.current_state):,} rows",
        names,
        [[row[name] for name in names] for row in rows],
    )


def print_merges(reports: list[MergeReport]) -> None:
    """Print rows of log, merged table and current state."""
    head = ("Moment", "Change log", "Merged table", "Tombstones", "Current state", "Result")
    for report in reports:
        console.print()
        show_table(
            f"{report.name}: the change log becomes one row per item, and may expire",
            head,
            [
                (
                    state.moment,
                    state.log_rows,
                    state.merged_rows,
                    state.tombstones,
                    state.items,
                    "different" if state.different_ids else "equal",
                )
                for state in report.states
            ],
        )


def print_comparison(reports: list[TableReport]) -> None:
    head = (
        "Lake table",
        "Changes",
        "Rows",
        "Failed",
        "Missing",
        "Items",
        "Current state",
        "Result",
    )
    console.print()
    show_table(
        "Source tables and lake",
        head,
        [
            (
                report.name,
                len(report.expected),
                len(report.event_types),
                len(report.failed_changes),
                report.missing,
                report.items,
                *current_state_cells(report),
            )
            for report in reports
        ],
    )


def current_state_cells(report: TableReport) -> tuple[int | str, str]:
    """Return the number of current rows, and the result of the comparison."""
    if report.current_state is None:
        return "none", "not compared"
    return len(report.current_state), "different" if report.different_ids else "equal"


def print_failed_changes(report: TableReport) -> None:
    for failed in report.failed_changes:
        print_heading(f"{report.name}: a failed change")
        console.print(
            "One write lacks an attribute that the transform requires. Only this change is\n"
            "dead-lettered, as an error record that contains the complete change; the next\n"
            "write corrects the item. The log has the reason, and never the change's content."
        )
        lines = {
            "Error code": failed.error_code,
            "Event id": failed.event_id,
            "Object": f"s3://{report.bucket}/{failed.key}",
            "Log line": report.failure_logs[failed.event_id] or "none",
        }
        for label, text in lines.items():
            console.print(f"[bold]{label:<12}[/]{escape(text)}", soft_wrap=True)


def print_delivery(delivery: Delivery) -> None:
    """Print what became of new changes in each lake table."""
    rows = [
        (
            table.lake.name,
            table.rows,
            len(table.failures),
            table.filtered,
            max(len(table.missing) - table.filtered, 0),
        )
        for table in delivery.tables
        if table.rows or table.failures or table.missing
    ]
    console.print()
    if rows:
        head = ("Lake table", "Rows", "Failed", "Without a row", "Missing")
        show_table(counted(delivery.changes, "change"), head, rows)
    if delivery.unmatched:
        print_line(
            f"No lake table has {counted(delivery.unmatched, 'change')}: the items match no "
            "`where`, or `forwarder.event_names` excludes the change."
        )
    for location in sorted(set(delivery.unmatched_batches.values())):
        print_line(f"Failed batch, because of `forwarder.unmatched: fail`: {location}")
    if delivery.left:
        print_line(
            f"{counted(delivery.left, 'change')} did not arrive within {DELIVERY_SECONDS:.0f} "
            "seconds. Query again later, or check `forwarder.filter_patterns`."
        )
    for table in delivery.tables:
        for failure in table.failures[:SHOWN_ITEMS]:
            print_heading(f"{table.lake.name}: a failed change")
            print_line(f"Reason    {failure.reason}")
            print_line(f"Event id  {failure.event_id}")
            print_line(f"Object    {failure.location}")
        if len(table.failures) > SHOWN_ITEMS:
            print_line(f"and {len(table.failures) - SHOWN_ITEMS:,} more")


def print_next_commands(delivery: Delivery, prefix: str, replay: str) -> None:
    """Print commands that query new rows and replay failed changes.

    prefix: start of the local commands.
    """
    modules = {table.lake.transform_module for table in delivery.tables if table.failures}
    fixes = [f"fix {' and '.join(sorted(modules))}"] if modules else []
    if delivery.unmatched_batches:
        fixes.append("add a lake table or change a `where`")
    if fixes:
        text = ", ".join([*fixes, "update the stack, and replay:"])
        print_line(f"\n{text[0].upper()}{text[1:]}")
        print_line(f"  {prefix} up")
        print_line(f"  {replay}")
    if changed := [table.lake for table in delivery.tables if table.rows]:
        print_line("\nQuery the lake:")
        for lake in changed:
            sql = shlex.quote(f"SELECT * FROM {lake.sql_name}")
            print_line(f"  {prefix} query {lake.name if lake.has_current_state else sql}")


def print_query_result(result: QueryResult) -> None:
    """Print a table, or one line per value on a narrow terminal."""
    count = f"{len(result.rows):,} row{'' if len(result.rows) == 1 else 's'}"
    widths = [
        max(cell_len(text) for text in (name, *(row[name] or "" for row in result.rows)))
        for name in result.columns
    ]
    if not result.rows or sum(widths) + 2 * len(widths) <= console.width:
        rows = [[row[name] for name in result.columns] for row in result.rows]
        show_table(count, result.columns, rows)
        return
    print_line(count, "bold")
    width = max(map(len, result.columns))
    for row in result.rows:
        console.print()
        for name in result.columns:
            console.print(f"[bold]{name:<{width}}[/]  {escape(row[name] or '')}", soft_wrap=True)


def print_log(tail: str) -> None:
    """Print the end of ministack's log."""
    print_heading("End of the embedded AWS's log")
    print_line(tail, "dim")


def print_summary(problems: list[str], seconds: float) -> None:
    """Print the problems, or the success."""
    console.print()
    for problem in problems:
        console.print(f"[red]✗[/] {escape(problem)}", soft_wrap=True)
    if not problems:
        console.print(
            f"[green]✓[/] All checks passed in {seconds:.0f} s, and every process has ended.\n"
            "  `make local` keeps the stack running, for your own items and queries."
        )
