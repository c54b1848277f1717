"""Who may do what: no wildcards in policy documents beyond a few, no managed policy too wide."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from .resources import Resource, listed, mapped, told
from .rule import ResourceRule, Rule

Statement = Mapping[str, Any]
Config = Mapping[str, Any]

# Actions that AWS cannot scope: they can be allowed on everything only.
# https://docs.aws.amazon.com/service-authorization/latest/reference/reference.html
UNSCOPED = {
    "cloudwatch:PutMetricData": "a metric is no resource",
    "dynamodb:ListStreams": "it knows no resource, and Lambda asks for it to read a stream",
    "xray:PutTelemetryRecords": "a trace is no resource",
    "xray:PutTraceSegments": "a trace is no resource",
}

# In a policy that lies on a key or a secret, "*" is that key or secret.
# https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-overview.html
# https://docs.aws.amazon.com/secretsmanager/latest/userguide/auth-and-access_resource-policies.html
ON_ITSELF = ("aws:kms/", "aws:secretsmanager/")

# An ARN that names nothing but a kind of resource.
WHOLE_KIND = re.compile(
    r"\*|(deliverystream|function|key|log-group|role|secret|stateMachine|stream|table)[/:]\*"
)

# What ties an open principal to somebody.
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html
BINDING = {
    "aws:principalaccount",
    "aws:principalarn",
    "aws:principalorgid",
    "aws:principalorgpaths",
    "aws:sourceaccount",
    "aws:sourcearn",
    "aws:sourceip",
    "aws:sourceorgid",
    "aws:sourceowner",
    "aws:sourcevpc",
    "aws:sourcevpce",
    "kms:calleraccount",
}

TOO_WIDE = re.compile(
    r"arn:[^:]+:iam::aws:policy/(?:.*/)?(\w*FullAccess|AdministratorAccess|PowerUserAccess)"
)


def statements(document: Any) -> list[Statement]:
    """A policy document's statements; none of what is unknown or no such document."""
    if isinstance(document, str):
        try:
            document = json.loads(document)
        except ValueError:
            return []
    if not isinstance(document, Mapping):
        return []
    return [item for item in listed(document.get("Statement")) if isinstance(item, Mapping)]


def allowed(resource: Resource) -> Iterator[tuple[str, Statement]]:
    """What the documents in a resource allow, each with the property that it stands in."""
    documents = {key: resource.get(key) for key in ("policy", "assumeRolePolicy")}
    for index, inline in enumerate(listed(resource.get("inlinePolicies"))):
        documents[f"inlinePolicies[{index}].policy"] = mapped(inline).get("policy")
    if resource.type.startswith("aws:"):
        for path, document in documents.items():
            for statement in statements(document):
                if statement.get("Effect") == "Allow":
                    yield path, statement


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
                    f" {', '.join(UNSCOPED)} may have it; name the ARNs."
                )


def names_nothing(arn: str) -> bool:
    """Whether a resource of a statement is everything, or everything of a kind."""
    if arn == "*":
        return True
    parts = arn.split(":", 5)
    if len(parts) < 6:
        return False
    # A bucket's objects stand behind it, as in `arn:aws:s3:::*/*`.
    name = parts[5].removesuffix("/*") if parts[2] == "s3" else parts[5]
    return WHOLE_KIND.fullmatch(name) is not None


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
            if str(action).split(":")[-1] == "*":
                yield (
                    f"{told(f'{path}: Action', action)} is too wide: a service's actions include"
                    " those that delete and that give rights away; list the actions."
                )


def principals_named(resource: Resource, _: Config) -> Iterator[str]:
    for path, statement in allowed(resource):
        if "NotPrincipal" in statement:
            yield (
                f"{told(f'{path}: NotPrincipal', statement['NotPrincipal'])} allows all the rest;"
                " name who is allowed in Principal."
            )
        principal = statement.get("Principal")
        holders = principal.values() if isinstance(principal, Mapping) else [principal]
        anybody = any("*" in listed(holder) for holder in holders)
        if anybody and not BINDING & condition_keys(statement):
            yield (
                f"{told(f'{path}: Principal', principal)} is anybody in any account; name the"
                " account, role or service, or add a condition such as aws:SourceAccount."
            )


def condition_keys(statement: Statement) -> set[str]:
    tests = mapped(statement.get("Condition")).values()
    return {key.lower() for test in tests for key in mapped(test)}


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
        name="policy-principals-named",
        guards="A policy tells who is allowed.",
        reason="The principal `*` without a condition is anybody in any account.",
        remedy="Name the account, role or service, or add a condition such as aws:SourceAccount.",
        check=principals_named,
    ),
    ResourceRule(
        name="managed-policy-narrow",
        guards="No managed policy gives a whole service away.",
        reason="A FullAccess policy is a wildcard under another name.",
        remedy="Write a policy with the actions and ARNs that are needed.",
        check=managed_narrow,
    ),
]
