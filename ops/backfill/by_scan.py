"""Backfill by a scan: options, plan, threads and result."""

import hashlib
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from math import ceil
from pathlib import Path
from typing import Any, Optional

import click

from streaming_etl.handlers.pacing import RateLimiter
from streaming_etl.handlers.wire.change_line import change_line
from streaming_etl.handlers.wire.routing import Route
from streaming_etl.handlers.wire.snapshot import marker_record
from streaming_etl.ops.backfill.checkpoint import Checkpoint, CheckpointIdentity, open_checkpoint
from streaming_etl.ops.backfill.scan import BYTES_PER_UNIT, Scan, units_per_page
from streaming_etl.ops.backfill.source_table import (
    SourceTable,
    require_stream_reader,
    source_table,
)
from streaming_etl.ops.firehose_writer import (
    DEFAULT_KIB_PER_SECOND,
    RoutedWriter,
    routed_writer,
    routes_to,
)
from streaming_etl.ops.next_command import show_next_command
from streaming_etl.stack import console
from streaming_etl.stack.errors import EXIT_PARTIAL, CommandError, UsageError
from streaming_etl.stack.outputs import DeployedPipeline

DEFAULT_SEGMENTS = 4
# DynamoDB accepts 1,000,000; each is a thread with a connection here.
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Scan.html
MAX_SEGMENTS = 32

DEFAULT_READ_UNITS = 100.0
"""For an on-demand table without a maximum."""
PROVISIONED_SHARE = 0.5
"""Default share of the table's read units; other readers use the rest."""

MIN_PER_SECOND, MAX_PER_SECOND = 1.0, 1_000_000.0
"""Limits of read units and of KiB."""

MAX_FILE_NAME = 80
"""Of the lake tables in a checkpoint's file name; file systems accept 255 bytes."""


@dataclass(frozen=True, kw_only=True)
class ScanOptions:
    """Command-line options; None takes the default."""

    lake_tables: Sequence[str] = ()
    """Empty for all."""
    segments: Optional[int] = None
    read_units: Optional[float] = None
    kib_per_second: Optional[float] = None
    checkpoint: Optional[Path] = None
    restart: bool = False
    dry_run: bool = False
    json: bool = False

    def check(self) -> None:
        """Raise UsageError for a number that is invalid for any table."""
        segments = self.segments
        if segments is not None and not 1 <= segments <= MAX_SEGMENTS:
            message = (
                f"--segments must be 1 to {MAX_SEGMENTS} (got {segments}): each is a thread with a "
                "connection. For larger tables use --export, see docs/backfill.md."
            )
            raise UsageError(message, code="out-of-range", option="--segments", value=segments)
        for option, value in (
            ("--read-units", self.read_units),
            ("--kib-per-second", self.kib_per_second),
        ):
            if value is not None and not MIN_PER_SECOND <= value <= MAX_PER_SECOND:
                message = (
                    f"{option} must be {MIN_PER_SECOND:g} to {MAX_PER_SECOND:,.0f} per second "
                    f"(got {value:g})."
                )
                raise UsageError(message, code="out-of-range", option=option, value=value)


@dataclass(frozen=True)
class ScanPlan:
    """Estimate of a run, from DynamoDB's counts."""

    pipeline: str
    table: str
    lake_tables: list[str]
    """Empty for a pipeline with one lake table."""
    items: int
    bytes: int
    items_done: int
    """Items that earlier runs have read."""
    read_units: float
    """Read units of the remaining items."""
    read_units_per_second: float
    kib_per_second: float
    segments: int
    seconds: int

    @property
    def items_left(self) -> int:
        return max(0, self.items - self.items_done)

    def lines(self) -> list[str]:
        """Describe the plan for people."""
        segments = console.counted(self.segments, "segment")
        lines = [
            f"{self.table} has about {console.counted(self.items, 'item')}, "
            f"{self.bytes / 2**20:,.1f} MiB (DynamoDB updates these counts about every six hours).",
            f"Reading takes about {self.read_units:,.0f} read units in {segments}, with at most "
            f"{self.read_units_per_second:,.0f} units and {self.kib_per_second:,.0f} KiB to "
            f"Firehose per second: about {duration(self.seconds)}.",
        ]
        if self.lake_tables:
            lines.append(selection_line(self.lake_tables))
        if self.items_done:
            lines.append(f"Continuing after {self.items_done:,} items of earlier runs.")
        return lines


def selection_line(lake_tables: Sequence[str]) -> str:
    """Describe the lake tables of a plan for people."""
    return f"Lake tables to fill: {', '.join(lake_tables)}."


