"""Every way in which plain data can differ from itself by one value."""

import base64
import json
from collections.abc import Iterator
from typing import Any

from tools.graph.flatten import VIEW, opened, view_of


def variants(value: Any) -> Iterator[tuple[str, Any]]:
    """The data with one value changed, or left out, and where; texts that hold JSON opened."""
    if isinstance(value, dict) and set(value) == {"file"}:
        # A file of an archive: another content.
        yield "", {"file": __file__}
    elif isinstance(value, dict):
        for key in value:
            for path, variant in variants(value[key]):
                yield f".{key}{path}", {**value, key: variant}
            yield f"-{key}", {other: value[other] for other in value if other != key}
    elif isinstance(value, list):
        for index, item in enumerate(value):
            for path, variant in variants(item):
                yield f".{index}{path}", [*value[:index], variant, *value[index + 1 :]]
            yield f"-{index}", [*value[:index], *value[index + 1 :]]
    elif isinstance(value, str):
        yield from variants_of_text(value)
    elif isinstance(value, bool):
        yield "", not value
    else:
        yield "", 1 if value is None else value + 1


def variants_of_text(text: str) -> Iterator[tuple[str, str]]:
    if VIEW.fullmatch(text):
        for path, variant in variants_of_text(view_of(text)):
            yield path, f"/* Presto View: {base64.b64encode(variant.encode()).decode()} */"
    elif isinstance(opened(text), (dict, list)):
        for path, variant in variants(opened(text)):
            yield path, json.dumps(variant)
    else:
        yield "", f"{text}~"
