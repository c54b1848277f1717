"""CloudWatch Logs: groups and streams."""

from typing import Any

from local.deploy.inputs import Inputs, Outputs
from local.deploy.resources.resource_type import (
    GoneError,
    Properties,
    ResourceType,
    State,
    update_tags,
)
from local.emulator.process import ACCOUNT
from streaming_etl.stack.clients import Clients


class LogGroup(ResourceType):
    token = "aws:cloudwatch/logGroup:LogGroup"
    replace = ("name", "logGroupClass")
    max_name = 512
    removable = ("kmsKeyId", "retentionInDays", "tags")

    def create(self, clients: Clients, inputs: Inputs) -> Outputs:
        name, days = inputs.name(), inputs.take("retentionInDays")
        key = {"kmsKeyId": key} if (key := inputs.take("kmsKeyId")) else {}
        kind = inputs.take("logGroupClass", "STANDARD")
        clients("logs").create_log_group(
            logGroupName=name, logGroupClass=kind, tags=inputs.take("tags", {}), **key
        )
        if days:
            clients("logs").put_retention_policy(logGroupName=name, retentionInDays=days)
        arn = f"arn:aws:logs:{clients.region}:{ACCOUNT}:log-group:{name}"
        return {"id": name, "name": name, "arn": arn}

    def read(self, clients: Clients, state: State) -> Properties:
        logs = clients("logs")
        group = named(
            logs.describe_log_groups(logGroupNamePrefix=state["name"])["logGroups"],
            "logGroupName",
            state["name"],
        )
        return {
            "kmsKeyId": group.get("kmsKeyId"),
            "retentionInDays": group.get("retentionInDays"),
            "logGroupClass": group.get("logGroupClass") if "logGroupClass" in state else None,
            "tags": logs.list_tags_for_resource(resourceArn=state["arn"])["tags"] or None,
        }

    def update(self, clients: Clients, state: State, inputs: Inputs) -> None:
        logs, name, days = clients("logs"), state["name"], inputs.take("retentionInDays")
        if days:
            logs.put_retention_policy(logGroupName=name, retentionInDays=days)
        else:
            logs.delete_retention_policy(logGroupName=name)
        if (key := inputs.take("kmsKeyId")) != state.get("kmsKeyId"):
            if key:
                logs.associate_kms_key(logGroupName=name, kmsKeyId=key)
            else:
                logs.disassociate_kms_key(logGroupName=name)
        update_tags(
            state.get("tags"),
            inputs.take("tags", {}),
            lambda tags: logs.tag_resource(resourceArn=state["arn"], tags=tags),
            lambda keys: logs.untag_resource(resourceArn=state["arn"], tagKeys=keys),
        )

    def delete(self, clients: Clients, state: State) -> None:
        clients("logs").delete_log_group(logGroupName=state["name"])


class LogStream(ResourceType):
    token = "aws:cloudwatch/logStream:LogStream"
    replace = ("name", "logGroupName")
    max_name = 512

    def create(self, clients: Clients, inputs: Inputs) -> Outputs:
        name, group = inputs.name(), inputs.take("logGroupName")
        clients("logs").create_log_stream(logGroupName=group, logStreamName=name)
        arn = f"arn:aws:logs:{clients.region}:{ACCOUNT}:log-group:{group}:log-stream:{name}"
        return {"id": name, "name": name, "arn": arn}

    def read(self, clients: Clients, state: State) -> Properties:
        streams = clients("logs").describe_log_streams(
            logGroupName=state["logGroupName"], logStreamNamePrefix=state["name"]
        )["logStreams"]
        named(streams, "logStreamName", state["name"])
        return {}

    def update(self, clients: Clients, state: State, inputs: Inputs) -> None:
        """Change nothing: every input replaces the stream."""

    def delete(self, clients: Clients, state: State) -> None:
        clients("logs").delete_log_stream(
            logGroupName=state["logGroupName"], logStreamName=state["name"]
        )


def named(found: list[dict[str, Any]], key: str, name: str) -> dict[str, Any]:
    """Return the element with exactly this name: the API searches by prefix."""
    for element in found:
        if element[key] == name:
            return element
    raise GoneError


TYPES = (LogGroup(), LogStream())
