"""Sample changes from files, recognized by their structure."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from difflib import get_close_matches
from typing import Any, NoReturn, Optional

import msgspec

from streaming_etl.handlers.change.decode import RecordReader
from streaming_etl.handlers.wire.change_line import ChangeTooLargeError, change_line
from streaming_etl.ops.replay.entries import (
    CorruptError,
    EventFilter,
    decompressed,
    entries_of,
)
from streaming_etl.ops.transform_test.sample_records import (
    CHANGED_AT,
    KINDS,
    SAMPLE_STREAM_ARN,
    InvalidChangeError,
    event_id,
    in_utc,
    sequence_number,
    stream_record,
)
from streaming_etl.stack.console import show_progress
from streaming_etl.stack.errors import CommandError
from streaming_etl.stack.json_documents import json_documents

ALLOWED = """\
A file of sample changes contains JSON documents, in a list or one after the other:
- items, each an INSERT: {"id": "o-1", "total": 9.5}, or in DynamoDB JSON {"id": {"S": "o-1"}};
- changes: {"kind": "MODIFY", "new": {...}, "old": {...}}, optionally with "keys", "changed_at" and
  "is_ttl_delete";
- the output of `aws dynamodb` scan, query, get-item, batch-get-item and transact-get-items, the
  input of batch-write-item, and lines of an export to S3;
- stream records, from a Lambda event or `aws dynamodbstreams get-records`;
or it is a failed batch or an object of error records from the lake's bucket."""

CHANGE_FIELDS = ("kind", "new", "old", "keys", "changed_at", "is_ttl_delete")

# Fields next to the results in the output of the AWS CLI.
PAGE = {"Count", "ScannedCount", "ConsumedCapacity", "LastEvaluatedKey", "NextToken"}
CAPACITY = {"ConsumedCapacity", "ItemCollectionMetrics"}
RESPONSES = {"UnprocessedKeys", *CAPACITY}
# https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
FAILED_BATCH = {"requestContext", "responseContext", "version", "timestamp", "DDBStreamBatchInfo"}
WITHOUT_CHANGES = {
    "Table": "describe-table",
    "TableNames": "list-tables",
    "UnprocessedItems": "batch-write-item",
    "ShardIterator": "get-shard-iterator",
    "StreamDescription": "describe-stream",
    "ExportDescription": "describe-export",
}


@dataclass(frozen=True)
class SampleSource:
    """A file of samples, and the settings that its changes depend on."""

    name: str
    key_names: Sequence[str]
    old_image: str


def samples_of(body: bytes, source: SampleSource) -> list[bytes]:
    """Return the changes in a file, each as the forwarder sends it.

    Raises CommandError with file, line and reason.
    """
    try:
        body = decompressed(body)
    except CorruptError as error:
        raise _error(source, error.problem.code, str(error)) from None
    if _is_failure_object(_first_document(body), source.key_names):
        lines = _from_failure_object(body, source)
    else:
        documents = _parse(body, source)
        if not documents:
            raise _error(source, "empty", "the file is empty", allowed=True)
        lines = []
        for number, document in documents:
            for change in _changes(document):
                lines.append(_line(change, len(lines) + 1, number, source))
    if not lines:
        raise _error(source, "no-changes", "the file has no changes", allowed=True)
    return lines


def _first_document(body: bytes) -> Any:
    """Return the first JSON document; None if there is none."""
    try:
        return next(
            (document for _, document in json_documents(body.decode(errors="replace"))), None
        )
    except (ValueError, RecursionError):
        return None


def _error(
    source: SampleSource,
    code: str,
    reason: str,
    line: Optional[int] = None,
    *,
    allowed: bool = False,
    **details: Any,
) -> CommandError:
    where = source.name if line is None else f"{source.name}, line {line}"
    text = f"{where}: {reason.rstrip('.')}." + (f"\n{ALLOWED}" if allowed else "")
    return CommandError(text, code=code, file=source.name, line=line, **details)


