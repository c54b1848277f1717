"""Keywords in the input of a schedule's target."""

from datetime import UTC, datetime
from typing import Any

from ministack.services import eventbridge, scheduler

from local.ministack_patches.compat import require_private_api

# Between two searches for schedules that are due; 10 by default.
SEARCH_SECONDS = 1

# Private names of ministack that this module uses.
PRIVATE_API = {eventbridge: "_invoke_target", scheduler: "_SCHEDULE_TICK_INTERVAL"}


def install() -> None:
    """Replace the function that calls a target."""
    require_private_api(PRIVATE_API)
    invoke = eventbridge._invoke_target

    def invoke_with_keywords(
        target: dict[str, Any], event: dict[str, Any], rule: Any, *more: Any
    ) -> Any:
        if event["Source"] == "aws.scheduler" and "Input" in target:
            target = {**target, "Input": with_keywords(target["Input"], event)}
        return invoke(target, event, rule, *more)

    eventbridge._invoke_target = invoke_with_keywords
    scheduler._SCHEDULE_TICK_INTERVAL = SEARCH_SECONDS


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
