"""Lambda functions with role and log group."""

from collections.abc import Mapping, Sequence
from typing import Optional

import pulumi
import pulumi_aws as aws

from streaming_etl.components.stages import iam
from streaming_etl.components.stages.references import Function, PipelineContext


def create_function(
    name: str,
    pipeline: PipelineContext,
    *,
    archive: pulumi.FileArchive,
    handler: str,
    timeout_seconds: int,
    memory_mib: int,
    parent: pulumi.Resource,
    environment: Optional[Mapping[str, pulumi.Input[str]]] = None,
    depends_on: Sequence[pulumi.Resource] = (),
) -> Function:
    """Create `{name}-role`, `-logs`, `-log-policy` and `-function` below `parent`."""
    args, tags = pipeline.args, pipeline.tags
    opts = pulumi.ResourceOptions(parent=parent)
    role = iam.service_role(f"{name}-role", "lambda.amazonaws.com", pipeline.account, tags, parent)
    log_group = aws.cloudwatch.LogGroup(
        f"{name}-logs", retention_in_days=args.log_retention_days, tags=dict(tags), opts=opts
    )
    log_policy = iam.role_policy(f"{name}-log-policy", role, [iam.allow_logs(log_group)], parent)
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
        # The handlers write JSON lines themselves. A log group that Lambda creates never expires.
        logging_config=aws.lambda_.FunctionLoggingConfigArgs(
            log_format="Text", log_group=log_group.name
        ),
        tags=dict(tags),
        # IAM is eventually consistent: create the role's policy before the function.
        opts=pulumi.ResourceOptions(parent=parent, depends_on=[log_policy, *depends_on]),
    )
    return Function(resource=resource, role=role, log_group=log_group)
