"""Messages of the policy pack."""

from policy.rules.pack import RULES
from policy.rules.resources import Stack
from policy.rules.rule import ResourceRule, StackRule
from streaming_etl.stack.recorder import build
from tests.policy.careless import careless
from tests.policy.engine import as_resources, registered

# Of the rules that check nothing without a config.
CONFIGS = {
    "roles-have-boundary": {"policies": ["arn:aws:iam::123456789012:policy/boundary"]},
}


def messages() -> dict[str, str]:
    """The message of each violation in a careless production stack."""
    resources = as_resources(registered(lambda: build(careless, stack="prod")))
    result = {}
    for rule in RULES:
        config = CONFIGS.get(rule.name, {})
        if isinstance(rule, ResourceRule):
            violations = [it for resource in resources for it in rule.check(resource, config)]
        else:
            assert isinstance(rule, StackRule)
            violations = list(rule.check(Stack(resources, config)))
        for violation in violations:
            name = violation.resource.urn.split("::")[-1]
            result[f"{rule.name} {name} {violation.path}"] = violation.message
    return result
