"""How the settings look to Pulumi's analyzer, which publishes them to the other languages."""

from dataclasses import MISSING, fields
from typing import Optional, TypeVar

Args = TypeVar("Args")


def published(cls: type[Args]) -> type[Args]:
    """Let Pulumi's analyzer see which settings of a dataclass may be left out.

    It goes by annotations alone: those of settings with a default become Optional. It must stand
    above `@dataclass`, which keeps the types as they are written, as the type checker does.
    """
    annotations = {}
    for item in fields(cls):  # type: ignore[arg-type]
        required = item.default is MISSING and item.default_factory is MISSING
        annotations[item.name] = item.type if required else Optional[item.type]
    cls.__annotations__ = annotations
    return cls
