"""Entries of a failure object: changes, rows and problems."""

import csv
import gzip
import io
import json
import re
import zlib
from base64 import b64decode
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, NamedTuple, Optional

import msgspec

from streaming_etl.handlers.change.decode import RecordReader
from streaming_etl.handlers.rows.metadata import METADATA_COLUMNS
from streaming_etl.handlers.wire.attributes import Attributes, key_text, plain_item
from streaming_etl.handlers.wire.change_line import (
    OLD_IMAGE_KINDS,
    ChangeTooLargeError,
    change_line,
)
from streaming_etl.handlers.wire.routing import Route, routed
from streaming_etl.handlers.wire.snapshot import KIND as SNAPSHOT
from streaming_etl.handlers.wire.snapshot import MARKER, snapshot_record
from streaming_etl.ops.replay.ownership import PipelineIdentity
from streaming_etl.stack.json_documents import json_documents

GZIP = b"\x1f\x8b"

NO_CODE = "unknown"

EPOCH = "_stream_epoch"
EPOCH_POSITION = METADATA_COLUMNS.index(EPOCH)

# Of an object, as stored and decompressed. Firehose buffers at most 128 MiB, in an error object as
# base64 (171 MiB) with about 400 bytes more per record; a failed batch has at most 6 MB.
MAX_OBJECT_BYTES = 256 * 1024 * 1024
# Of a decompressed change. Lambda passes at most 6 MB to the forwarder.
MAX_CHANGE_BYTES = 8 * 1024 * 1024
# Of an object. An error record without data has more than 200 bytes.
MAX_ENTRIES = MAX_OBJECT_BYTES // 200

MAX_CODE_LENGTH = 100
SEQUENCE_NUMBER = re.compile(r"[0-9]{1,40}")
WITHOUT_NEW_IMAGE = frozenset({"REMOVE", MARKER})
KINDS = frozenset({"INSERT", "MODIFY", "REMOVE", SNAPSHOT, MARKER})

COMPRESSED_LINE = b'{"gzip"'

# A text column may be as long as a Firehose record.
csv.field_size_limit(2**24)

REASONS = {
    "object-not-readable": "S3 does not return it ({error})",
    "object-changed": "it was replaced while its changes were sent",
    "object-too-large": "it exceeds 256 MiB, as stored or decompressed",
    "too-many-entries": "it has too many lines for an object of Firehose",
    "damaged-gzip": "its gzip is damaged or truncated",
    "not-utf-8": "it is not UTF-8 text",
    "too-deep": "its JSON has more levels than an item of DynamoDB",
    "empty": "it is empty",
    "unexpected": "it cannot be read ({error})",
    "unknown-object": "it is neither a failed batch nor error records of Firehose",
    "payload-not-json": "its payload is not JSON",
    "no-records": "its payload has no Records",
    "change-too-large": "the change exceeds a Firehose record, even compressed",
    "no-source": "it does not name the stream that it is from",
    "other-pipeline": "other pipeline",
    "not-a-stream-record": "it is not a stream record ({error})",
    "unmatched": "no lake table has the item of the change",
    "missing-image": "{count} of its changes have no image of the item after the change",
    "not-a-json-object": "the line is not a JSON object",
    "no-raw-data": "the line has no rawData",
    "raw-data-not-base64": "its rawData is not base64",
    "not-an-item": "the line of the export is not an item ({error})",
    "unknown-lines": "{count} of its lines are neither changes nor rows of the lake table",
    "invalid-key": "{count} of its rows have a key that the table cannot have",
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


OTHER_PIPELINE = Problem("other-pipeline")


class CorruptError(Exception):
    """An object that cannot be read at all."""

    def __init__(self, code: str, error: str = "") -> None:
        self.problem = Problem(code, error=error)
        super().__init__(self.problem.reason)


class ChangeSummary(NamedTuple):
    """What identifies a change, without its images."""

    event_id: str
    kind: str
    key: str
    """The item's key as canonical DynamoDB JSON."""


class OtherPipelineError(Exception):
    """An object that belongs to another pipeline."""


class RowReference(NamedTuple):
    """The change that a row was made of, from its metadata columns."""

    event_id: str
    kind: str
    key: str
    """The item's key as canonical DynamoDB JSON."""
    stream_epoch: str
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
    unsent: list[bytes] = field(default_factory=list)
    """Changes that are not sent: because of `problem`, or filtered if there is none."""
    without_old_image: int = 0
    """Of `lines`, those without the old image that `old_image` requires."""
    lake_tables: list[str] = field(default_factory=list)
    """The lake table of each line, where changes are routed."""


@dataclass(frozen=True)
class EventFilter:
    """The stream records, and the images in them, that the forwarder sends."""

    event_names: Collection[str]
    old_image: str
    routes: Sequence[Route] = ()
    """To the lake tables of a stream; without one, changes are not routed."""
    unmatched_fails: bool = False
    """Whether a change without a route is a problem."""
    snapshot_routes: Sequence[Route] = ()
    """To all lake tables, for the items of an export; without one, they are not routed."""


def entries_of(
    body: bytes, events: EventFilter, pipeline: Optional[PipelineIdentity] = None
) -> list[Entry]:
    """Parse an object, gzip-compressed or not; raises CorruptError.

    A JSON object with `payload` is a failed batch; other objects are Firehose's error records.
    pipeline: without it, the entries may be of any pipeline; raises OtherPipelineError when they
    are of another.
    """
    entries = _any_entries(body, events, pipeline)
    others = [entry.problem == OTHER_PIPELINE for entry in entries]
    if any(others) and all(entry.problem is not None for entry in entries):
        raise OtherPipelineError
    return entries


def _any_entries(
    body: bytes, events: EventFilter, pipeline: Optional[PipelineIdentity]
) -> list[Entry]:
    documents = [*_documents(decompressed(body))]
    if not documents:
        raise CorruptError("empty")
    first = documents[0]
    if isinstance(first, dict) and "payload" in first and len(documents) == 1:
        return _batch_entries(first, events, pipeline)
    if not any(isinstance(document, dict) and "rawData" in document for document in documents):
        specific = isinstance(first, Problem) and first.code != "not-a-json-object"
        raise CorruptError(first.code if specific else "unknown-object")
    return [_error_entry(document, events, pipeline) for document in documents]


def decompressed(body: bytes, limit: int = MAX_OBJECT_BYTES) -> bytes:
    """Return the content, decompressed if it is gzip; raises CorruptError."""
    if len(body) > limit:
        raise CorruptError("object-too-large")
    if not body.startswith(GZIP):
        return body
    content = bytearray()
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(body)) as file:
            while chunk := file.read(1024 * 1024):
                content += chunk
                if len(content) > limit:
                    raise CorruptError("object-too-large")
    except (OSError, EOFError, zlib.error):
        raise CorruptError("damaged-gzip") from None
    return bytes(content)


