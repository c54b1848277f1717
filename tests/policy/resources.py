"""Builders of resources, and the violations that a rule finds in them."""

import json
from collections.abc import Mapping
from typing import Any

from policy.rules.pack import RULES
from policy.rules.resources import Resource, Stack
from policy.rules.rule import ResourceRule, StackRule

BY_NAME = {rule.name: rule for rule in RULES}


def urn(kind: str, name: str, stack: str = "test") -> str:
    return f"urn:pulumi:{stack}::etl::aws:{kind}::{name}"


def resource(
    kind: str, name: str, props: Mapping[str, Any], /, *, stack: str = "test", **references: str
) -> Resource:
    """A resource; `references` are properties with the URN that each depends on."""
    depends_on = {key: [value] for key, value in references.items()}
    return Resource(f"aws:{kind}", urn(kind, name, stack), props, depends_on)


def violations(
    rule_name: str, *resources: Resource, config: Mapping[str, Any] = {}
) -> list[tuple[str, str, Any]]:
    """Name of the resource, property and value of each violation."""
    rule = BY_NAME[rule_name]
    if isinstance(rule, ResourceRule):
        matches = [violation for it in resources for violation in rule.check(it, config)]
    else:
        assert isinstance(rule, StackRule)
        matches = list(rule.check(Stack(resources, config)))
    return [(it.resource.urn.split("::")[-1], it.path, it.value) for it in matches]


def document(**changes: Any) -> str:
    """A policy document with one statement; None removes a key."""
    statement = {"Effect": "Allow", "Action": "dynamodb:GetItem", "Resource": "*", **changes}
    present = {key: value for key, value in statement.items() if value is not None}
    return json.dumps({"Version": "2012-10-17", "Statement": [present]})
