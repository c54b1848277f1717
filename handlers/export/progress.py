"""Batches of an export file, and how far the file is forwarded."""

import io
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from streaming_etl.handlers.firehose.batching import groups
from streaming_etl.handlers.wire.change_line import ChangeTooLargeError
from streaming_etl.handlers.wire.routing import Route

# Of the file, in a batch. Items that are not sent take time to read, too.
MAX_READ_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True)
class Progress:
    """Part of a file that is done."""

    offset: int = 0
    """Bytes of the decompressed file."""
    line: int = 0
    """Lines of the file."""
    changes: int = 0
    """Items that Firehose accepted for every lake table that has them."""
    dead_lettered: int = 0
    """Lines that are in the error prefix."""
    unmatched: int = 0
    """Items that no lake table has; they are not sent."""
    sent: Mapping[str, int] = field(default_factory=dict)
    """Of `changes`, the items of each lake table."""


class Change(NamedTuple):
    """An item to forward."""

    content: bytes
    """The line, with its line break."""
    routes: Sequence[int]
    """The indexes of its routes, at least one."""
    offset: int
    """The position in the file after the item, in bytes."""
    line: int
    """The same in lines."""


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
    changes: list[Change] = field(default_factory=list)
    invalid: list[InvalidLine] = field(default_factory=list)
    unmatched: list[int] = field(default_factory=list)
    """The lines of items without a route."""
    size: int = 0
    """Bytes to send to all delivery streams, and of the invalid lines."""

    def part(self, count: int) -> "Batch":
        """Return the lines up to `count` changes, at least one or all."""
        if count == len(self.changes):
            return self
        changes = self.changes[:count]
        *_, offset, line = changes[-1]
        return Batch(
            offset,
            line,
            changes,
            [each for each in self.invalid if each.line <= line],
            [each for each in self.unmatched if each <= line],
        )

    def progress(self, before: Progress, routes: Sequence[Route]) -> Progress:
        """Return the progress after the batch."""
        sent = Counter(before.sent)
        for change in self.changes:
            sent.update(routes[index].name for index in change.routes)
        return Progress(
            self.offset,
            self.line,
            before.changes + len(self.changes),
            before.dead_lettered + len(self.invalid),
            before.unmatched + len(self.unmatched),
            dict(sent),
        )


def read_batches(
    file: io.BufferedIOBase,
    start: Progress,
    to_change: Callable[[bytes], tuple[bytes, Sequence[int]]],
    max_bytes: int,
) -> Iterator[Batch]:
    """Read the file from `start` on, in batches of about `max_bytes`.

    to_change: returns an item's line, and the indexes of its routes.
    """
    file.seek(start.offset)
    batch, begin = Batch(start.offset, start.line), start.offset
    for content in file:
        batch.offset += len(content)
        batch.line += 1
        if content.isspace():
            continue
        try:
            line, routes = to_change(content)
        except Exception as error:
            code = "ItemTooLarge" if isinstance(error, ChangeTooLargeError) else "LineUnreadable"
            invalid = InvalidLine(batch.line, content, f"Backfill.{code}", type(error).__name__)
            batch.invalid.append(invalid)
            batch.size += len(content)
        else:
            if routes:
                batch.changes.append(Change(line, routes, batch.offset, batch.line))
                batch.size += len(line) * len(routes)
            else:
                batch.unmatched.append(batch.line)
        if batch.size >= max_bytes or batch.offset - begin >= MAX_READ_BYTES:
            yield batch
            batch, begin = Batch(batch.offset, batch.line), batch.offset
    if batch.size or batch.unmatched:
        yield batch


class FileForwarder:
    """Forwards a file's batches; `progress` is current after an error too."""

    def __init__(
        self,
        progress: Progress,
        *,
        routes: Sequence[Route],
        put: Callable[[Route, list[bytes], int], list[int]],
        dead_letter: Callable[[list[InvalidLine]], None],
        wait_for_capacity: Callable[[int], bool],
    ) -> None:
        """Begin at `progress`.

        put: sends Firehose records of a route and returns the indexes of those that it did not
        accept. It also receives the number of routes left, this one included.
        dead_letter: stores a batch's invalid lines.
        wait_for_capacity: waits until the rate allows so many bytes; False if the deadline is
        earlier.
        """
        self.progress = progress
        self._routes = routes
        self._put, self._dead_letter = put, dead_letter
        self._wait_for_capacity = wait_for_capacity

    def run(self, batches: Iterable[Batch]) -> bool:
        """Forward the batches; return whether all of them are forwarded."""
        for batch in batches:
            if not self._wait_for_capacity(batch.size):
                return False
            count = self._send(batch.changes)
            if count or not batch.changes:
                done = batch.part(count)
                if done.invalid:
                    self._dead_letter(done.invalid)
                self.progress = done.progress(self.progress, self._routes)
            if count < len(batch.changes):
                return False
        return True

    def _send(self, changes: Sequence[Change]) -> int:
        """Send changes; return how many are accepted by all their routes.

        They are the first ones. After a failure the other routes get no change that is sent again.
        """
        end = len(changes)
        for index, route in enumerate(self._routes):
            positions = [each for each in range(end) if index in changes[each].routes]
            lines = [changes[each].content for each in positions]
            ranges = list(groups(lines, route.max_changes, route.max_bytes))
            records = [b"".join(lines[part.start : part.stop]) for part in ranges]
            if records and (failed := self._put(route, records, len(self._routes) - index)):
                end = positions[ranges[min(failed)].start]
        return end