def _documents(body: bytes) -> Iterator[Any]:
    """Yield each line's JSON documents, or a Problem."""
    count = 0
    for line in io.BytesIO(body):
        try:
            for _, document in json_documents(line.decode()):
                yield document
                count += 1
                if count > MAX_ENTRIES:
                    raise CorruptError("too-many-entries")
        except RecursionError:
            yield Problem("too-deep")
        except UnicodeDecodeError:
            yield Problem("not-utf-8")
        except ValueError:
            yield Problem("not-a-json-object")


def _batch_entries(
    document: dict[str, Any], events: EventFilter, pipeline: Optional[PipelineIdentity]
) -> list[Entry]:
    """Return an entry per stream record.

    https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
    """
    context, info = document.get("requestContext"), document.get("DDBStreamBatchInfo")
    context = context if isinstance(context, dict) else {}
    code = _code(context.get("condition"))
    event = document["payload"]
    if isinstance(event, str):
        # AWS documents a text; an object is accepted, too.
        try:
            event = json.loads(event)
        except RecursionError:
            raise CorruptError("too-deep") from None
        except ValueError:
            raise CorruptError("payload-not-json") from None
    records = event.get("Records") if isinstance(event, dict) else None
    if not isinstance(records, list) or not records:
        raise CorruptError("no-records")
    if pipeline is None:
        return [_record_entry(record, code, events) for record in records]
    stream = info.get("streamArn") if isinstance(info, dict) else None
    # Two pipelines may read one table.
    if pipeline.owns_function(context.get("functionArn")) is False:
        raise OtherPipelineError
    entries = []
    for record in records:
        owned = pipeline.owns_stream(
            record.get("eventSourceARN") if isinstance(record, dict) else None
        )
        if owned is None and isinstance(record, dict):
            owned, record = pipeline.owns_stream(stream), {**record, "eventSourceARN": stream}
        if owned:
            entries.append(_record_entry(record, code, events))
        else:
            problem = Problem("no-source") if owned is None else OTHER_PIPELINE
            entries.append(Entry(code, problem=problem))
    return entries


def _code(*candidates: Any) -> str:
    """Return the first text that can be AWS's code of an error."""
    for code in candidates:
        if isinstance(code, str) and 0 < len(code) <= MAX_CODE_LENGTH:
            return code
    return NO_CODE


