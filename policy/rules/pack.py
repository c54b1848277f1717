"""All rules of the pack, in the order in which docs/policies.md tells them."""

from pulumi_policy import Policy

from . import alarms, buckets, delivery, logs, permissions, principals, production, streams
from .rule import Rule

RULES: list[Rule] = [
    *buckets.RULES,
    *permissions.RULES,
    *principals.RULES,
    *logs.RULES,
    *streams.RULES,
    *delivery.RULES,
    *alarms.RULES,
    *production.RULES,
]


def policies() -> list[Policy]:
    """Every rule as Pulumi runs it."""
    return [rule.policy() for rule in RULES]
