"""State machines that run Athena's queries."""

import itertools
import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from streaming_etl.stack.clients import Clients
from tests.local.builders import ROLE, wait_for
from tests.local.ministack_patches.athena.catalog import Database, iceberg_schema

pytestmark = pytest.mark.e2e

NUMBERS = itertools.count(1)
ATHENA = "arn:aws:states:::athena:startQueryExecution.sync"
SDK = "arn:aws:states:::aws-sdk:sfn:"
DAY = 24 * 60 * 60 * 1000
TOKEN = (
    "$hash($states.context.Execution.Id & $states.context.State.Name & $first"
    " & $string($states.context.State.RetryCount), 'SHA-256')"
)


def query(database: str, sql: str, **more: Any) -> dict[str, Any]:
    """A state that runs a query with the variables `first` and `last`."""
    replaced = "$replace($replace($text, '{first}', $first), '{last}', $last)"
    return {
        "Type": "Task",
        "Resource": ATHENA,
        "Arguments": {
            "QueryString": f"{{% ($text := {json.dumps(sql)}; {replaced}) %}}",
            "ClientRequestToken": f"{{% {TOKEN} %}}",
            "QueryExecutionContext": {"Database": database},
            "WorkGroup": database,
        },
        "Output": "{% $states.input %}",
        **more,
    }


def merge_definition(database: str, merge: str) -> dict[str, Any]:
    """A state machine of the merge stage's shape."""
    retry = [
        {
            "ErrorEquals": ["States.TaskFailed"],
            "IntervalSeconds": 1,
            "BackoffRate": 2,
            "MaxAttempts": 2,
        }
    ]
    day = "$fromMillis($toMillis({time}) {offset}, '[Y0001]-[M01]-[D01]')"
    first = day.format(time="$since", offset=f"- 3 * {DAY}")
    last = day.format(time="$states.context.Execution.StartTime", offset=f"+ {DAY}")
    is_due = "$floor($toMillis($states.input.scheduled) / 3600000) % 12 = 0"
    states = {
        "Start": {
            "Type": "Choice",
            "Choices": [{"Condition": "{% $exists($states.input.wait_seconds) %}", "Next": "Wait"}],
            "Default": "LastSuccess",
        },
        "Wait": {
            "Type": "Wait",
            "Seconds": "{% $states.input.wait_seconds %}",
            "Next": "LastSuccess",
        },
        "LastSuccess": {
            "Type": "Task",
            "Resource": f"{SDK}listExecutions",
            "Arguments": {
                "StateMachineArn": "{% $states.context.StateMachine.Id %}",
                "StatusFilter": "SUCCEEDED",
                "MaxResults": 1,
            },
            "Assign": {
                "since": (
                    "{% $exists($states.result.Executions[0])"
                    " ? $states.result.Executions[0].StartDate : '' %}"
                )
            },
            "Output": "{% $states.input %}",
            "Next": "HasSuccess",
        },
        "HasSuccess": {
            "Type": "Choice",
            "Choices": [{"Condition": "{% $since = '' %}", "Next": "Creation"}],
            "Default": "Days",
        },
        "Creation": {
            "Type": "Task",
            "Resource": f"{SDK}describeStateMachine",
            "Arguments": {"StateMachineArn": "{% $states.context.StateMachine.Id %}"},
            "Assign": {"since": "{% $states.result.CreationDate %}"},
            "Output": "{% $states.input %}",
            "Next": "Days",
        },
        "Days": {
            "Type": "Pass",
            "Assign": {"first": f"{{% {first} %}}", "last": f"{{% {last} %}}"},
            "Next": "Merge",
        },
        "Merge": query(database, merge, Next="Ranges", Retry=retry),
        "Ranges": {
            "Type": "Map",
            "Items": "{% $exists($states.input.ranges) ? $states.input.ranges : [] %}",
            "MaxConcurrency": 1,
            "ItemProcessor": {
                "ProcessorConfig": {"Mode": "INLINE"},
                "StartAt": "Range",
                "States": {
                    "Range": {
                        "Type": "Pass",
                        "Assign": {
                            "first": "{% $states.input.first %}",
                            "last": "{% $states.input.last %}",
                        },
                        "Next": "MergeRange",
                    },
                    "MergeRange": query(database, merge, End=True, Retry=retry),
                },
            },
            "Output": "{% $states.input %}",
            "Next": "IsDue",
        },
        "IsDue": {
            "Type": "Choice",
            "Choices": [
                {
                    "Condition": f"{{% $exists($states.input.scheduled) and {is_due} %}}",
                    "Next": "Optimize",
                },
            ],
            "Default": "Done",
        },
        "Optimize": query(database, "OPTIMIZE runs REWRITE DATA USING BIN_PACK", Next="Vacuum"),
        "Vacuum": query(database, "VACUUM runs", Next="Done"),
        "Done": {"Type": "Succeed"},
    }
    return {"QueryLanguage": "JSONata", "StartAt": "Start", "States": states}