def copies(routes: Sequence[Route]) -> int:
    """Estimate how many lake tables have an item.

    Conditions usually exclude each other; a lake table without one has every item.
    """
    return max(1, sum(route.where is None for route in routes))


def duration(seconds: int) -> str:
    """Format a duration in seconds, minutes, or hours and minutes."""
    if seconds < 120:
        return f"{seconds} s"
    if seconds < 7200:
        return f"{ceil(seconds / 60)} min"
    return f"{seconds // 3600} h {seconds % 3600 // 60} min"


def scan_plan(
    pipeline: str,
    table: SourceTable,
    checkpoint: Checkpoint,
    options: ScanOptions,
    copies: int = 1,
) -> ScanPlan:
    """Estimate a run; copies: the lake tables that have an item.

    Raises CommandError for more read units than the table has.
    """
    units_per_second = read_budget(table, options.read_units)
    kib_per_second = options.kib_per_second or DEFAULT_KIB_PER_SECOND
    left = 1.0 if not table.items else max(0.0, 1 - checkpoint.items_read / table.items)
    units = left * table.size / BYTES_PER_UNIT
    kib = left * table.kib_of_changes * copies
    return ScanPlan(
        pipeline=pipeline,
        table=table.name,
        lake_tables=checkpoint.identity.lake_tables,
        items=table.items,
        bytes=table.size,
        items_done=checkpoint.items_read,
        read_units=round(units, 1),
        read_units_per_second=units_per_second,
        kib_per_second=kib_per_second,
        segments=len(checkpoint.segments),
        seconds=ceil(max(units / units_per_second, kib / kib_per_second)),
    )


def read_budget(table: SourceTable, requested: Optional[float]) -> float:
    """Return the read units per second.

    Raises CommandError for more than the table has.
    """
    maximum = table.read_units
    if requested is None:
        if maximum is None:
            return DEFAULT_READ_UNITS
        return max(MIN_PER_SECOND, maximum * PROVISIONED_SHARE)
    if maximum is not None and requested > maximum:
        limit = "provisioned read capacity" if table.provisioned else "on-demand maximum"
        raise CommandError(
            f"--read-units must be at most {maximum:g}, the {limit} of {table.name} "
            f"(got {requested:g}). Other readers need a part of it; use less, or raise it first.",
            code="read-units-exceed-table",
            table=table.name,
            read_units=requested,
            maximum=maximum,
            provisioned=table.provisioned,
        )
    return requested


@dataclass(frozen=True)
class ScanResult:
    """Result of a backfill, over all its runs."""

    pipeline: str
    table: str
    items: int
    """Items that Firehose has accepted; items read twice count twice."""
    lake_tables: dict[str, int]
    """Of these, the items of each lake table; empty for a pipeline with one."""
    unmatched: int
    """Items that none of the lake tables has."""
    read_units: float
    too_large: list[str]
    """Event ids of items that exceed a Firehose record."""
    checkpoint: str


class CancelledError(Exception):
    """Another thread failed, or the command is interrupted."""


