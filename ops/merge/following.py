"""Merges of the days that a replay or backfill changed."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Optional
from zoneinfo import ZoneInfo

from botocore.exceptions import BotoCoreError, ClientError

from streaming_etl.ops.merge.lake_tables import MergedLakeTable, merged_lake_table
from streaming_etl.ops.merge.ranges import DEFAULT_MAX_GIB, GIB, MAX_RANGES, split
from streaming_etl.ops.merge.runs import run_name
from streaming_etl.ops.next_command import NextCommands
from streaming_etl.stack import console
from streaming_etl.stack.errors import CommandError
from streaming_etl.stack.outputs import DeployedPipeline

# For the transform's own time, its retries and requeued changes, and the upload to S3.
MARGIN_SECONDS = 300


@dataclass(frozen=True)
class FollowingMerge:
    """A merge that was started."""

    lake_table: str
    run: str
    first_day: date
    wait_seconds: int
    """Until it merges, so that Firehose has delivered the rows."""

    @property
    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "first_day": self.first_day.isoformat()}


class FollowingMerges:
    """Starts merges of the days of sent changes.

    With ingestion-time prefixes the rows arrive in the present day, which the schedule reads. With
    event-time prefixes they are below the days of their changes, and a query reads days before the
    window from the merged table only.

    kind: REPLAY or BACKFILL.
    """

    def __init__(
        self,
        pipeline: DeployedPipeline,
        clients: Callable[[str], Any],
        kind: str,
        *,
        commands: NextCommands,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._pipeline, self._clients = pipeline, clients
        self._kind, self._commands, self._now = kind, commands, now
        self._oldest: dict[str, float] = {}
        args = pipeline.args
        self.lake_tables = frozenset(
            key
            for key, table in pipeline.tables.items()
            if table.merge_state_machine_arn
            and args.tables[key].partitions.partition_time == "event"
        )
        """Lake tables whose times it needs."""

    def add(self, lake_table: str, changed_at: float) -> None:
        """Note the time of a change, in epoch seconds."""
        if lake_table in self.lake_tables:
            oldest = self._oldest.get(lake_table, changed_at)
            self._oldest[lake_table] = min(oldest, changed_at)

    def start(self, unless_since: Optional[datetime] = None) -> list[FollowingMerge]:
        """Start a merge of each lake table with older changes.

        It does not wait for their end. unless_since: start none if there is one since then.
        Raises CommandError if AWS rejects one.
        """
        started = []
        for key, changed_at in sorted(self._oldest.items()):
            table = merged_lake_table(self._pipeline, self._clients, self._pipeline.tables[key])
            time = datetime.fromtimestamp(changed_at, UTC)
            if time >= oldest_of_schedule(table, self._now()):
                continue
            first = time.astimezone(ZoneInfo(table.args.partitions.time_zone)).date()
            try:
                if unless_since is None or not self._has_started(table, first, unless_since):
                    started.append(self._start(table, first))
            except (BotoCoreError, ClientError) as error:
                raise self._not_started(table, first, _code(error)) from error
        return started

    def _has_started(self, table: MergedLakeTable, first: date, since: datetime) -> bool:
        return any(
            run.kind == self._kind
            and run.first is not None
            and run.first <= first
            and run.started >= since
            for run in table.runs.all()
        )

    def _start(self, table: MergedLakeTable, first: date) -> FollowingMerge:
        now = self._now()
        sizes = table.log.sizes(first)
        last = max([table.last_day(now), *sizes])
        ranges = split(sizes, first, last, DEFAULT_MAX_GIB * GIB)
        if len(ranges) > MAX_RANGES:
            raise self._not_started(table, first, "too many ranges")
        wait = wait_seconds(table)
        values = {"ranges": [each.as_input for each in ranges], "wait_seconds": wait}
        run = table.runs.start(run_name(self._kind, now, first), values, now)
        console.show_progress(
            f"{table.title}: {run.name} merges the days since {first}, after {wait} s in which "
            "Firehose delivers the rows. Until then the current state lacks those before the "
            f"window. See {self._command(table, '--status')}"
        )
        return FollowingMerge(table.key, run.name, first, wait)

    def _command(self, table: MergedLakeTable, *options: str) -> str:
        selected = table.key if self._pipeline.lake_tables else None
        return self._commands.own("merge", *options, lake_table=selected)

    def _not_started(self, table: MergedLakeTable, first: date, error: str) -> CommandError:
        return CommandError(
            f"{table.title}: the merge of the days since {first} is not started: {error}. In "
            f"{wait_seconds(table)} s, run {self._command(table, '--from', str(first))}",
            code="merge-not-started",
            lake_table=table.key,
            first=first,
            error=error,
        )


def _code(error: Exception) -> str:
    code = error.response["Error"].get("Code") if isinstance(error, ClientError) else None
    return code or type(error).__name__


def oldest_of_schedule(table: MergedLakeTable, now: datetime) -> datetime:
    """Return the oldest change whose row the schedule merges in time.

    Until the next success, which is late by `alarm_after_hours` at most, queries read the row from
    the window.
    """
    merge = table.args.merge
    late = timedelta(hours=merge.alarm_after_hours, minutes=2 * merge.interval_minutes)
    return now - timedelta(hours=merge.window_hours) + late


def wait_seconds(table: MergedLakeTable) -> int:
    """Return the seconds until Firehose has delivered a row."""
    return table.args.buffers.longest_wait + MARGIN_SECONDS
