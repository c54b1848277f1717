"""Base of the resource types, and helpers for their tags."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar

from botocore.exceptions import ClientError

from local.deploy.inputs import Inputs, Outputs
from streaming_etl.stack.clients import Clients
from streaming_etl.stack.errors import CommandError

State = Mapping[str, Any]
"""Inputs and outputs of an existing resource, with its `id`."""

Properties = dict[str, Any]
"""Inputs as AWS has them, in Pulumi's spelling; None for an absent one."""


class ResourceType(ABC):
    """Creates, updates, reads and deletes the resources of one Pulumi type."""

    # `ForceNew` in the schemas of the Terraform provider, which pulumi-aws wraps.
    # https://github.com/hashicorp/terraform-provider-aws/tree/main/internal/service

    token: ClassVar[str]
    """The Pulumi type, such as `aws:s3/bucket:Bucket`."""

    replace: ClassVar[tuple[str, ...]] = ("name",)
    """Inputs whose change replaces the resource; `a.b` is a nested one."""

    ignored: ClassVar[tuple[str, ...]] = ()
    """Inputs whose change the provider ignores."""

    auto_name: ClassVar[str | None] = "name"
    """Input that the provider fills with the logical name and 7 random characters."""

    max_name: ClassVar[int] = 64
    """Longest automatic name that AWS accepts."""

    computed: ClassVar[tuple[str, ...]] = ("arn",)
    """Outputs that only AWS knows, so that a preview does not."""

    removable: ClassVar[tuple[str, ...] | None] = ("tags",)
    """Inputs that the program may stop to set; None means all."""

    @abstractmethod
    def create(self, clients: Clients, inputs: Inputs) -> Outputs:
        """Create the resource; return its `id`, its name and its `computed`."""

    @abstractmethod
    def read(self, clients: Clients, state: State) -> Properties:
        """Return the inputs as AWS has them.

        Raises GoneError or the service's error if the resource does not exist.
        """

    @abstractmethod
    def update(self, clients: Clients, state: State, inputs: Inputs) -> Outputs | None:
        """Change the resource in place; return changed outputs.

        inputs: without those that replace the resource, which have the state's values.
        """

    @abstractmethod
    def delete(self, clients: Clients, state: State) -> None:
        """Delete the resource; raises as `read` if it does not exist."""


class GoneError(Exception):
    """The resource does not exist."""


def replacement_required(type_: str, name: str, inputs: list[str]) -> CommandError:
    """Return the error for inputs that an update cannot change."""
    return CommandError(
        f"AWS cannot change {', '.join(inputs)} of {type_} ({name}). Replace the resource.",
        code="replacement-required",
        type=type_,
        name=name,
        inputs=inputs,
    )


def is_gone(error: Exception) -> bool:
    """Return whether the error means that the resource does not exist."""
    if not isinstance(error, ClientError):
        return isinstance(error, GoneError)
    code = error.response["Error"]["Code"]
    return code == "404" or any(part in code for part in ("NotFound", "NoSuch", "DoesNotExist"))


def update_tags(
    old: Mapping[str, str] | None,
    new: Mapping[str, str],
    tag: Callable[[dict[str, str]], Any],
    untag: Callable[[list[str]], Any],
) -> None:
    """Add the changed tags and remove the others."""
    old = old or {}
    if changed := {key: value for key, value in new.items() if old.get(key) != value}:
        tag(changed)
    if removed := sorted(old.keys() - new.keys()):
        untag(removed)


def tag_map(tags: Iterable[Mapping[str, str]], key: str = "Key", value: str = "Value") -> Any:
    """Convert a list of tags to a map, None without tags."""
    return {tag[key]: tag[value] for tag in tags} or None
