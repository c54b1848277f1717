"""Executions of a merge's state machine."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Optional

from streaming_etl.ops.executions import start_execution, stop_command
from streaming_etl.ops.merge.ranges import DayRange

# The state that merges the ranges, in components/stages/merge_state_machine.py.
RANGES_STATE = "Ranges"
# One range has less events, also with all attempts.
# https://docs.aws.amazon.com/step-functions/latest/apireference/API_GetExecutionHistory.html
LAST_EVENTS = 1000

RUN, FROM, REBUILD, REPLAY, BACKFILL = "run", "from", "rebuild", "replay", "backfill"
NAME = re.compile(r"(?P<kind>[a-z]+)(-(?P<first>\d{4}-\d\d-\d\d))?-\d{8}T\d{6}Z")
FAILED = ("FAILED", "TIMED_OUT", "ABORTED")
# Beginning of Athena's reason, without what follows: that may quote a value.
REASON = re.compile(r"[A-Z][A-Z0-9_]+")


@dataclass(frozen=True)
class Run:
    """An execution of the state machine."""

    arn: str
    name: str
    status: str
    """RUNNING, SUCCEEDED, FAILED, TIMED_OUT or ABORTED."""
    started: datetime

    @property
    def kind(self) -> str:
        """RUN, FROM, REBUILD, REPLAY, BACKFILL, or "" for the schedule."""
        match = NAME.fullmatch(self.name)
        return match["kind"] if match else ""

    @property
    def first(self) -> Optional[date]:
        """The first day in its name, if any."""
        match = NAME.fullmatch(self.name)
        return date.fromisoformat(match["first"]) if match and match["first"] else None

    @property
    def stop_command(self) -> str:
        return stop_command(self.arn)


@dataclass(frozen=True)
class RunDetails:
    """Input and failure of an execution."""

    status: str
    input: Mapping[str, Any]
    error: Optional[str]
    """Step Functions' error and the code of Athena's, without content."""

    @property
    def ranges(self) -> list[DayRange]:
        return [DayRange.from_input(each) for each in self.input.get("ranges", [])]


def run_name(kind: str, now: datetime, first: Optional[date] = None) -> str:
    """Return the name of an execution.

    It contains what the command continues. first: the first day of its ranges, except for a
    rebuild.
    """
    day = "" if first is None else f"-{first.isoformat()}"
    return f"{kind}{day}-{now.astimezone(UTC):%Y%m%dT%H%M%SZ}"


class MergeRuns:
    """The executions of one state machine."""

    def __init__(self, client: Any, machine_arn: str) -> None:
        self._client, self._machine_arn = client, machine_arn

    def all(self) -> list[Run]:
        """Return the executions of the last 90 days, the latest first."""
        pages = self._client.get_paginator("list_executions").paginate(
            stateMachineArn=self._machine_arn
        )
        return _runs(each for page in pages for each in page["executions"])

    def latest(self) -> list[Run]:
        """Return at most 100 executions with one call, the latest first."""
        response = self._client.list_executions(stateMachineArn=self._machine_arn, maxResults=100)
        return _runs(response["executions"])

    def created(self) -> datetime:
        """Return when the state machine was created."""
        machine = self._client.describe_state_machine(stateMachineArn=self._machine_arn)
        created: datetime = machine["creationDate"]
        return created

    def details(self, run: Run) -> RunDetails:
        execution = self._client.describe_execution(executionArn=run.arn)
        return RunDetails(
            status=execution["status"],
            input=json.loads(execution.get("input") or "{}"),
            error=failure_of(execution.get("error"), execution.get("cause")),
        )

    def start(self, name: str, run_input: Mapping[str, Any], now: datetime) -> Run:
        """Start an execution; raises CommandError for a name that is taken."""
        arn = start_execution(self._client, self._machine_arn, name, run_input)
        return Run(arn, name, "RUNNING", now)

    def ranges_done(self, run: Run, ranges: Sequence[DayRange]) -> int:
        """Return how many of its ranges an execution has merged.

        The ranges are merged one after another.
        """
        events = self._client.get_execution_history(
            executionArn=run.arn,
            reverseOrder=True,
            maxResults=LAST_EVENTS,
            includeExecutionData=False,
        )["events"]
        return next(_counts(events, len(ranges)), 0)


def _runs(executions: Iterable[Mapping[str, Any]]) -> list[Run]:
    runs = [
        Run(each["executionArn"], each["name"], each["status"], each["startDate"])
        for each in executions
    ]
    return sorted(runs, key=lambda run: run.started, reverse=True)


def _counts(events: Sequence[Mapping[str, Any]], count: int) -> Iterator[int]:
    """Yield the number of merged ranges after each event that shows it."""
    for event in events:
        kind = event["type"]
        if kind.startswith("MapIteration"):
            details = event[f"{kind[0].lower()}{kind[1:]}EventDetails"]
            # The window is merged in another Map state.
            if details["name"] == RANGES_STATE:
                yield int(details["index"]) + (kind == "MapIterationSucceeded")
        elif event.get("stateExitedEventDetails", {}).get("name") == RANGES_STATE:
            yield count


def failure_of(error: Optional[str], cause: Optional[str]) -> Optional[str]:
    """Describe a failure by its codes.

    Athena's texts may quote values. cause: of a failed query, its description.
    https://docs.aws.amazon.com/athena/latest/APIReference/API_QueryExecutionStatus.html
    """
    try:
        document = json.loads(cause or "")
        query = document.get("QueryExecution", document)
        status, query_id = query["Status"], str(query["QueryExecutionId"])
    except (ValueError, KeyError, AttributeError, TypeError):
        return error
    reason = REASON.match(str(status.get("StateChangeReason", "")))
    code = f": {reason[0]}" if reason else ""
    return f"{error}{code} (Athena query {query_id})"
