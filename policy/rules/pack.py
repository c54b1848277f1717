"""All rules of the pack, in the order of docs/policies.md."""

from pulumi_policy import Policy

from . import alarms, buckets, delivery, principals, production, roles, streams
from .rule import Rule

RULES: list[Rule] = [
    *streams.RULES,
    *delivery.RULES,
    *alarms.RULES,
    *buckets.RULES,
    *principals.RULES,
    *roles.RULES,
    *production.RULES,
]


def policies() -> list[Policy]:
    """Every rule as Pulumi runs it."""
    return [rule.policy() for rule in RULES]
