"""Lambda functions with role, policy and log group."""

from collections.abc import Mapping, Sequence
from typing import Optional

import pulumi
import pulumi_aws as aws

from streaming_etl.components.stages import iam
from streaming_etl.components.stages.log_group import create_log_group
from streaming_etl.components.stages.references import Function, PipelineContext
from streaming_etl.components.stages.roles import Role


def create_function(
    name: str,
    pipeline: PipelineContext,
    *,
    archive: pulumi.FileArchive,
    handler: str,
    timeout_seconds: int,
    memory_mib: int,
    parent: pulumi.Resource,
    statements: Optional[Sequence[iam.Statement]],
    environment: Optional[Mapping[str, pulumi.Input[str]]] = None,
    depends_on: Sequence[pulumi.Resource] = (),
) -> Function:
    """Create `{name}-role`, `-logs`, `-policy` and `-function` below `parent`.

    statements: what the function may do besides writing its logs. None if they need a resource
    that depends on the function: then `function_policy` creates the policy later, and nothing may
    call the function before.
    """
    args, tags = pipeline.args, pipeline.tags
    role = pipeline.roles.role(f"{name}-role", "lambda.amazonaws.com", parent)
    log_group = create_log_group(f"{name}-logs", pipeline, parent)
    log_group_arn = pipeline.named_arn(log_group.arn, f"{name}-logs", "logs", "log-group:")
    if statements is not None:
        if environment:
            statements = [*statements, *pipeline.allow_environment_key()]
        # IAM is eventually consistent: create the role's policy before the function.
        depends_on = [*depends_on, *function_policy(name, role, log_group_arn, statements, parent)]
    variables = aws.lambda_.FunctionEnvironmentArgs(variables=dict(environment or {}))
    resource = aws.lambda_.Function(
        f"{name}-function",
        code=archive,
        handler=handler,
        runtime=args.runtime,
        architectures=[args.architecture],
        role=role.arn,
        timeout=timeout_seconds,
        memory_size=memory_mib,
        environment=variables if environment else None,
        # Lambda does not keep the key of an environment without variables.
        kms_key_arn=args.kms_key_arn if environment else None,
        source_kms_key_arn=args.kms_key_arn,
        # The handlers write JSON lines themselves. A log group that Lambda creates never expires.
        logging_config=aws.lambda_.FunctionLoggingConfigArgs(
            log_format="Text", log_group=log_group.name
        ),
        tags=dict(tags),
        opts=pulumi.ResourceOptions(parent=parent, depends_on=depends_on),
    )
    return Function(
        resource=resource,
        arn=pipeline.named_arn(resource.arn, f"{name}-function", "lambda", "function:"),
        role=role,
        log_group=log_group,
        log_group_arn=log_group_arn,
    )


def function_policy(
    name: str,
    role: Role,
    log_group: iam.ResourceArn,
    statements: Sequence[iam.Statement],
    parent: pulumi.Resource,
) -> list[pulumi.Resource]:
    """Create the policy of a function's role: its logs and the statements."""
    return role.allow(f"{name}-policy", [iam.allow_logs(log_group), *statements], parent)
