"""What a failure object holds, as entries: each can be put back, or tells why it cannot be."""

import gzip
import json
import zlib
from base64 import b64decode
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any, Optional

from streaming_etl.handlers.change.decode import RecordReader
from streaming_etl.handlers.wire.change_line import ChangeTooLargeError, change_line
from streaming_etl.ops.replay.rows import RowOf, row_of

GZIP = b"\x1f\x8b"

NO_CODE = "unknown"


class CorruptError(Exception):
    """The object cannot be read at all; the text says why, without its content."""


@dataclass(frozen=True)
class Entry:
    """A record of a failed batch, or a line of an error object."""

    code: str
    """Why it was set aside, by AWS's own name for it."""
    lines: list[bytes] = field(default_factory=list)
    """Its changes, as the forwarder would send them."""
    rows: list[RowOf] = field(default_factory=list)
    """The rows that it holds instead of changes."""
    problem: Optional[str] = None
    """Why it, or a part of it, cannot be put back; without its content."""


@dataclass(frozen=True)
class Wanted:
    """What the forwarder takes of a stream record."""

    event_names: Collection[str]
    old_image: str


def entries_of(body: bytes, wanted: Wanted) -> list[Entry]:
    """The entries of an object, in order; raises CorruptError when it cannot be read.

    Told apart by what is in it: one JSON object with `payload` is a batch that the event source
    mapping gave up, anything else lines of Firehose's error output; gzip or not.
    """
    if body.startswith(GZIP):
        try:
            body = gzip.decompress(body)
        except (OSError, EOFError, zlib.error):
            raise CorruptError("its gzip is damaged or cut off") from None
    documents = [*_documents(body)]
    if not documents:
        raise CorruptError("it is empty")
    if isinstance(documents[0], dict) and "payload" in documents[0]:
        return _of_batch(documents[0], wanted)
    if not any(isinstance(document, dict) and "rawData" in document for document in documents):
        raise CorruptError("it is neither a failed batch nor error records of Firehose")
    return [_of_error(document) for document in documents]


def _documents(body: bytes) -> Iterator[Any]:
    """The JSON documents, which stand one to a line or behind each other; None where one is bad."""
    decoder = json.JSONDecoder()
    for line in body.split(b"\n"):
        begin = 0
        try:
            text = line.decode().strip()
        except UnicodeDecodeError:
            yield None
            continue
        while begin < len(text):
            try:
                document, begin = decoder.raw_decode(text, begin)
            except (ValueError, RecursionError):
                yield None
                break
            yield document


def _of_batch(document: dict[str, Any], wanted: Wanted) -> list[Entry]:
    """The stream records of a failed batch, those of unwanted kinds without a line.

    https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
    """
    context = document.get("requestContext")
    code = context.get("condition") if isinstance(context, dict) else None
    event = document["payload"]
    if isinstance(event, str):
        # AWS's pages show a text where the event stands; whichever it is.
        try:
            event = json.loads(event)
        except ValueError:
            raise CorruptError("its payload is no JSON") from None
    records = event.get("Records") if isinstance(event, dict) else None
    if not isinstance(records, list):
        raise CorruptError("its payload has no Records")
    return [_of_record(record, str(code or NO_CODE), wanted) for record in records]


def _of_record(record: Any, code: str, wanted: Wanted) -> Entry:
    try:
        if record["eventName"] not in wanted.event_names:
            return Entry(code)
        return Entry(code, [change_line(record, wanted.old_image)])
    except ChangeTooLargeError:
        problem = "the change does not fit into a Firehose record, not even compressed"
    except Exception as error:
        problem = f"it is no stream record ({type(error).__name__})"
    return Entry(code, problem=problem)


def _of_error(document: Any) -> Entry:
    """One line of Firehose's error output.

    https://docs.aws.amazon.com/firehose/latest/dev/data-transformation-failure-handling.html
    https://docs.aws.amazon.com/firehose/latest/dev/record-format-conversion-error-handling.html
    """
    if not isinstance(document, dict):
        return Entry(NO_CODE, problem="the line is no JSON object")
    # A failed conversion is told as `lastErrorCode`, all else as `errorCode`.
    code = str(document.get("errorCode") or document.get("lastErrorCode") or NO_CODE)
    raw = document.get("rawData")
    if not isinstance(raw, str):
        return Entry(code, problem="the line has no rawData")
    try:
        data = b64decode(raw, validate=True)
    except ValueError:
        return Entry(code, problem="its rawData is no base64")
    lines, rows, problem = _contents(data)
    return Entry(code, lines, rows, problem)


def _contents(data: bytes) -> tuple[list[bytes], list[RowOf], Optional[str]]:
    """The changes and the rows of a Firehose record, and what is wrong with the rest of it."""
    lines: list[bytes] = []
    rows: list[RowOf] = []
    strange = 0
    for part in RecordReader().read(data):
        for record, line in zip(part.records(), part.lines, strict=True):
            if not isinstance(record, Exception):
                lines.append(line + b"\n")
            elif row := row_of(line):
                rows.append(row)
            else:
                strange += 1
    if not strange:
        return lines, rows, None
    return lines, rows, f"{strange} of its lines are neither a change nor a row of the lake"
