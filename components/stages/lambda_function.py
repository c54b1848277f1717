"""Lambda functions with role, policy and log group."""

from collections.abc import Mapping, Sequence
from typing import Optional

import pulumi
import pulumi_aws as aws

from streaming_etl.components.settings.environment import LOG_LEVEL_VARIABLE, SECRETS_VARIABLE
from streaming_etl.components.settings.functions import FunctionsArgs
from streaming_etl.components.stages import iam
from streaming_etl.components.stages.log_group import create_log_group
from streaming_etl.components.stages.references import Function, PipelineContext
from streaming_etl.components.stages.roles import Role

# Of Lambda's own lines, which have no errors.
SYSTEM_LOG_LEVELS = {"debug": "DEBUG", "info": "INFO", "warning": "WARN", "error": "WARN"}
READ_ACTIONS = {"ssm": "ssm:GetParameter", "secretsmanager": "secretsmanager:GetSecretValue"}
"""Actions that read a secret, by the service in its ARN."""
NETWORK_ACTIONS = [
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
]


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
    secrets: Optional[Mapping[str, pulumi.Input[str]]] = None,
    depends_on: Sequence[pulumi.Resource] = (),
    logs_metrics: bool = True,
    layers: Sequence[pulumi.Input[str]] = (),
    reserved_concurrency: Optional[int] = None,
    ephemeral_storage_mib: Optional[int] = None,
) -> Function:
    """Create `{name}-role`, `-logs`, `-policy` and `-function` below `parent`.

    In a VPC also `{name}-vpc-policy`, with tracing `{name}-tracing-policy`, and with secrets
    `{name}-secrets-policy`.

    statements: what the function may do besides writing its logs. None if they need a resource
    that depends on the function: then `function_policy` creates the policy later, and nothing may
    call the function before.
    secrets: ARNs by the name of the variable that the handler sets.
    logs_metrics: whether CloudWatch takes metrics from its lines.
    """
    args, tags = pipeline.args, pipeline.tags
    role = pipeline.roles.role(f"{name}-role", "lambda.amazonaws.com", parent)
    log_group = create_log_group(
        f"{name}-logs",
        pipeline,
        parent,
        log_group_class=None if logs_metrics else pipeline.log_group_class,
    )
    log_group_arn = pipeline.named_arn(log_group.arn, f"{name}-logs", "logs", "log-group:")
    variables = {**(environment or {}), **log_level_variables(args.functions)}
    if secrets:
        variables[SECRETS_VARIABLE] = pulumi.Output.json_dumps(dict(secrets))
    if statements is not None:
        if variables:
            statements = [*statements, *pipeline.allow_environment_key()]
        # IAM is eventually consistent: create the role's policy before the function.
        depends_on = [*depends_on, *function_policy(name, role, log_group_arn, statements, parent)]
    if args.functions.in_vpc:
        # A separate policy, because Lambda checks it when it creates the function.
        vpc = vpc_statements(pipeline.account)
        depends_on = [*depends_on, *role.allow(f"{name}-vpc-policy", vpc, parent)]
    if args.functions.tracing:
        traces = role.allow(f"{name}-tracing-policy", [allow_traces()], parent)
        depends_on = [*depends_on, *traces]
    if secrets:
        # A separate policy, because the transform's other one is created after the function.
        reads = allow_secrets(pipeline, [*secrets.values()])
        depends_on = [*depends_on, *role.allow(f"{name}-secrets-policy", reads, parent)]
    resource = aws.lambda_.Function(
        f"{name}-function",
        code=archive,
        handler=handler,
        runtime=args.runtime,
        architectures=[args.architecture],
        role=role.arn,
        timeout=timeout_seconds,
        memory_size=memory_mib,
        environment=aws.lambda_.FunctionEnvironmentArgs(variables=variables) if variables else None,
        # Lambda does not keep the key of an environment without variables.
        kms_key_arn=args.kms_key_arn if variables else None,
        source_kms_key_arn=args.kms_key_arn,
        # A log group that Lambda creates never expires.
        logging_config=logging_config(args.functions, log_group),
        vpc_config=vpc_config(args.functions),
        tracing_config=(
            aws.lambda_.FunctionTracingConfigArgs(mode="Active") if args.functions.tracing else None
        ),
        layers=list(layers) or None,
        reserved_concurrent_executions=reserved_concurrency,
        ephemeral_storage=(
            aws.lambda_.FunctionEphemeralStorageArgs(size=ephemeral_storage_mib)
            if ephemeral_storage_mib is not None
            else None
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
        has_variables=bool(variables),
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


def logging_config(
    args: FunctionsArgs, log_group: aws.cloudwatch.LogGroup
) -> aws.lambda_.FunctionLoggingConfigArgs:
    """Return the form and the levels of the lines.

    Lambda never filters the handlers' lines: it would filter those with metrics, too.
    https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html
    """
    if args.log_format == "text":
        return aws.lambda_.FunctionLoggingConfigArgs(log_format="Text", log_group=log_group.name)
    return aws.lambda_.FunctionLoggingConfigArgs(
        log_format="JSON",
        log_group=log_group.name,
        application_log_level="DEBUG" if args.log_level == "debug" else "INFO",
        system_log_level=SYSTEM_LOG_LEVELS[args.log_level or "info"],
    )


def log_level_variables(args: FunctionsArgs) -> dict[str, str]:
    """Return the environment variable with which the handlers filter lines."""
    return {LOG_LEVEL_VARIABLE: args.log_level.upper()} if args.log_level else {}


def vpc_config(args: FunctionsArgs) -> Optional[aws.lambda_.FunctionVpcConfigArgs]:
    """Return subnets and security groups; None outside a VPC."""
    if not args.in_vpc:
        return None
    return aws.lambda_.FunctionVpcConfigArgs(
        subnet_ids=args.subnet_ids, security_group_ids=args.security_group_ids
    )


def vpc_statements(account: iam.Account) -> list[iam.Statement]:
    """Allow Lambda, but not the function's code, to manage network interfaces.

    Lambda requires these actions on all resources, because it shares an interface among functions.
    https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html
    """
    own_code = {"ArnLike": {"lambda:SourceFunctionArn": account.arn("lambda", "function:*")}}
    return [
        iam.allow(NETWORK_ACTIONS, ["*"]),
        {"Effect": "Deny", "Action": NETWORK_ACTIONS, "Resource": ["*"], "Condition": own_code},
    ]


def allow_traces() -> iam.Statement:
    """Allow to send traces; X-Ray supports no resource other than `*`.

    https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsx-ray.html
    """
    return iam.allow(["xray:PutTraceSegments", "xray:PutTelemetryRecords"], ["*"])


def allow_secrets(
    pipeline: PipelineContext, arns: Sequence[pulumi.Input[str]]
) -> list[iam.Statement]:
    """Allow to read these secrets, and to decrypt with the pipeline's key.

    https://docs.aws.amazon.com/secretsmanager/latest/userguide/security-encryption.html
    https://docs.aws.amazon.com/kms/latest/developerguide/services-parameter-store.html
    """
    known = [arn for arn in arns if isinstance(arn, str)]
    by_action = {
        action: [arn for arn in known if arn.split(":")[2] == service]
        for service, action in READ_ACTIONS.items()
    }
    statements = [iam.allow([action], of_action) for action, of_action in by_action.items()]
    # The service is not known yet. An action has no effect on an ARN of the other service.
    outputs = [arn for arn in arns if not isinstance(arn, str)]
    statements.append(iam.allow([*READ_ACTIONS.values()], outputs))
    region = pipeline.account.region
    services = [pulumi.Output.concat(each, ".", region, ".amazonaws.com") for each in READ_ACTIONS]
    key = iam.allow_key(
        pipeline.args.kms_key_arn,
        ["kms:Decrypt"],
        {"StringEquals": {"kms:ViaService": services}},
        pipeline.args.former_kms_key_arns,
    )
    return [*(each for each in statements if each["Resource"]), *key]
