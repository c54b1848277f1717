"""Response to Firehose, up to its limit, and the changes to requeue."""

import json
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from operator import attrgetter
from typing import Any, NamedTuple

from pybase64 import b64encode_as_string

from streaming_etl.handlers.change.decode import Chunk, lines_of
from streaming_etl.handlers.rows.encoder import Rows
from streaming_etl.handlers.rows.row_error import RowError

# Lambda accepts 6,291,456 bytes, base64 included; the runtime may add the difference.
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
MAX_RESPONSE_BYTES = 6_000_000

# The bytes of a response without data, with the separators of the runtime's JSON. The braces of a
# part are as long as the separators around it.
_EMPTY_RESPONSE_BYTES = len(json.dumps({"records": []}))
_RESULT_BYTES = len(json.dumps({"recordId": "", "result": "ProcessingFailed"})) + len(", ")
_OK_BYTES = len(json.dumps({"data": ""}))
_METADATA_BYTES = len(json.dumps({"metadata": {"partitionKeys": {}}})) - len("{}")

# Part of a response that is left to the results of other records, so that rows are too large for
# their own size only. It is enough for 3,600 records; Firehose's default buffer has fewer.
_RESULTS_PART = 16

# Rows that take at least this part of a response evict smaller rows. Smaller rows find space soon.
_LARGE_PART = 8


Outcome = Rows | RowError
"""The rows of a change, maybe none, or the reason why it failed."""


IndexedRows = tuple[int, Rows]
"""The index of a change in its record, and its rows."""


class _Accepted(NamedTuple):
    """A record whose rows are in the response."""

    size: int
    result: dict[str, Any]
    rows: int
    lines: Callable[[], list[bytes]]
    """Returns the lines of its changes, to requeue them."""


_size = attrgetter("size")


