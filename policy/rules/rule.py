"""A rule, the violations it finds, and how Pulumi runs it."""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pulumi_policy import (
    EnforcementLevel,
    Policy,
    PolicyConfigSchema,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)

from .resources import Resource, Stack, plain


@dataclass(frozen=True)
class Violation:
    """A property of a resource that breaks a rule."""

    resource: Resource
    path: str
    value: Any
    must: str
    """The constraint, after `must`."""
    fix: str

    @property
    def message(self) -> str:
        value = (
            "is not set" if self.value is None else f"got {json.dumps(self.value, default=repr)}"
        )
        return f"`{self.path}` must {self.must} ({value}). {self.fix}"


@dataclass(frozen=True, kw_only=True)
class Rule(ABC):
    """What a rule requires, why, and how to fix a violation."""

    name: str
    requires: str
    reason: str
    fix: str
    level: EnforcementLevel = EnforcementLevel.MANDATORY
    settings: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    """Properties of --policy-pack-config as JSON schema."""

    @abstractmethod
    def policy(self) -> Policy:
        """The rule as Pulumi runs it."""

    def metadata(self) -> dict[str, Any]:
        """The arguments that all kinds of policies have; Pulumi prints the description."""
        return {
            "name": self.name,
            "description": f"{self.requires} {self.reason}",
            "enforcement_level": self.level,
            "config_schema": PolicyConfigSchema(dict(self.settings)) if self.settings else None,
            "remediation_steps": self.fix,
        }


@dataclass(frozen=True, kw_only=True)
class ResourceRule(Rule):
    """A rule for one resource's inputs, applied before its creation."""

    check: Callable[[Resource, Mapping[str, Any]], Iterator[Violation]]

    def policy(self) -> Policy:
        def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
            resource = Resource(args.resource_type, args.urn, plain(args.props))
            for violation in self.check(resource, plain(args.get_config())):
                report(violation.message, args.urn)

        return ResourceValidationPolicy(validate=validate, **self.metadata())


@dataclass(frozen=True, kw_only=True)
class StackRule(Rule):
    """A rule for all resources together, applied at the end."""

    check: Callable[[Stack], Iterator[Violation]]

    def policy(self) -> Policy:
        def validate(args: StackValidationArgs, report: ReportViolation) -> None:
            resources = []
            for item in args.resources:
                references = {
                    key: [other.urn for other in others]
                    for key, others in item.property_dependencies.items()
                }
                resources.append(
                    Resource(item.resource_type, item.urn, plain(item.props), references)
                )
            for violation in self.check(Stack(resources, plain(args.get_config()))):
                report(violation.message, violation.resource.urn)

        return StackValidationPolicy(validate=validate, **self.metadata())
