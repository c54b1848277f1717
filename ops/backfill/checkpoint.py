"""How far a backfill has come: a private file, written after Firehose has accepted each page."""

import json
import os
import threading
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Optional

from streaming_etl.stack.errors import CommandError

VERSION = 1

Key = Mapping[str, Mapping[str, Any]]
"""A primary key in DynamoDB JSON as boto3 has it, binary as bytes."""


@dataclass(frozen=True)
class Subject:
    """What a checkpoint is of: another table's keys would mean nothing here."""

    stack: str
    pipeline: str
    table_arn: str
    table_created: str
    stream_arn: str


@dataclass
class Segment:
    """How far one segment of the scan has come."""

    start: Optional[Key] = None
    """Where its next page begins: behind this key, or None at the segment's start."""
    done: bool = False
    items: int = 0
    """Items that Firehose has accepted."""
    read_units: float = 0.0
    too_large: list[str] = field(default_factory=list)
    """The event ids of items that fit into no Firehose record."""


class Checkpoint:
    """The segments of one backfill, and the file that holds them.

    The file holds keys, which are content of the table: only its owner may read it.
    """

    def __init__(self, path: Path, subject: Subject, segments: list[Segment]) -> None:
        self.path, self.subject, self.segments = path, subject, segments
        self._lock = threading.Lock()

    @property
    def done(self) -> bool:
        return all(segment.done for segment in self.segments)

    @property
    def items(self) -> int:
        return sum(segment.items for segment in self.segments)

    @property
    def read_units(self) -> float:
        return sum(segment.read_units for segment in self.segments)

    @property
    def too_large(self) -> list[str]:
        return [event_id for segment in self.segments for event_id in segment.too_large]

    def passed(self, number: int, segment: Segment) -> None:
        """Note how far a segment has come, for good once this returns."""
        with self._lock:
            self.segments[number] = segment
            self.save()

    def save(self) -> None:
        """Put the file in place whole, so that a crash leaves the old one or the new one."""
        document = {
            "version": VERSION,
            **asdict(self.subject),
            "done": self.done,
            "segments": [_to_json(segment) for segment in self.segments],
        }
        self.path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.path.with_name(f"{self.path.name}.new")
        temporary.unlink(missing_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(document, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self.path)
        _sync_directory(self.path.parent)


def open_checkpoint(
    path: Path, subject: Subject, segments: Optional[int], default: int, *, restart: bool
) -> Checkpoint:
    """The checkpoint in the file, or a new one where there is none or `restart` is asked for.

    segments: how many were asked for, None to take what the file has, or else `default`.
    Raises CommandError when the file is of another table or of other segments. Writes nothing.
    """
    if restart or not path.exists():
        count = default if segments is None else segments
        return Checkpoint(path, subject, [Segment() for _ in range(count)])
    known = _read(path)
    _refuse_other(path, subject, known)
    count = len(known["segments"])
    if segments is not None and segments != count:
        raise CommandError(
            f"--segments={segments} does not go with the checkpoint {path}, whose backfill has "
            f"{count}: leave --segments out to go on, or begin anew with --restart."
        )
    return Checkpoint(path, subject, [_from_json(segment) for segment in known["segments"]])


def _read(path: Path) -> dict[str, Any]:
    try:
        known = json.loads(path.read_text())
        if known["version"] == VERSION and isinstance(known["segments"], list):
            return dict(known)
    except (ValueError, KeyError, TypeError, UnicodeDecodeError):
        pass
    raise CommandError(
        f"{path} is no checkpoint of this version. Name another file with --checkpoint, or begin "
        "anew with --restart, which replaces it."
    )


def _refuse_other(path: Path, subject: Subject, known: Mapping[str, Any]) -> None:
    for name, value in asdict(subject).items():
        if known.get(name) != value:
            raise CommandError(
                f"The checkpoint {path} is of another backfill: {name} is {known.get(name)!r} "
                f"there and {value!r} now. Name another file with --checkpoint, or begin anew "
                "with --restart, which replaces it."
            )


def _to_json(segment: Segment) -> dict[str, Any]:
    return {**vars(segment), "start": None if segment.start is None else _text_key(segment.start)}


def _from_json(values: Mapping[str, Any]) -> Segment:
    start = values["start"]
    return Segment(**{**values, "start": None if start is None else _key(start)})


def _text_key(key: Key) -> dict[str, dict[str, str]]:
    # A key attribute is a text, a number or binary.
    return {
        name: {kind: b64encode(value).decode() if kind == "B" else value}
        for name, typed in key.items()
        for kind, value in typed.items()
    }


def _key(text_key: Mapping[str, Mapping[str, str]]) -> Key:
    return {
        name: {kind: b64decode(text, validate=True) if kind == "B" else text}
        for name, typed in text_key.items()
        for kind, text in typed.items()
    }


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
