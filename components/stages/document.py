"""Text of plain parts and Outputs: JSON of policies, dashboards and patterns; ARNs and paths.

Pulumi's own json_dumps and concat make an Output of every plain part too. With many tables that
takes a fifth of the program's time.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

import pulumi

Known = Mapping[int, Any]
"""What is known of each Output, by its identity."""


def document(value: Any) -> pulumi.Output[str]:
    """`value` as JSON text, once the Outputs in its dicts and lists are known."""
    return _told(value, json.dumps)


def concat(*parts: pulumi.Input[str]) -> pulumi.Output[str]:
    """The parts as one text, once the Outputs among them are known."""
    return _told(parts, "".join)


def _told(value: Any, tell: Callable[[Any], str]) -> pulumi.Output[str]:
    outputs: dict[int, pulumi.Output[Any]] = {}
    _collect(value, outputs)
    known = pulumi.Output.all(*outputs.values())
    return known.apply(lambda values: tell(_filled(value, dict(zip(outputs, values, strict=True)))))


def _collect(value: Any, outputs: dict[int, pulumi.Output[Any]]) -> None:
    if isinstance(value, pulumi.Output):
        # Each once: a dashboard names the same function in many of its graphs.
        outputs[id(value)] = value
    elif isinstance(value, Mapping):
        for item in value.values():
            _collect(item, outputs)
    elif isinstance(value, (list, tuple)):
        for item in value:
            _collect(item, outputs)


def _filled(value: Any, known: Known) -> Any:
    if isinstance(value, pulumi.Output):
        return known[id(value)]
    if isinstance(value, Mapping):
        return {key: _filled(item, known) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_filled(item, known) for item in value]
    return value
