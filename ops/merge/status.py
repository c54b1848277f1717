"""Status of merges: runs, change log, and what to do next."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Optional

import click

from streaming_etl.ops.merge.lake_tables import MergedLakeTable
from streaming_etl.ops.merge.ranges import DayRange
from streaming_etl.ops.merge.runs import FAILED, REBUILD, Run
from streaming_etl.stack import console

# Step Functions keeps an execution for so long.
# https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
EXECUTION_DAYS = 90

NEXT_STEPS = {
    "first-run": "No run has succeeded yet: run `{command}`, or wait {interval} minutes.",
    "continue-rebuild": "{run} failed ({error}): remove the cause, then continue it "
    "with `{command} --rebuild`.",
    "merge-days": "{run} failed ({error}), and no later run has merged its days: remove the cause, "
    "then run `{command} --from {first}`.",
    "remove-cause": "{run} failed ({error}): remove the cause, then run `{command}`.",
    "check-schedule": "No run has succeeded for more than {hours} hours: check that the schedule "
    "is enabled, then run `{command}`.",
    "rebuild": "The change log has rows of {first} that no run has merged: run "
    "`{command} --rebuild`.",
    "switch-view": "Set `query.current_state_source: merged`, or remove it, and run `pulumi up`.",
}


OPTIONAL_STEPS = ("first-run", "switch-view")
"""Steps that repair nothing."""


@dataclass(frozen=True)
class Progress:
    """A run that has not ended."""

    run: Run
    ranges_done: int
    ranges: list[DayRange]

    @property
    def current(self) -> Optional[DayRange]:
        """The range that it merges; None before and after all ranges."""
        left = self.ranges[self.ranges_done :]
        return left[0] if left else None


@dataclass(frozen=True)
class Failure:
    """A run that failed."""

    run: Run
    error: str
    """Without content; the run's status if there is no error."""


@dataclass(frozen=True)
class NextStep:
    """Something to do."""

    code: str
    """A key of NEXT_STEPS."""
    text: str


@dataclass(frozen=True)
class MergeStatus:
    """Status of one lake table."""

    table: MergedLakeTable
    now: datetime
    last_success: Optional[Run]
    failed_since: int
    """Runs that failed after the last successful one."""
    last_failure: Optional[Failure]
    """The latest of these."""
    running: list[Progress]
    first_day: Optional[date]
    """Oldest day in the change log."""
    last_day: Optional[date]
    next_step: Optional[NextStep]

    @property
    def age(self) -> Optional[timedelta]:
        """Time since the start of the last successful run."""
        return None if self.last_success is None else self.now - self.last_success.started

    @property
    def needs_attention(self) -> bool:
        return self.next_step is not None and self.next_step.code not in OPTIONAL_STEPS

    @property
    def as_json(self) -> dict[str, Any]:
        failure, success, age = self.last_failure, self.last_success, self.age
        return {
            "last_success": success and success.started.isoformat(),
            "last_success_age_seconds": None if age is None else int(age.total_seconds()),
            "failed_since": self.failed_since,
            "last_failure": failure and {"run": failure.run.name, "error": failure.error},
            "running": [
                {
                    "run": each.run.name,
                    "ranges": len(each.ranges),
                    "ranges_done": each.ranges_done,
                    "range": each.current and each.current.as_input,
                }
                for each in self.running
            ],
            "window_hours": self.table.args.merge.window_hours,
            "current_state_source": self.table.args.current_state_source
            if self.table.args.query.current_state
            else None,
            "first_day": self.first_day and self.first_day.isoformat(),
            "last_day": self.last_day and self.last_day.isoformat(),
            "next_step": self.next_step and self.next_step.code,
        }


def status_of(table: MergedLakeTable, command: str, now: datetime) -> MergeStatus:
    """Read the status of a lake table; command: for the next step."""
    runs = table.runs.all()
    success = next((run for run in runs if run.status == "SUCCEEDED"), None)
    failed = [
        run
        for run in runs
        if run.status in FAILED and (success is None or run.started > success.started)
    ]
    failure = _failure(table, failed[0]) if failed else None
    running = [_progress(table, run) for run in runs if run.status == "RUNNING"]
    limits = table.log.limits()
    step = None
    if not running:
        step = _next_step(table, runs, success, failure, limits and limits[0], command, now)
    return MergeStatus(
        table=table,
        now=now,
        last_success=success,
        failed_since=len(failed),
        last_failure=failure,
        running=running,
        first_day=limits and limits[0],
        last_day=limits and limits[1],
        next_step=step,
    )


