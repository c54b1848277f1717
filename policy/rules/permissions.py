"""Who may do what: no wildcards in policy documents beyond a few, no managed policy too wide."""

import re
from collections.abc import Iterator

from .documents import Config, allowed
from .resources import Resource, listed, told
from .rule import ResourceRule, Rule

LAMBDA_IN_VPC = "Lambda in a VPC makes its network interfaces, whose names nobody knows before"
SAMPLING = "it knows no resource, and X-Ray's SDK asks for it"

# Actions that AWS cannot scope, or documents with everything only.
# https://docs.aws.amazon.com/service-authorization/latest/reference/reference.html
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html
UNSCOPED = {
    "cloudwatch:PutMetricData": "a metric is no resource",
    "dynamodb:ListStreams": "it knows no resource, and Lambda asks for it to read a stream",
    "ec2:AssignPrivateIpAddresses": LAMBDA_IN_VPC,
    "ec2:CreateNetworkInterface": LAMBDA_IN_VPC,
    "ec2:DeleteNetworkInterface": LAMBDA_IN_VPC,
    "ec2:DescribeNetworkInterfaces": "it knows no resource",
    "ec2:DescribeSecurityGroups": "it knows no resource",
    "ec2:DescribeSubnets": "it knows no resource",
    "ec2:DescribeVpcs": "it knows no resource",
    "ec2:UnassignPrivateIpAddresses": LAMBDA_IN_VPC,
    "sts:GetCallerIdentity": "it knows no resource",
    "xray:GetSamplingRules": SAMPLING,
    "xray:GetSamplingStatisticSummaries": SAMPLING,
    "xray:GetSamplingTargets": SAMPLING,
    "xray:PutTelemetryRecords": "a trace is no resource",
    "xray:PutTraceSegments": "a trace is no resource",
}

# In a policy that lies on a key, a secret, a topic or a queue, "*" is that itself.
# https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-overview.html
# https://docs.aws.amazon.com/secretsmanager/latest/userguide/auth-and-access_resource-policies.html
ON_ITSELF = ("aws:kms/", "aws:secretsmanager/", "aws:sns/", "aws:sqs/")

# Their ARNs hold the name at once, others a kind such as `table` before it.
NAME_FIRST = re.compile(r"arn:[^:]*:(s3:::|(codecommit|codepipeline|execute-api|sns|sqs):).*")

# A wildcard in the service, or where the action's name begins.
TOO_MANY = re.compile(r"[^:]*[*?].*:.*|(.*:)?[*?].*")

TOO_WIDE = re.compile(
    r"arn:[^:]+:iam::aws:policy/(?:.*/)?"
    r"([\w-]*FullAccess[\w-]*|AdministratorAccess[\w-]*|PowerUserAccess|SecretsManagerReadWrite"
    r"|job-function/(DataScientist|(Database|Network|System)Administrator))"
)


def resources_named(resource: Resource, _: Config) -> Iterator[str]:
    if resource.type.startswith(ON_ITSELF):
        return
    unscoped = {action.lower() for action in UNSCOPED}
    for path, statement in allowed(resource):
        actions = listed(statement.get("Action"))
        scoped = [action for action in actions if str(action).lower() not in unscoped]
        if "NotResource" in statement:
            yield (
                f"{told(f'{path}: NotResource', statement['NotResource'])} allows all the rest;"
                " name what is allowed in Resource."
            )
        for name in listed(statement.get("Resource")):
            if scoped and names_nothing(str(name)):
                yield (
                    f"{told(f'{path}: Resource', name)} is too wide for {', '.join(scoped)}: only"
                    " the actions listed in docs/policies.md may have it; name the ARNs."
                )


def names_nothing(arn: str) -> bool:
    """Whether a resource of a statement is everything, or everything of a kind.

    So are `table/*/stream/*` and `arn:aws:s3:::*/*`: what counts is the name itself.
    """
    if not arn.startswith("arn:"):
        return not arn.strip("*?")
    part = arn.split(":", 5)[-1]
    pieces = [piece for piece in re.split("[/:]", part) if piece]
    names = pieces if NAME_FIRST.fullmatch(arn) else pieces[1:]
    wild = "*" in part or "?" in part
    return wild and not (names and re.search("[a-zA-Z0-9]", names[0]))


def actions_named(resource: Resource, _: Config) -> Iterator[str]:
    # A key's policy must give the account everything, or nobody can change it any more.
    if resource.type.startswith("aws:kms/"):
        return
    for path, statement in allowed(resource):
        if "NotAction" in statement:
            yield (
                f"{told(f'{path}: NotAction', statement['NotAction'])} allows all the rest; list"
                " what is allowed in Action."
            )
        for action in listed(statement.get("Action")):
            if TOO_MANY.fullmatch(str(action)):
                yield (
                    f"{told(f'{path}: Action', action)} is too wide: such a wildcard takes in what"
                    " deletes and what gives rights away; list the actions."
                )


def managed_narrow(resource: Resource, _: Config) -> Iterator[str]:
    if not resource.type.startswith("aws:iam/"):
        return
    for key in ("policyArn", "policyArns", "managedPolicyArns"):
        for arn in listed(resource.get(key)):
            if TOO_WIDE.fullmatch(str(arn)):
                yield (
                    f"{told(key, arn)} is too wide: it allows a whole service on everything; write"
                    " a policy with the actions and ARNs that are needed."
                )


RULES: list[Rule] = [
    ResourceRule(
        name="policy-resources-named",
        guards="What a policy allows, it allows on named resources.",
        reason="With a wildcard one broken function reaches every table and bucket.",
        remedy="Name the ARNs; an action that AWS cannot scope is listed in"
        " `policy/rules/permissions.py` with its reason.",
        check=resources_named,
    ),
    ResourceRule(
        name="policy-actions-named",
        guards="A policy lists the actions that it allows.",
        reason="`*` takes in what deletes, what gives rights away, and what AWS adds next year.",
        remedy="List the actions.",
        check=actions_named,
    ),
    ResourceRule(
        name="managed-policy-narrow",
        guards="No managed policy gives a whole service away.",
        reason="A FullAccess policy is a wildcard under another name.",
        remedy="Write a policy with the actions and ARNs that are needed.",
        check=managed_narrow,
    ),
]
