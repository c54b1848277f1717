"""`streaming-etl replay`: what it takes, and how it tells what it did."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

import click

from streaming_etl.ops.firehose_writer import DEFAULT_KIB_PER_SECOND, Feed
from streaming_etl.stack.console import progress, say, show_json, show_table
from streaming_etl.stack.errors import EXIT_PARTIAL, CommandError
from streaming_etl.stack.outputs import Pipeline, Stack, open_stack, stack_options

if TYPE_CHECKING:
    from streaming_etl.components.settings.pipeline import StreamingEtlPipelineArgs
    from streaming_etl.ops.replay.objects import Found
    from streaming_etl.ops.replay.report import Report

SHOWN_PROBLEMS = 20


class Moment(click.ParamType["datetime"]):
    """A time in ISO form, UTC where it names no zone."""

    name = "time"

    def convert(self, value: Any, param: Any, ctx: Any) -> datetime:
        if isinstance(value, datetime):
            return value
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.fail(
                f"{value!r} is no time; write 2026-11-23, 2026-11-23T09:30 (both UTC) or "
                "2026-11-23T18:30+09:00.",
                param,
                ctx,
            )
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Asked:
    """What is to be put back, and how."""

    source: str
    since: Optional[datetime]
    until: Optional[datetime]
    errors: Sequence[str]
    dry_run: bool
    kib_per_second: float


@click.command(short_help="Put back the changes that were set aside.")
@click.argument("pipeline")
@stack_options
@click.option(
    "--from",
    "source",
    type=click.Choice(["failed-batches", "errors", "all"]),
    default="all",
    show_default=True,
    help="What the forwarder gave up, what the transform or Firehose refused, or both.",
)
@click.option("--since", type=Moment(), help="Only objects written from this time on ...")
@click.option("--until", type=Moment(), help="... and before this one.")
@click.option(
    "--error",
    "errors",
    multiple=True,
    metavar="CODE",
    help="Only what was set aside for this reason; may be given several times.",
)
@click.option("--dry-run", is_flag=True, help="Show what there is, and change nothing.")
@click.option(
    "--kib-per-second",
    type=click.FloatRange(min=1),
    default=DEFAULT_KIB_PER_SECOND,
    show_default=True,
    help="Put back no faster; the pipeline's own changes go through the same stream.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def replay(
    pipeline: str,
    stack: str,
    outputs: Optional[Path],
    endpoint_url: Optional[str],
    as_json: bool,
    **asked: Any,
) -> int:
    """Put back the changes that PIPELINE set aside.

    They go through its delivery stream and its transform once more; mend first what refused them.
    An object all of whose changes Firehose has accepted is moved below replayed/ in the bucket.
    Stop it at any time: the same command goes on. A change that is put back twice counts once in
    the current state.

    \b
    What is there, by error and by day, changing nothing:
      streaming-etl replay orders --stack prod --dry-run
    Put back all of it:
      streaming-etl replay orders --stack prod
    What the transform refused since this morning, slowly:
      streaming-etl replay orders --stack prod --from errors --since 2026-11-23T09:00+09:00 \\
        --error Lambda.ProcessingFailedStatus --kib-per-second 64

    Exit code 3: something cannot be put back and stays where it is; the result says what and why.
    """
    chosen = Asked(**asked)
    if chosen.since and chosen.until and chosen.since >= chosen.until:
        raise click.UsageError(f"--since {chosen.since} is not before --until {chosen.until}.")
    report = _replay(open_stack(stack, outputs, endpoint_url), pipeline, chosen)
    if as_json:
        show_json(report.as_json())
    else:
        _show(report)
    return EXIT_PARTIAL if report.problems else 0


def _replay(stack: Stack, name: str, asked: Asked) -> "Report":
    # Not above: they load Pulumi, for which `--help` need not wait.
    from streaming_etl.ops.replay.entries import Wanted
    from streaming_etl.ops.replay.lost_changes import Origins
    from streaming_etl.ops.replay.objects import Objects
    from streaming_etl.ops.replay.report import Report
    from streaming_etl.ops.replay.run import Replay

    pipeline, settings = stack.pipeline(name), _settings(stack, name)
    forwarder = settings.forwarder
    objects = Objects(stack.clients("s3"), pipeline.bucket)
    found = [
        one
        for location in _locations(pipeline, settings, asked.source)
        for one in objects.below(location, asked.since, asked.until)
    ]
    found.sort(key=lambda one: (one.written, one.key))
    feed = Feed(
        stack.clients("firehose"),
        pipeline.delivery_stream,
        max_changes=forwarder.max_changes_per_record,
        max_bytes=forwarder.max_record_kib * 1024,
        kib_per_second=asked.kib_per_second,
    )
    replay = Replay(
        objects,
        Origins(
            stack.clients, pipeline.source_stream_arn, pipeline.source_table, forwarder.old_image
        ),
        Wanted(forwarder.event_names, forwarder.old_image),
        asked.errors,
        None if asked.dry_run else feed,
        Report(name, asked.dry_run),
    )
    size = sum(one.size for one in found)
    say(f"{len(found):,} objects, {size:,} bytes{_span(found)}.")
    with progress("Reading" if asked.dry_run else "Putting back", size) as advance:
        return replay.run(found, advance)


def _settings(stack: Stack, name: str) -> "StreamingEtlPipelineArgs":
    configured = stack.config.pipelines
    if name not in configured:
        raise CommandError(
            f"Pulumi.{stack.config.stack}.yaml has no table {name}, though the stack has the "
            "pipeline: use the file that the stack was last updated with."
        )
    return configured[name]


def _locations(
    pipeline: Pipeline, settings: "StreamingEtlPipelineArgs", source: str
) -> Sequence[str]:
    from streaming_etl.components.table.lake_table import FAILED_BATCHES_PREFIX

    failed_batches = pipeline.failed_batches_location
    if settings.lake.bucket_name is None:
        # A bucket of its own: those of mappings that an update replaced are there as well.
        failed_batches = f"s3://{pipeline.bucket}/{FAILED_BATCHES_PREFIX}"
    locations = {"failed-batches": failed_batches, "errors": pipeline.errors_location}
    return [*locations.values()] if source == "all" else [locations[source]]


def _span(found: Sequence["Found"]) -> str:
    if not found:
        return ""
    first, last = (f"{one.written:%Y-%m-%d %H:%M}" for one in (found[0], found[-1]))
    return f" from {first} to {last} UTC" if first != last else f" at {first} UTC"


def _show(report: "Report") -> None:
    if report.objects:
        days = sorted(report.by_day.items())
        show_table("Objects by the day on which they were written", ["Day (UTC)", "Objects"], days)
        codes = sorted(report.by_error.items())
        show_table("\nWhat they hold by its reason", ["Error", "Entries"], codes)
    if report.problems:
        rows = [(one.key, one.place, one.reason) for one in report.problems[:SHOWN_PROBLEMS]]
        show_table("\nLeft where it is", ["Object", "Entry", "Reason"], rows)
        if more := len(report.problems) - len(rows):
            click.echo(f"... and {more:,} more; --json names all.")
    did, moved = ("would be", "would be") if report.dry_run else ("are", "are")
    click.echo(
        f"\n{report.changes:,} changes {did} put back, and {report.objects_done:,} of "
        f"{report.objects:,} objects {moved} moved below replayed/."
    )
    if rows_of := report.from_stream + report.from_table + report.removed_since:
        click.echo(
            f"Of {rows_of:,} changes only rows were left: {report.from_stream:,} were on the "
            f"stream still, {report.from_table:,} take their item from the table as it is now, "
            f"{report.removed_since:,} belong to items that have been removed since."
        )
    if report.problems:
        click.echo(f"{len(report.problems):,} cannot be put back; docs/replay.md tells what to do.")
