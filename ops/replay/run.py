"""Replays the failure objects of one place, oldest first."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Optional, Union

from streaming_etl.components.table.layout import REPLAYED_PREFIX
from streaming_etl.ops.firehose_writer import FirehoseWriter, RoutedWriter
from streaming_etl.ops.merge.following import FollowingMerges
from streaming_etl.ops.replay.entries import (
    ChangeSummary,
    CorruptError,
    Entry,
    EventFilter,
    OtherPipelineError,
    Problem,
    RowReference,
    changed_at,
    entries_of,
    summary,
)
from streaming_etl.ops.replay.lost_changes import ChangeRecovery
from streaming_etl.ops.replay.objects import FailureObject, FailureObjects, Note
from streaming_etl.ops.replay.ownership import PipelineIdentity
from streaming_etl.ops.replay.report import EntryProblem, ListedChange, Report
from streaming_etl.stack.console import Advance

LOST = Problem("lost-rows")

THREADS = 8
# Limits of the objects that are read, sent and moved together.
SLICE_OBJECTS = 64
SLICE_BYTES = 8 * 1024 * 1024
# Rows are recovered together, so that the stream is read once for many.
MAX_ROWS = 20_000

Lines = Mapping[str, Union[bytes, Problem, None]]
"""Event id of a row to its recovered change; None for an item that is deleted by now."""


@dataclass
class ParsedObject:
    """A failure object that was read."""

    object: FailureObject
    etag: str
    entries: list[Entry]
    note: Optional[Note]
    """What earlier runs have replayed; None without a note."""
    selected: list[int]
    """Indexes of entries that this run replays, ascending."""

    @property
    def before(self) -> Note:
        """What earlier runs have replayed."""
        return self.note or Note()

    @property
    def rows(self) -> list[RowReference]:
        """The rows in the selected entries."""
        return [row for index in self.selected for row in self.entries[index].rows]


class Replay:
    """One run. Without a writer it is a dry run.

    errors: the error codes to replay; empty for all.
    lake_table: the lake table of all error records; "" where changes are routed.
    only: the lake tables that get routed changes; empty for all. An object stays until all of its
    lake tables have them.
    merges: notes the times of the changes.
    """

    def __init__(
        self,
        objects: FailureObjects,
        recovery: ChangeRecovery,
        pipeline: PipelineIdentity,
        events: EventFilter,
        errors: Collection[str],
        writer: "Optional[FirehoseWriter | RoutedWriter]",
        report: Report,
        *,
        lake_table: str = "",
        only: Collection[str] = (),
        merges: Optional[FollowingMerges] = None,
    ) -> None:
        self._merges = merges
        self._objects, self._recovery, self._pipeline = objects, recovery, pipeline
        self._events, self._errors = events, errors
        self._writer, self._report = writer, report
        self._lake_table, self._only = lake_table, frozenset(only)
        self._with_rows: list[ParsedObject] = []

    def run(self, objects: Iterable[FailureObject], advance: Advance) -> Report:
        """Replay the objects in their order; those with rows last.

        An object moves, or its note changes, only after Firehose has accepted its changes: after
        an interruption the next run replays the rest, and at most one slice again.
        """
        with ThreadPoolExecutor(THREADS) as pool:
            for part in _slices(objects):
                results = [*pool.map(self._parse, part)]
                self._report.skipped += [
                    each.key for each in results if isinstance(each, FailureObject)
                ]
                parsed = [each for each in results if isinstance(each, ParsedObject)]
                for each in parsed:
                    self._count(each)
                self._send([each for each in parsed if not each.rows], {}, pool)
                self._with_rows += [each for each in parsed if each.rows]
                if sum(len(each.rows) for each in self._with_rows) >= MAX_ROWS:
                    self._send_rows(pool)
                advance(sum(each.size for each in part))
            self._send_rows(pool)
        return self._report

    def _parse(self, failure: FailureObject) -> Union[ParsedObject, FailureObject, None]:
        """Read an object.

        Returns it as it is when it belongs to another pipeline, None when it is gone.
        """
        try:
            if self._pipeline.owns_object(failure.key) is False:
                raise OtherPipelineError
            content = self._objects.read(failure)
            if content is None:
                return None
            body, etag = content
            entries = self._entries(body)
            note = self._objects.note(failure.key, etag)
        except OtherPipelineError:
            return failure
        except CorruptError as error:
            # One entry with a problem, so that the object stays.
            entries, etag, note = [Entry("corrupt", problem=error.problem)], "", None
        if note is not None:
            note.done &= set(range(len(entries)))
        parsed = ParsedObject(failure, etag, entries, note, [])
        parsed.selected = [
            index
            for index, entry in enumerate(entries)
            if index not in parsed.before.done
            and (not self._errors or entry.code in self._errors)
            and (not entry.lake_tables or self._chosen(entry))
        ]
        return parsed

    def _chosen(self, entry: Entry) -> set[str]:
        """Return the lake tables that get the entry's changes in this run."""
        names = set(entry.lake_tables)
        return names & self._only if self._only else names

    def _lines(self, parsed: ParsedObject, index: int) -> Iterator[tuple[str, bytes]]:
        """Yield lake table and line of each change to send."""
        entry = parsed.entries[index]
        if not entry.lake_tables:
            yield from ((self._lake_table, line) for line in entry.lines)
            return
        chosen = self._chosen(entry)
        for name, line in zip(entry.lake_tables, entry.lines, strict=True):
            if name in chosen and index not in parsed.before.sent.get(name, ()):
                yield name, line

    def _entries(self, body: bytes) -> list[Entry]:
        """Parse an object; raises no error but CorruptError and OtherPipelineError."""
        try:
            return entries_of(body, self._events, self._pipeline)
        except (CorruptError, OtherPipelineError):
            raise
        except Exception as error:
            raise CorruptError("unexpected", type(error).__name__) from None

    def _count(self, parsed: ParsedObject) -> None:
        report = self._report
        report.objects += 1
        report.size += parsed.object.size
        report.by_day[f"{parsed.object.written:%Y-%m-%d}"] += 1
        codes = [
            entry.code
            for index, entry in enumerate(parsed.entries)
            if index not in parsed.before.done
        ]
        report.by_error.update(codes)
        if self._lake_table:
            report.error_records[self._lake_table] += len(codes)

    def _send_rows(self, pool: ThreadPoolExecutor) -> None:
        """Recover the changes of the waiting rows and send them."""
        parsed, self._with_rows = self._with_rows, []
        rows = [*{row.event_id: row for each in parsed for row in each.rows}.values()]
        on_stream = self._recovery.from_stream(rows)
        rest = [row for row in rows if row.event_id not in on_stream]
        in_table = self._recovery.from_table(rest)
        lines: dict[str, Union[bytes, Problem, None]] = {**on_stream, **in_table}
        if self._recovery.removing_kinds <= set(self._events.event_names):
            # A later change takes these items out of the current state.
            deleted = [row.event_id for row in rest if row.event_id not in in_table]
            self._report.deleted_since += len(deleted)
            lines.update(dict.fromkeys(deleted))
        self._report.from_stream += len(on_stream)
        self._report.from_table += sum(isinstance(each, bytes) for each in in_table.values())
        outcomes = {
            **dict.fromkeys(on_stream, "from-stream"),
            **dict.fromkeys(in_table, "from-table"),
        }
        self._send(parsed, lines, pool, outcomes)

    def _send(
        self,
        parsed: Sequence[ParsedObject],
        recovered: Lines,
        pool: ThreadPoolExecutor,
        outcomes: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """Send the selected entries, then move the objects or write their notes.

        outcomes: of recovered rows, by event id.
        """
        outgoing: list[tuple[str, bytes]] = []
        sent: set[str] = set()
        for each in parsed:
            for index in each.selected:
                outgoing += self._lines(each, index)
                for row in each.entries[index].rows:
                    line = recovered.get(row.event_id)
                    if isinstance(line, bytes) and row.event_id not in sent:
                        sent.add(row.event_id)
                        outgoing.append((self._lake_table, line))
        lake_tables, lines = [name for name, _ in outgoing], [line for _, line in outgoing]
        if self._merges is not None:
            # Before the call, because Firehose accepts some changes of a call that fails.
            for name, line in outgoing:
                if name in self._merges.lake_tables:
                    self._merges.add(name, changed_at(line))
        if isinstance(self._writer, RoutedWriter):
            self._writer.write(lines, lake_tables)
        elif self._writer is not None:
            self._writer.write(lines)
        self._report.changes += len(lines)
        self._report.sent.update(lake_tables)
        for entry in (each.entries[index] for each in parsed for index in each.selected):
            self._report.without_old_image += entry.without_old_image
            if entry.problem is None:
                self._report.filtered += len(entry.unsent)
        results = pool.map(lambda each: self._settle(each, recovered), parsed)
        for each, (problems, finished) in zip(parsed, results, strict=True):
            self._report.problems += problems
            self._report.objects_replayed += finished
            if self._report.most_listed:
                moved = finished and self._writer is not None
                location = f"{REPLAYED_PREFIX if moved else ''}{each.object.key}"
                self._report.list_changes(self._listed(each, location, recovered, outcomes))

    def _settle(self, parsed: ParsedObject, recovered: Lines) -> tuple[list[EntryProblem], bool]:
        """Move the object or write its note; return problems and completion."""
        key = parsed.object.key
        problems = {
            index: problem
            for index in parsed.selected
            if (problem := _problem(parsed.entries[index], recovered))
        }
        note = self._new_note(parsed, problems)
        finished = len(note.done) == len(parsed.entries)
        if self._writer is not None:
            if finished:
                try:
                    self._objects.finish(key, parsed.etag, with_note=parsed.note is not None)
                except CorruptError as error:
                    return [EntryProblem(key, 1, error.problem)], False
            elif note != parsed.before:
                self._objects.write_note(key, parsed.etag, note)
        return [EntryProblem(key, index + 1, each) for index, each in problems.items()], finished

    def _new_note(self, parsed: ParsedObject, problems: Collection[int]) -> Note:
        """Return what is replayed after this run; problems: indexes of entries."""
        before = parsed.before
        note = Note(set(before.done), {name: set(each) for name, each in before.sent.items()})
        for index in parsed.selected:
            entry = parsed.entries[index]
            for name in self._chosen(entry):
                note.sent.setdefault(name, set()).add(index)
            have_it = all(index in note.sent.get(name, ()) for name in entry.lake_tables)
            if index not in problems and have_it:
                note.done.add(index)
        sent = {name: each - note.done for name, each in note.sent.items()}
        return Note(note.done, {name: each for name, each in sent.items() if each})

    def _listed(
        self,
        parsed: ParsedObject,
        location: str,
        recovered: Lines,
        outcomes: Mapping[str, str],
    ) -> Iterator[ListedChange]:
        """Yield each change of the selected entries."""
        for index in parsed.selected:
            entry = parsed.entries[index]
            add = partial(ListedChange, parsed.object.key, index + 1)
            for name, line in self._lines(parsed, index):
                yield add(summary(line), entry.code, location, "sent", lake_table=name)
            unsent = entry.problem.code if entry.problem else "filtered"
            for line in entry.unsent:
                name = self._lake_table
                yield add(summary(line), entry.code, location, unsent, lake_table=name)
            for row in entry.rows:
                change = ChangeSummary(row.event_id, row.kind, row.key)
                found = recovered.get(row.event_id, LOST)
                outcome = (
                    found.code
                    if isinstance(found, Problem)
                    else outcomes.get(row.event_id, "deleted-since")
                )
                yield add(
                    change,
                    entry.code,
                    location,
                    outcome,
                    is_row=True,
                    lake_table=self._lake_table,
                )


def _slices(objects: Iterable[FailureObject]) -> Iterator[list[FailureObject]]:
    part: list[FailureObject] = []
    for each in objects:
        size = sum(other.size for other in part) + each.size
        if part and (len(part) == SLICE_OBJECTS or size > SLICE_BYTES):
            yield part
            part = []
        part.append(each)
    if part:
        yield part


def _problem(entry: Entry, recovered: Lines) -> Optional[Problem]:
    if entry.problem is not None:
        return entry.problem
    lost: Counter[str] = Counter()
    for row in entry.rows:
        found = recovered.get(row.event_id, LOST)
        if isinstance(found, Problem):
            lost[found.code] += 1
    return next((Problem(code, count) for code, count in lost.most_common(1)), None)