def _parse(body: bytes, source: SampleSource) -> list[tuple[int, Any]]:
    """Return each JSON document and its line."""

    def reject(name: str) -> NoReturn:
        raise _error(source, "invalid-json", f"{name} is not JSON, and not a number of DynamoDB")

    decoder = json.JSONDecoder(parse_float=Decimal, parse_constant=reject)
    try:
        text = body.decode("utf-8-sig")
        return [
            (text.count("\n", 0, begin) + 1, document)
            for begin, document in json_documents(text, decoder)
        ]
    except UnicodeDecodeError:
        raise _error(source, "not-utf-8", "the file is not UTF-8 text", allowed=True) from None
    except json.JSONDecodeError as error:
        reason = f"invalid JSON: {error.msg}"
        raise _error(source, "invalid-json", reason, error.lineno, allowed=True) from None
    except (ValueError, RecursionError):
        reason = "an item must have at most 32 levels and numbers of at most 38 digits"
        raise _error(source, "exceeds-item-limits", reason) from None


def _is_failure_object(document: Any, key_names: Sequence[str]) -> bool:
    """Report whether it is a failed batch or an error record."""
    match document:
        case {"payload": payload, **others} if others.keys() <= FAILED_BATCH:
            wraps = isinstance(payload, dict) and "Records" in payload
            return wraps or isinstance(others.get("requestContext"), dict)
        case {"rawData": str(), **others}:
            # Error records have undocumented fields; an item has its key.
            coded = not others or not {"errorCode", "lastErrorCode"}.isdisjoint(others)
            return coded and not _has_key(document, key_names)
    return False


def _from_failure_object(body: bytes, source: SampleSource) -> list[bytes]:
    try:
        entries = entries_of(body, EventFilter(KINDS, source.old_image))
    except CorruptError as error:
        raise _error(source, error.problem.code, str(error)) from None
    lines = [line for entry in entries for line in entry.lines]
    for number, entry in enumerate(entries, start=1):
        if entry.problem or entry.rows:
            code = entry.problem.code if entry.problem else "rows-instead-of-changes"
            reason = entry.problem.reason if entry.problem else "it has rows instead of changes"
            invalid = _error(source, code, f"entry {number}: {reason}", entry=number)
            if not lines:
                raise invalid
            show_progress(f"{invalid.message} The other changes are tested.")
    return lines


def _changes(document: Any) -> Iterator[Any]:
    """Yield the items, changes and records in a document."""
    match document:
        case list():
            for each in document:
                yield from _changes(each)
        case {"Records": [*records], **others} if others.keys() <= {"NextShardIterator"}:
            yield from records
        case {"Items": [*items], **others} if others.keys() <= PAGE:
            yield from items
        case {"Item": dict() as item, **others} | {"Attributes": dict() as item, **others} if (
            others.keys() <= CAPACITY
        ):
            yield item
        case {"Responses": responses, **others} if others.keys() <= RESPONSES:
            # A list of transact-get-items, a map of batch-get-item.
            items = responses if isinstance(responses, list) else [*responses.values()]
            yield from _changes(items)
        case {"RequestItems": requests, **others} if not others:
            yield from _changes(requests)
        case dict() as tables if writes := _written_changes(tables):
            yield from writes
        case _:
            yield document


