"""Policies, function permissions and function URLs must name who is allowed."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from .documents import Statement, allow_statements, conditions
from .resources import UNKNOWN, Resource, as_list
from .rule import ResourceRule, Rule, Violation

PERMISSION = "aws:lambda/permission:Permission"
FUNCTION_URL = "aws:lambda/functionUrl:FunctionUrl"
FIX = "Name the account, role or service, or add a condition such as aws:SourceAccount."
NOT_EVERYBODY = "not allow everybody"

# Condition keys that restrict the principal `*` to an owner.
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
# Other operators hold for everybody except an owner, or without the key.
POSITIVE = re.compile(
    r"(foranyvalue:)?(stringequals(ignorecase)?|stringlike|arnequals|arnlike|ipaddress)"
)

# One issuer signs the tokens of all GitHub workflows.
# https://docs.github.com/en/actions/reference/security/oidc
GITHUB = "token.actions.githubusercontent.com"
# A claim with an owner without wildcards, such as `repo:owner/name:*`.
GITHUB_OWNER = re.compile(r"\w+:[^*?/:]+([/:].*)?")


def policy_violations(resource: Resource) -> Iterator[Violation]:
    for path, statement in allow_statements(resource):
        if "NotPrincipal" in statement:
            value = statement["NotPrincipal"]
            fix = "It allows everybody else. Use Principal."
            yield Violation(resource, f"{path}: NotPrincipal", value, "not be used", fix)
        principal = statement.get("Principal")
        if "*" in holders(principal) and not restricted(statement, BINDING.__contains__, has_owner):
            yield Violation(resource, f"{path}: Principal", principal, NOT_EVERYBODY, FIX)
        if trusts_github(statement) and not restricted(statement, is_subject, has_repository):
            fix = (
                f"Add a condition StringEquals or StringLike on {GITHUB}:sub with the repository,"
                ' such as "repo:OWNER/NAME:ref:refs/heads/main".'
            )
            must = "not allow every workflow of GitHub"
            yield Violation(resource, f"{path}: Principal", principal, must, fix)


def holders(principal: Any) -> list[Any]:
    kinds = principal.values() if isinstance(principal, dict) else [principal]
    return [holder for kind in kinds for holder in as_list(kind)]


def restricted(
    statement: Statement, counts: Callable[[str], bool], fits: Callable[[str, str], bool]
) -> bool:
    """Whether a condition on a relevant key allows only fitting values."""
    return any(
        POSITIVE.fullmatch(operator)
        and counts(key)
        and all(fits(key, str(item)) for item in as_list(value))
        for operator, key, value in conditions(statement)
    )


def has_owner(key: str, value: str) -> bool:
    """Whether a value identifies an account, organization, network or bucket."""
    if key == "aws:sourceip":
        bits = value.partition("/")[2]
        return "*" not in value and not (bits.isdigit() and int(bits) < 8)
    parts = value.split(":", 5)
    # The ARN of a bucket contains no account.
    owner = parts[4] or parts[5] if len(parts) == 6 else value.split("/")[0]
    return owner != "" and not set("*?") & set(owner)


def trusts_github(statement: Statement) -> bool:
    return any(GITHUB in str(holder) for holder in holders(statement.get("Principal")))


def is_subject(key: str) -> bool:
    return key.startswith(GITHUB) and key.endswith(":sub")


def has_repository(_: str, value: str) -> bool:
    return GITHUB_OWNER.fullmatch(value) is not None


def function_violations(resource: Resource) -> Iterator[Violation]:
    if resource.type == FUNCTION_URL and resource.get("authorizationType") == "NONE":
        fix = 'Set it to "AWS_IAM".'
        yield Violation(resource, "authorizationType", "NONE", NOT_EVERYBODY, fix)
    if resource.type == PERMISSION and resource.get("principal") == "*":
        limits = [resource.get(key) for key in ("sourceAccount", "sourceArn", "principalOrgId")]
        if not any(value is UNKNOWN or (value and has_owner("", value)) for value in limits):
            fix = "Name the account or service, or set sourceAccount, sourceArn or principalOrgId."
            yield Violation(resource, "principal", "*", NOT_EVERYBODY, fix)


def no_public_principal(resource: Resource, _: Mapping[str, Any]) -> Iterator[Violation]:
    yield from policy_violations(resource)
    yield from function_violations(resource)


RULES: list[Rule] = [
    ResourceRule(
        name="no-public-principal",
        requires="A policy, a function's permission and its URL name who is allowed.",
        reason="The principal `*` without a condition is everybody in any account, and a trust in"
        " GitHub without a subject is everybody's workflow.",
        fix=FIX,
        check=no_public_principal,
    ),
]
