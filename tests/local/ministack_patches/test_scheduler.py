"""Schedules that start executions."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from streaming_etl.stack.clients import Clients
from tests.local.builders import ROLE, wait_for

pytestmark = pytest.mark.e2e


def test_a_schedule_starts_an_execution_with_its_time(aws: Clients) -> None:
    states = aws("stepfunctions")
    definition = {"StartAt": "End", "States": {"End": {"Type": "Succeed"}}}
    machine = states.create_state_machine(
        name="scheduled", definition=json.dumps(definition), roleArn=ROLE
    )["stateMachineArn"]
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

    [execution] = wait_for(
        lambda: states.list_executions(stateMachineArn=machine)["executions"], bool
    )
    described = states.describe_execution(executionArn=execution["executionArn"])
    values = json.loads(described["input"])
    assert values["schedule"] == schedule
    scheduled = datetime.fromisoformat(values["scheduled"])
    assert abs(scheduled - start) < timedelta(minutes=1)