def _written_changes(tables: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the changes of batch-write-item; empty for other documents."""
    changes: list[dict[str, Any]] = []
    for requests in tables.values():
        for request in requests if isinstance(requests, list) else [None]:
            match request:
                case {"PutRequest": {"Item": dict() as item}}:
                    changes.append(item)
                case {"DeleteRequest": {"Key": dict() as keys}}:
                    changes.append({"kind": "REMOVE", "keys": keys})
                case _:
                    return []
    return changes


def _line(change: Any, number: int, line: int, source: SampleSource) -> bytes:
    try:
        record = _record(change, number, source.key_names)
        encoded = change_line(record, source.old_image)
        [chunk] = RecordReader(lazy=False).read(encoded.rstrip(b"\n"))
        [decoded] = chunk.records()
        if isinstance(decoded, Exception):
            raise decoded
    except InvalidChangeError as error:
        unknown = error.code == "not-a-change"
        raise _error(
            source, error.code, str(error), line, allowed=unknown, **error.details
        ) from None
    except (KeyError, TypeError, AttributeError, ValueError, msgspec.MsgspecError) as error:
        reason = f"invalid stream record ({type(error).__name__}: {error})"
        raise _error(source, "invalid-stream-record", reason, line) from None
    except ChangeTooLargeError as error:
        reason = f"the change must fit into a Firehose record ({error})"
        raise _error(source, "change-too-large", reason, line) from None
    return encoded


def _record(change: Any, number: int, key_names: Sequence[str]) -> dict[str, Any]:
    """Return the stream record of one item, change or record."""
    match change:
        case {"eventName": str(), "dynamodb": stream, **others}:
            return _complete(change, stream, number)
        case {
            "Metadata": {"WriteTimestampMicros": {"N": micros}},
            "Keys": dict() as keys,
        }:
            new, old = change.get("NewImage"), change.get("OldImage")
            at = datetime.fromtimestamp(int(micros) / 1e6, UTC)
            return stream_record(number, (), new=new, old=old, keys=keys, changed_at=at)
        case {"kind": kind, **others} if kind in KINDS and others.keys() <= {*CHANGE_FIELDS}:
            return stream_record(number, key_names, **_with_time(change))
        case dict() as item if item:
            if not _has_key(item, key_names):
                _reject_similar_forms(item)
            return stream_record(number, key_names, new=item)
    raise InvalidChangeError("not-a-change", f"{change!r} is not an item or a change")


def _has_key(item: Mapping[str, Any], key_names: Sequence[str]) -> bool:
    return bool(key_names) and item.keys() >= {*key_names}


def _complete(record: Mapping[str, Any], stream: Any, number: int) -> dict[str, Any]:
    """Complete a stream record of the console or the CLI."""
    at = stream.get("ApproximateCreationDateTime", int(CHANGED_AT.timestamp()))
    # A text in the CLI; milliseconds or microseconds in Kinesis Data Streams for DynamoDB.
    seconds = in_utc(datetime.fromisoformat(at)).timestamp() if isinstance(at, str) else at
    while seconds > 1e11:
        seconds /= 1000
    identity = record.get("userIdentity")
    if isinstance(identity, Mapping):
        # The CLI prints `PrincipalId` where Lambda's event has `principalId`.
        identity = {name[:1].lower() + name[1:]: value for name, value in identity.items()}
    completed = {
        "eventID": event_id(number),
        "eventSourceARN": SAMPLE_STREAM_ARN,
        **record,
        "userIdentity": identity,
        "dynamodb": {
            "SequenceNumber": sequence_number(number),
            **stream,
            "ApproximateCreationDateTime": seconds if isinstance(seconds, int) else float(seconds),
        },
    }
    return {name: value for name, value in completed.items() if value is not None}


def _reject_similar_forms(item: Mapping[str, Any]) -> None:
    """Raise InvalidChangeError for a misspelled change, or output without changes."""
    for name, command in WITHOUT_CHANGES.items():
        if name in item:
            message = f"the output of {command} has no changes; use the output of scan"
            raise InvalidChangeError("output-without-changes", message, form=command)
    images = any(isinstance(item.get(name), Mapping) for name in ("new", "old", "keys"))
    if not (images or item.get("kind") in KINDS or item.keys() <= {*CHANGE_FIELDS}):
        return
    for name in item.keys() - {*CHANGE_FIELDS}:
        near = get_close_matches(name, CHANGE_FIELDS, n=1)
        hint = f"Use {near[0]}" if near else f"Fields are {', '.join(CHANGE_FIELDS)}"
        message = f"a change must not have the field {name}. {hint}"
        raise InvalidChangeError("unknown-field", message, field=name, suggestion=near)
    message = f"`kind` must be one of {', '.join(KINDS)} (got {item.get('kind')})"
    raise InvalidChangeError("unknown-kind", message, kind=item.get("kind"))


def _with_time(change: Mapping[str, Any]) -> dict[str, Any]:
    """Return the change with `changed_at` as a datetime."""
    ttl, at = change.get("is_ttl_delete", False), change.get("changed_at")
    if not isinstance(ttl, bool):
        message = f"`is_ttl_delete` must be true or false (got {ttl!r})"
        raise InvalidChangeError("invalid-field", message, field="is_ttl_delete")
    if "changed_at" not in change:
        return dict(change)
    try:
        return {**change, "changed_at": datetime.fromisoformat(at)}  # type: ignore[arg-type]
    except (TypeError, ValueError):
        message = f"`changed_at` must be an ISO time such as 2026-11-23T09:30:00Z (got {at!r})"
        raise InvalidChangeError("invalid-field", message, field="changed_at") from None
