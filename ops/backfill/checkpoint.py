"""Checkpoint of a scan, written after Firehose accepts each page."""

import json
import os
import threading
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Optional

from streaming_etl.stack.errors import CommandError

VERSION = 1

Key = Mapping[str, Mapping[str, Any]]
"""A primary key in DynamoDB JSON as boto3 returns it, binary as bytes."""


@dataclass(frozen=True)
class CheckpointIdentity:
    """The backfill that a checkpoint belongs to."""

    stack: str
    pipeline: str
    table_arn: str
    table_created: str
    stream_arn: str
    lake_tables: list[str] = field(default_factory=list)
    """The lake tables that it fills; none for the only one of a pipeline."""


@dataclass
class Segment:
    """Progress of one segment of the scan."""

    start: Optional[Key] = None
    """The next page begins after this key; None at the segment's start."""
    done: bool = False
    items: int = 0
    """Items that Firehose has accepted for every lake table that has them."""
    read_units: float = 0.0
    too_large: list[str] = field(default_factory=list)
    """Event ids of items that exceed a Firehose record."""
    unmatched: int = 0
    """Items that none of the lake tables has."""
    sent: dict[str, int] = field(default_factory=dict)
    """Of `items`, those of each lake table."""

    @property
    def items_read(self) -> int:
        return self.items + len(self.too_large) + self.unmatched


class Checkpoint:
    """Segments of one backfill and their file.

    The file contains keys of the table: only its owner may read it.
    """

    def __init__(self, path: Path, identity: CheckpointIdentity, segments: list[Segment]) -> None:
        self.path, self.identity, self.segments = path, identity, segments
        self.completed = False
        """Whether Firehose has accepted the marker, too."""
        self._lock = threading.Lock()

    @property
    def done(self) -> bool:
        return all(segment.done for segment in self.segments)

    @property
    def items(self) -> int:
        return sum(segment.items for segment in self.segments)

    @property
    def items_read(self) -> int:
        return sum(segment.items_read for segment in self.segments)

    @property
    def unmatched(self) -> int:
        return sum(segment.unmatched for segment in self.segments)

    @property
    def sent(self) -> Counter[str]:
        """Items of each lake table."""
        return sum((Counter(segment.sent) for segment in self.segments), Counter())

    @property
    def read_units(self) -> float:
        return sum(segment.read_units for segment in self.segments)

    @property
    def too_large(self) -> list[str]:
        return [event_id for segment in self.segments for event_id in segment.too_large]

    def update(self, number: int, segment: Segment) -> None:
        """Replace a segment and write the file."""
        with self._lock:
            self.segments[number] = segment
            self.save()

    def complete(self) -> None:
        """Note that Firehose has accepted the marker, and write the file."""
        self.completed = True
        self.save()

    def save(self) -> None:
        """Write the file; a crash leaves the old or the new content."""
        document = {
            "version": VERSION,
            **asdict(self.identity),
            "done": self.done,
            "completed": self.completed,
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
    path: Path,
    identity: CheckpointIdentity,
    segments: Optional[int],
    default: int,
    *,
    restart: bool,
) -> Checkpoint:
    """Read the checkpoint; create one without a file or with `restart`.

    segments: the requested count; None for that of the file, or else `default`. Writes nothing.
    Raises CommandError when the file is of another backfill or has another count.
    """
    if restart or not path.exists():
        count = default if segments is None else segments
        return Checkpoint(path, identity, [Segment() for _ in range(count)])
    document = _read(path)
    _require_identity(path, identity, document)
    count = len(document["segments"])
    if segments is not None and segments != count:
        raise CommandError(
            f"--segments must be {count}, as in the checkpoint {path} (got {segments}). Omit "
            "--segments to continue, or start over with --restart.",
            code="other-segments",
            segments=segments,
            checkpoint_segments=count,
        )
    segments_done = [_from_json(segment) for segment in document["segments"]]
    checkpoint = Checkpoint(path, identity, segments_done)
    # A checkpoint of an earlier version has no marker.
    checkpoint.completed = document.get("completed", False)
    return checkpoint


def _read(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text())
        if document["version"] == VERSION and isinstance(document["segments"], list):
            return dict(document)
    except (ValueError, KeyError, TypeError, UnicodeDecodeError):
        pass
    message = (
        f"{path} is not a checkpoint of this version. Name another file with --checkpoint, or "
        "replace it with --restart."
    )
    raise CommandError(message, code="not-a-checkpoint", path=path)


def _require_identity(
    path: Path, identity: CheckpointIdentity, document: Mapping[str, Any]
) -> None:
    for field_name, value in asdict(identity).items():
        # A checkpoint of an earlier version has one lake table.
        stored = document.get(field_name, [] if field_name == "lake_tables" else None)
        if stored != value:
            raise CommandError(
                f"The checkpoint {path} is of another backfill: {field_name} is {stored!r} there "
                f"and {value!r} now. Name another file with --checkpoint, or replace it with "
                "--restart.",
                code="other-checkpoint",
                field=field_name,
                checkpoint_value=stored,
                value=value,
            )


def _to_json(segment: Segment) -> dict[str, Any]:
    return {**vars(segment), "start": None if segment.start is None else _text_key(segment.start)}


def _from_json(values: Mapping[str, Any]) -> Segment:
    start = values["start"]
    return Segment(**{**values, "start": None if start is None else _key(start)})


def _text_key(key: Key) -> dict[str, dict[str, str]]:
    # Key attributes are strings, numbers or binary.
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