class Cancellation:
    """Ends all threads of a scan, also those that wait."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def cancel(self) -> None:
        self._event.set()

    def check(self) -> None:
        if self._event.is_set():
            raise CancelledError

    def sleep(self, seconds: float) -> None:
        if self._event.wait(seconds):
            raise CancelledError


def backfill_by_scan(
    stack: str, pipeline: DeployedPipeline, clients: Callable[[str], Any], options: ScanOptions
) -> int:
    """Scan the pipeline's table and send its items; return the exit code.

    Raises CommandError before the first read when a precondition is not met.
    """
    routes = routes_to(pipeline, options.lake_tables)
    require_stream_reader(clients, pipeline)
    table = source_table(clients, pipeline)
    suffix = "" if getattr(clients, "endpoint", None) is None else "-embedded"
    # A renamed pipeline continues its scan.
    name = pipeline.oldest_name
    names = [route.name for route in routes] if pipeline.lake_tables else []
    file = f"{stack}-{name}{part_of_name(pipeline, names)}{suffix}.json"
    path = options.checkpoint or Path(".build", "backfill", file)
    identity = CheckpointIdentity(stack, name, table.arn, table.created, table.stream_arn, names)
    checkpoint = open_checkpoint(
        path, identity, options.segments, DEFAULT_SEGMENTS, restart=options.restart
    )
    plan = scan_plan(pipeline.name, table, checkpoint, options, copies(routes))
    if checkpoint.completed:
        console.show_progress(
            f"This backfill is done ({path}). To send all items again, add --restart."
        )
        return report(checkpoint, plan, options)
    show_plan(plan, plan.lines(), dry_run=options.dry_run, as_json=options.json)
    if options.dry_run:
        return 0
    checkpoint.save()
    cancellation = Cancellation()
    writer = routed_writer(
        clients("firehose"), routes, plan.kib_per_second, sleep=cancellation.sleep
    )
    scan = Scan(
        clients("dynamodb"),
        table,
        routes,
        writer,
        checkpoint,
        RateLimiter(plan.read_units_per_second, sleep=cancellation.sleep),
        units_per_page(plan.read_units_per_second, plan.segments),
        sleep=cancellation.sleep,
    )
    with console.progress("Reading", plan.items_left, unit="items") as advance:
        run(scan, checkpoint, cancellation, advance)
    # Raises if the stream is another one by now: its changes during the scan are not in the lake.
    complete(source_table(clients, pipeline), writer, checkpoint)
    return report(checkpoint, plan, options)


def part_of_name(pipeline: DeployedPipeline, lake_tables: Sequence[str]) -> str:
    """Return the lake tables' part of a checkpoint's file name.

    It is empty for all lake tables.

    The backfills of different lake tables are independent.
    """
    if len(lake_tables) in (0, len(pipeline.tables)):
        return ""
    names = "+".join(lake_tables)
    if len(names) > MAX_FILE_NAME:
        names = f"{len(lake_tables)}-{hashlib.sha256(names.encode()).hexdigest()[:8]}"
    return f".{names}"


def complete(table: SourceTable, writer: RoutedWriter, checkpoint: Checkpoint) -> None:
    """Send the marker after all pages, and note it in the checkpoint.

    It is for the lake tables of the backfill only: the others may lack items of this stream.
    """
    marker = change_line(marker_record(table.described_at_ms, table.stream_arn))
    writer.write([marker] * len(writer.lake_tables), writer.lake_tables)
    checkpoint.complete()


def run(
    scan: Scan, checkpoint: Checkpoint, cancellation: Cancellation, advance: console.Advance
) -> None:
    """Send all pages, with a thread per segment; raises the first error."""
    numbers = [number for number, each in enumerate(checkpoint.segments) if not each.done]
    if not numbers:
        return

    def send_segment(number: int) -> None:
        while not checkpoint.segments[number].done:
            cancellation.check()
            advance(scan.send_page(number))

    with ThreadPoolExecutor(len(numbers)) as pool:
        try:
            for ended in as_completed([pool.submit(send_segment, number) for number in numbers]):
                ended.result()
        except BaseException:
            # On Ctrl-C, too, pages in progress end first and are in the checkpoint.
            cancellation.cancel()
            raise


def show_plan(plan: Any, lines: list[str], *, dry_run: bool, as_json: bool) -> None:
    """Print the plan as a dry run's result or as progress."""
    if dry_run and as_json:
        console.show_json(asdict(plan))
        return
    for line in lines:
        click.echo(line, err=not dry_run)
    if dry_run:
        show_next_command("Start the backfill")


def report(checkpoint: Checkpoint, plan: ScanPlan, options: ScanOptions) -> int:
    """Print the result; return the exit code."""
    result = ScanResult(
        pipeline=plan.pipeline,
        table=plan.table,
        items=checkpoint.items,
        lake_tables={name: checkpoint.sent[name] for name in plan.lake_tables},
        unmatched=checkpoint.unmatched,
        read_units=round(checkpoint.read_units, 1),
        too_large=checkpoint.too_large,
        checkpoint=str(checkpoint.path),
    )
    if options.json:
        console.show_json(asdict(result))
    else:
        click.echo(
            f"{result.table}: Firehose accepted {console.counted(result.items, 'item')}, read with "
            f"{result.read_units:,.1f} read units."
        )
        show_lake_tables(result.lake_tables, result.unmatched)
        for event_id in result.too_large:
            click.echo(f"Too large for a Firehose record, not in the lake: {event_id}")
    return EXIT_PARTIAL if result.too_large else 0


def show_lake_tables(items: Mapping[str, int], unmatched: int) -> None:
    """Print the items of each lake table, if there are several."""
    for name, count in items.items():
        click.echo(f"Lake table {name}: {console.counted(count, 'item')}")
    if unmatched:
        excluded = console.counted(unmatched, "item")
        click.echo(f"Not sent, because `where` excludes them: {excluded}")
