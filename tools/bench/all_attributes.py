"""A transform that returns all attributes, for JSON lines."""

from typing import Any


def transform(change: Any) -> dict[str, object]:
    image: dict[str, object] = change.new or change.old
    return image
