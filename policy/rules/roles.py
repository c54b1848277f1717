"""Roles must have one of the configured permissions boundaries."""

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from .resources import UNKNOWN, Resource
from .rule import ResourceRule, Rule, Violation

ROLE = "aws:iam/role:Role"
BOUNDARY = "permissionsBoundary"
FIX = "Set `iam.permissions_boundary_arn`; other roles need `permissionsBoundary`."
SETTINGS = {
    "policies": {
        "type": "array",
        "items": {"type": "string"},
        "default": [],
        "description": "ARNs of the policies that a role may have as boundary; * matches any text."
        " Without one the rule checks nothing.",
    }
}


def have_boundary(resource: Resource, config: Mapping[str, Any]) -> Iterator[Violation]:
    accepted = config.get("policies", [])
    boundary = resource.get(BOUNDARY)
    if not accepted or resource.type != ROLE or boundary is UNKNOWN:
        return
    if not boundary or not any(fnmatchcase(boundary, pattern) for pattern in accepted):
        yield Violation(resource, BOUNDARY, boundary, f"be {' or '.join(accepted)}", FIX)


RULES: list[Rule] = [
    ResourceRule(
        name="roles-have-boundary",
        requires="A role has one of the configured permissions boundaries; without any it is not"
        " checked.",
        reason="The boundary limits what the policies of a role can allow.",
        fix=FIX,
        settings=SETTINGS,
        check=have_boundary,
    ),
]
