"""The merge stage's state machine as plain data.

https://docs.aws.amazon.com/step-functions/latest/dg/transforming-data.html
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

from streaming_etl.components.settings.merge import MergeArgs
from streaming_etl.components.stages.state_machine import retrier, service_integration
from streaming_etl.components.table.window import FIRST_DAY, LAST_DAY, SUCCESS_DAY

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000  # In milliseconds, as in JSONata.
ISO_DATE = "'[Y0001]-[M01]-[D01]'"

# Of one query: Athena's limit is 30 minutes, in addition to its queue.
# https://docs.aws.amazon.com/athena/latest/ug/service-limits.html
QUERY_SECONDS = 3_600
# Of two runs that commit at the same time, one fails. A retry reads the new state.
QUERY_RETRIES, CONFLICT_SECONDS = 5, 10
REQUEST_RETRIES = 5


@dataclass(frozen=True, kw_only=True)
class MergeInputs:
    """ARNs, names and SQL that the definition contains."""

    partition: pulumi.Input[str]
    workgroup: pulumi.Input[str]
    merge: pulumi.Input[str]
    """MERGE of a DayWindow, whose placeholders an execution replaces with ISO dates."""
    expire: pulumi.Input[str]
    """DELETE of the rows that no query shows, with SUCCESS_DAY."""
    optimize: pulumi.Input[str]
    vacuum: pulumi.Input[str]

    def resource(self, action: str) -> pulumi.Output[str]:
        """Return the ARN of a service integration."""
        return service_integration(self.partition, action)


def definition(inputs: MergeInputs, args: MergeArgs) -> dict[str, Any]:
    """Return the definition of the state machine.

    The schedule's input is `{"scheduled": <ISO time>}`. Commands may pass, each optional:
    `{"ranges": [{"first": <ISO date>, "last": <ISO date>}, ...], "wait_seconds": 900,
    "optimize": true}`: further days to merge, the newest first; a time in which Firehose delivers
    the rows; and compaction.

    Each execution merges all days since the window before the last successful one began. So a
    successful execution has merged all objects that existed when it started.
    """
    return {
        "Comment": "Merges the newest rows of each item into an Iceberg table",
        "QueryLanguage": "JSONata",
        "StartAt": "Start",
        "States": {
            # SQL in variables, because a text in an expression would need JSONata's escapes.
            "Start": {
                "Type": "Pass",
                "Assign": {
                    "merge": inputs.merge,
                    "expire": inputs.expire,
                    # The brackets make one entry a list, too.
                    "ranges": expression("[$states.input.ranges]"),
                    "optimize": expression(optimize_condition(args)),
                },
                "Next": "Wait",
            },
            "Wait": {
                "Type": "Wait",
                "Seconds": expression(
                    "$exists($states.input.wait_seconds) ? $states.input.wait_seconds : 0"
                ),
                "Next": "Created",
            },
            **last_success_states(inputs),
            "Days": {
                "Type": "Pass",
                "Assign": {"since_last": expression(ranges_since(args))},
                "Next": "Merge",
            },
            "Merge": ranges_state(inputs, "$since_last", "MergeDays", then="Ranges"),
            "Ranges": ranges_state(inputs, "$ranges", "MergeRange", then="ChooseOptimize"),
            "ChooseOptimize": {
                "Type": "Choice",
                "Choices": [{"Condition": expression("$optimize"), "Next": "Optimize"}],
                "Default": "Expire",
            },
            "Optimize": query_state(inputs, inputs.optimize, then="Vacuum"),
            "Vacuum": query_state(inputs, inputs.vacuum, then="Expire"),
            # Last: after an execution that fails, the next one reads older days, and needs the
            # tombstones of items that were deleted since.
            "Expire": query_state(inputs, expire_text(), then="Done"),
            "Done": {"Type": "Succeed"},
        },
    }


ENTERED = "$states.context.State.EnteredTime"


def expression(text: str) -> str:
    """A JSONata expression in the definition."""
    return f"{{% {text} %}}"


def millis(time: str) -> str:
    return f"$toMillis({time})"


def midnight(day: str) -> str:
    """Milliseconds of a day's start in UTC.

    day: ISO text, the time of which is ignored.
    """
    return millis(f"$substring({day}, 0, 10) & 'T00:00:00Z'")


def iso_date(milliseconds: str) -> str:
    return f"$fromMillis({milliseconds}, {ISO_DATE})"


def ranges_since(args: MergeArgs) -> str:
    """JSONata of the days since the last success.

    A run reads again the window before the last success, and a day more, because a time zone's date
    may be the one before UTC's. An execution after missed ones has several ranges, the newest
    first, none of which is larger than that of other executions: a query has a time limit.
    """
    lookback = args.window_hours * HOUR + DAY
    # One range of full days for an execution that follows a successful one.
    days = math.ceil((lookback + DAY + 2 * args.interval_minutes * MINUTE) / DAY)
    first = iso_date(f"$max([$last - $ * {days * DAY}, $first])")
    last = iso_date(f"$last - ($ - 1) * {days * DAY}")
    return (
        f"($last := {millis(ENTERED)} + {DAY}; $first := {millis('$since')} - {lookback};"
        f" $count := $ceil(($last - $first) / {days * DAY});"
        f' [[1..$count].{{"first": {first}, "last": {last}}}])'
    )


def ranges_state(inputs: MergeInputs, ranges: str, name: str, then: str) -> dict[str, Any]:
    """Return a state that merges ranges one after another.

    The merge of an older range needs the tombstones of the newer ones. name: of the state for one
    range, unique in the state machine.
    """
    # Written again, so that nothing but a date becomes part of the SQL.
    first, last = (iso_date(midnight(f"$states.input.{key}")) for key in ("first", "last"))
    return {
        "Type": "Map",
        "Items": expression(ranges),
        "MaxConcurrency": 1,
        "ItemProcessor": {
            "ProcessorConfig": {"Mode": "INLINE"},
            "StartAt": name,
            "States": {name: query_state(inputs, merge_text(first, last))},
        },
        "Output": {},
        "Next": then,
    }


def optimize_condition(args: MergeArgs) -> str:
    """Whether an execution compacts: on request, or every N-th of the schedule.

    By the time, so that no counter has to be stored.
    """
    interval = args.interval_minutes * MINUTE
    number = f"$floor({millis('$states.input.scheduled')} / {interval})"
    return (
        "$states.input.optimize = true or ($exists($states.input.scheduled)"
        f" ? {number} % {args.optimize_every} = 0 : false)"
    )


def last_success_states(inputs: MergeInputs) -> dict[str, Any]:
    """Return the states that set `$since` and `$earlier`.

    They are the starts of the last successful execution and of the one before, or the creation of
    the state machine, which also holds after the 90 days for which Step Functions keeps executions.
    https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
    """
    machine = expression("$states.context.StateMachine.Id")
    retry = [retrier(REQUEST_RETRIES)]
    return {
        "Created": {
            "Type": "Task",
            "Resource": inputs.resource("aws-sdk:sfn:describeStateMachine"),
            "Arguments": {"StateMachineArn": machine},
            "Retry": retry,
            "Assign": {"since": expression("$states.result.CreationDate")},
            "Output": {},
            "Next": "LastSuccess",
        },
        "LastSuccess": {
            "Type": "Task",
            "Resource": inputs.resource("aws-sdk:sfn:listExecutions"),
            # The newest one is the first.
            "Arguments": {
                "StateMachineArn": machine,
                "StatusFilter": "SUCCEEDED",
                "MaxResults": 2,
            },
            "Retry": retry,
            "Assign": {
                name: expression(
                    f"$exists($states.result.Executions[{index}])"
                    f" ? $states.result.Executions[{index}].StartDate : $since"
                )
                for index, name in enumerate(("since", "earlier"))
            },
            "Output": {},
            "Next": "Days",
        },
    }


def merge_text(first: str, last: str) -> str:
    """The MERGE of some days; first, last: JSONata expressions."""
    replaced = f"$replace($merge, '{FIRST_DAY}', {first})"
    return expression(f"$replace({replaced}, '{LAST_DAY}', {last})")


def expire_text() -> str:
    """The DELETE of tombstones that no running execution needs."""
    return expression(f"$replace($expire, '{SUCCESS_DAY}', {iso_date(millis('$earlier'))})")


def query_state(
    inputs: MergeInputs, sql: pulumi.Input[str], then: str | None = None
) -> dict[str, Any]:
    """Return a state that runs one statement.

    The token makes a repeated request of one attempt the same query; the next attempt is another
    one, because a failed query stays failed.
    https://docs.aws.amazon.com/athena/latest/APIReference/API_StartQueryExecution.html
    """
    attempt = " & '/' & ".join(
        [
            "$states.context.Execution.Id",
            "$states.context.State.Name",
            "$string($states.input)",
            "$string($states.context.State.RetryCount)",
            # Only of an execution that was started again.
            "$string($states.context.Execution.RedriveCount)",
        ]
    )
    following: Mapping[str, Any] = {"End": True} if then is None else {"Next": then}
    return {
        "Type": "Task",
        "Resource": inputs.resource("athena:startQueryExecution.sync"),
        "Arguments": {
            "QueryString": sql,
            "WorkGroup": inputs.workgroup,
            "ClientRequestToken": expression(f"$hash({attempt}, 'SHA-256')"),
        },
        "TimeoutSeconds": QUERY_SECONDS,
        "Retry": [retrier(QUERY_RETRIES, CONFLICT_SECONDS)],
        "Output": {},
        **following,
    }
