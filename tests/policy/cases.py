"""Good and bad resources for a rule, and what the rule says of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from policy.rules.pack import RULES
from policy.rules.resources import Resource, Stack
from policy.rules.rule import ResourceRule, StackRule

BY_NAME = {rule.name: rule for rule in RULES}
STACK = "test"


@dataclass(frozen=True)
class Case:
    """What a rule finds in some resources, by their names; nothing in good ones."""

    says: str
    rule: str
    resources: Sequence[Resource]
    found: Sequence[tuple[str, str]] = ()
    config: Mapping[str, Any] = field(default_factory=dict)

    def run(self) -> list[tuple[str, str]]:
        rule = BY_NAME[self.rule]
        if isinstance(rule, ResourceRule):
            found = [
                (resource, message)
                for resource in self.resources
                for message in rule.check(resource, self.config)
            ]
        else:
            assert isinstance(rule, StackRule)
            found = list(rule.check(Stack(self.resources, self.config)))
        return [(resource.urn.split("::")[-1], message) for resource, message in found]


def urn(kind: str, name: str, stack: str = STACK) -> str:
    return f"urn:pulumi:{stack}::etl::aws:{kind}::{name}"


def made(
    kind: str, name: str, props: Mapping[str, Any], /, *, stack: str = STACK, **references: str
) -> Resource:
    """A resource; `references` are properties with the URN that each is made from."""
    made_from = {key: [value] for key, value in references.items()}
    return Resource(f"aws:{kind}", urn(kind, name, stack), props, made_from)
