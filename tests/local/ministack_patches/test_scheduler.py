"""Schedules that start executions, and the executions that they start."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from streaming_etl.stack.clients import Clients
from tests.local.builders import ROLE, wait_for

pytestmark = pytest.mark.e2e

START_EXECUTION = "arn:aws:scheduler:::aws-sdk:sfn:startExecution"


@pytest.fixture
def machine(aws: Clients, request: pytest.FixtureRequest) -> Iterator[str]:
    states = aws("stepfunctions")
    definition = {"StartAt": "End", "States": {"End": {"Type": "Succeed"}}}
    name = f"scheduled-{request.node.name[:40]}"
    arn: str = states.create_state_machine(
        name=name, definition=json.dumps(definition), roleArn=ROLE
    )["stateMachineArn"]
    yield arn
    states.delete_state_machine(stateMachineArn=arn)


def executions(aws: Clients, machine: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = aws("stepfunctions").list_executions(stateMachineArn=machine)[
        "executions"
    ]
    return found


def test_a_schedule_starts_an_execution_with_its_time(aws: Clients, machine: str) -> None:
    states = aws("stepfunctions")
    start = datetime.now(UTC)

    schedule = aws("scheduler").create_schedule(
        Name="once",
        ScheduleExpression=f"at({start - timedelta(minutes=1):%Y-%m-%dT%H:%M:%S})",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={
            "Arn": machine,
            "RoleArn": ROLE,
            "Input": json.dumps(
                {
                    "scheduled": "<aws.scheduler.scheduled-time>",
                    "schedule": "<aws.scheduler.schedule-arn>",
                }
            ),
        },
    )["ScheduleArn"]

    [execution] = wait_for(lambda: executions(aws, machine), bool)
    described = states.describe_execution(executionArn=execution["executionArn"])
    values = json.loads(described["input"])
    assert values["schedule"] == schedule
    scheduled = datetime.fromisoformat(values["scheduled"])
    assert abs(scheduled - start) < timedelta(minutes=1)


def test_a_rate_with_an_end_starts_a_named_execution_at_once(aws: Clients, machine: str) -> None:
    target = {"StateMachineArn": machine, "Input": '{"a": 1}'}
    end = datetime.now(UTC) + timedelta(days=1)
    for name, dates in (("without-end", {}), ("with-end", {"EndDate": end})):
        aws("scheduler").create_schedule(
            Name=name,
            ScheduleExpression="rate(10 days)",
            FlexibleTimeWindow={"Mode": "OFF"},
            Target={
                "Arn": START_EXECUTION,
                "RoleArn": ROLE,
                "Input": json.dumps({**target, "Name": name}),
            },
            **dates,
        )

    [execution] = wait_for(lambda: executions(aws, machine), bool)

    described = aws("stepfunctions").describe_execution(executionArn=execution["executionArn"])
    assert (described["name"], described["input"]) == ("with-end", '{"a": 1}')
