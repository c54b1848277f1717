"""Annotations of the settings classes for Pulumi's analyzer."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any, Optional

from streaming_etl.components.settings.validation import required


def annotate(cls: Any) -> None:
    """Annotate settings with a default as Optional, for the analyzer.

    The fields of the dataclass, and those of its groups, keep the types as they are written.
    """
    for part in (cls, *groups_of(cls)):
        part.__annotations__ = {
            item.name: item.type if required(item) else Optional[item.type] for item in fields(part)
        }


def groups_of(cls: Any) -> Iterator[Any]:
    """The settings classes of a settings class's groups."""
    for item in fields(cls):
        if is_dataclass(item.type):
            yield item.type
