"""Messages of the policy pack."""

from policy.rules.pack import RULES
from policy.rules.resources import Stack
from policy.rules.rule import ResourceRule, StackRule
from streaming_etl.stack.recorder import build
from tests.policy.careless import careless
from tests.policy.engine import as_resources, registered


def messages() -> dict[str, str]:
    """The message of each violation in a careless production stack."""
    resources = as_resources(registered(lambda: build(careless, stack="prod")))
    result = {}
    for rule in RULES:
        if isinstance(rule, ResourceRule):
            violations = [it for resource in resources for it in rule.check(resource, {})]
        else:
            assert isinstance(rule, StackRule)
            violations = list(rule.check(Stack(resources)))
        for violation in violations:
            name = violation.resource.urn.split("::")[-1]
            result[f"{rule.name} {name} {violation.path}"] = violation.message
    return result
