"""Creators of what takes up a large table: the state machine."""

from local.deploy.creators import Outputs, creates
from local.deploy.inputs import Inputs
from streaming_etl.stack.clients import Clients


@creates("aws:sfn/stateMachine:StateMachine")
def state_machine(clients: Clients, given: Inputs) -> Outputs:
    name = given.name()
    tags = [{"key": key, "value": value} for key, value in given.take("tags", {}).items()]
    arn = clients("stepfunctions").create_state_machine(
        name=name,
        definition=given.take("definition"),
        roleArn=given.take("roleArn"),
        type=given.take("type", "STANDARD"),
        tags=tags,
    )["stateMachineArn"]
    return {"id": arn, "name": name, "arn": arn}
