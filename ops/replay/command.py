"""`streaming-etl replay`: options of the command."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

import click

from streaming_etl.ops.firehose_writer import (
    DEFAULT_KIB_PER_SECOND,
    routed_writer,
    routes_to,
)
from streaming_etl.ops.next_command import NextCommands, show_next_command
from streaming_etl.stack.console import counted, progress, show_json, show_progress
from streaming_etl.stack.errors import EXIT_PARTIAL, UsageError
from streaming_etl.stack.outputs import DeployedPipeline, DeployedStack, open_stack, stack_options

if TYPE_CHECKING:
    from streaming_etl.ops.replay.report import Report


def iso_time(text: str) -> datetime:
    """Parse an ISO 8601 time, in UTC unless it has an offset."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(
            f"must be a time (got {text!r}). Write 2026-11-23, 2026-11-23T09:30 (both UTC) or "
            "2026-11-23T18:30+09:00."
        ) from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class ReplayOptions:
    """What to replay, and how."""

    source: str = "all"
    lake_tables: Sequence[str] = ()
    since: Optional[datetime] = None
    until: Optional[datetime] = None
    errors: Sequence[str] = ()
    dry_run: bool = False
    show_keys: bool = False
    kib_per_second: float = DEFAULT_KIB_PER_SECOND

    def check(self) -> None:
        """Raise UsageError for an empty time range."""
        if self.since and self.until and self.since >= self.until:
            raise UsageError(
                f"--since must be before --until (got {self.since} and {self.until}).",
                code="since-not-before-until",
                since=self.since,
                until=self.until,
            )


@click.command(short_help="Send dead-lettered changes again.")
@click.argument("pipeline")
@stack_options
@click.option(
    "--from",
    "source",
    type=click.Choice(["failed-batches", "errors", "all"]),
    default="all",
    show_default=True,
    help="The forwarder's failed batches, Firehose's error records, or both.",
)
@click.option(
    "--lake-table",
    "lake_tables",
    multiple=True,
    metavar="NAME",
    help="Only error records of this lake table, and failed batches to no other; repeat the option "
    "for several.",
)
@click.option("--since", type=iso_time, metavar="TIME", help="Only objects written from then on.")
@click.option("--until", type=iso_time, metavar="TIME", help="Only objects written before then.")
@click.option(
    "--error",
    "errors",
    multiple=True,
    metavar="CODE",
    help="Only entries with this error code; repeat the option for several codes.",
)
@click.option("--dry-run", is_flag=True, help="Show what would be replayed; change nothing.")
@click.option(
    "--show-keys", is_flag=True, help="List the keys of items, too; their hashes otherwise."
)
@click.option(
    "--kib-per-second",
    type=click.FloatRange(min=1),
    default=DEFAULT_KIB_PER_SECOND,
    show_default=True,
    help="Rate limit; the pipeline's own changes share its delivery streams.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def replay(
    pipeline: str,
    stack: str,
    outputs: Optional[Path],
    endpoint_url: Optional[str],
    as_json: bool,
    **options: Any,
) -> int:
    """Send the dead-lettered changes of PIPELINE again.

    The changes go through delivery stream and transform again; remove the cause of the failure
    first. Error records go to their lake table, failed batches to those whose `where` matches. An
    object whose changes Firehose has all accepted is moved below replayed/ in the bucket. After an
    interruption the same command continues. A change that is sent twice counts once in the current
    state.

    \b
    Show errors, days and changes, and change nothing:
      streaming-etl replay orders --stack prod --dry-run
    Replay all of them:
      streaming-etl replay orders --stack prod
    Replay what the transform failed on since this morning, slowly:
      streaming-etl replay orders --stack prod --from errors --since 2026-11-23T09:00+09:00 \\
        --error Lambda.ProcessingFailedStatus --kib-per-second 64
    Replay to one of several lake tables:
      streaming-etl replay shop --stack prod --lake-table orders

    Exit code 3: some entries cannot be replayed; the result lists them with the reason.
    """
    chosen = ReplayOptions(**options)
    chosen.check()
    deployed = open_stack(stack, outputs, endpoint_url)
    target = deployed.pipeline(pipeline)
    # Imports Pulumi, which `--help` does not need.
    from streaming_etl.ops.replay.report import SHOWN_CHANGES, Report, TransformTest, render

    report = Report(
        target.name,
        chosen.dry_run,
        transform_test=TransformTest(target.bucket, target.name, stack, endpoint_url),
        show_keys=chosen.show_keys,
        lake_tables=[*target.select(chosen.lake_tables)] if target.lake_tables else [],
        most_listed=float("inf") if as_json else SHOWN_CHANGES if chosen.dry_run else 0,
    )
    replay_pipeline(target, deployed.clients(target), chosen, report, stack=deployed)
    if as_json:
        show_json(report.as_json())
    else:
        render(report)
        if chosen.dry_run and report.objects_replayed:
            show_next_command("Replay them")
    return EXIT_PARTIAL if report.problems else 0


def replay_pipeline(
    pipeline: DeployedPipeline,
    clients: Callable[[str], Any],
    options: ReplayOptions,
    report: "Report",
    *,
    stack: DeployedStack,
) -> None:
    """Replay what the options select; a dry run only reports it.

    With event-time prefixes it starts a merge of days before the window. stack: for commands.
    """
    # These import Pulumi, which `--help` does not need.
    from streaming_etl.ops.merge.following import FollowingMerges
    from streaming_etl.ops.merge.runs import REPLAY
    from streaming_etl.ops.replay.entries import EventFilter
    from streaming_etl.ops.replay.lost_changes import ChangeRecovery
    from streaming_etl.ops.replay.objects import FailureObjects
    from streaming_etl.ops.replay.places import places_of
    from streaming_etl.ops.replay.run import Replay

    forwarder = pipeline.args.forwarder
    objects = FailureObjects(clients("s3"), pipeline.bucket)
    found = []
    for place in places_of(pipeline, options.source, options.lake_tables):
        matches = [*objects.below(place.location, options.since, options.until)]
        matches.sort(key=lambda each: (each.written, each.key))
        found.append((place, matches))
    routes, writer = routes_to(pipeline), None
    if not options.dry_run:
        writer = routed_writer(clients("firehose"), routes, options.kib_per_second, replayed=True)
    size = sum(each.size for _, matches in found for each in matches)
    count = sum(len(matches) for _, matches in found)
    show_progress(f"{counted(count, 'object')}, {counted(size, 'byte')}.")
    merges = FollowingMerges(pipeline, clients, REPLAY, commands=NextCommands(stack, pipeline.name))
    try:
        with progress("Reading" if options.dry_run else "Replaying", size) as advance:
            for place, matches in found:
                Replay(
                    objects,
                    ChangeRecovery(
                        clients,
                        pipeline.source_stream_arn,
                        pipeline.source_table,
                        forwarder.old_image,
                        where=place.where,
                    ),
                    place.identity,
                    EventFilter(
                        forwarder.event_names,
                        forwarder.old_image,
                        place.routes,
                        forwarder.unmatched == "fail",
                        routes,
                    ),
                    options.errors,
                    writer,
                    report,
                    lake_table=place.lake_table,
                    only=options.lake_tables,
                    merges=merges,
                ).run(matches, advance)
    finally:
        # Also after an interruption: the next run sends the rest only.
        if writer is not None and merges.lake_tables:
            report.merges = merges.start()