MERGE = "INSERT INTO runs VALUES ('{first}', '{last}')"


class Machine:
    """A state machine, and a table with the days of its merges."""

    def __init__(self, aws: Clients, merge: str = MERGE) -> None:
        self._aws = aws
        self.database = Database(aws)
        types = {"first": "string", "last": "string"}
        self.database.create_iceberg_table("runs", iceberg_schema(types))
        definition = json.dumps(merge_definition(self.database.name, merge))
        self.arn = aws("stepfunctions").create_state_machine(
            name=f"merges-{next(NUMBERS)}", definition=definition, roleArn=ROLE
        )["stateMachineArn"]

    def start(self, **values: Any) -> str:
        """Start an execution; return its ARN."""
        started = self._aws("stepfunctions").start_execution(
            stateMachineArn=self.arn, input=json.dumps(values)
        )
        return str(started["executionArn"])

    def run(self, **values: Any) -> dict[str, Any]:
        """Run an execution to its end; return its description."""
        return self.ended(self.start(**values))

    def ended(self, arn: str) -> dict[str, Any]:
        """Wait for the end of an execution; return its description."""
        states = self._aws("stepfunctions")
        return dict(
            wait_for(
                lambda: states.describe_execution(executionArn=arn),
                lambda execution: execution["status"] != "RUNNING",
            )
        )

    def runs(self) -> list[tuple[str | None, ...]]:
        return self.database.rows("SELECT * FROM runs")

    def statements(self) -> list[str]:
        """Return the first word and the state of each query."""
        athena = self._aws("athena")
        ids = athena.list_query_executions(WorkGroup=self.database.name)["QueryExecutionIds"]
        executions = [athena.get_query_execution(QueryExecutionId=id_) for id_ in ids]
        return sorted(
            f"{one['Query'].split()[0]} {one['Status']['State']}"
            for one in (execution["QueryExecution"] for execution in executions)
            if not one["Query"].startswith("SELECT")
        )


def test_the_first_execution_reads_from_the_creation_of_the_machine(aws: Clients) -> None:
    machine = Machine(aws)
    created = aws("stepfunctions").describe_state_machine(stateMachineArn=machine.arn)

    execution = machine.run(wait_seconds=1)

    assert execution["status"] == "SUCCEEDED"
    days = [
        (created["creationDate"].timestamp() * 1000 - 3 * DAY) // DAY,
        (execution["startDate"].timestamp() * 1000 + DAY) // DAY,
    ]
    [row] = machine.database.rows(
        "SELECT date_diff('day', DATE '1970-01-01', CAST(first AS date)),"
        " date_diff('day', DATE '1970-01-01', CAST(last AS date)) FROM runs"
    )
    assert [float(value or 0) for value in row] == days


def test_each_range_is_merged_after_the_window(aws: Clients) -> None:
    machine = Machine(aws)
    machine.run()
    ranges = [
        {"first": "2026-02-01", "last": "2026-02-28"},
        {"first": "2026-01-01", "last": "2026-01-31"},
    ]

    execution = machine.run(ranges=ranges)

    assert execution["status"] == "SUCCEEDED"
    assert len(machine.runs()) == 4
    assert machine.runs()[2:] == [tuple(range_.values()) for range_ in ranges]


