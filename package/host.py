"""Provider of the package: between Pulumi's engine and the component."""

import inspect
import json
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Optional, TypeGuard

import pulumi
from pulumi.errors import InputPropertiesError
from pulumi.output import Unknown
from pulumi.provider import ConstructResult
from pulumi.provider.experimental.analyzer import ComponentDefinition, PropertyDefinition
from pulumi.provider.experimental.component import ComponentProvider
from pulumi.provider.experimental.util import camel_case
from pulumi.provider.server import ComponentInitError

from package.schema_annotations import annotate, describe_inherited
from streaming_etl import SettingsError, StreamingEtlPipeline, StreamingEtlPipelineArgs
from streaming_etl.components.settings.validation import invalid, join, known_value

NAME = "streaming-etl"
PYPROJECT = Path(__file__).resolve().parent.parent / "pyproject.toml"


class PipelineProvider(ComponentProvider):
    """Pulumi's host of components, with other conversions of arguments and errors.

    Pulumi's own host drops unknown arguments, reads a group that is an output as an
    empty one, leaves some whole numbers floats, and reports an error with a traceback.
    """

    def __init__(self) -> None:
        annotate(StreamingEtlPipelineArgs)
        version = tomllib.loads(PYPROJECT.read_text())["project"]["version"]
        super().__init__([StreamingEtlPipeline], NAME, version=version)
        schema = json.loads(self.schema or "")
        describe_inherited(schema, self.analyzer)
        self.schema = json.dumps(json.loads(json.dumps(schema), object_hook=without_indents))

    def construct(
        self,
        name: str,
        resource_type: str,
        inputs: pulumi.Inputs,
        options: Optional[pulumi.ResourceOptions] = None,
    ) -> ConstructResult:
        """Create a pipeline from the engine's arguments; return its state.

        Raises InputPropertiesError, of which the engine shows only the message.
        """
        try:
            return super().construct(name, resource_type, inputs, options)
        except SettingsError as error:
            message = str(error)
        except ComponentInitError as error:
            if not isinstance(error.inner, SettingsError):
                raise
            message = str(error.inner)
        raise InputPropertiesError(message, [])

    def get_state(
        self, instance: pulumi.ComponentResource, component_def: ComponentDefinition
    ) -> dict[str, Any]:
        """The outputs, with names in camelCase inside lake tables, too.

        Pulumi's own host leaves names inside a map as they are.
        """
        state = super().get_state(instance, component_def)
        if "lakeTables" in state:
            state["lakeTables"] = state["lakeTables"].apply(
                lambda tables: {key: camel_case_names(table) for key, table in tables.items()}
            )
        return state

    def map_inputs(
        self, inputs: pulumi.Inputs, component_def: ComponentDefinition
    ) -> dict[str, Any]:
        """Arguments by the settings' names, as a stack's config contains them.

        The result contains unknown names and omits missing ones; the settings reject both. Raises
        SettingsError for an output where a plain value is needed.
        """
        return self._named("", inputs, component_def.inputs, component_def.inputs_mapping)

    def _named(
        self,
        path: str,
        inputs: Mapping[str, Any],
        properties: Mapping[str, PropertyDefinition],
        names: Mapping[str, str],
    ) -> dict[str, Any]:
        settings = {}
        for key, value in inputs.items():
            name, known = names.get(key, key), properties.get(key)
            if known is not None and isinstance(value, Mapping) and is_group(known):
                value = self._group(join(path, name), known, value)
            elif known is not None and is_group(known.additional_properties):
                value = self._groups(join(path, name), known.additional_properties, value)
            else:
                value = converted(path, name, value, known)
            if name in settings:
                raise SettingsError(invalid(name, None, "two-names", path=path))
            settings[name] = value
        return settings

    def _group(
        self, path: str, known: PropertyDefinition, value: Mapping[str, Any]
    ) -> dict[str, Any]:
        group = self._type_defs[(known.ref or "").rpartition(":")[2]]
        return self._named(path, value, group.properties, group.properties_mapping)

    def _groups(self, path: str, known: PropertyDefinition, value: Any) -> Any:
        """Groups by names that are the user's, such as `lake_tables`."""
        if not isinstance(value, Mapping):
            return converted(*path.rpartition(".")[::2], value)
        return {
            key: self._group(f"{path}.{key}", known, each)
            if isinstance(each, Mapping)
            else converted(path, key, each)
            # The engine sends a map in any order, which would be the order of lines and routes.
            for key, each in sorted(value.items())
        }


def is_group(known: Optional[PropertyDefinition]) -> TypeGuard[PropertyDefinition]:
    """Whether a property is a settings class."""
    return known is not None and known.ref is not None and NAME in known.ref


def converted(
    path: str, name: str, value: Any, known: Optional[PropertyDefinition] = None, item: Any = None
) -> Any:
    """A value with whole numbers as int; Pulumi sends floats.

    known: None for a value that must be plain. Raises SettingsError for an output where the schema
    has a plain value: a setting, an entry of a list, or a value of a map.
    """
    if isinstance(value, (pulumi.Output, Unknown)):
        if known is None or known.plain:
            raise SettingsError(replace(known_value(name, path), item=item))
        # An engine without support of outputs marks an unknown value.
        return pulumi.Output.from_input(value) if isinstance(value, Unknown) else value
    if isinstance(value, Mapping):
        inner = known.additional_properties if known else None
        return {key: converted(path, name, each, inner, key) for key, each in value.items()}
    if isinstance(value, list):
        inner = known.items if known else None
        return [converted(path, name, each, inner, item) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def camel_case_names(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values that exist, by their names in camelCase."""
    return {camel_case(name): value for name, value in values.items() if value is not None}


def without_indents(part: dict[str, Any]) -> dict[str, Any]:
    """A part of the schema without its docstring's indentation."""
    if isinstance(part.get("description"), str):
        part["description"] = inspect.cleandoc(part["description"])
    return part