class Response:
    """Results so far, and the changes to requeue.

    A single change that fails, or whose rows exceed `max_size`, is dead-lettered: `max_size` does
    not depend on the other records. Large rows without space evict smaller rows, so the largest
    rows of an invocation are in its response, and large rows wait only for larger ones.

    Requeueing terminates. A record of n changes is 2n - 1 units of work, the number of records
    into which it can be divided one by one. A requeued record has fewer changes than the record it
    came from (a failed change alone, the changes of another partition, half of what is too large,
    the changes after the deadline), or waits for space or time. An invocation has time for one
    change at least, so it requeues less work than it received, except if it requeues all records
    as they are, which `makes_progress` reports. Only the results of more than 3,600 records take
    so much space, and if none of these records ends, the invocation must fail.
    """

    def __init__(
        self, record_ids: Iterable[str], partition_keys: tuple[str, ...], max_bytes: int
    ) -> None:
        without_data = sum(_RESULT_BYTES + len(record_id) for record_id in record_ids)
        self.space = max_bytes - _EMPTY_RESPONSE_BYTES - without_data
        self.max_size = max_bytes - max_bytes // _RESULTS_PART
        self.partition_keys = partition_keys
        self.records: list[dict[str, Any]] = []
        """One result per record, in Firehose's form."""
        self.requeued: list[list[bytes]] = []
        """The lines of each record to requeue."""
        self.failed: list[tuple[Sequence[Chunk], RowError]] = []
        """The single-change records that are dead-lettered, and why."""
        self.rows = self.filtered = 0
        self._received = 0
        """The units of work of the records so far."""
        self._accepted: list[_Accepted] = []

    @property
    def makes_progress(self) -> bool:
        """Whether less work is requeued than was received, or nothing at all."""
        requeued = sum(2 * len(lines) - 1 for lines in self.requeued)
        return not requeued or requeued < self._received

    def add(
        self,
        record_id: str,
        chunks: Sequence[Chunk],
        outcomes: Sequence[Outcome],
        others: Sequence[bytes] = (),
    ) -> None:
        """Add the result of a record.

        outcomes: of its first changes. others: the lines of the other changes, for which there was
        no time.
        """
        count = len(outcomes) + len(others)
        if (
            count == 1
            and not self.partition_keys
            and outcomes
            and isinstance(outcome := outcomes[0], Rows)
            and outcome.line_count
            and self.add_rows(record_id, outcome, 1, partial(lines_of, chunks))
        ):
            return
        self._received += max(1, 2 * count - 1)
        if others:
            self.requeued.append([*others])
        result = self._result(chunks, outcomes, alone=count == 1)
        result["recordId"] = record_id
        self.records.append(result)

    def add_rows(
        self, record_id: str, rows: Rows, changes: int, lines: Callable[[], list[bytes]]
    ) -> bool:
        """Add a record whose changes all have rows, without partition keys.

        rows: at least one, of all changes. lines: returns the record's lines.

        Return False, and add nothing, if there is no space; `add` requeues changes then.
        """
        data = b64encode_as_string(rows.data)
        size = _OK_BYTES + len(data)
        if size > self.max_size or size > self.space:
            return False
        self._received += 2 * changes - 1
        result = {"result": "Ok", "data": data, "recordId": record_id}
        self._accept(size, result, rows.line_count, lines)
        self.records.append(result)
        return True

    def _result(
        self, chunks: Sequence[Chunk], outcomes: Sequence[Outcome], *, alone: bool
    ) -> dict[str, Any]:
        """Return the result of changes; alone: the record has no other change."""
        group: list[IndexedRows] = []
        for index, outcome in enumerate(outcomes):
            if isinstance(outcome, RowError):
                if alone:
                    return self._fail(chunks, outcome)
                self.requeued.append([lines_of(chunks)[index]])
            elif outcome.line_count:
                group.append((index, outcome))
            else:
                self.filtered += 1
        if not group:
            return {"result": "Dropped"}
        if self.partition_keys:
            groups: dict[tuple[str, ...], list[IndexedRows]] = {}
            for each in group:
                groups.setdefault(each[1].partition, []).append(each)
            # A result has one set of partition keys, so the other groups are requeued.
            group, *others = groups.values()
            self.requeued += [_lines(chunks, other) for other in others]
        return self._fit(chunks, group, alone=alone)

    def _fit(
        self, chunks: Sequence[Chunk], group: list[IndexedRows], *, alone: bool
    ) -> dict[str, Any]:
        """Return the group's rows if there is space.

        alone: the record has no other change.
        """
        result: dict[str, Any] = {
            "result": "Ok",
            "data": b64encode_as_string(b"".join([rows.data for _, rows in group])),
        }
        size = _OK_BYTES + len(result["data"])
        if self.partition_keys:
            keys = dict(zip(self.partition_keys, group[0][1].partition, strict=True))
            result["metadata"] = {"partitionKeys": keys}
            size += _METADATA_BYTES + len(json.dumps(keys))
        if size > self.max_size:
            if alone:
                return self._fail(chunks, RowError("response-size"))
            middle = len(group) // 2
            halves = group[:middle], group[middle:]
            self.requeued += [_lines(chunks, half) for half in halves if half]
            return {"result": "Dropped"}
        if size > self.space and not self._evict(size):
            self.requeued.append(_lines(chunks, group))
            return {"result": "Dropped"}
        count = sum([rows.line_count for _, rows in group])
        self._accept(size, result, count, partial(_lines, chunks, group))
        return result

    def _accept(
        self, size: int, result: dict[str, Any], rows: int, lines: Callable[[], list[bytes]]
    ) -> None:
        self.space -= size
        self.rows += rows
        self._accepted.append(_Accepted(size, result, rows, lines))

    def _evict(self, size: int) -> bool:
        """Requeue smaller rows until there is space; return whether it is enough."""
        if size * _LARGE_PART < self.max_size:
            return False
        smaller = sorted((each for each in self._accepted if each.size < size), key=_size)
        if self.space + sum(map(_size, smaller)) < size:
            return False
        while self.space < size:
            # The largest first, because fewer records are requeued then.
            evicted = smaller.pop()
            self.space += evicted.size
            self.rows -= evicted.rows
            self.requeued.append(evicted.lines())
            for name in ("data", "metadata"):
                evicted.result.pop(name, None)
            evicted.result["result"] = "Dropped"
        self._accepted = [each for each in self._accepted if each.size >= size] + smaller
        return True

    def _fail(self, chunks: Sequence[Chunk], error: RowError) -> dict[str, Any]:
        """Dead-letter the only change of a record."""
        # Firehose writes a failed record without data to the error prefix as it received it.
        self.failed.append((chunks, error))
        return {"result": "ProcessingFailed"}


def _lines(chunks: Sequence[Chunk], group: list[IndexedRows]) -> list[bytes]:
    lines = lines_of(chunks)
    return [lines[index] for index, _ in group]
