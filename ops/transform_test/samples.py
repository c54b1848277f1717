"""Sample changes from a file: items, changes told by hand or what AWS wrote, told by their form."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NoReturn

import msgspec

from streaming_etl.handlers.change.decode import RecordReader
from streaming_etl.handlers.wire.change_line import ChangeTooLargeError, change_line
from streaming_etl.ops.replay.entries import GZIP, CorruptError, EventFilter, entries_of
from streaming_etl.ops.transform_test.sample_formats import change_told, is_of_bucket, opened
from streaming_etl.ops.transform_test.sample_records import KINDS, stream_record
from streaming_etl.stack.errors import CommandError

ALLOWED = """\
A file of sample changes holds JSON, as a list, or one object behind the other, of
- items, each an INSERT: {"id": "o-1", "total": 9.5}, or in DynamoDB JSON {"id": {"S": "o-1"}};
- changes: {"kind": "MODIFY", "new": {...}, "old": {...}}, with "keys", "changed_at" and
  "is_ttl_delete" where wanted;
- what `aws dynamodb scan` or `get-item` prints, stream records, a Lambda event of them;
or it is a failed batch or an error object from the lake's bucket, as it lies there."""


@dataclass(frozen=True)
class Source:
    """Where samples come from, and what the pipeline makes of each before its transform."""

    name: str
    key_names: Sequence[str]
    old_image: str


def samples_of(body: bytes, source: Source) -> list[bytes]:
    """The changes that a file holds, each as the forwarder sends it.

    Raises CommandError that names the file, the line, and what is allowed.
    """
    lines = _lines(body, source)
    if not lines:
        raise CommandError(f"{source.name} holds no change.\n{ALLOWED}")
    return lines


def _lines(body: bytes, source: Source) -> list[bytes]:
    if body.startswith(GZIP):
        return _from_bucket(body, source)
    try:
        documents = [*_documents(body.decode("utf-8-sig"))]
    except UnicodeDecodeError:
        raise CommandError(f"{source.name} is no text in UTF-8.\n{ALLOWED}") from None
    except json.JSONDecodeError as error:
        raise CommandError(f"{source.name}, line {error.lineno}: {error.msg}.\n{ALLOWED}") from None
    except (ValueError, RecursionError):
        raise CommandError(
            f"{source.name} is nested deeper, or has a number longer, than an item of DynamoDB: 32"
            f" levels and 38 digits are allowed.\n{ALLOWED}"
        ) from None
    if not documents:
        raise CommandError(f"{source.name} is empty.\n{ALLOWED}")
    if is_of_bucket(documents[0][1], source.key_names):
        return _from_bucket(body, source)
    lines: list[bytes] = []
    for line, document in documents:
        for each in opened(document):
            lines.append(_line(each, len(lines) + 1, f"{source.name}, line {line}", source))
    return lines


def _from_bucket(body: bytes, source: Source) -> list[bytes]:
    """The changes of a failed batch or of Firehose's error records."""
    try:
        entries = entries_of(body, EventFilter(KINDS, source.old_image))
    except CorruptError as error:
        raise CommandError(f"{source.name}: {error}.\n{ALLOWED}") from None
    for number, entry in enumerate(entries, start=1):
        problem = entry.problem or (entry.rows and "it holds rows, which the transform has made")
        if problem:
            raise CommandError(f"{source.name}, entry {number}: {problem}.\n{ALLOWED}")
    return [line for entry in entries for line in entry.lines]


def _documents(text: str) -> Iterator[tuple[int, Any]]:
    """Each JSON document with the line it begins in; raises JSONDecodeError, in lines of the text.

    Numbers with a point are Decimal, so that they stay exact.
    """

    def refuse(name: str) -> NoReturn:
        raise json.JSONDecodeError(f"{name} is no JSON, and DynamoDB has none", text, begin)

    decoder = json.JSONDecoder(parse_float=Decimal, parse_constant=refuse)
    begin = 0
    while begin < len(text):
        if text[begin].isspace():
            begin += 1
            continue
        line = text.count("\n", 0, begin) + 1
        document, begin = decoder.raw_decode(text, begin)
        yield line, document


def _line(given: Any, number: int, where: str, source: Source) -> bytes:
    try:
        if not isinstance(given, Mapping) or not given:
            raise ValueError(f"{given!r} is no item and no change")
        record = _record(given, number, source.key_names)
        line = change_line(record, source.old_image)
        [part] = RecordReader(lazy=False).read(line.rstrip(b"\n"))
        [read] = part.records()
        if isinstance(read, Exception):
            raise read
    except (KeyError, TypeError, msgspec.MsgspecError) as error:
        kind = type(error).__name__
        raise CommandError(
            f"{where}: it is no stream record ({kind}: {error}).\n{ALLOWED}"
        ) from None
    except ValueError as error:
        raise CommandError(f"{where}: {error}.\n{ALLOWED}") from None
    except ChangeTooLargeError as error:
        raise CommandError(f"{where}: the change is too large for Firehose: {error}.") from None
    return line


def _record(given: Mapping[str, Any], number: int, key_names: Sequence[str]) -> dict[str, Any]:
    if "dynamodb" in given and "eventName" in given:
        # With floats again: a time may have a point, and all other numbers are texts here.
        record: dict[str, Any] = json.loads(json.dumps(given, default=float))
        return record
    told = change_told(given, key_names)
    return stream_record(number, key_names, **({"new": given} if told is None else told))
