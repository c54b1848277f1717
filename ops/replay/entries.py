"""Entries of a failure object: changes, rows and problems."""

import csv
import gzip
import json
import zlib
from base64 import b64decode
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple, Optional

from streaming_etl.handlers.change.decode import RecordReader
from streaming_etl.handlers.rows.metadata import METADATA_COLUMNS
from streaming_etl.handlers.wire.change_line import ChangeTooLargeError, change_line
from streaming_etl.stack.json_documents import json_documents

GZIP = b"\x1f\x8b"

NO_CODE = "unknown"

# A text column may be as long as a Firehose record.
csv.field_size_limit(2**24)

REASONS = {
    "damaged-gzip": "its gzip is damaged or truncated",
    "empty": "it is empty",
    "unknown-object": "it is neither a failed batch nor error records of Firehose",
    "payload-not-json": "its payload is not JSON",
    "no-records": "its payload has no Records",
    "change-too-large": "the change exceeds a Firehose record, even compressed",
    "not-a-stream-record": "it is not a stream record ({error})",
    "not-a-json-object": "the line is not a JSON object",
    "no-raw-data": "the line has no rawData",
    "raw-data-not-base64": "its rawData is not base64",
    "unknown-lines": "{count} of its lines are neither changes nor rows of the lake table",
    "lost-rows": "{count} of its rows belong to items that neither stream nor table have, and "
    "`event_names` excludes REMOVE",
}


@dataclass(frozen=True)
class Problem:
    """Why an entry cannot be replayed, without its content."""

    code: str
    """A key of REASONS."""
    count: int = 1
    error: str = ""
    """Name of an exception."""

    @property
    def reason(self) -> str:
        return REASONS[self.code].format(count=self.count, error=self.error)


class CorruptError(Exception):
    """An object that cannot be read at all."""

    def __init__(self, code: str) -> None:
        self.problem = Problem(code)
        super().__init__(self.problem.reason)


class RowReference(NamedTuple):
    """The change that a row was made of, from its metadata columns."""

    event_id: str
    kind: str
    key: str
    """The item's key as canonical DynamoDB JSON."""
    sequence_number: str
    changed_at: float
    """Epoch seconds."""


@dataclass(frozen=True)
class Entry:
    """A record of a failed batch or of Firehose's error output."""

    code: str
    """AWS's code for the failure."""
    lines: list[bytes] = field(default_factory=list)
    """Its changes, as the forwarder sends them."""
    rows: list[RowReference] = field(default_factory=list)
    """Its rows, where it holds rows instead of changes."""
    problem: Optional[Problem] = None
    """Why some or all of it cannot be replayed."""


@dataclass(frozen=True)
class EventFilter:
    """The stream records, and the images in them, that the forwarder sends."""

    event_names: Collection[str]
    old_image: str


def entries_of(body: bytes, events: EventFilter) -> list[Entry]:
    """Parse an object, gzip-compressed or not; raises CorruptError.

    A JSON object with `payload` is a failed batch; other objects are Firehose's error records.
    """
    if body.startswith(GZIP):
        try:
            body = gzip.decompress(body)
        except (OSError, EOFError, zlib.error):
            raise CorruptError("damaged-gzip") from None
    documents = [*_documents(body)]
    if not documents:
        raise CorruptError("empty")
    if isinstance(documents[0], dict) and "payload" in documents[0]:
        return _batch_entries(documents[0], events)
    if not any(isinstance(document, dict) and "rawData" in document for document in documents):
        raise CorruptError("unknown-object")
    return [_error_entry(document) for document in documents]


def _documents(body: bytes) -> Iterator[Any]:
    """Yield the JSON documents of each line, None for invalid ones."""
    for line in body.split(b"\n"):
        try:
            for _, document in json_documents(line.decode()):
                yield document
        except (ValueError, RecursionError):
            yield None


def _batch_entries(document: dict[str, Any], events: EventFilter) -> list[Entry]:
    """Return an entry per stream record; filtered ones have no line.

    https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
    """
    context = document.get("requestContext")
    code = context.get("condition") if isinstance(context, dict) else None
    event = document["payload"]
    if isinstance(event, str):
        # AWS documents a text; an object is accepted, too.
        try:
            event = json.loads(event)
        except ValueError:
            raise CorruptError("payload-not-json") from None
    records = event.get("Records") if isinstance(event, dict) else None
    if not isinstance(records, list):
        raise CorruptError("no-records")
    return [_record_entry(record, str(code or NO_CODE), events) for record in records]


def _record_entry(record: Any, code: str, events: EventFilter) -> Entry:
    try:
        if record["eventName"] not in events.event_names:
            return Entry(code)
        return Entry(code, [change_line(record, events.old_image)])
    except ChangeTooLargeError:
        problem = Problem("change-too-large")
    except Exception as error:
        problem = Problem("not-a-stream-record", error=type(error).__name__)
    return Entry(code, problem=problem)


def _error_entry(document: Any) -> Entry:
    """Parse one line of Firehose's error output.

    https://docs.aws.amazon.com/firehose/latest/dev/data-transformation-failure-handling.html
    https://docs.aws.amazon.com/firehose/latest/dev/record-format-conversion-error-handling.html
    """
    if not isinstance(document, dict):
        return Entry(NO_CODE, problem=Problem("not-a-json-object"))
    # A failed format conversion has `lastErrorCode` instead.
    code = str(document.get("errorCode") or document.get("lastErrorCode") or NO_CODE)
    raw = document.get("rawData")
    if not isinstance(raw, str):
        return Entry(code, problem=Problem("no-raw-data"))
    try:
        data = b64decode(raw, validate=True)
    except ValueError:
        return Entry(code, problem=Problem("raw-data-not-base64"))
    lines: list[bytes] = []
    rows: list[RowReference] = []
    unknown = 0
    for part in RecordReader().read(data):
        for record, line in zip(part.records(), part.lines, strict=True):
            if not isinstance(record, Exception):
                lines.append(line + b"\n")
            elif row := row_reference(line):
                rows.append(row)
            else:
                unknown += 1
    return Entry(code, lines, rows, Problem("unknown-lines", unknown) if unknown else None)


def row_reference(line: bytes) -> Optional[RowReference]:
    """Read the metadata of a row in JSON or CSV, if any."""
    try:
        text = line.decode()
        values = _json_metadata(text) if text.startswith("{") else _csv_metadata(text)
        row = dict(zip(METADATA_COLUMNS, values, strict=True))
        if not row["_sequence_number"].isdigit() or not isinstance(json.loads(row["_key"]), dict):
            return None
        changed_at = datetime.fromisoformat(row["_changed_at"]).replace(tzinfo=UTC).timestamp()
    except (ValueError, LookupError, TypeError, AttributeError, csv.Error):
        return None
    return RowReference(
        row["_event_id"], row["_op"], row["_key"], row["_sequence_number"], changed_at
    )


def _json_metadata(text: str) -> Sequence[Any]:
    row = json.loads(text)
    return [row[name] for name in METADATA_COLUMNS]


def _csv_metadata(text: str) -> Sequence[Any]:
    # Without a header; a row begins with the metadata.
    [cells] = csv.reader([text], escapechar="\x01", strict=True)
    return cells[: len(METADATA_COLUMNS)]
