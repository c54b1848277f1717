"""One change of the table, as the user's `transform` receives it."""

from datetime import datetime
from typing import Any, Optional, Protocol

import msgspec
from msgspec import UNSET

Item = dict[str, Any]


class ChangeDecoder(Protocol):
    """Decoder of a change's parts; `record` and `index` identify the change."""

    def keys(self, record: Any) -> Item: ...
    def new(self, record: Any, index: int) -> Optional[Item]: ...
    def old(self, record: Any) -> Optional[Item]: ...
    def changed_at(self, record: Any) -> datetime: ...
    def is_ttl_delete(self, record: Any) -> bool: ...


class Change(msgspec.Struct, eq=False, gc=False):
    """One change of one item, decoded on first access.

    Items are plain Python values. Numbers are int if they are integral, else Decimal, both exact.
    Binary is bytes. String, number and binary sets are sets. NULL is None.
    """

    kind: str
    """INSERT, MODIFY, REMOVE, or SNAPSHOT for an item that a backfill read."""
    sequence_number: str
    """Decimal digits of varying length: compare as numbers. Snapshots come before all changes."""
    event_id: str
    """Identifies the change; a repeated delivery has the same event id."""
    _record: Any
    _decoder: ChangeDecoder
    _index: int
    # Decoded items are kept, so that a later access returns what `transform` changed in them.
    _keys: Any = UNSET
    _new: Any = UNSET
    _old: Any = UNSET

    @property
    def keys(self) -> Item:
        """The item's primary key."""
        keys = self._keys
        if keys is UNSET:
            keys = self._keys = self._decoder.keys(self._record)
        return keys  # type: ignore[no-any-return]

    @property
    def new(self) -> Optional[Item]:
        """The item after the change; None for REMOVE."""
        new = self._new
        if new is UNSET:
            new = self._new = self._decoder.new(self._record, self._index)
        return new  # type: ignore[no-any-return]

    @property
    def old(self) -> Optional[Item]:
        """The item before the change; None for INSERT.

        Also None if `old_image` does not make the forwarder send it.
        """
        old = self._old
        if old is UNSET:
            old = self._old = self._decoder.old(self._record)
        return old  # type: ignore[no-any-return]

    @property
    def changed_at(self) -> datetime:
        """The event time in UTC, to the second.

        `sequence_number` has the order of an item's changes.
        """
        return self._decoder.changed_at(self._record)

    @property
    def is_ttl_delete(self) -> bool:
        """Whether DynamoDB removed the item because its time to live expired."""
        return self._decoder.is_ttl_delete(self._record)

    def __repr__(self) -> str:
        # Without the item, as a printed change is logged.
        return f"Change(kind={self.kind!r}, event_id={self.event_id!r})"
