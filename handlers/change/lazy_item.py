"""An item as `transform` sees it, of which only what is asked for gets decoded."""

from collections.abc import Callable
from typing import Any, Protocol


class ItemDecoder(Protocol):
    """Where the attributes are that an image does not hold."""

    def asked(self, name: object) -> bool:
        """Note the question; tell whether the item may have what the image does not hold."""

    def asked_all(self) -> None:
        """Note that the whole item was asked for."""

    def item(self, at: Any) -> dict[str, Any]:
        """The whole item that stands at `at`."""


class LazyItem(dict[str, Any]):
    """A dict that holds some attributes of an item, and fetches the rest when asked for more.

    To Python code it is the whole item, whatever it asks of a dict. An extension that reads the
    memory of a dict past its methods, as orjson does, would see a part only; so images are lazy
    only where the archive holds no packages of the user's own (see `RecordReader`).
    """

    __slots__ = ("_at", "_item", "_view")
    _view: ItemDecoder | None
    """None once all of the item is here."""
    _at: Any
    _item: dict[str, Any]
    """The item; set once an attribute was asked for that is not here."""

    def _look_for(self, name: object) -> None:
        view = self._view
        if view is not None and view.asked(name):
            item = self._whole(view)
            # It alone, so that the view learns of the next one too.
            if name in item:
                dict.__setitem__(self, name, item[name])

    def _whole(self, view: ItemDecoder) -> dict[str, Any]:
        item = getattr(self, "_item", None)
        if item is None:
            item = self._item = view.item(self._at)
        return item

    def _fill(self) -> None:
        view = self._view
        if view is not None:
            item = self._whole(view)
            # What `transform` has set in the meantime stays.
            item.update(dict.items(self))
            dict.clear(self)
            dict.update(self, item)
            self._view = None

    def _fill_all(self) -> None:
        if self._view is not None:
            self._view.asked_all()
            self._fill()

    def __bool__(self) -> bool:
        # `change.new or change.old` must not fetch: an item has its key at least.
        return self._view is not None or dict.__len__(self) > 0

    def __missing__(self, name: str) -> Any:
        self._look_for(name)
        if dict.__contains__(self, name):
            return dict.__getitem__(self, name)
        raise KeyError(name)

    def get(self, name: str, default: Any = None) -> Any:
        if not dict.__contains__(self, name):
            self._look_for(name)
        return dict.get(self, name, default)

    def __contains__(self, name: object) -> bool:
        if not dict.__contains__(self, name):
            self._look_for(name)
        return dict.__contains__(self, name)

    def __reduce__(self) -> tuple[type[dict[str, Any]], tuple[dict[str, Any]]]:
        return dict, (self.copy(),)


def _whole(method: Callable[..., Any]) -> Callable[..., Any]:
    def call(self: LazyItem, *args: Any) -> Any:
        self._fill_all()
        for other in args:
            if isinstance(other, LazyItem):
                other._fill_all()
        return method(self, *args)

    return call


# All that asks for more than one attribute, or takes one away.
for _name in (
    *("__delitem__", "__eq__", "__ior__", "__iter__", "__len__", "__ne__", "__or__", "__repr__"),
    *("__reversed__", "__ror__", "clear", "copy", "items", "keys", "pop", "popitem"),
    *("setdefault", "values"),
):
    setattr(LazyItem, _name, _whole(getattr(dict, _name)))
