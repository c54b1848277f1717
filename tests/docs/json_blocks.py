"""JSON of the pages: policies whose every action AWS has."""

import fnmatch
import json
from functools import cache
from typing import Any

from tests.docs.aws_cli import session
from tests.docs.blocks import Block, DocError

# Actions that are no operation, and what they allow.
# https://docs.aws.amazon.com/service-authorization/latest/reference/
NO_OPERATION = {
    "s3:ListBucket": "ListObjectsV2",
    "s3:GetObjectVersion": "GetObject",
    "lambda:InvokeFunction": "Invoke",
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
    if not isinstance(given, dict) or "Statement" not in given:
        raise DocError("only policies are known; teach tests/docs/json_blocks.py what this is")
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
    pattern = NO_OPERATION.get(action, name)
    if not fnmatch.filter(operations(prefix), pattern):
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
