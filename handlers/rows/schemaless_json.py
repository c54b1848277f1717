"""A row without COLUMNS as a JSON object: names and order as the row gives them."""

from collections.abc import Callable, Collection
from decimal import Decimal
from typing import Any

import orjson

from streaming_etl.handlers.rows.text_forms import RowError, json_of, quote

# What orjson would write in a form of its own goes to `default`; it refuses odd keys by itself.
_OPTIONS = (
    orjson.OPT_PASSTHROUGH_DATETIME
    | orjson.OPT_PASSTHROUGH_SUBCLASS
    | orjson.OPT_PASSTHROUGH_DATACLASS
)
_ONLY_TEXTS = frozenset({str})
_MOST_KNOWN = 1024


def natural_json(
    reserved: Collection[str], left_out: Collection[str]
) -> Callable[[dict[str, Any]], bytes]:
    """An encoder of rows, without the columns `left_out` and the NULLs.

    It raises RowError for a name that is no text or reserved, and where JSON has no form.
    """

    known: set[tuple[Any, ...]] = set()

    def refuse_names(names: tuple[Any, ...]) -> None:
        if not _ONLY_TEXTS.issuperset(map(type, names)) or not set(names).isdisjoint(reserved):
            raise RowError(
                f"a column's name must be a text other than {', '.join(reserved)}; rename it"
            )
        if len(known) < _MOST_KNOWN:
            known.add(names)

    def encode(row: dict[str, Any]) -> bytes:
        absent = [name for name, value in row.items() if value is None]
        if absent or left_out or type(row) is not dict:
            row = dict(row)
            for name in (*absent, *left_out):
                row.pop(name, None)
        # Most rows have the names of some other row.
        if (names := tuple(row)) not in known:
            refuse_names(names)
        try:
            encoded = orjson.dumps(row, _as_fragment, _OPTIONS)
        except TypeError:
            return _carefully(row)
        # A null inside may be a NaN, which must not pass for one.
        return _carefully(row) if b"null" in encoded else encoded

    return encode


def _as_fragment(value: Any) -> orjson.Fragment:
    if type(value) is Decimal and value.is_finite():
        text = str(value)
        if "E" not in text:
            return orjson.Fragment(text)
    if type(value) is set:
        return orjson.Fragment(orjson.dumps(sorted(value), _as_fragment, _OPTIONS))
    return orjson.Fragment(json_of(value, ""))


def _carefully(row: dict[str, Any]) -> bytes:
    """The slow way, with every form that `json_of` knows, and its errors."""
    members = [f"{quote(name)}:{json_of(value, name)}" for name, value in row.items()]
    return f"{{{','.join(members)}}}".encode()
