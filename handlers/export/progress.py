"""Large tables: how a file of the export is read in batches, and how far it has been passed on."""

import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from streaming_etl.handlers.firehose.batching import groups
from streaming_etl.handlers.wire.change_line import ChangeTooLargeError


@dataclass(frozen=True)
class Progress:
    """How far a file has been passed on: what one invocation hands to the next."""

    offset: int
    """Bytes of the file, decompressed, that are dealt with."""
    line: int
    """Lines of it."""
    changes: int
    """Items of it that Firehose has taken."""
    dead_lettered: int
    """Lines of it that lie in the error prefix."""


@dataclass(frozen=True)
class Refused:
    """A line of the file that cannot go on."""

    line: int
    content: bytes
    code: str
    error: str


@dataclass
class Batch:
    """Lines of the file that are dealt with together."""

    offset: int
    """Where in the file the batch ends, in bytes."""
    line: int
    """The same in lines."""
    changes: list[bytes] = field(default_factory=list)
    """The lines that go on, each with its line break."""
    ends: list[tuple[int, int]] = field(default_factory=list)
    """Where in the file each of them ends: offset and line."""
    refused: list[Refused] = field(default_factory=list)
    size: int = 0

    def reached(self, before: Progress, count: int) -> Progress:
        """How far the file is passed on once the first `count` changes, at least one, have gone."""
        whole = count == len(self.changes)
        offset, line = (self.offset, self.line) if whole else self.ends[count - 1]
        refused = sum(each.line <= line for each in self.refused)
        return Progress(offset, line, before.changes + count, before.dead_lettered + refused)


def read_batches(
    file: io.BufferedIOBase, start: Progress, to_change: Callable[[bytes], bytes], max_bytes: int
) -> Iterator[Batch]:
    """The file's lines from `start` on; a batch ends once it has `max_bytes`."""
    file.seek(start.offset)
    batch = Batch(start.offset, start.line)
    for content in file:
        batch.offset += len(content)
        batch.line += 1
        if content.isspace():
            continue
        try:
            change = to_change(content)
        except Exception as error:
            code = "ItemTooLarge" if isinstance(error, ChangeTooLargeError) else "LineUnreadable"
            # The error's type, not its text, which may quote the item.
            refused = Refused(batch.line, content, f"Backfill.{code}", type(error).__name__)
            batch.refused.append(refused)
            batch.size += len(content)
        else:
            batch.changes.append(change)
            batch.ends.append((batch.offset, batch.line))
            batch.size += len(change)
        if batch.size >= max_bytes:
            yield batch
            batch = Batch(batch.offset, batch.line)
    if batch.size:
        yield batch


class FileForwarder:
    """Passes a file's batches on; `reached` tells how far, after an error too.

    max_changes, max_bytes: what goes into one Firehose record, as the forwarder packs.
    put: takes Firehose records and returns the indexes of those that it could not put.
    dead_letter: stores the batch's refused lines.
    turn: waits until so many bytes may go; False when that is too late.
    """

    def __init__(
        self,
        reached: Progress,
        *,
        max_changes: int,
        max_bytes: int,
        put: Callable[[list[bytes]], list[int]],
        dead_letter: Callable[[list[Refused]], None],
        turn: Callable[[int], bool],
    ) -> None:
        self.reached = reached
        self._max_changes, self._max_bytes = max_changes, max_bytes
        self._put, self._dead_letter, self._turn = put, dead_letter, turn

    def run(self, batches: Iterable[Batch]) -> bool:
        """Whether all of them have gone; not when time is up, or Firehose takes no more."""
        for batch in batches:
            if not self._turn(batch.size):
                return False
            if batch.refused:
                self._dead_letter(batch.refused)
            packs = list(groups(batch.changes, self._max_changes, self._max_bytes))
            unsent = self._put([b"".join(batch.changes[pack.start : pack.stop]) for pack in packs])
            count = packs[min(unsent)].start if unsent else len(batch.changes)
            if count or not unsent:
                self.reached = batch.reached(self.reached, count)
            if unsent:
                return False
        return True