def _record_entry(record: Any, code: str, events: EventFilter) -> Entry:
    if not events.routes or _kind(record) not in events.event_names:
        return _change_entry(record, code, events)
    try:
        sent = [
            (route, record if route.where is None else routed(record, route.where))
            for route in events.routes
        ]
    except Exception as error:
        return Entry(code, problem=Problem("not-a-stream-record", error=type(error).__name__))
    parts = [
        (route.name, _change_entry(change, code, EventFilter(KINDS, route.old_image)))
        for route, change in sent
        if change is not None
    ]
    if not parts:
        unmatched = Problem("unmatched") if events.unmatched_fails else None
        filtered = _change_entry(record, code, EventFilter((), "never"))
        return filtered if filtered.problem else replace(filtered, problem=unmatched)
    return Entry(
        code,
        [line for _, part in parts for line in part.lines],
        # A change may be readable, or small enough, for some lake tables only.
        problem=next((part.problem for _, part in parts if part.problem), None),
        unsent=[line for _, part in parts for line in part.unsent],
        without_old_image=sum(part.without_old_image for _, part in parts),
        lake_tables=[name for name, part in parts for _ in part.lines],
    )


def _kind(record: Any) -> Any:
    return record.get("eventName") if isinstance(record, dict) else None


def _change_entry(record: Any, code: str, events: EventFilter) -> Entry:
    try:
        filtered = record["eventName"] not in events.event_names
        line = change_line(_without_images(record) if filtered else record, events.old_image)
        [part] = _READER.read(line.strip())
        [decoded] = part.records()
        if isinstance(decoded, Exception):
            raise decoded
        _check_change(decoded)
    except ChangeTooLargeError:
        return Entry(code, problem=Problem("change-too-large"))
    except Exception as error:
        return Entry(code, problem=Problem("not-a-stream-record", error=type(error).__name__))
    if filtered:
        return Entry(code, unsent=[line])
    if _lacks_new_image(decoded):
        return Entry(code, unsent=[line], problem=Problem("missing-image"))
    return Entry(code, [line], without_old_image=int(_lacks_old_image(decoded, events)))


def _without_images(record: dict[str, Any]) -> dict[str, Any]:
    """Return the record without images, so that it fits into a line."""
    stream = record["dynamodb"]
    return {**record, "dynamodb": {**stream, "NewImage": None, "OldImage": None}}


# Without notes of requested attributes, so that threads may share it.
_READER = RecordReader(lazy=False)

_attributes = msgspec.json.Decoder(Attributes).decode


def _check_change(record: Any) -> None:
    """Raise an error for a decoded change that no transform can read."""
    stream = record.dynamodb
    if not plain_item(stream.Keys) and record.eventName != MARKER:
        raise ValueError("without a key")
    datetime.fromtimestamp(stream.ApproximateCreationDateTime, UTC)
    if not SEQUENCE_NUMBER.fullmatch(stream.SequenceNumber):
        raise ValueError("not a sequence number")
    if stream.OldImage:
        _attributes(stream.OldImage)


def _lacks_new_image(record: Any) -> bool:
    return record.eventName not in WITHOUT_NEW_IMAGE and record.dynamodb.NewImage is None


def _lacks_old_image(record: Any, events: EventFilter) -> bool:
    kinds = OLD_IMAGE_KINDS[events.old_image] - {"INSERT"}
    return record.eventName in kinds and not record.dynamodb.OldImage


def summary(line: bytes) -> ChangeSummary:
    """Summarize a line of an Entry."""
    record = _record(line)
    return ChangeSummary(record.eventID, record.eventName, key_text(record.dynamodb.Keys))


def changed_at(line: bytes) -> float:
    """Return the time of a line's change, in epoch seconds."""
    return float(_record(line).dynamodb.ApproximateCreationDateTime)


def _record(line: bytes) -> Any:
    [part] = _READER.read(line.strip())
    [record] = part.records()
    return record


def _error_entry(document: Any, events: EventFilter, pipeline: Optional[PipelineIdentity]) -> Entry:
    """Parse one line of Firehose's error output.

    https://docs.aws.amazon.com/firehose/latest/dev/data-transformation-failure-handling.html
    https://docs.aws.amazon.com/firehose/latest/dev/record-format-conversion-error-handling.html
    """
    if isinstance(document, Problem):
        return Entry(NO_CODE, problem=document)
    if not isinstance(document, dict):
        return Entry(NO_CODE, problem=Problem("not-a-json-object"))
    # A failed format conversion has `lastErrorCode` instead.
    code = _code(document.get("errorCode"), document.get("lastErrorCode"))
    arns = (document.get("lambdaARN"), document.get("lambdaArn"))
    if pipeline and any(pipeline.owns_function(arn) is False for arn in arns):
        return Entry(code, problem=OTHER_PIPELINE)
    raw = document.get("rawData")
    if not isinstance(raw, str):
        return Entry(code, problem=Problem("no-raw-data"))
    try:
        data = b64decode(raw, validate=True)
    except ValueError:
        return Entry(code, problem=Problem("raw-data-not-base64"))
    if isinstance(snapshot := document.get("snapshot"), dict):
        return _exported_entry(data, snapshot, code, events, pipeline)
    lines: list[bytes] = []
    rows: list[RowReference] = []
    without_new: list[bytes] = []
    without_old = 0
    data, unknown = _without_bombs(data)
    for part in _READER.read(data):
        for record, line in zip(part.records(), part.lines, strict=True):
            if _is_change(record):
                if _lacks_new_image(record):
                    without_new.append(line + b"\n")
                    continue
                lines.append(line + b"\n")
                without_old += _lacks_old_image(record, events)
            elif row := row_reference(line):
                rows.append(row)
            else:
                unknown += 1
    if events.routes:
        # Only lines of an export have no lake table. Those of an earlier version lack what makes
        # them changes.
        unknown, lines, rows = unknown + len(lines) + len(rows), [], []
    problem = Problem("unknown-lines", unknown) if unknown else None
    if without_new and not unknown:
        problem = Problem("missing-image", len(without_new))
    return Entry(code, lines, rows, problem, without_new, without_old)


