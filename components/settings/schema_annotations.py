"""How the settings look to Pulumi's analyzer, which publishes them to the other languages."""

from dataclasses import fields
from typing import Optional, TypeVar

from streaming_etl.components.settings.validation import required

Args = TypeVar("Args")


def published(cls: type[Args]) -> type[Args]:
    """Let Pulumi's analyzer see which settings of a dataclass may be left out.

    It goes by annotations alone: those of settings with a default become Optional. It must stand
    above `@dataclass`, which keeps the types as they are written, as the type checker does.
    """
    cls.__annotations__ = {
        item.name: item.type if required(item) else Optional[item.type]
        for item in fields(cls)  # type: ignore[arg-type]
    }
    return cls
