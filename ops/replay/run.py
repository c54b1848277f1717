"""Replays the failure objects of one pipeline, oldest first; moves away what is all put back."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Optional

from streaming_etl.ops.firehose_writer import Feed
from streaming_etl.ops.replay.entries import CorruptError, Entry, Wanted, entries_of
from streaming_etl.ops.replay.lost_changes import Origins
from streaming_etl.ops.replay.objects import Found, Objects
from streaming_etl.ops.replay.report import Problem, Report
from streaming_etl.ops.replay.rows import RowOf
from streaming_etl.stack.console import Advance

THREADS = 8
# What is read, put and moved at a time.
SLICE_OBJECTS = 64
SLICE_BYTES = 8 * 1024 * 1024
# Rows wait for each other, so that the stream is read once for many.
MAX_ROWS = 20_000


@dataclass
class Opened:
    """An object that was read."""

    found: Found
    etag: str
    entries: list[Entry]
    noted: Optional[set[int]]
    """What earlier runs have put back, if there is a note of it."""
    chosen: set[int]
    """What this run is asked to put back."""


class Replay:
    """One run; `errors` are the codes to put back, none for all. Without a feed it is a dry run."""

    def __init__(
        self,
        objects: Objects,
        origins: Origins,
        wanted: Wanted,
        errors: Collection[str],
        feed: Optional[Feed],
        report: Report,
    ) -> None:
        self._objects, self._origins = objects, origins
        self._wanted, self._errors = wanted, errors
        self._feed, self._report = feed, report
        self._with_rows: list[Opened] = []

    def run(self, found: Iterable[Found], advance: Advance) -> Report:
        """Put back what the objects hold, in the order given; those with rows last.

        An object's place and note change only after Firehose has accepted all that they tell of:
        stopped at any moment, the next run puts back the rest, and of a slice maybe some again.
        """
        with ThreadPoolExecutor(THREADS) as pool:
            for part in _slices(found):
                opened = [one for one in pool.map(self._open, part) if one is not None]
                for one in opened:
                    self._count(one)
                plain = [one for one in opened if not _rows(one)]
                self._put(plain, {}, pool)
                self._with_rows += [one for one in opened if _rows(one)]
                if sum(len(_rows(one)) for one in self._with_rows) >= MAX_ROWS:
                    self._put_rows(pool)
                advance(sum(one.size for one in part))
            self._put_rows(pool)
        return self._report

    def _open(self, found: Found) -> Optional[Opened]:
        read = self._objects.read(found.key)
        if read is None:
            return None
        body, etag = read
        try:
            entries = entries_of(body, self._wanted)
        except CorruptError as error:
            # One entry that cannot be put back, and so the object is never done.
            entries = [Entry("corrupt", problem=str(error))]
        noted = self._objects.noted(found.key, etag)
        chosen = {
            place
            for place, entry in enumerate(entries)
            if place not in (noted or ()) and (not self._errors or entry.code in self._errors)
        }
        return Opened(found, etag, entries, noted, chosen)

    def _count(self, opened: Opened) -> None:
        report = self._report
        report.objects += 1
        report.size += opened.found.size
        report.by_day[f"{opened.found.written:%Y-%m-%d}"] += 1
        left = [
            entry for place, entry in enumerate(opened.entries) if place not in (opened.noted or ())
        ]
        report.by_error.update(entry.code for entry in left)

    def _put_rows(self, pool: ThreadPoolExecutor) -> None:
        """Find the changes of the rows that wait, and put these back."""
        opened, self._with_rows = self._with_rows, []
        rows = [*{row.event_id: row for one in opened for row in _rows(one)}.values()]
        lines = self._origins.on_stream(rows)
        self._report.from_stream += len(lines)
        rest = [row for row in rows if row.event_id not in lines]
        from_table = self._origins.in_table(rest)
        self._report.from_table += len(from_table)
        found: dict[str, Optional[bytes]] = {**lines, **from_table}
        if "REMOVE" in self._wanted.event_names:
            # Their REMOVE comes after them, and takes them out of the current state.
            gone = [row.event_id for row in rest if row.event_id not in from_table]
            self._report.removed_since += len(gone)
            found.update(dict.fromkeys(gone))
        self._put(opened, found, pool)

    def _put(
        self,
        opened: Sequence[Opened],
        changes: Mapping[str, Optional[bytes]],
        pool: ThreadPoolExecutor,
    ) -> None:
        """Put back the chosen entries of the objects; `changes` tells the line of each row's."""
        lines: list[bytes] = []
        sent: set[str] = set()
        for one in opened:
            for place in sorted(one.chosen):
                entry = one.entries[place]
                lines += entry.lines
                for row in entry.rows:
                    line = changes.get(row.event_id)
                    if line and row.event_id not in sent:
                        sent.add(row.event_id)
                        lines.append(line)
        if self._feed is not None:
            self._feed.put(lines)
        self._report.changes += len(lines)
        settled = pool.map(lambda one: self._settle(one, changes), opened)
        for problems, done in settled:
            self._report.problems += problems
            self._report.objects_done += done

    def _settle(
        self, opened: Opened, changes: Mapping[str, Optional[bytes]]
    ) -> tuple[list[Problem], bool]:
        """Move the object away or note what of it is done; its problems, and whether it is done."""
        key, problems = opened.found.key, []
        before = opened.noted or set()
        done = set(before)
        for place in sorted(opened.chosen):
            reason = _reason(opened.entries[place], changes)
            if reason is None:
                done.add(place)
            else:
                problems.append(Problem(key, place + 1, reason))
        finished = len(done) == len(opened.entries)
        if self._feed is None:
            return problems, finished
        if finished:
            self._objects.finish(key, opened.etag, with_note=opened.noted is not None)
        elif done != before:
            self._objects.remember(key, opened.etag, done)
        return problems, finished


def _slices(found: Iterable[Found]) -> Iterator[list[Found]]:
    part: list[Found] = []
    for one in found:
        size = sum(other.size for other in part) + one.size
        if part and (len(part) == SLICE_OBJECTS or size > SLICE_BYTES):
            yield part
            part = []
        part.append(one)
    if part:
        yield part


def _rows(opened: Opened) -> list[RowOf]:
    """The rows among what this run is to put back."""
    return [row for place in opened.chosen for row in opened.entries[place].rows]


def _reason(entry: Entry, changes: Mapping[str, Optional[bytes]]) -> Optional[str]:
    """Why the entry is not done; None when all of it is put back."""
    if entry.problem is not None:
        return entry.problem
    lost = sum(row.event_id not in changes for row in entry.rows)
    if lost:
        return (
            f"{lost} of its rows tell of items that are gone, from the stream and from the table, "
            "and the pipeline's event_names leave REMOVE out"
        )
    return None
