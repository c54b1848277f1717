"""Plan of a merge: new ranges, or those that failed."""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, Optional

from streaming_etl.ops.merge.lake_tables import MergedLakeTable
from streaming_etl.ops.merge.ranges import DEFAULT_MAX_GIB, GIB, MAX_RANGES, DayRange, split
from streaming_etl.ops.merge.runs import FAILED, FROM, REBUILD, RUN, Run, run_name
from streaming_etl.stack.errors import CommandError, UsageError

# All ranges must be merged before the tombstones of the first one expire, which is after 40 days
# at least. See components/table/merge.py.
CONTINUE_DAYS = 7


@dataclass(frozen=True, kw_only=True)
class MergeOptions:
    """Command-line options."""

    first: Optional[date] = None
    """Merge the days from then on, too."""
    rebuild: bool = False
    optimize: bool = False
    start_over: bool = False
    max_gib: float = DEFAULT_MAX_GIB
    dry_run: bool = False

    def check(self) -> None:
        """Raise UsageError for options that exclude each other."""
        if self.rebuild and self.first is not None:
            message = "--from must be omitted with --rebuild, which merges all days."
            raise UsageError(message, code="from-with-rebuild")
        if self.start_over and not self.rebuild and self.first is None:
            message = "--start-over must be used with --rebuild or --from. Add one, or omit it."
            raise UsageError(message, code="start-over-without-ranges")

    @property
    def kind(self) -> str:
        return REBUILD if self.rebuild else FROM if self.first else RUN


@dataclass(frozen=True)
class MergePlan:
    """What to run on one lake table."""

    table: MergedLakeTable
    ranges: list[DayRange]
    """The newest one first; empty for the window alone."""
    name: str
    """Of the execution to start."""
    optimize: bool = False
    begun: Optional[datetime] = None
    """Start of the first of the runs that this one continues."""
    continued: Optional[Run] = None
    """The failed run that this one continues."""
    running: Optional[Run] = None
    """A run of the same command; it is watched instead of a new one."""
    early_begin: bool = False
    """Whether it begins before the requested day, with the first day of the change log."""

    @property
    def run_input(self) -> dict[str, Any]:
        """The input of the execution; its state machine ignores `begun`."""
        values: dict[str, Any] = {}
        if self.ranges:
            values["ranges"] = [each.as_input for each in self.ranges]
        if self.optimize:
            values["optimize"] = True
        if self.begun:
            values["begun"] = self.begun.isoformat()
        return values


def plan_of(table: MergedLakeTable, options: MergeOptions, now: datetime) -> MergePlan:
    """Return what a command runs; raises CommandError.

    A run of the same command in progress is watched, and a failed one is continued.
    """
    latest = _latest(table, options)
    running = latest if latest is not None and latest.status == "RUNNING" else None
    if running is not None and options.start_over and not options.dry_run:
        message = (
            f"{table.title}: {running.name} is running. Watch it without --start-over, or stop it "
            f"first: {running.stop_command}"
        )
        raise CommandError(message, code="merge-in-progress", run=running.name)
    if running is not None:
        ranges = table.runs.details(running).ranges
        return MergePlan(table, ranges, running.name, running=running)
    if options.kind == RUN:
        return MergePlan(table, [], run_name(RUN, now), optimize=options.optimize)
    plan = None
    if latest is not None and latest.status in FAILED and not options.start_over:
        plan = _continued(table, latest, options, now)
    if plan is None:
        plan = _new(table, options, now)
    if len(plan.ranges) > MAX_RANGES:
        raise CommandError(
            f"{table.title}: a run must have at most {MAX_RANGES} ranges (got "
            f"{len(plan.ranges)}). Use a larger --max-gib.",
            code="too-many-ranges",
            lake_table=table.key,
            ranges=len(plan.ranges),
            most=MAX_RANGES,
        )
    return plan


def _latest(table: MergedLakeTable, options: MergeOptions) -> Optional[Run]:
    """Return the latest run of the same command."""
    return next(
        (
            run
            for run in table.runs.all()
            if run.kind == options.kind and run.first == options.first
        ),
        None,
    )


def _new(table: MergedLakeTable, options: MergeOptions, now: datetime) -> MergePlan:
    first, early = options.first, False
    least = table.earliest_begin(now)
    if first is not None and least is not None and first < least:
        first, early = None, True
    sizes = table.log.sizes(first)
    begin = first or min(sizes, default=options.first)
    ranges = []
    if begin is not None:
        last = max([table.last_day(now), *sizes])
        ranges = split(sizes, min(begin, last), last, options.max_gib * GIB)
    return MergePlan(
        table,
        ranges,
        run_name(options.kind, now, options.first),
        optimize=options.optimize,
        begun=now,
        early_begin=early,
    )


def _continued(
    table: MergedLakeTable, failed: Run, options: MergeOptions, now: datetime
) -> Optional[MergePlan]:
    """Return the remainder of a failed run; None to start over."""
    details = table.runs.details(failed)
    begun = datetime.fromisoformat(details.input.get("begun") or failed.started.isoformat())
    done = table.runs.ranges_done(failed, details.ranges)
    if done == 0 or now - begun > timedelta(days=CONTINUE_DAYS):
        return None
    left = details.ranges[done:]
    ranges = []
    if left:
        # Split again, because --max-gib may be smaller after a failure.
        first, last = left[-1].first, left[0].last
        ranges = split(table.log.sizes(first), first, last, options.max_gib * GIB)
    plan = MergePlan(table, ranges, run_name(options.kind, now, options.first), begun=begun)
    optimize = options.optimize or details.input.get("optimize") is True
    return replace(plan, optimize=optimize, continued=failed)
