"""Executions of state machines, by the commands that start them."""

import json
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from streaming_etl.stack.errors import CommandError


def start_execution(
    client: Any, machine_arn: str, name: str, execution_input: Mapping[str, Any]
) -> str:
    """Start an execution and return its ARN.

    Raises CommandError when another caller has just started one with this name.
    """
    try:
        started = client.start_execution(
            stateMachineArn=machine_arn, name=name, input=json.dumps(execution_input)
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ExecutionAlreadyExists":
            raise
        message = (
            f"{name} was started by somebody else just now. Run this command again to watch that "
            "run."
        )
        raise CommandError(message, code="run-already-started", run=name) from None
    return str(started["executionArn"])


def stop_command(execution_arn: str) -> str:
    """Return the command with which an operator stops an execution."""
    region = execution_arn.split(":")[3]
    return f"aws stepfunctions stop-execution --execution-arn {execution_arn} --region {region}"
