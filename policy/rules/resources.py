"""Resources of a stack as plain data, with unknown values marked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from pulumi_policy.proxy import UnknownValueError


class Unknown:
    """A value that is known only after the update."""

    def __repr__(self) -> str:
        return "unknown"


UNKNOWN: Final = Unknown()


@dataclass(frozen=True)
class Resource:
    """A resource of the stack.

    props: its inputs before it is created, its outputs afterwards.
    references: the URNs that a property's value depends on, known even if the value is not.
    """

    type: str
    urn: str
    props: Mapping[str, Any]
    references: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def stack(self) -> str:
        return self.urn.split("::")[0].removeprefix("urn:pulumi:")

    def get(self, *path: str) -> Any:
        """The value at a path: None if not set, or UNKNOWN."""
        value: Any = self.props
        for key in path:
            if value is UNKNOWN:
                return UNKNOWN
            value = value.get(key) if isinstance(value, Mapping) else None
        return value

    def refers_to(self, key: str, other: "Resource", *identities: str) -> bool:
        """Whether `key` contains the other resource's identity or depends on it."""
        value = self.get(key)
        known = [other.get(identity) for identity in identities]
        known = [identity for identity in known if isinstance(identity, str)]
        if isinstance(value, str) and known:
            return value in known
        return other.urn in self.references.get(key, ())


@dataclass(frozen=True)
class Stack:
    """All resources of a stack, and the rule's settings."""

    resources: Sequence[Resource]
    config: Mapping[str, Any] = field(default_factory=dict)

    def of(self, *types: str) -> list[Resource]:
        return [resource for resource in self.resources if resource.type in types]

    def referenced(self, resource: Resource, key: str) -> list[Resource]:
        """The resources that a property's value depends on."""
        urns = resource.references.get(key, ())
        return [other for other in self.resources if other.urn in urns]


def plain(value: Any) -> Any:
    """A value that Pulumi passes to a policy, as plain data.

    Reading an unknown value raises in Pulumi's proxy, which would end the rule; here it is
    UNKNOWN. Numbers arrive as floats; whole numbers become integers.
    """
    if isinstance(value, Mapping):
        return {key: _item(value, key) for key in value}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_item(value, index) for index in range(len(value))]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _item(holder: Any, key: Any) -> Any:
    try:
        return plain(holder[key])
    except UnknownValueError:
        return UNKNOWN


def as_list(value: Any) -> list[Any]:
    """A value or list as a list, without unset and unknown values."""
    if value is None or value is UNKNOWN:
        return []
    return [item for item in (value if isinstance(value, list) else [value]) if item is not UNKNOWN]


def as_mapping(value: Any) -> Mapping[str, Any]:
    """The value if it is a mapping, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def outside(value: Any, low: int, high: int) -> bool:
    """Whether a known value is not a number in the range."""
    if value is UNKNOWN:
        return False
    return not isinstance(value, (int, float)) or not low <= value <= high
