"""Items whose attributes are decoded on first access.

Lazy decoding makes the transform of an item with many unused attributes faster: decoding every
attribute costs 0.6 (medium items) to 0.8 (nested items) of the time that parsing alone takes.
"""

from collections.abc import Callable
from typing import Any, Protocol


class ItemDecoder(Protocol):
    """Source of the attributes that a LazyItem does not have yet."""

    def request(self, name: object) -> bool:
        """Note a requested attribute; return whether the item may have it."""

    def request_all(self) -> None:
        """Note that entire items are requested."""

    def item(self, location: Any) -> dict[str, Any]:
        """Decode the entire item at a location."""


def _of_entire_item(method: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a method of dict to decode all attributes first."""

    def call(self: "LazyItem", *args: Any) -> Any:
        self._complete()
        for other in args:
            if isinstance(other, LazyItem):
                other._complete()
        return method(self, *args)

    return call


class LazyItem(dict[str, Any]):
    """Dict that decodes an item's attributes on first access.

    All methods of dict return what they return for the entire item. An extension module that
    reads a dict's memory instead, such as orjson, would miss attributes. Items are therefore lazy
    only if the archive has no packages of the user (see RecordReader).
    """

    __slots__ = ("_decoder", "_item", "_location")

    def __init__(self, decoded: dict[str, Any], decoder: ItemDecoder, location: Any) -> None:
        """Start with some attributes; `decoder` has the others at `location`.

        decoded: at least one attribute.
        Python's json module calls no method of an empty dict and would omit the attributes.
        """
        # Faster than `dict.__init__`, and each change creates an item.
        self.update(decoded)
        self._decoder: ItemDecoder | None = decoder
        """None if all attributes are decoded."""
        self._location = location

    def _find(self, name: object) -> None:
        """Decode an attribute, if the item has it."""
        decoder = self._decoder
        if decoder is not None and decoder.request(name):
            item = self._entire_item(decoder)
            # Only this attribute, so that the decoder also notes the next name.
            if name in item:
                dict.__setitem__(self, name, item[name])

    def _entire_item(self, decoder: ItemDecoder) -> dict[str, Any]:
        item: dict[str, Any] | None = getattr(self, "_item", None)
        if item is None:
            item = self._item = decoder.item(self._location)
        return item

    def _complete(self) -> None:
        """Decode all attributes; those that `transform` has set stay as they are."""
        decoder = self._decoder
        if decoder is not None:
            decoder.request_all()
            item = self._entire_item(decoder)
            item.update(dict.items(self))
            dict.clear(self)
            dict.update(self, item)
            self._decoder = None

    def __bool__(self) -> bool:
        # `change.new or change.old` must not decode: an item has at least its key.
        return self._decoder is not None or dict.__len__(self) > 0

    def __missing__(self, name: str) -> Any:
        self._find(name)
        if dict.__contains__(self, name):
            return dict.__getitem__(self, name)
        raise KeyError(name)

    def get(self, name: str, default: Any = None) -> Any:
        if not dict.__contains__(self, name):
            self._find(name)
        return dict.get(self, name, default)

    def __contains__(self, name: object) -> bool:
        if not dict.__contains__(self, name):
            self._find(name)
        return dict.__contains__(self, name)

    def __reduce__(self) -> tuple[type[dict[str, Any]], tuple[dict[str, Any]]]:
        return dict, (self.copy(),)

    # All methods that use more than one attribute or remove one.
    __delitem__ = _of_entire_item(dict.__delitem__)
    __eq__ = _of_entire_item(dict.__eq__)
    __ior__ = _of_entire_item(dict.__ior__)
    __iter__ = _of_entire_item(dict.__iter__)
    __len__ = _of_entire_item(dict.__len__)
    __ne__ = _of_entire_item(dict.__ne__)
    __or__ = _of_entire_item(dict.__or__)
    __repr__ = _of_entire_item(dict.__repr__)
    __reversed__ = _of_entire_item(dict.__reversed__)
    __ror__ = _of_entire_item(dict.__ror__)
    clear = _of_entire_item(dict.clear)
    copy = _of_entire_item(dict.copy)
    items = _of_entire_item(dict.items)
    keys = _of_entire_item(dict.keys)
    pop = _of_entire_item(dict.pop)
    popitem = _of_entire_item(dict.popitem)
    setdefault = _of_entire_item(dict.setdefault)
    values = _of_entire_item(dict.values)
