"""Response to Firehose, up to its limit, and the changes to requeue."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from pybase64 import b64encode_as_string

from streaming_etl.handlers.change.decode import Chunk, lines_of
from streaming_etl.handlers.rows.encoder import Rows
from streaming_etl.handlers.rows.row_error import RowError

# Lambda accepts 6,291,456 bytes, base64 included; the runtime may add the difference.
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
MAX_RESPONSE_BYTES = 6_000_000

# The bytes of a response without data, with the separators of the runtime's JSON.
_EMPTY_RESPONSE_BYTES = len(json.dumps({"records": []}))
_LONGEST_RESULT = {
    "recordId": "",
    "result": "ProcessingFailed",
    "data": "",
    "metadata": {"partitionKeys": {}},
}
_RESULT_BYTES = len(json.dumps(_LONGEST_RESULT)) + len(", ")


Outcome = Rows | RowError
"""The rows of a change, maybe none, or the reason why it failed."""


IndexedRows = tuple[int, Rows]
"""The index of a change in its record, and its rows."""


class Response:
    """Results so far, and the changes to requeue.

    Requeueing terminates. A requeued record has fewer changes than the record it came from (a
    failed change alone, the changes of another partition, half of what is too large), or there was
    no space after a record whose result is Ok: `space` starts as `max_space`, and only an Ok
    reduces `space`. A single change that fails, or is larger than `max_space`, is dead-lettered.
    """

    def __init__(
        self, record_ids: Iterable[str], partition_keys: tuple[str, ...], max_bytes: int
    ) -> None:
        without_data = sum(_RESULT_BYTES + len(record_id) for record_id in record_ids)
        self.max_space = self.space = max_bytes - _EMPTY_RESPONSE_BYTES - without_data
        self.partition_keys = partition_keys
        self.records: list[dict[str, Any]] = []
        """One result per record, in Firehose's form."""
        self.requeued: list[list[bytes]] = []
        """The lines of each record to requeue."""
        self.failed: list[tuple[Sequence[Chunk], RowError]] = []
        """The single-change records that are dead-lettered, and why."""
        self.rows = self.filtered = 0

    def add(self, record_id: str, chunks: Sequence[Chunk], outcomes: Sequence[Outcome]) -> None:
        """Add the result of a record whose changes had these outcomes."""
        result = self._result(chunks, outcomes)
        result["recordId"] = record_id
        self.records.append(result)

    def _result(self, chunks: Sequence[Chunk], outcomes: Sequence[Outcome]) -> dict[str, Any]:
        alone = len(outcomes) == 1
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
        size = len(result["data"])
        if self.partition_keys:
            keys = dict(zip(self.partition_keys, group[0][1].partition, strict=True))
            result["metadata"] = {"partitionKeys": keys}
            size += len(json.dumps(keys))
        if size <= self.space:
            self.space -= size
            self.rows += sum([rows.line_count for _, rows in group])
            return result
        if size > self.max_space and alone:
            return self._fail(chunks, RowError("response-size"))
        if size > self.max_space and len(group) > 1:
            middle = len(group) // 2
            self.requeued += [_lines(chunks, group[:middle]), _lines(chunks, group[middle:])]
        else:
            self.requeued.append(_lines(chunks, group))
        return {"result": "Dropped"}

    def _fail(self, chunks: Sequence[Chunk], error: RowError) -> dict[str, Any]:
        """Dead-letter the only change of a record."""
        # Firehose writes a failed record without data to the error prefix as it received it.
        self.failed.append((chunks, error))
        return {"result": "ProcessingFailed"}


def _lines(chunks: Sequence[Chunk], group: list[IndexedRows]) -> list[bytes]:
    lines = lines_of(chunks)
    return [lines[index] for index, _ in group]