def test_a_failed_range_has_an_event_and_ends_the_execution(aws: Clients) -> None:
    machine = Machine(
        aws, "INSERT INTO runs VALUES ('{first}', CAST(CAST('{last}' AS date) AS text))"
    )
    days = ("2026-02-28", "never", "2026-01-31")

    execution = machine.run(ranges=[{"first": day, "last": day} for day in days])

    assert execution["status"] == "FAILED"
    assert [row[0] for row in machine.runs()[1:]] == ["2026-02-28"]
    history = aws("stepfunctions").get_execution_history(
        executionArn=execution["executionArn"], maxResults=1000
    )
    iterations = [
        (event["type"].removeprefix("MapIteration"), details["name"], details["index"])
        for event in history["events"]
        for key, details in event.items()
        if key.startswith("mapIteration")
    ]
    assert iterations == [
        ("Started", "Ranges", 0),
        ("Succeeded", "Ranges", 0),
        ("Started", "Ranges", 1),
        ("Failed", "Ranges", 1),
    ]


@pytest.mark.parametrize(
    ("scheduled", "statements"),
    [
        ("2026-11-28T12:00:00Z", ["INSERT", "OPTIMIZE", "VACUUM"]),
        ("2026-11-28T13:00:00Z", ["INSERT"]),
    ],
)
def test_a_scheduled_time_can_start_the_maintenance(
    aws: Clients, scheduled: str, statements: list[str]
) -> None:
    machine = Machine(aws)

    assert machine.run(scheduled=scheduled)["status"] == "SUCCEEDED"

    assert machine.statements() == [f"{word} SUCCEEDED" for word in statements]


def test_a_failed_query_is_run_again_and_fails_the_execution(aws: Clients) -> None:
    machine = Machine(aws, "INSERT INTO runs VALUES (CAST('{first}' AS bigint))")

    execution = machine.run()

    assert (execution["status"], execution["error"]) == ("FAILED", "States.TaskFailed")
    assert json.loads(execution["cause"])["Status"]["State"] == "FAILED"
    # Each attempt has another token.
    assert machine.statements() == ["INSERT FAILED"] * 3


def test_executions_at_once_repeat_a_conflicting_merge(aws: Clients) -> None:
    # Slow enough for the other execution to start.
    slow = "(SELECT count(*) FROM range(8000) a, range(8000) b WHERE a.range + b.range < 9)"
    machine = Machine(aws, f"INSERT INTO runs SELECT '{{first}}', CAST({slow} AS varchar)")

    executions = [machine.ended(arn) for arn in [machine.start(), machine.start()]]

    assert [execution["status"] for execution in executions] == ["SUCCEEDED", "SUCCEEDED"]
    assert len(machine.runs()) == 2
    assert machine.statements() == ["INSERT FAILED", "INSERT SUCCEEDED", "INSERT SUCCEEDED"]


def test_one_token_starts_one_query(aws: Clients) -> None:
    database = Database(aws)
    athena = aws("athena")

    def start(sql: str, token: str) -> str:
        started = athena.start_query_execution(
            QueryString=sql, WorkGroup=database.name, ClientRequestToken=token
        )
        return str(started["QueryExecutionId"])

    first = start("SELECT 1", "a" * 32)
    assert start("SELECT 1", "a" * 32) == first
    assert start("SELECT 1", "b" * 32) != first
    with pytest.raises(ClientError) as raised:
        start("SELECT 2", "a" * 32)
    assert raised.value.response["Error"]["Code"] == "InvalidRequestException"


def test_a_query_without_the_end_of_its_name_is_only_started(aws: Clients) -> None:
    machine = Machine(aws)
    definition = merge_definition(machine.database.name, "SELECT CAST('{first}' AS bigint)")
    definition["States"]["Merge"]["Resource"] = ATHENA.removesuffix(".sync")
    definition["States"]["Merge"]["Output"] = "{% $states.result.QueryExecutionId %}"
    definition["States"]["Merge"]["Next"] = "Done"
    aws("stepfunctions").update_state_machine(
        stateMachineArn=machine.arn, definition=json.dumps(definition)
    )

    execution = machine.run()

    assert execution["status"] == "SUCCEEDED"
    id_ = json.loads(execution["output"])
    assert aws("athena").get_query_execution(QueryExecutionId=id_)
