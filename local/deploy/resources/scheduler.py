"""EventBridge Scheduler schedules."""

from datetime import UTC
from typing import Any

from local.deploy.inputs import Inputs, Outputs, camel_case
from local.deploy.resources.resource_type import Properties, ResourceType, State
from streaming_etl.stack.clients import Clients


class Schedule(ResourceType):
    token = "aws:scheduler/schedule:Schedule"
    replace = ("name", "namePrefix", "groupName")
    # UpdateSchedule replaces all settings.
    removable = None

    def create(self, clients: Clients, inputs: Inputs) -> Outputs:
        name, group = inputs.name(), inputs.take("groupName", "default")
        arn = clients("scheduler").create_schedule(
            Name=name, GroupName=group, **inputs.remaining()
        )["ScheduleArn"]
        return {"id": f"{group}/{name}", "name": name, "arn": arn}

    def read(self, clients: Clients, state: State) -> Properties:
        schedule = clients("scheduler").get_schedule(**identity(state))
        keys = (
            "Description",
            "EndDate",
            "FlexibleTimeWindow",
            "KmsKeyArn",
            "ScheduleExpression",
            "ScheduleExpressionTimezone",
            "State",
            "Target",
        )
        properties: Properties = camel_case({key: schedule.get(key) or None for key in keys})
        if (end := properties["endDate"]) is not None:
            properties["endDate"] = f"{end.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
        # The provider has these defaults, too.
        for key, default in (("scheduleExpressionTimezone", "UTC"), ("state", "ENABLED")):
            if key not in state and properties[key] == default:
                properties[key] = None
        return properties

    def update(self, clients: Clients, state: State, inputs: Inputs) -> None:
        clients("scheduler").update_schedule(**identity(state), **inputs.remaining())

    def delete(self, clients: Clients, state: State) -> None:
        clients("scheduler").delete_schedule(**identity(state))


def identity(state: State) -> dict[str, Any]:
    return {"Name": state["name"], "GroupName": state.get("groupName") or "default"}


TYPES = (Schedule(),)
