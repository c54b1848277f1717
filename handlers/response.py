"""The transform's answer to Firehose: rows within the response limit, the rest put back."""

import json
from base64 import b64encode
from collections.abc import Iterable
from typing import Any, NamedTuple

from handlers.change import Change
from handlers.rows import Rows

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


class Outcome(NamedTuple):
    """What became of one line: rows (maybe none), or the reason why there are none."""

    line: bytes
    change: Change | None
    """None where the line could not be read."""
    rows: Rows | None
    error: str | None


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
        self.put_back: list[list[Outcome]] = []
        """The changes of each record that must go back on the stream."""
        self.refused: list[Outcome] = []
        self.rows = self.left_out = 0

    def answer(self, record_id: str, outcomes: list[Outcome]) -> None:
        """Answer one record, whose lines had these outcomes."""
        self.records.append({"recordId": record_id, **self._result(outcomes)})

    def _result(self, outcomes: list[Outcome]) -> dict[str, Any]:
        alone = len(outcomes) == 1
        groups: dict[tuple[str, ...], list[Outcome]] = {}
        for outcome in outcomes:
            if outcome.rows is None:
                if alone:
                    return self._refuse(outcome)
                self.put_back.append([outcome])
            elif outcome.rows.line_count:
                groups.setdefault(outcome.rows.partition, []).append(outcome)
            else:
                self.left_out += 1
        if not groups:
            return {"result": "Dropped"}
        # Firehose takes one set of partition keys a record: the other groups come again.
        group, *others = groups.values()
        self.put_back += others
        return self._fit(group, alone)

    def _fit(self, group: list[Outcome], alone: bool) -> dict[str, Any]:
        """The group's rows if there is room; `alone` says that they are a record's only change."""
        rows = [outcome.rows for outcome in group if outcome.rows]
        result: dict[str, Any] = {
            "result": "Ok",
            "data": b64encode(b"".join([part.data for part in rows])).decode(),
        }
        size = len(result["data"])
        if self.partition_keys:
            keys = dict(zip(self.partition_keys, rows[0].partition, strict=True))
            result["metadata"] = {"partitionKeys": keys}
            size += len(json.dumps(keys))
        if size <= self.room:
            self.room -= size
            self.rows += sum([part.line_count for part in rows])
            return result
        if size > self.largest and alone:
            error = "its rows exceed the limit of a response; return fewer or shorter ones"
            return self._refuse(group[0]._replace(error=error))
        if size > self.largest and len(group) > 1:
            middle = len(group) // 2
            self.put_back += [group[:middle], group[middle:]]
        else:
            self.put_back.append(group)
        return {"result": "Dropped"}

    def _refuse(self, outcome: Outcome) -> dict[str, Any]:
        # Without data, so that the error prefix receives the record as it came.
        self.refused.append(outcome)
        return {"result": "ProcessingFailed"}
