"""JSON of the pages: IAM policies, settings of the policy pack, sample changes."""

import fnmatch
import json
from functools import cache
from typing import Any

from pulumi_policy import EnforcementLevel

from policy.rules.pack import RULES
from streaming_etl.ops.transform_test.samples import Source, samples_of
from tests.docs.aws_cli import session
from tests.docs.blocks import Block, DocError

# Actions that are no operation.
# https://docs.aws.amazon.com/service-authorization/latest/reference/
NO_OPERATION = {
    "iam:PassRole",
    "lambda:InvokeFunction",
    "s3:GetObjectVersion",
    "s3:ListBucket",
}
# Where actions and botocore's models have other names.
MODELS = {"dynamodb": ("dynamodb", "dynamodbstreams"), "states": ("stepfunctions",)}
# What goes into a trust policy holds whom it trusts, not what it is about.
ELEMENTS = {"Sid", "Effect", "Action", "Resource", "Principal", "Condition"}


def run(block: Block) -> None:
    try:
        given = json.loads(block.text)
    except ValueError as error:
        raise DocError(f"no JSON: {error}") from None
    if isinstance(given, list):
        samples_of(block.text.encode(), Source(block.page, ["id"], "always"))
    elif "Statement" in given:
        check_policy(given)
    elif given and set(given) <= {rule.name for rule in RULES}:
        check_pack_config(given)
    else:
        raise DocError(
            "no IAM policy, settings of the policy pack or list of sample changes; teach"
            " tests/docs/json_blocks.py what it is"
        )


def check_pack_config(given: dict[str, Any]) -> None:
    """Refuse a level or a setting that the policy pack's rule has not."""
    levels = {level.value for level in EnforcementLevel}
    for rule in RULES:
        told = given.get(rule.name, {})
        settings = {"enforcementLevel": told} if isinstance(told, str) else dict(told)
        level = settings.pop("enforcementLevel", rule.level.value)
        if level not in levels:
            raise DocError(f"{rule.name}={level!r} is none of {', '.join(sorted(levels))}")
        if unknown := settings.keys() - rule.settings:
            raise DocError(f"{rule.name} has no setting {', '.join(sorted(unknown))}")


def check_policy(given: dict[str, Any]) -> None:
    if given.get("Version") != "2012-10-17":
        raise DocError(f"Version={given.get('Version')!r}: a policy has 2012-10-17")
    for statement in given["Statement"]:
        check_statement(statement)


def check_statement(statement: dict[str, Any]) -> None:
    if unknown := set(statement) - ELEMENTS:
        raise DocError(f"a statement has no {', '.join(sorted(unknown))}")
    if statement.get("Effect") not in ("Allow", "Deny"):
        raise DocError(f"Effect={statement.get('Effect')!r}: Allow or Deny")
    if ("Resource" in statement) == ("Principal" in statement):
        raise DocError("a statement has either a Resource or, to trust somebody, a Principal")
    actions = statement["Action"]
    for action in [actions] if isinstance(actions, str) else actions:
        check_action(action)


def check_action(action: str) -> None:
    """Refuse an action such as `s3:GetObject` that AWS has not."""
    prefix, _, name = action.partition(":")
    if action not in NO_OPERATION and not fnmatch.filter(operations(prefix), name):
        raise DocError(f"AWS has no action {action}")


@cache
def operations(prefix: str) -> frozenset[str]:
    """The operations of the services whose actions begin with the prefix."""
    services = MODELS.get(prefix, (prefix,))
    known = set(session().get_available_services())
    return frozenset(
        name
        for service in services
        if service in known
        for name in session().get_service_model(service).operation_names
    )
