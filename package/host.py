"""Between Pulumi's engine and the pipeline: names, numbers, outputs and refusals told right."""

import inspect
import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Optional

import pulumi
from pulumi.errors import InputPropertiesError
from pulumi.output import Unknown
from pulumi.provider import ConstructResult
from pulumi.provider.experimental.analyzer import ComponentDefinition, PropertyDefinition
from pulumi.provider.experimental.component import ComponentProvider
from pulumi.provider.server import ComponentInitError

from streaming_etl import SettingsError, StreamingEtlPipeline
from streaming_etl.components.settings.validation import refuse_output

NAME = "streaming-etl"
PYPROJECT = Path(__file__).resolve().parent.parent / "pyproject.toml"


class PipelineProvider(ComponentProvider):
    """Pulumi's own host of components, but for how it takes arguments and tells refusals.

    Of arguments it drops those that it does not know, takes a group that is an output for an empty
    one, and leaves some whole numbers floats; a refusal it tells with a traceback.
    """

    def __init__(self) -> None:
        version = tomllib.loads(PYPROJECT.read_text())["project"]["version"]
        super().__init__([StreamingEtlPipeline], NAME, version=version)
        schema = json.loads(self.schema or "", object_hook=without_indents)
        self.schema = json.dumps(schema)

    def construct(
        self,
        name: str,
        resource_type: str,
        inputs: pulumi.Inputs,
        options: Optional[pulumi.ResourceOptions] = None,
    ) -> ConstructResult:
        """A pipeline, from arguments as the engine brings them; its state by the schema's names.

        Raises InputPropertiesError, of which the engine shows the message and nothing else.
        """
        try:
            return super().construct(name, resource_type, inputs, options)
        except SettingsError as error:
            refusal = str(error)
        except ComponentInitError as error:
            if not isinstance(error.inner, SettingsError):
                raise
            refusal = str(error.inner)
        raise InputPropertiesError(refusal, [])

    def map_inputs(
        self, inputs: pulumi.Inputs, component_def: ComponentDefinition
    ) -> dict[str, Any]:
        """The arguments by the settings' names, as a stack's config would bring them.

        What does not exist or is missing stays so, for the settings to refuse. Raises
        SettingsError for an output where a plain value is needed.
        """
        return self._named("", inputs, component_def.inputs, component_def.inputs_mapping)

    def _named(
        self,
        path: str,
        given: Mapping[str, Any],
        properties: Mapping[str, PropertyDefinition],
        names: Mapping[str, str],
    ) -> dict[str, Any]:
        settings = {}
        for key, value in given.items():
            name, known = names.get(key, key), properties.get(key)
            if known is not None and known.ref and isinstance(value, Mapping):
                group = self._type_defs[known.ref.rpartition(":")[2]]
                value = self._named(f"{name}: ", value, group.properties, group.properties_mapping)
            elif known is not None and not known.plain:
                # An engine that does not know outputs as such marks what is not known.
                value = pulumi.Output.from_input(value) if isinstance(value, Unknown) else value
            else:
                value = plain(f"{path}{name}", value)
            if name in settings:
                raise SettingsError(f"{path}{name} is given by two names; drop one.")
            settings[name] = value
        return settings


def plain(path: str, value: Any) -> Any:
    """A value with whole numbers as such: over the wire each number is a float.

    Raises SettingsError for an output in it.
    """
    if isinstance(value, (pulumi.Output, Unknown)):
        raise refuse_output(path)
    if isinstance(value, Mapping):
        return {key: plain(f"{path}[{key!r}]", item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(path, item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def without_indents(part: dict[str, Any]) -> dict[str, Any]:
    """A part of the schema whose description, a docstring, lost the indents of its lines."""
    if isinstance(part.get("description"), str):
        part["description"] = inspect.cleandoc(part["description"])
    return part