def _exported_entry(
    data: bytes,
    snapshot: dict[str, Any],
    code: str,
    events: EventFilter,
    pipeline: Optional[PipelineIdentity],
) -> Entry:
    """Parse a line of an export that a backfill could not send.

    snapshot: what handlers/backfill.py adds to the line. The change is the one that the backfill
    would have sent, for the same lake tables.
    """
    try:
        stream_arn, names = snapshot["streamArn"], set(snapshot["lakeTables"])
        if pipeline and pipeline.owns_stream(stream_arn) is False:
            return Entry(code, problem=OTHER_PIPELINE)
        item = json.loads(data)["Item"]
        record = snapshot_record(item, snapshot["keyNames"], snapshot["takenAt"], stream_arn)
    except Exception as error:
        return Entry(code, problem=Problem("not-an-item", error=type(error).__name__))
    routes = [route for route in events.snapshot_routes if route.name in names]
    if events.snapshot_routes and not routes:
        return Entry(code, problem=Problem("unmatched"))
    return _record_entry(record, code, EventFilter(KINDS, "never", routes))


def _is_change(record: Any) -> bool:
    try:
        _check_change(record)
    except Exception:
        return False
    return True


def _without_bombs(data: bytes) -> tuple[bytes, int]:
    """Remove compressed changes that exceed MAX_CHANGE_BYTES; return their number."""
    if COMPRESSED_LINE not in data:
        return data, 0
    lines = data.split(b"\n")
    kept = [line for line in lines if not _is_bomb(line)]
    return b"\n".join(kept), len(lines) - len(kept)


def _is_bomb(line: bytes) -> bool:
    if not line.startswith(COMPRESSED_LINE):
        return False
    try:
        decompressed(b64decode(json.loads(line)["gzip"]), MAX_CHANGE_BYTES)
    except CorruptError as error:
        return error.problem.code == "object-too-large"
    except (ValueError, TypeError, LookupError, RecursionError):
        # The reader reports it.
        return False
    return False


def row_reference(line: bytes) -> Optional[RowReference]:
    """Read the metadata of a row in JSON or CSV, if any."""
    try:
        text = line.decode()
        values = _json_metadata(text) if text.startswith("{") else _csv_metadata(text)
        row = dict(zip(METADATA_COLUMNS, values, strict=True))
        event_id, kind, number = row["_event_id"], row["_op"], row["_sequence_number"]
        event_id.encode()  # Fails for lone surrogates, which JSON may have.
        keys = _attributes(row["_key"])
        row[EPOCH].encode()
        valid = (
            kind in KINDS
            and SEQUENCE_NUMBER.fullmatch(number)
            # Only the marker of a backfill has no key.
            and (plain_item(keys) or kind == MARKER)
        )
        if not valid:
            return None
        changed_at = datetime.fromisoformat(row["_changed_at"]).replace(tzinfo=UTC).timestamp()
        # Canonical, so that DynamoDB never receives a key twice in one call.
        return RowReference(event_id, kind, key_text(keys), row[EPOCH], number, changed_at)
    except (
        ArithmeticError,
        AttributeError,
        LookupError,
        RecursionError,
        TypeError,
        ValueError,
        csv.Error,
    ):
        return None


def _json_metadata(text: str) -> Sequence[Any]:
    # Rows of earlier versions have no epoch.
    row = {EPOCH: "", **json.loads(text)}
    return [row[name] for name in METADATA_COLUMNS]


def _csv_metadata(text: str) -> Sequence[Any]:
    # Without a header; a row begins with the metadata.
    [cells] = csv.reader([text], escapechar="\x01", strict=True)
    if cells[EPOCH_POSITION].isdigit():
        # The sequence number in a row of an earlier version.
        cells.insert(EPOCH_POSITION, "")
    return cells[: len(METADATA_COLUMNS)]
