"""Transform whose result each change chooses by its attribute `do`."""

from typing import Any

from streaming_etl.handlers.change.change import Change
from tests.support.changes import line


def scripted(change: Change) -> Any:
    """Follow the change's `do`; by default return a row."""
    image = change.new or {}
    row = {"id": image["id"], "store": image.get("store")}
    match image.get("do"):
        case "filter":
            return None
        case "return nothing":
            return []
        case "return a text":
            return "a text"
        case "return three rows":
            return [row, row, row]
        case "mix partitions":
            return [row | {"store": "a"}, row | {"store": "b"}]
        case "widen":
            return row | {"text": "x" * image["size"]}
        case "fail":
            raise ValueError(f"invalid: {image}")
    return row


def order(number: int, do: str, /, **image: Any) -> bytes:
    """Line of change `number`, with `do` for `scripted`."""
    return line(number, do={"S": do}, **image)


def wide(number: int, size: int, /, **image: Any) -> bytes:
    """Line of a change for a row of about `size` bytes."""
    return order(number, "widen", size={"N": str(size)}, **image)
