"""The package's schema has the name, type and docstring of every setting."""

import dataclasses
import inspect
import json
import re
import tomllib
import typing
from collections.abc import Mapping, Sequence
from typing import Any, Optional

import pulumi
from pulumi.provider.experimental.util import camel_case

from package.host import PipelineProvider
from streaming_etl import (
    LakeTableArgs,
    LakeTableQueryArgs,
    StreamingEtlPipeline,
    StreamingEtlPipelineArgs,
)
from streaming_etl.components.settings.stack_config import GROUPS
from tools.docs.settings_tables import field_docs
from tools.project import ROOT

SIMPLE = {str: "string", int: "integer", float: "number", bool: "boolean"}
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


def package_schema() -> Any:
    return json.loads(PipelineProvider().schema or "")


def on_one_line(part: dict[str, Any]) -> dict[str, Any]:
    if isinstance(part.get("description"), str):
        part["description"] = " ".join(part["description"].split())
    return part


def property_of(annotation: Any, description: str, *, plain: bool = True) -> dict[str, Any]:
    """The schema's definition of a property with this annotation."""
    common = {"description": description, **({"plain": True} if plain else {})}
    if annotation in SIMPLE:
        return {"type": SIMPLE[annotation], **common}
    if dataclasses.is_dataclass(annotation):
        assert isinstance(annotation, type)
        return {"$ref": f"#/types/streaming-etl:index:{annotation.__name__}", **common}
    if annotation in (Optional[pulumi.Input[str]], pulumi.Input[str]):
        return property_of(str, description, plain=False)
    if annotation == pulumi.Input[Sequence[pulumi.Input[str]]]:
        return property_of(Sequence[str], description, plain=False)
    origin, type_args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (Sequence, list):
        return {
            "type": "array",
            "items": property_of(type_args[0], description, plain=plain),
            **common,
        }
    if annotation is Any:
        return {"$ref": "pulumi.json#/Any", **common}
    if origin in (Mapping, dict):
        assert type_args[0] is str
        values = property_of(type_args[1], description, plain=plain)
        return {"type": "object", "additionalProperties": values, **common}
    if origin is pulumi.Output:
        return property_of(type_args[0], description, plain=False)
    inner, nothing = type_args
    assert nothing is type(None)
    return property_of(inner, description, plain=plain)


def settings_of(cls: Any) -> tuple[dict[str, Any], list[str]]:
    """All properties of a settings class, and the required ones."""
    docs = field_docs(cls)
    fields = dataclasses.fields(cls)
    required = [
        camel_case(item.name)
        for item in fields
        if item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING
    ]
    return {
        camel_case(item.name): property_of(item.type, docs[item.name]) for item in fields
    }, sorted(required)


def expected_schema() -> dict[str, Any]:
    """The schema of the settings and of the component's outputs."""
    inputs, required_inputs = settings_of(StreamingEtlPipelineArgs)
    docs = field_docs(StreamingEtlPipeline)
    outputs = inspect.get_annotations(StreamingEtlPipeline)
    types = {}
    for cls in (*GROUPS.values(), LakeTableArgs, LakeTableQueryArgs):
        properties, required = settings_of(cls)
        types[f"streaming-etl:index:{cls.__name__}"] = {
            "type": "object",
            "description": cls.__doc__,
            "properties": properties,
            **({"required": required} if required else {}),
        }
    return {
        "name": "streaming-etl",
        "displayName": "streaming-etl",
        "version": VERSION,
        "dependencies": [],
        "language": {
            name: {"respectSchemaVersion": True}
            for name in ("csharp", "go", "java", "nodejs", "python")
        },
        "types": types,
        "resources": {
            "streaming-etl:index:StreamingEtlPipeline": {
                "isComponent": True,
                "type": "object",
                "description": " ".join((StreamingEtlPipeline.__doc__ or "").split()),
                "inputProperties": inputs,
                "requiredInputs": required_inputs,
                "properties": {
                    camel_case(name): property_of(kind, docs[name], plain=False)
                    for name, kind in outputs.items()
                },
                "required": sorted(
                    camel_case(name)
                    for name, kind in outputs.items()
                    if typing.get_origin(kind) is pulumi.Output
                ),
            }
        },
    }


def test_the_schema_has_every_setting_and_output() -> None:
    text = PipelineProvider().schema or ""
    assert json.loads(text, object_hook=on_one_line) == expected_schema()


def may_be_output(definition: dict[str, Any]) -> bool:
    values = definition.get("additionalProperties", definition.get("items", {"plain": True}))
    return "plain" not in definition or "plain" not in values


def test_one_setting_is_required_and_the_page_lists_those_that_may_be_outputs() -> None:
    schema = package_schema()
    [component] = schema["resources"].values()
    assert component["requiredInputs"] == ["tableName"]
    parts = [("", component["inputProperties"])]
    parts += [(name.split(":")[2], part["properties"]) for name, part in schema["types"].items()]
    groups = {cls.__name__: camel_case(name) for name, cls in GROUPS.items()}
    may_be_outputs = {
        ".".join(filter(None, [groups.get(part, part), name]))
        for part, properties in parts
        for name, definition in properties.items()
        if may_be_output(definition)
    }
    page = (ROOT / "docs" / "package.md").read_text()
    [line] = [line for line in page.splitlines() if line.startswith("- **Outputs and secrets")]
    listed = re.findall(r"`([a-zA-Z.]+)`", line)
    assert {name for name in may_be_outputs if "Outputs" not in name} == set(listed)
    assert len(listed) == len(set(listed))


def test_descriptions_have_no_indented_lines() -> None:
    # Indented text after an empty line would be a code block in generated docs.
    assert "\\n " not in (PipelineProvider().schema or "")
