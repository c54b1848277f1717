"""Bucket: rows as Athena reads them, error records, failed batches."""

import csv
import json
import re
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from gzip import decompress
from typing import Any
from zlib import crc32

from streaming_etl.components.monitoring.failure_events import failure_events
from streaming_etl.components.table.lake_table import LakeTable
from streaming_etl.components.table.layout import (
    DATA_PREFIX,
    ERRORS_PREFIX,
    FAILED_BATCHES_PREFIX,
    REPLAYED_PREFIX,
)
from streaming_etl.components.table.serdes import SERDES
from streaming_etl.ops.replay.objects import NOTE_SUFFIX
from tests.simulation.deploy import EXTRA
from tests.simulation.names import has_readable_names, lower_names
from tests.simulation.scenario import DATABASE
from tests.simulation.world import World

# Line breaks of Hadoop's TextInputFormat, quoted or not.
LINE_END = re.compile(r"\r\n|\n|\r")
# A longer text is compared by its length and checksum.
LONG_TEXT = 10_000

csv.field_size_limit(2**24)


@dataclass
class Row:
    """Row of the lake: its values and its partition values."""

    values: dict[str, Any]
    folder: dict[str, str]


@dataclass
class ErrorRecord:
    """Error record: its code, and its changes or rows."""

    code: str
    changes: list[dict[str, Any]]
    rows: list[dict[str, Any]]

    @property
    def event_ids(self) -> list[str]:
        """Return the event id of each change or row."""
        ids = [change.get("eventID", "something") for change in self.changes]
        return [*ids, *(row["_event_id"] for row in self.rows)]


class UnreadableError(Exception):
    """One row makes every query of the table fail."""


class Lake:
    """Objects by their keys."""

    def __init__(
        self, world: World, table: LakeTable, objects: dict[str, bytes] | None = None
    ) -> None:
        """Take part in a bucket with other lake tables, or create one."""
        self.world, self.table = world, table
        self.objects: dict[str, bytes] = {} if objects is None else objects
        self._rows: dict[str, list[Row]] = {}
        self.written: dict[str, float] = {}
        """When each object of this lake table was written."""
        self.data_path = f"{DATA_PREFIX}{DATABASE}/{table.name}/"
        self.errors_path = f"{ERRORS_PREFIX}{DATABASE}/{table.name}/"
        # The bucket and the mapping of the run are the only ones.
        events = failure_events("", [FAILED_BATCHES_PREFIX, self.errors_path], [])
        keys = events["dead-lettered"].pattern["detail"]["object"]["key"]
        self.monitored = tuple(key["prefix"] for key in keys)
        """Prefixes of the event rule."""

    def put(self, key: str, body: bytes) -> None:
        if key in self.objects:
            raise ValueError(f"{key} would be overwritten")
        self.objects[key] = body
        self.written[key] = self.world.now
        if key.startswith(self.monitored):
            self.world.metrics.put("event_rule", "dead-lettered", self.world.now)

    def rows(self) -> Iterator[Row]:
        """Read every row below the table's location like its SerDe."""
        for _, rows in self.rows_by_key():
            yield from rows

    def rows_by_key(self) -> Iterator[tuple[str, list[Row]]]:
        """Read the rows of each object below the table's location."""
        for key, body in self.below(self.data_path):
            if key not in self._rows:
                # Read once, as the checks run before and after a replay.
                self._rows[key] = list(self.rows_of(key, body))
            yield key, self._rows[key]

    def rows_of(self, key: str, body: bytes) -> Iterator[Row]:
        """Read the rows of an object."""
        parts = key.removeprefix(self.data_path).split("/")[:-1]
        folder = dict(part.split("=", 1) for part in parts)
        text = (decompress(body) if key.endswith(".gz") else body).decode()
        read_line = self.csv_row if self.table.format == "csv" else self.json_row
        for line in LINE_END.split(text):
            if line:
                yield Row(read_line(line), folder)

    def csv_row(self, line: str) -> dict[str, str]:
        """Read a line like OpenCSVSerDe: quote ", escape U+0001, doubled quotes.

        https://docs.aws.amazon.com/athena/latest/ug/csv-serde.html
        """
        [cells] = csv.reader([line], escapechar="\x01", doublequote=True, strict=True)
        names = [column.name for column in self.table.all_columns]
        if len(cells) == len(names) - 1 and EXTRA in (self.table.columns or ()):
            # Columns are read by position; a row from before the deployment lacks the last.
            names.pop()
        return {name: shortened(cell) for name, cell in zip(names, cells, strict=True)}

    def json_row(self, line: str) -> dict[str, Any]:
        """Read a line like OpenX's SerDe.

        https://docs.aws.amazon.com/athena/latest/ug/openx-json-serde.html
        """
        values = json.loads(line, parse_float=Decimal)
        if self.table.columns is None:
            # A crawler's SerDe lower-cases names.
            if not has_readable_names(values):
                raise UnreadableError("names that Athena cannot read")
        elif (
            self.table.format == "json" and SERDES["json"].parameters["case.insensitive"] != "false"
        ):
            values = lower_names(values)
        return {name: shortened(value) for name, value in values.items()}

    def errors(self) -> Iterator[ErrorRecord]:
        """Read every error record."""
        for key, body in self.below(self.errors_path):
            for line in self.not_replayed(key, body.decode().splitlines()):
                record = json.loads(line)
                data = b64decode(record["rawData"])
                if "errorCode" in record:
                    yield ErrorRecord(record["errorCode"], changes_of(data), [])
                else:
                    rows = [self.json_row(row.decode()) for row in data.splitlines()]
                    yield ErrorRecord(record["lastErrorCode"], [], rows)

    def failed_batches(self) -> Iterator[list[dict[str, Any]]]:
        """Read the stream records of each failed batch."""
        for key, body in self.below(FAILED_BATCHES_PREFIX):
            yield self.not_replayed(key, json.loads(json.loads(body)["payload"])["Records"])

    def not_replayed(self, key: str, entries: list[Any]) -> list[Any]:
        """Return an object's entries without those that a replay noted."""
        note = self.objects.get(f"{REPLAYED_PREFIX}{key}{NOTE_SUFFIX}")
        done = set(json.loads(note)["done"]) if note else set()
        return [entry for index, entry in enumerate(entries) if index not in done]

    def below(self, path: str) -> Iterator[tuple[str, bytes]]:
        return ((key, body) for key, body in self.objects.items() if key.startswith(path))


def changes_of(data: bytes) -> list[dict[str, Any]]:
    """Read the changes of a Firehose record: one per line, some compressed."""
    changes = []
    for line in data.split(b"\n"):
        if line.strip():
            change = json.loads(line)
            compressed = change.get("gzip")
            changes.append(
                change if compressed is None else json.loads(decompress(b64decode(compressed)))
            )
    return changes


def shortened(value: Any) -> Any:
    """Return the value, or length and checksum of a long text."""
    if isinstance(value, str) and len(value) > LONG_TEXT:
        return f"{value[:20]!r}: {len(value)}, {crc32(value.encode())}"
    return value
