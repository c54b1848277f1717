"""An item's attributes as a row, for a module without `transform`."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Optional, Protocol

from streaming_etl.handlers.rows.row_error import RowError

Path = Sequence[str | int]
"""Name of an attribute, then names in maps and indexes in lists."""


class Images(Protocol):
    """The images of a change."""

    @property
    def keys(self) -> dict[str, Any]: ...
    @property
    def new(self) -> Optional[dict[str, Any]]: ...
    @property
    def old(self) -> Optional[dict[str, Any]]: ...


def attribute_row(paths: Mapping[str, Path]) -> Callable[[Images], dict[str, Any]]:
    """Build the function that reads the row of a change.

    paths: the attribute of each name in the row.

    The item is the new image, else the old image, else the keys. A missing attribute is None. The
    function raises RowError for an attribute that is not valid DynamoDB JSON, and for a path
    through another type than a map or a list.
    """
    sources = [(name, str(path[0]), path[1:]) for name, path in paths.items()]

    def row(change: Images) -> dict[str, Any]:
        try:
            item = change.new or change.old or change.keys
            values = {name: item.get(first) for name, first, _ in sources}
        except Exception as error:
            raise RowError("change-format", got=type(error).__name__) from error
        for name, _, steps in sources:
            if steps:
                values[name] = value_at(values[name], steps, name)
        return values

    return row


def value_at(value: Any, steps: Path, column: str) -> Any:
    """Return the value below `value`, or None if it is missing.

    Raises RowError("path", column) for a step into another type than a map or a list.
    """
    for step in steps:
        if value is None:
            return None
        if isinstance(step, str) and isinstance(value, dict):
            value = value.get(step)
        elif isinstance(step, int) and isinstance(value, list):
            value = value[step] if step < len(value) else None
        else:
            expected = "map" if isinstance(step, str) else "list"
            raise RowError("path", column, expected=expected, got=type(value).__name__)
    return value
