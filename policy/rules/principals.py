"""Who is allowed: nobody unknown by a policy, a trust, a function's permission or its URL."""

import re
from collections.abc import Callable, Iterator
from typing import Any

from .documents import Config, Statement, allowed, conditions
from .resources import UNKNOWN, Resource, listed, told
from .rule import ResourceRule, Rule

PERMISSION = "aws:lambda/permission:Permission"
FUNCTION_URL = "aws:lambda/functionUrl:FunctionUrl"

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
# The others hold for all but somebody, or where the key is missing.
POSITIVE = re.compile(
    r"(foranyvalue:)?(stringequals(ignorecase)?|stringlike|arnequals|arnlike|ipaddress)"
)

# GitHub gives everybody's workflows tokens of one issuer.
# https://docs.github.com/en/actions/reference/security/oidc
GITHUB = "token.actions.githubusercontent.com"
# A claim, and behind it the owner without a wildcard: `repo:owner/name:*`.
GITHUB_OWNER = re.compile(r"\w+:[^*?/:]+([/:].*)?")


def principals_named(resource: Resource, _: Config) -> Iterator[str]:
    for path, statement in allowed(resource):
        if "NotPrincipal" in statement:
            yield (
                f"{told(f'{path}: NotPrincipal', statement['NotPrincipal'])} allows all the rest;"
                " name who is allowed in Principal."
            )
        principal = statement.get("Principal")
        if "*" in holders(principal) and not narrowed(statement, BINDING.__contains__, ties):
            yield (
                f"{told(f'{path}: Principal', principal)} is anybody in any account; name the"
                " account, role or service, or add a condition such as aws:SourceAccount."
            )
        if by_github(statement) and not narrowed(statement, is_subject, names_owner):
            yield (
                f"{told(f'{path}: Principal', principal)} is any workflow of GitHub; add a"
                f" condition StringEquals or StringLike on {GITHUB}:sub with the repository, such"
                ' as "repo:OWNER/NAME:ref:refs/heads/main".'
            )


def holders(principal: Any) -> list[Any]:
    kinds = principal.values() if isinstance(principal, dict) else [principal]
    return [holder for kind in kinds for holder in listed(kind)]


def narrowed(
    statement: Statement, counts: Callable[[str], bool], fits: Callable[[str, str], bool]
) -> bool:
    """Whether a condition on a key that counts lets in only what fits, in each of its values."""
    return any(
        POSITIVE.fullmatch(operator)
        and counts(key)
        and all(fits(key, str(item)) for item in listed(value))
        for operator, key, value in conditions(statement)
    )


def ties(key: str, value: str) -> bool:
    """Whether a value stands for somebody: an account, an organization, a network, a bucket."""
    if key == "aws:sourceip":
        bits = value.partition("/")[2]
        return "*" not in value and not (bits.isdigit() and int(bits) < 8)
    parts = value.split(":", 5)
    # An ARN such as a bucket's holds no account.
    owner = parts[4] or parts[5] if len(parts) == 6 else value.split("/")[0]
    return owner != "" and not set("*?") & set(owner)


def by_github(statement: Statement) -> bool:
    return any(GITHUB in str(holder) for holder in holders(statement.get("Principal")))


def is_subject(key: str) -> bool:
    return key.startswith(GITHUB) and key.endswith(":sub")


def names_owner(_: str, value: str) -> bool:
    return GITHUB_OWNER.fullmatch(value) is not None


def function_called(resource: Resource, _: Config) -> Iterator[str]:
    if resource.type == FUNCTION_URL and resource.get("authorizationType") == "NONE":
        yield (
            f"{told('authorizationType', 'NONE')} lets anybody call the function; set it to"
            ' "AWS_IAM".'
        )
    if resource.type == PERMISSION and resource.get("principal") == "*":
        given = [resource.get(key) for key in ("sourceAccount", "sourceArn", "principalOrgId")]
        if not any(value is UNKNOWN or (value and ties("", value)) for value in given):
            yield (
                f"{told('principal', '*')} is anybody in any account; name the account or service,"
                " or set sourceAccount, sourceArn or principalOrgId."
            )


def checked(resource: Resource, config: Config) -> Iterator[str]:
    yield from principals_named(resource, config)
    yield from function_called(resource, config)


RULES: list[Rule] = [
    ResourceRule(
        name="policy-principals-named",
        guards="A policy, a function's permission and its URL tell who is allowed.",
        reason="The principal `*` without a condition is anybody in any account, and a trust in"
        " GitHub without a subject is anybody's workflow.",
        remedy="Name the account, role or service, or add a condition such as aws:SourceAccount.",
        check=checked,
    ),
]
