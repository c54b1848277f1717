"""A rule: what it guards, why, what to do, the check itself, and how Pulumi runs it."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pulumi_policy import (
    EnforcementLevel,
    Policy,
    PolicyConfigSchema,
    PolicyResource,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)

from .resources import Found, Resource, Stack, plain


@dataclass(frozen=True, kw_only=True)
class Rule(ABC):
    """What every rule tells of itself."""

    name: str
    guards: str
    """What must hold."""
    reason: str
    """What happens otherwise."""
    remedy: str
    level: EnforcementLevel = EnforcementLevel.MANDATORY
    settings: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    """What --policy-pack-config may set, as JSON schema."""

    @abstractmethod
    def policy(self) -> Policy:
        """The rule as Pulumi runs it."""

    def told(self) -> dict[str, Any]:
        """What Pulumi is told of every rule; it prints the description with each violation."""
        return {
            "name": self.name,
            "description": f"{self.guards} {self.reason}",
            "enforcement_level": self.level,
            "config_schema": PolicyConfigSchema(dict(self.settings)) if self.settings else None,
            "remediation_steps": self.remedy,
        }


@dataclass(frozen=True, kw_only=True)
class ResourceRule(Rule):
    """Looks at one resource's inputs, before the resource is made or changed."""

    check: Callable[[Resource, Mapping[str, Any]], Iterator[str]]
    """The messages for a resource, by the rule's settings."""

    def policy(self) -> Policy:
        def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
            resource = Resource(args.resource_type, args.urn, plain(args.props))
            for message in self.check(resource, plain(args.get_config())):
                report(message, args.urn)

        return ResourceValidationPolicy(validate=validate, **self.told())


@dataclass(frozen=True, kw_only=True)
class StackRule(Rule):
    """Looks at all resources' outputs together, at the end of a preview or an update."""

    check: Callable[[Stack], Found]

    def policy(self) -> Policy:
        def validate(args: StackValidationArgs, report: ReportViolation) -> None:
            resources = [seen(resource) for resource in args.resources]
            for resource, message in self.check(Stack(resources, plain(args.get_config()))):
                report(message, resource.urn)

        return StackValidationPolicy(validate=validate, **self.told())


def seen(resource: PolicyResource) -> Resource:
    """A resource as Pulumi hands it over, as the rules see it."""
    references = {
        key: [other.urn for other in others]
        for key, others in resource.property_dependencies.items()
    }
    return Resource(resource.resource_type, resource.urn, plain(resource.props), references)
