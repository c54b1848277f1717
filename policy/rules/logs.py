"""Logs: each has an end, those of a function too."""

from collections.abc import Iterator, Mapping
from typing import Any

from pulumi_policy import EnforcementLevel

from .resources import UNKNOWN, Found, Resource, Stack, told
from .rule import ResourceRule, Rule, StackRule

FUNCTION = "aws:lambda/function:Function"
LOG_GROUP = "aws:cloudwatch/logGroup:LogGroup"


def group_ends(resource: Resource, _: Mapping[str, Any]) -> Iterator[str]:
    days = resource.get("retentionInDays")
    # CloudWatch fixes that of the class DELIVERY.
    if resource.type != LOG_GROUP or resource.get("logGroupClass") in (UNKNOWN, "DELIVERY"):
        return
    if days in (None, 0):
        yield (
            f"{told('retentionInDays', days)}: CloudWatch then keeps the log for ever; set one of"
            " its fixed numbers of days, such as 30."
        )


def function_logs_end(stack: Stack) -> Found:
    for function in stack.of(FUNCTION):
        if not has_group(stack, function):
            yield (
                function,
                "loggingConfig.logGroup is not set: Lambda then makes a log group that has no end;"
                " give the function a LogGroup with retentionInDays.",
            )


def has_group(stack: Stack, function: Resource) -> bool:
    """Whether a function writes to a log group of somebody's making."""
    if function.references.get("loggingConfig"):
        return True
    name, group = function.get("name"), function.get("loggingConfig", "logGroup")
    # What Lambda makes itself. An update tells it as if it were set; a preview, as unknown.
    own = f"/aws/lambda/{name}" if isinstance(name, str) else None
    if group not in (None, own) and function.get("loggingConfig") is not UNKNOWN:
        return True
    groups = stack.of(LOG_GROUP)
    by_name = own is not None and any(other.get("name") == own for other in groups)
    return by_name or any(function.urn in other.references.get("name", ()) for other in groups)


RULES: list[Rule] = [
    ResourceRule(
        name="log-group-ends",
        guards="A log group has a retention.",
        reason="Without one every line is kept, and paid for, for ever.",
        remedy="Set `retentionInDays`; the pipeline's own groups take `log_retention_days`.",
        check=group_ends,
    ),
    StackRule(
        name="function-logs-end",
        guards="A function writes to a log group of the program.",
        reason="The one that Lambda makes itself is kept for ever and outlives the stack.",
        remedy="Make a LogGroup with a retention and name it in `loggingConfig`.",
        # It costs money and loses nothing.
        level=EnforcementLevel.ADVISORY,
        check=function_logs_end,
    ),
]
