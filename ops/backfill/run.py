"""The backfill of a small table: the scan's plan, its threads, and what came of it."""

import threading
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from streaming_etl.components.settings.stages import ForwarderArgs
from streaming_etl.handlers.wire.change_line import MAX_RECORD_BYTES
from streaming_etl.ops.backfill.checkpoint import Checkpoint, Subject, open_checkpoint
from streaming_etl.ops.backfill.pace import Pace
from streaming_etl.ops.backfill.plan import DEFAULT_SEGMENTS, Options, Plan, plan_of
from streaming_etl.ops.backfill.scan import Scan, units_per_page
from streaming_etl.ops.backfill.table import SourceTable, require_reading, source_table
from streaming_etl.ops.firehose_writer import Feed
from streaming_etl.stack import console as screen
from streaming_etl.stack.errors import EXIT_PARTIAL
from streaming_etl.stack.outputs import ROOT, Pipeline, Stack


@dataclass(frozen=True)
class Result:
    """What came of a backfill, over all its runs."""

    pipeline: str
    table: str
    items: int
    """Items that Firehose has accepted, those that were read twice counted twice."""
    read_units: float
    too_large: list[str]
    """The event ids of items that fit into no Firehose record."""
    checkpoint: str


class StoppedError(Exception):
    """Another thread has met an error, or a person Ctrl-C; this one ends between two pages."""


class Stop:
    """Ends all threads of a scan, those that wait too."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        self._event.set()

    def check(self) -> None:
        if self._event.is_set():
            raise StoppedError

    def sleep(self, seconds: float) -> None:
        if self._event.wait(seconds):
            raise StoppedError


def backfill_by_scan(stack: Stack, name: str, options: Options) -> int:
    """Scan the pipeline's table and feed its items; the command's exit code.

    Raises CommandError before anything is read when something would be amiss.
    """
    pipeline = stack.pipeline(name)
    require_reading(stack.clients, pipeline)
    table = source_table(stack.clients, pipeline)
    path = options.checkpoint or default_path(stack, pipeline)
    subject = Subject(stack.config.stack, name, table.arn, table.created, table.stream_arn)
    checkpoint = open_checkpoint(
        path, subject, options.segments, DEFAULT_SEGMENTS, restart=options.restart
    )
    plan = plan_of(name, table, checkpoint, options)
    if checkpoint.done:
        screen.say(f"This backfill is done ({path}). To take all items again, add --restart.")
        return report(checkpoint, plan, options)
    show_plan(plan, options)
    if options.dry_run:
        return 0
    checkpoint.save()
    stop = Stop()
    scan = scan_of(stack, pipeline, table, checkpoint, plan, stop)
    with screen.progress("Reading", plan.items_left, unit="items") as advance:
        run(scan, checkpoint, stop, advance)
    return report(checkpoint, plan, options)


def default_path(stack: Stack, pipeline: Pipeline) -> Path:
    """Beside what else is built here; never committed."""
    where = "" if stack.clients.endpoint is None else "-embedded"
    return ROOT / ".build" / "backfill" / f"{stack.config.stack}-{pipeline.name}{where}.json"


def scan_of(
    stack: Stack,
    pipeline: Pipeline,
    table: SourceTable,
    checkpoint: Checkpoint,
    plan: Plan,
    stop: Stop,
) -> Scan:
    """The scan, feeding records packed as the pipeline's own forwarder packs them."""
    settings = stack.config.pipelines.get(pipeline.name)
    # A program of one's own may hold its settings elsewhere than in the stack's config.
    packing = ForwarderArgs() if settings is None else settings.forwarder
    feed = Feed(
        stack.clients("firehose"),
        pipeline.delivery_stream,
        max_changes=packing.max_changes_per_record,
        max_bytes=min(packing.max_record_kib * 1024, MAX_RECORD_BYTES),
        kib_per_second=plan.kib_per_second,
        sleep=stop.sleep,
    )
    pace = Pace(plan.read_units_per_second, sleep=stop.sleep)
    units = units_per_page(plan.read_units_per_second, plan.segments)
    client = stack.clients("dynamodb")
    return Scan(client, table, feed, checkpoint, pace, units, sleep=stop.sleep)


def run(scan: Scan, checkpoint: Checkpoint, stop: Stop, advance: screen.Advance) -> None:
    """Pass all pages, a thread for each segment; raises the first error, once all have ended."""
    numbers = [number for number, each in enumerate(checkpoint.segments) if not each.done]

    def pass_segment(number: int) -> None:
        while not checkpoint.segments[number].done:
            stop.check()
            advance(scan.pass_page(number))

    with ThreadPoolExecutor(len(numbers)) as pool:
        try:
            for ended in as_completed([pool.submit(pass_segment, number) for number in numbers]):
                ended.result()
        except BaseException:
            # Ctrl-C among them: the pages under way end first, and are in the checkpoint.
            stop.set()
            raise


def show_plan(plan: Plan, options: Options) -> None:
    """What is going to happen: the result of a dry run, else a word before it begins."""
    if options.dry_run and options.json:
        screen.show_json(asdict(plan))
        return
    for line in plan.lines():
        click.echo(line, err=not options.dry_run)


def report(checkpoint: Checkpoint, plan: Plan, options: Options) -> int:
    """Show what came of it, over all its runs; the exit code."""
    result = Result(
        pipeline=plan.pipeline,
        table=plan.table,
        items=checkpoint.items,
        read_units=round(checkpoint.read_units, 1),
        too_large=checkpoint.too_large,
        checkpoint=str(checkpoint.path),
    )
    if options.json:
        screen.show_json(asdict(result))
    else:
        click.echo(
            f"{result.table}: {result.items:,} items are on their way through Firehose, read with "
            f"{result.read_units:,.1f} read units."
        )
        for event_id in result.too_large:
            click.echo(f"Too large for a Firehose record, and not in the lake: {event_id}")
    return EXIT_PARTIAL if result.too_large else 0
