"""Annotations and docstrings of the settings classes for Pulumi's analyzer."""

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Optional, get_args

from pulumi.provider.experimental.analyzer import Analyzer
from pulumi.provider.experimental.util import camel_case

from streaming_etl import StreamingEtlPipelineArgs
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
    """Settings classes of a settings class's groups, of those in maps too."""
    for item in fields(cls):
        for kind in (item.type, *get_args(item.type)):
            if is_dataclass(kind):
                yield kind
                yield from groups_of(kind)


def describe_inherited(schema: dict[str, Any], analyzer: Analyzer) -> None:
    """Add the docstrings of inherited settings, of which the analyzer reads none."""
    [component] = schema["resources"].values()
    for cls in (StreamingEtlPipelineArgs, *groups_of(StreamingEtlPipelineArgs)):
        part = schema["types"].get(f"{schema['name']}:index:{cls.__name__}")
        properties = part["properties"] if part else component["inputProperties"]
        for item in fields(cls):
            texts = (analyzer.get_docstring(base, item.name) for base in dataclasses_of(cls))
            _describe(properties[camel_case(item.name)], next(filter(None, texts)))


def dataclasses_of(cls: Any) -> list[Any]:
    """The class and its bases that are dataclasses."""
    return [base for base in cls.__mro__ if is_dataclass(base)]


def _describe(definition: Mapping[str, Any], text: str) -> None:
    """Describe a property and its entries."""
    if isinstance(definition, dict):
        definition.setdefault("description", text)
        for entries in ("items", "additionalProperties"):
            if entries in definition:
                _describe(definition[entries], text)
