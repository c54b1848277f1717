"""What the rules look at: the resources of a stack as plain data, with the unknown marked."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from pulumi_policy.proxy import UnknownValueError


class Unknown:
    """A value that only the update will tell."""

    def __repr__(self) -> str:
        return "unknown"


UNKNOWN: Final = Unknown()


@dataclass(frozen=True)
class Resource:
    """A resource of the stack: before it is made its inputs, afterwards its outputs."""

    type: str
    urn: str
    props: Mapping[str, Any]
    references: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """The URNs that a property's value is made from; known even while the value is not."""

    @property
    def stack(self) -> str:
        return self.urn.split("::")[0].removeprefix("urn:pulumi:")

    def get(self, *path: str) -> Any:
        """What stands at the path: None when nothing does, UNKNOWN when the update will tell."""
        value: Any = self.props
        for key in path:
            if value is UNKNOWN:
                return UNKNOWN
            value = value.get(key) if isinstance(value, Mapping) else None
        return value

    def names(self, key: str, other: "Resource", *identities: str) -> bool:
        """Whether `key` tells the other resource, which is known by one of its `identities`.

        What is unknown as yet is told by what its value is made from.
        """
        value = self.get(key)
        known = [other.get(identity) for identity in identities]
        known = [identity for identity in known if isinstance(identity, str)]
        if isinstance(value, str) and known:
            return value in known
        return other.urn in self.references.get(key, ())


@dataclass(frozen=True)
class Stack:
    """All resources of a stack, and the rule's own settings."""

    resources: Sequence[Resource]
    config: Mapping[str, Any] = field(default_factory=dict)

    def of(self, *types: str) -> list[Resource]:
        return [resource for resource in self.resources if resource.type in types]

    def referenced(self, resource: Resource, key: str) -> list[Resource]:
        """The resources that a property's value is made from."""
        urns = resource.references.get(key, ())
        return [other for other in self.resources if other.urn in urns]


def plain(value: Any) -> Any:
    """A value as Pulumi hands it to a policy, as plain data.

    Reading an unknown value raises there, which would end the rule: here it is UNKNOWN. Numbers
    arrive as floats: whole ones become integers.
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


def listed(value: Any) -> list[Any]:
    """What may stand alone or in a list, as a list; nothing of what is unset or unknown."""
    if value is None or value is UNKNOWN:
        return []
    return [item for item in (value if isinstance(value, list) else [value]) if item is not UNKNOWN]


def mapped(value: Any) -> Mapping[str, Any]:
    """A map, or an empty one where something else stands."""
    return value if isinstance(value, Mapping) else {}


def told(path: str, value: Any) -> str:
    """A property and its value, as a message begins."""
    return f"{path} is not set" if value is None else f"{path}={json.dumps(value, default=repr)}"


def out_of(value: Any, low: int, high: int) -> bool:
    """Whether a known number, or none, is out of a range."""
    if value is UNKNOWN:
        return False
    return not isinstance(value, (int, float)) or not low <= value <= high


Found = Iterator[tuple[Resource, str]]
"""Resources that break a rule, each with the message that says how."""
