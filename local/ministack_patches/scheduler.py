"""Schedules: keywords in inputs, universal targets, and starts at once."""

import json
from datetime import UTC, datetime
from typing import Any

from ministack.services import eventbridge, scheduler, stepfunctions

from local.ministack_patches.compat import require_private_api

# Between two searches for schedules that are due; 10 by default.
SEARCH_SECONDS = 1

# https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-targets-universal.html
START_EXECUTION = "arn:aws:scheduler:::aws-sdk:sfn:startExecution"

# Private names of ministack that this module uses.
PRIVATE_API = {
    eventbridge: "_invoke_target",
    scheduler: "_SCHEDULE_TICK_INTERVAL _schedule_last_fired _schedules _tick_schedules",
    stepfunctions: "_start_execution",
}


def install() -> None:
    """Replace the functions that find schedules and call a target."""
    require_private_api(PRIVATE_API)
    invoke, tick = eventbridge._invoke_target, scheduler._tick_schedules

    def invoke_with_keywords(
        target: dict[str, Any], event: dict[str, Any], rule: Any, *more: Any
    ) -> Any:
        if event["Source"] == "aws.scheduler" and "Input" in target:
            target = {**target, "Input": with_keywords(target["Input"], event)}
        if target.get("Arn") == START_EXECUTION:
            return start_execution(target["Input"])
        return invoke(target, event, rule, *more)

    def tick_and_start() -> None:
        start_at_once()
        tick()

    eventbridge._invoke_target = invoke_with_keywords
    scheduler._tick_schedules = tick_and_start
    scheduler._SCHEDULE_TICK_INTERVAL = SEARCH_SECONDS


def start_at_once() -> None:
    """Make new schedules with an end date and no start date due.

    On AWS a schedule without an end date starts at once, too. Here its first time is after one
    interval, so that a merge runs only when it is requested.
    """
    for key, schedule in list(scheduler._schedules._data.items()):
        if schedule.get("EndDate") is not None and schedule.get("StartDate") is None:
            scheduler._schedule_last_fired.setdefault(key, 0.0)


def start_execution(request: str) -> Any:
    """Start an execution by the request of a universal target."""
    parameters = json.loads(request)
    return stepfunctions._start_execution(
        {f"{key[:1].lower()}{key[1:]}": value for key, value in parameters.items()}
    )


def with_keywords(text: str, event: dict[str, Any]) -> str:
    """Replace the keywords in a target's input.

    https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html
    """
    values = {
        "attempt-number": "1",
        "execution-id": event["EventId"],
        "schedule-arn": event["Resources"][0],
        "scheduled-time": f"{datetime.fromtimestamp(event['Time'], UTC):%Y-%m-%dT%H:%M:%SZ}",
    }
    for keyword, value in values.items():
        text = text.replace(f"<aws.scheduler.{keyword}>", value)
    return text
