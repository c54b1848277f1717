"""The package's schema tells the settings: every name, type, default and docstring of them."""

import dataclasses
import inspect
import json
import tomllib
import typing
from collections.abc import Mapping, Sequence
from typing import Any, Optional

import pulumi
import pytest
from pulumi.provider.experimental.analyzer import Analyzer
from pulumi.provider.experimental.schema import generate_schema

from package.host import PipelineProvider
from streaming_etl import StreamingEtlPipeline, StreamingEtlPipelineArgs
from tests.package.schemas import camel
from tools.docs.settings_tables import field_docs
from tools.project import ROOT

SIMPLE = {str: "string", int: "integer", float: "number", bool: "boolean"}
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


def by_the_analyzer() -> Any:
    """The schema as any host of Pulumi's would tell it."""
    found = Analyzer("streaming-etl").analyze([StreamingEtlPipeline])
    components, types = found["component_definitions"], found["type_definitions"]
    return generate_schema("streaming-etl", VERSION, None, components, types, []).to_json()


def by_the_package() -> Any:
    return json.loads(PipelineProvider().schema or "")


def on_one_line(part: dict[str, Any]) -> dict[str, Any]:
    if isinstance(part.get("description"), str):
        part["description"] = " ".join(part["description"].split())
    return part


def told(annotation: Any, description: str, *, plain: bool = True) -> dict[str, Any]:
    """What a property's annotation, as it is written in the settings, is in the schema."""
    common = {"description": description, **({"plain": True} if plain else {})}
    if annotation in SIMPLE:
        return {"type": SIMPLE[annotation], **common}
    if dataclasses.is_dataclass(annotation):
        assert isinstance(annotation, type)
        return {"$ref": f"#/types/streaming-etl:index:{annotation.__name__}", **common}
    if annotation == Optional[pulumi.Input[str]]:
        return told(str, description, plain=False)
    origin, given = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Sequence:
        return {"type": "array", "items": told(given[0], description), **common}
    if annotation is Any:
        return {"$ref": "pulumi.json#/Any", "description": description}
    if origin in (Mapping, dict):
        assert given[0] is str
        values = told(given[1], description)
        return {"type": "object", "additionalProperties": values, **common}
    if origin is pulumi.Output:
        return told(given[0], description, plain=False)
    inner, nothing = given
    assert nothing is type(None)
    return told(inner, description, plain=plain)


def settings_of(cls: Any) -> tuple[dict[str, Any], list[str]]:
    """Every property of a settings class, and those that must be given."""
    docs = field_docs(cls)
    fields = dataclasses.fields(cls)
    required = [
        camel(item.name)
        for item in fields
        if item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING
    ]
    return {camel(item.name): told(item.type, docs[item.name]) for item in fields}, sorted(required)


def the_settings() -> dict[str, Any]:
    """The whole schema, told by the settings and the component's outputs."""
    inputs, required_inputs = settings_of(StreamingEtlPipelineArgs)
    docs = field_docs(StreamingEtlPipeline)
    outputs = inspect.get_annotations(StreamingEtlPipeline)
    types = {}
    for item in dataclasses.fields(StreamingEtlPipelineArgs):
        if isinstance(item.type, type) and dataclasses.is_dataclass(item.type):
            properties, required = settings_of(item.type)
            types[f"streaming-etl:index:{item.type.__name__}"] = {
                "type": "object",
                "description": item.type.__doc__,
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
                    camel(name): told(kind, docs[name], plain=False)
                    for name, kind in outputs.items()
                },
                "required": sorted(
                    camel(name)
                    for name, kind in outputs.items()
                    if typing.get_origin(kind) is pulumi.Output
                ),
            }
        },
    }


@pytest.mark.parametrize("schema", [by_the_analyzer, by_the_package])
def test_the_schema_tells_every_setting_and_every_output_and_nothing_else(schema: Any) -> None:
    found = json.loads(json.dumps(schema()), object_hook=on_one_line)
    assert found == the_settings()


def test_three_settings_must_be_given_and_four_may_be_outputs() -> None:
    schema = by_the_package()
    [component] = schema["resources"].values()
    assert component["requiredInputs"] == ["partitions", "tableName", "transformModule"]
    parts = [("", component["inputProperties"])]
    parts += [(name.split(":")[2], part["properties"]) for name, part in schema["types"].items()]
    open_to_outputs = {
        (part, name)
        for part, properties in parts
        for name, told_of in properties.items()
        if "plain" not in told_of
    }
    assert open_to_outputs == {
        ("", "databaseName"),
        ("LakeArgs", "bucketName"),
        ("LakeArgs", "kmsKeyArn"),
        ("MonitoringArgs", "alarmTopicArn"),
    }
    page = (ROOT / "docs" / "package.md").read_text()
    assert (
        "`databaseName`, `lake.bucketName`, `lake.kmsKeyArn` and `monitoring.alarmTopicArn`" in page
    )


def test_no_line_of_a_description_is_indented() -> None:
    # Behind an empty line, indented text would be shown as code in every language's docs.
    assert "\\n " not in (PipelineProvider().schema or "")
