"""Step Functions state machines."""

from collections.abc import Mapping
from typing import Any

from local.deploy.inputs import Inputs, Outputs
from local.deploy.resources.resource_type import (
    Properties,
    ResourceType,
    State,
    tag_map,
    update_tags,
)
from streaming_etl.stack.clients import Clients


class StateMachine(ResourceType):
    token = "aws:sfn/stateMachine:StateMachine"
    replace = ("name", "type")
    max_name = 80
    removable = ("encryptionConfiguration", "tags")

    def create(self, clients: Clients, inputs: Inputs) -> Outputs:
        name = inputs.name()
        arn = clients("stepfunctions").create_state_machine(
            name=name,
            definition=inputs.take("definition"),
            roleArn=inputs.take("roleArn"),
            type=inputs.take("type", "STANDARD"),
            encryptionConfiguration=encryption(inputs),
            tags=lower_tags(inputs.take("tags", {})),
        )["stateMachineArn"]
        return {"id": arn, "name": name, "arn": arn}

    def read(self, clients: Clients, state: State) -> Properties:
        states, arn = clients("stepfunctions"), state["id"]
        machine = states.describe_state_machine(stateMachineArn=arn)
        encrypted = machine["encryptionConfiguration"]
        tags = states.list_tags_for_resource(resourceArn=arn)["tags"]
        return {
            "definition": machine["definition"],
            "encryptionConfiguration": None if encrypted == AWS_OWNED else encrypted,
            "roleArn": machine["roleArn"],
            "tags": tag_map(tags, "key", "value"),
        }

    def update(self, clients: Clients, state: State, inputs: Inputs) -> None:
        states, arn = clients("stepfunctions"), state["id"]
        states.update_state_machine(
            stateMachineArn=arn,
            definition=inputs.take("definition"),
            roleArn=inputs.take("roleArn"),
            encryptionConfiguration=encryption(inputs),
        )
        update_tags(
            state.get("tags"),
            inputs.take("tags", {}),
            lambda tags: states.tag_resource(resourceArn=arn, tags=lower_tags(tags)),
            lambda keys: states.untag_resource(resourceArn=arn, tagKeys=keys),
        )

    def delete(self, clients: Clients, state: State) -> None:
        # As on AWS, the deletion of an unknown state machine succeeds.
        clients("stepfunctions").delete_state_machine(stateMachineArn=state["id"])


AWS_OWNED = {"type": "AWS_OWNED_KEY"}


def encryption(inputs: Inputs) -> Mapping[str, Any]:
    configuration: Mapping[str, Any] = inputs.take("encryptionConfiguration") or AWS_OWNED
    return configuration


def lower_tags(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in tags.items()]


TYPES = (StateMachine(),)
