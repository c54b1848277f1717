"""JSON text of plain data with Outputs inside: policies, patterns, dashboards, state machines."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pulumi


def document(value: Any) -> pulumi.Output[str]:
    """`value` as JSON text, once the Outputs in its dicts and lists are known.

    What pulumi.Output.json_dumps gives. That makes an Output of every text and number too, which
    takes a stack of many tables a tenth of its time.
    """
    outputs = pulumi.Output.all(*_outputs(value))
    return outputs.apply(lambda known: json.dumps(_filled(value, iter(known))))


def _outputs(value: Any) -> Iterator[pulumi.Output[Any]]:
    if isinstance(value, pulumi.Output):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _outputs(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _outputs(item)


def _filled(value: Any, known: Iterator[Any]) -> Any:
    """`value` with what is known of each Output in its place, in the order of `_outputs`."""
    if isinstance(value, pulumi.Output):
        return next(known)
    if isinstance(value, Mapping):
        return {key: _filled(item, known) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_filled(item, known) for item in value]
    return value
