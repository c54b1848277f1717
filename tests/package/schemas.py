"""What Pulumi checks of a program's arguments by the schema, in YAML and in a typed language."""

import re
from collections.abc import Mapping
from typing import Any

KINDS: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
}


def camel(name: str) -> str:
    """A setting's name as the schema spells it."""
    return re.sub(r"_(.)", lambda found: found[1].upper(), name)


def misfits(schema: Mapping[str, Any], given: Mapping[str, Any]) -> list[str]:
    """What a program's arguments of the pipeline have that the schema does not, or lack."""
    [component] = schema["resources"].values()
    return list(
        _misfits(schema, "", component["inputProperties"], component["requiredInputs"], given)
    )


def _misfits(
    schema: Mapping[str, Any],
    path: str,
    properties: Mapping[str, Any],
    required: list[str],
    given: Mapping[str, Any],
) -> list[str]:
    found = [f"{path}{name} is missing" for name in required if name not in given]
    for name, value in given.items():
        if name not in properties:
            found.append(f"{path}{name} is unknown")
        else:
            found += _unlike(schema, f"{path}{name}", properties[name], value)
    return found


def _unlike(schema: Mapping[str, Any], path: str, told: Mapping[str, Any], value: Any) -> list[str]:
    if "$ref" in told:
        group = schema["types"][told["$ref"].removeprefix("#/types/")]
        if not isinstance(value, dict):
            return [f"{path} is no object"]
        return _misfits(schema, f"{path}.", group["properties"], group.get("required", []), value)
    if type(value) not in KINDS[told["type"]]:
        return [f"{path} is no {told['type']}"]
    if isinstance(value, list):
        return [found for item in value for found in _unlike(schema, path, told["items"], item)]
    if isinstance(value, dict):
        values = told["additionalProperties"]
        return [
            found
            for key, item in value.items()
            for found in _unlike(schema, f"{path}.{key}", values, item)
        ]
    return []
