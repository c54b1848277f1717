"""The transform's answer to Firehose: rows within the response limit, the rest put back."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from pybase64 import b64encode_as_string

from streaming_etl.handlers.change.decode import Chunk, lines_of
from streaming_etl.handlers.rows.encoder import Rows

# Lambda takes 6,291,456 bytes, base64 included; the difference is for what the runtime may add.
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
MAX_RESPONSE_BYTES = 6_000_000

# What a response costs whatever its data, with the separators that the runtime's JSON has.
_EMPTY_RESPONSE_BYTES = len(json.dumps({"records": []}))
_LONGEST_ANSWER = {
    "recordId": "",
    "result": "ProcessingFailed",
    "data": "",
    "metadata": {"partitionKeys": {}},
}
_ANSWER_BYTES = len(json.dumps(_LONGEST_ANSWER)) + len(", ")


Outcome = Rows | str
"""What became of a line: its rows (maybe none), or the reason why there are none."""


Placed = tuple[int, Rows]
"""The rows of the line at an index."""


class Response:
    """The answers so far, the bytes left for data, and what goes back on the stream.

    Nothing can loop. What is put back either has fewer changes than the record it came from (a bad
    change alone, the changes of another partition, a half of what is too large), or found no room
    behind a record that this invocation answered Ok: `room` starts as `largest` and only an Ok
    takes from it. A single change that is bad, or too large even for the whole room, ends here.
    """

    def __init__(
        self, record_ids: Iterable[str], partition_keys: tuple[str, ...], max_bytes: int
    ) -> None:
        bare = sum(_ANSWER_BYTES + len(record_id) for record_id in record_ids)
        self.largest = self.room = max_bytes - _EMPTY_RESPONSE_BYTES - bare
        self.partition_keys = partition_keys
        self.records: list[dict[str, Any]] = []
        """One answer for each record, in Firehose's form."""
        self.put_back: list[list[bytes]] = []
        """The lines of each record that must go back on the stream."""
        self.refused: list[tuple[Sequence[Chunk], str]] = []
        """The records of one change that are set aside, and why."""
        self.rows = self.left_out = 0

    def answer(self, record_id: str, parts: Sequence[Chunk], outcomes: Sequence[Outcome]) -> None:
        """Answer one record, whose lines had these outcomes."""
        answer = self._result(parts, outcomes)
        answer["recordId"] = record_id
        self.records.append(answer)

    def _result(self, parts: Sequence[Chunk], outcomes: Sequence[Outcome]) -> dict[str, Any]:
        alone = len(outcomes) == 1
        placed: list[Placed] = []
        for index, outcome in enumerate(outcomes):
            if isinstance(outcome, str):
                if alone:
                    return self._refuse(parts, outcome)
                self.put_back.append([lines_of(parts)[index]])
            elif outcome.line_count:
                placed.append((index, outcome))
            else:
                self.left_out += 1
        if not placed:
            return {"result": "Dropped"}
        if self.partition_keys:
            groups: dict[tuple[str, ...], list[Placed]] = {}
            for place in placed:
                groups.setdefault(place[1].partition, []).append(place)
            # Firehose takes one set of partition keys a record: the other groups come again.
            placed, *others = groups.values()
            self.put_back += [_of(parts, other) for other in others]
        return self._fit(parts, placed, alone=alone)

    def _fit(self, parts: Sequence[Chunk], group: list[Placed], *, alone: bool) -> dict[str, Any]:
        """The group's rows if there is room; `alone` says that they are a record's only change."""
        result: dict[str, Any] = {
            "result": "Ok",
            "data": b64encode_as_string(b"".join([rows.data for _, rows in group])),
        }
        size = len(result["data"])
        if self.partition_keys:
            keys = dict(zip(self.partition_keys, group[0][1].partition, strict=True))
            result["metadata"] = {"partitionKeys": keys}
            size += len(json.dumps(keys))
        if size <= self.room:
            self.room -= size
            self.rows += sum([rows.line_count for _, rows in group])
            return result
        if size > self.largest and alone:
            reason = "its rows exceed the limit of a response; return fewer or shorter ones"
            return self._refuse(parts, reason)
        if size > self.largest and len(group) > 1:
            middle = len(group) // 2
            self.put_back += [_of(parts, group[:middle]), _of(parts, group[middle:])]
        else:
            self.put_back.append(_of(parts, group))
        return {"result": "Dropped"}

    def _refuse(self, parts: Sequence[Chunk], reason: str) -> dict[str, Any]:
        """Set the only change of a record aside."""
        # Without data, so that the error prefix receives the record as it came.
        self.refused.append((parts, reason))
        return {"result": "ProcessingFailed"}


def _of(parts: Sequence[Chunk], group: list[Placed]) -> list[bytes]:
    lines = lines_of(parts)
    return [lines[index] for index, _ in group]
