"""State machines with their roles, and parts of their definitions."""

from collections.abc import Mapping, Sequence
from typing import Any, Optional

import pulumi
import pulumi_aws as aws

from streaming_etl.components.stages import iam
from streaming_etl.components.stages.references import PipelineContext
from streaming_etl.components.stages.roles import Role


def create_state_machine(
    name: str,
    pipeline: PipelineContext,
    *,
    definition: Mapping[str, Any],
    statements: Sequence[iam.Statement],
    depends_on: Sequence[pulumi.Resource],
    parent: pulumi.Resource,
) -> tuple[aws.sfn.StateMachine, Role]:
    """Create `{name}-state-machine`, `-states-role` and `-states-policy`.

    A statement with the ARN of the state machine needs a separate policy of the role, and so does
    `pipeline.allow_state_machine_key`, without which no execution starts. The state
    machine writes no logs: Step Functions keeps the history of an execution for 90 days, and log
    delivery would need permissions on every log group of the account.
    """
    role = pipeline.roles.role(f"{name}-states-role", "states.amazonaws.com", parent)
    policies = role.allow(f"{name}-states-policy", statements, parent)
    machine = aws.sfn.StateMachine(
        f"{name}-state-machine",
        role_arn=role.arn,
        type="STANDARD",
        definition=pulumi.Output.json_dumps(dict(definition)),
        encryption_configuration=encryption(pipeline.args.kms_key_arn),
        tags=dict(pipeline.tags),
        # IAM is eventually consistent: create the role's policy before the state machine.
        opts=pulumi.ResourceOptions(parent=parent, depends_on=[*policies, *depends_on]),
    )
    return machine, role


def state_machine_arn(
    name: str, machine: aws.sfn.StateMachine, pipeline: PipelineContext
) -> iam.ResourceArn:
    """Return the ARN of `create_state_machine`'s state machine for policies."""
    return pipeline.named_arn(machine.arn, f"{name}-state-machine", "states", "stateMachine:")


def encryption(
    kms_key_arn: Optional[pulumi.Input[str]],
) -> Optional[aws.sfn.StateMachineEncryptionConfigurationArgs]:
    """Return the encryption of a state machine; None with AWS's key."""
    if kms_key_arn is None:
        return None
    return aws.sfn.StateMachineEncryptionConfigurationArgs(
        type="CUSTOMER_MANAGED_KMS_KEY",
        kms_key_id=kms_key_arn,
        # The default, which the provider would show as a difference at every preview.
        kms_data_key_reuse_period_seconds=300,
    )


def service_integration(partition: pulumi.Input[str], action: str) -> pulumi.Output[str]:
    """Return the ARN of a service integration, such as `lambda:invoke`."""
    return pulumi.Output.concat("arn:", partition, ":states:::", action)


def retrier(attempts: int, first_seconds: int = 5) -> dict[str, Any]:
    """Return a retrier for all errors, with exponential back-off and full jitter.

    https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html
    """
    return {
        "ErrorEquals": ["States.ALL"],
        "IntervalSeconds": first_seconds,
        "BackoffRate": 2,
        "MaxDelaySeconds": 300,
        "JitterStrategy": "FULL",
        "MaxAttempts": attempts,
    }