def _failure(table: MergedLakeTable, run: Run) -> Failure:
    return Failure(run, table.runs.details(run).error or run.status)


def _progress(table: MergedLakeTable, run: Run) -> Progress:
    ranges = table.runs.details(run).ranges
    return Progress(run, table.runs.ranges_done(run, ranges), ranges)


def _next_step(
    table: MergedLakeTable,
    runs: list[Run],
    success: Optional[Run],
    failure: Optional[Failure],
    first: Optional[date],
    command: str,
    now: datetime,
) -> Optional[NextStep]:
    merge = table.args.merge

    def step(code: str, **values: Any) -> NextStep:
        return NextStep(code, NEXT_STEPS[code].format(command=command, **values))

    if left := _unfinished(runs):
        code = "continue-rebuild" if left.kind == REBUILD else "merge-days"
        error = _failure(table, left).error
        return step(code, run=left.name, error=error, first=left.first)
    if failure is not None:
        return step("remove-cause", run=failure.run.name, error=failure.error)
    if success is None:
        return step("first-run", interval=merge.interval_minutes)
    if now - success.started > timedelta(hours=merge.alarm_after_hours):
        return step("check-schedule", hours=merge.alarm_after_hours)
    if first is not None and not _is_merged(table, runs, first, now):
        return step("rebuild", first=first)
    return step("switch-view") if table.can_switch else None


def _unfinished(runs: list[Run]) -> Optional[Run]:
    """Return the failed run with the oldest unmerged days."""
    left = [
        run
        for run in runs
        if run.status in FAILED
        and (run.kind == REBUILD or run.first is not None)
        and not any(_covers(other, run) for other in runs)
    ]
    return min(left, key=lambda run: run.first or date.min, default=None)


def _covers(other: Run, run: Run) -> bool:
    """Report whether `other` is later and merges the days of `run`."""
    if other.started <= run.started or other.status in FAILED:
        return False
    if other.kind == REBUILD:
        return True
    return run.first is not None and other.first is not None and other.first <= run.first


def _is_merged(table: MergedLakeTable, runs: list[Run], first: date, now: datetime) -> bool:
    """Report whether all days were merged, as far as known."""
    created = table.runs.created()
    if now - created > timedelta(days=EXECUTION_DAYS):
        return True
    # The first run merges the window before the creation.
    since = created - timedelta(hours=table.args.merge.window_hours)
    return first >= table.today(since) or any(
        run.status == "SUCCEEDED"
        and (run.kind == REBUILD or (run.first is not None and run.first <= first))
        for run in runs
    )


def show_status(status: MergeStatus) -> None:
    """Print the status for people."""
    args = status.table.args
    success, age = status.last_success, status.age
    last = (
        "none" if success is None or age is None else f"{_time(success.started)}, {_age(age)} ago"
    )
    rows = [("Last successful run", last), ("Failed runs since", f"{status.failed_since:,}")]
    if status.last_failure is not None:
        failure = status.last_failure
        rows.append(("Last failure", f"{failure.run.name}: {failure.error}"))
    for each in status.running:
        text = each.run.name
        if each.ranges:
            text += f", {each.ranges_done:,} of {console.counted(len(each.ranges), 'range')} merged"
        if each.current is not None:
            text += f", now {each.current.first} to {each.current.last}"
        rows.append(("In progress", text))
    source = args.current_state_source if args.query.current_state else "no current state"
    days = "empty" if status.first_day is None else f"{status.first_day} to {status.last_day}"
    rows += [
        ("Window", f"{args.merge.window_hours} hours"),
        ("Current state reads", source),
        ("Change log", days),
    ]
    click.echo(status.table.title)
    for name, value in rows:
        click.echo(f"  {name + ':':<22}{console.printable(value)}")
    if status.next_step is not None:
        click.echo(f"  {'Next step:':<22}{console.printable(status.next_step.text)}")


def _time(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M} {time.tzname()}"


def _age(age: timedelta) -> str:
    minutes = int(age.total_seconds() // 60)
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min" if minutes < 2880 else f"{minutes // 1440} days"
