"""One change of the table: as the user's `transform` receives it, and what each row tells of it."""

from datetime import datetime
from typing import TYPE_CHECKING, Any, Optional

import msgspec
from msgspec import UNSET

if TYPE_CHECKING:
    from streaming_etl.handlers.change.decode import Chunk

Item = dict[str, Any]


class Change(msgspec.Struct, eq=False, gc=False):
    """One change of one item, in plain Python values, each decoded when it is first asked for.

    Numbers are int where they are whole, else Decimal, both exact; binary is bytes;
    string, number and binary sets are sets; NULL is None.
    """

    kind: str
    """INSERT, MODIFY or REMOVE; SNAPSHOT for an item that a backfill read."""
    sequence_number: str
    """Decimal digits of varying length: compare as a number. A SNAPSHOT comes before all others."""
    event_id: str
    """Names the change; a repeated delivery carries the same one."""
    _record: Any
    _part: "Chunk"
    _index: int
    # Kept, so that what `transform` sets in an item is there when it looks again.
    _keys: Any = UNSET
    _new: Any = UNSET
    _old: Any = UNSET

    @property
    def keys(self) -> Item:
        """The item's primary key."""
        keys = self._keys
        if keys is UNSET:
            keys = self._keys = self._part.keys(self._record)
        return keys  # type: ignore[no-any-return]

    @property
    def new(self) -> Optional[Item]:
        """The item after the change; None for REMOVE."""
        new = self._new
        if new is UNSET:
            new = self._new = self._part.new(self._record, self._index)
        return new  # type: ignore[no-any-return]

    @property
    def old(self) -> Optional[Item]:
        """The item before the change; None for INSERT, and where the forwarder left it out."""
        old = self._old
        if old is UNSET:
            old = self._old = self._part.old(self._record)
        return old  # type: ignore[no-any-return]

    @property
    def changed_at(self) -> datetime:
        """When it happened, aware, UTC, to the second; order by `sequence_number`, not by this."""
        return self._part.changed_at(self._record)

    @property
    def is_ttl_delete(self) -> bool:
        """Whether DynamoDB itself removed the item because its time to live had passed."""
        return self._part.is_ttl_delete(self._record)

    def __repr__(self) -> str:
        # Without the item: a change is printed in logs.
        return f"Change(kind={self.kind!r}, event_id={self.event_id!r})"
