"""Batches of an export file, and how far the file is forwarded."""

import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from streaming_etl.handlers.firehose.batching import groups
from streaming_etl.handlers.wire.change_line import ChangeTooLargeError


@dataclass(frozen=True)
class Progress:
    """Part of a file that is done."""

    offset: int
    """Bytes of the decompressed file."""
    line: int
    """Lines of the file."""
    changes: int
    """Items that Firehose accepted."""
    dead_lettered: int
    """Lines that are in the error prefix."""


@dataclass(frozen=True)
class InvalidLine:
    """Line of the file that cannot be forwarded."""

    line: int
    content: bytes
    code: str
    error: str
    """The type of the error, as its text may quote the item."""


@dataclass
class Batch:
    """Consecutive lines of the file."""

    offset: int
    """The position in the file after the batch, in bytes."""
    line: int
    """The same in lines."""
    changes: list[bytes] = field(default_factory=list)
    """The lines to forward, each with its line break."""
    ends: list[tuple[int, int]] = field(default_factory=list)
    """The position after each of `changes`: offset and line."""
    invalid: list[InvalidLine] = field(default_factory=list)
    size: int = 0

    def progress(self, before: Progress, count: int) -> Progress:
        """Return the progress after `count` changes, at least one or all."""
        if count == len(self.changes):
            offset, line = self.offset, self.line
        else:
            offset, line = self.ends[count - 1]
        invalid = sum(each.line <= line for each in self.invalid)
        return Progress(offset, line, before.changes + count, before.dead_lettered + invalid)


def read_batches(
    file: io.BufferedIOBase, start: Progress, to_change: Callable[[bytes], bytes], max_bytes: int
) -> Iterator[Batch]:
    """Read the file from `start` on, in batches of about `max_bytes`."""
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
            invalid = InvalidLine(batch.line, content, f"Backfill.{code}", type(error).__name__)
            batch.invalid.append(invalid)
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
    """Forwards a file's batches; `progress` is current after an error too."""

    def __init__(
        self,
        progress: Progress,
        *,
        max_changes: int,
        max_bytes: int,
        put: Callable[[list[bytes]], list[int]],
        dead_letter: Callable[[list[InvalidLine]], None],
        wait_for_capacity: Callable[[int], bool],
    ) -> None:
        """Begin at `progress`.

        max_changes, max_bytes: content of one Firehose record.
        put: sends Firehose records and returns the indexes of those that it did not accept.
        dead_letter: stores a batch's invalid lines.
        wait_for_capacity: waits until the rate allows so many bytes; False if the deadline is
        earlier.
        """
        self.progress = progress
        self._max_changes, self._max_bytes = max_changes, max_bytes
        self._put, self._dead_letter = put, dead_letter
        self._wait_for_capacity = wait_for_capacity

    def run(self, batches: Iterable[Batch]) -> bool:
        """Forward the batches; return whether all of them are forwarded."""
        for batch in batches:
            if not self._wait_for_capacity(batch.size):
                return False
            if batch.invalid:
                self._dead_letter(batch.invalid)
            ranges = list(groups(batch.changes, self._max_changes, self._max_bytes))
            failed = self._put([b"".join(batch.changes[part.start : part.stop]) for part in ranges])
            count = ranges[min(failed)].start if failed else len(batch.changes)
            if count or not failed:
                self.progress = batch.progress(self.progress, count)
            if failed:
                return False
        return True
