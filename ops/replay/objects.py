"""Failure objects in the lake's bucket: list, read, and move below `replayed/`."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Optional
from urllib.parse import urlparse

from botocore.exceptions import ClientError

from streaming_etl.components.table.layout import REPLAYED_PREFIX
from streaming_etl.ops.replay.entries import MAX_OBJECT_BYTES, CorruptError
from streaming_etl.stack.errors import CommandError

NOTE_SUFFIX = ".done.json"

# Errors of one object: its own KMS key, an archive class. Other errors end the command.
NOT_READABLE = ("AccessDenied", "InvalidObjectState")


@dataclass(frozen=True)
class FailureObject:
    """An object below a failure prefix."""

    key: str
    size: int
    written: datetime


@dataclass
class Note:
    """Entries of an object that is not done, by their index."""

    done: set[int] = field(default_factory=set)
    """Entries that are replayed."""
    sent: dict[str, set[int]] = field(default_factory=dict)
    """Other entries, by the lake tables that have got their changes."""


class FailureObjects:
    """The failure objects of one bucket.

    A replayed object is moved below `replayed/`, which alarms, the next run and the lake table
    ignore. A note there lists the replayed entries of an object that is not done.
    """

    def __init__(self, client: Any, bucket: str) -> None:
        self._client, self._bucket = client, bucket

    def below(
        self, location: str, since: Optional[datetime], until: Optional[datetime]
    ) -> Iterator[FailureObject]:
        """Yield the objects below `s3://bucket/path/` written from `since` to before `until`.

        Raises CommandError when the location is in another bucket.
        """
        url = urlparse(location)
        if url.netloc != self._bucket:
            message = f"{location} is not in the pipeline's bucket {self._bucket}."
            raise CommandError(message, code="other-bucket", location=location, bucket=self._bucket)
        pages = self._client.get_paginator("list_objects_v2")
        for page in pages.paginate(Bucket=self._bucket, Prefix=url.path.lstrip("/")):
            for item in page.get("Contents", []):
                written = item["LastModified"]
                if (since is None or written >= since) and (until is None or written < until):
                    yield FailureObject(item["Key"], item["Size"], written)

    def read(self, failure: FailureObject) -> Optional[tuple[bytes, str]]:
        """Return content and ETag; None when another run has moved the object.

        Raises CorruptError when it is too large or S3 does not return it.
        """
        if failure.size > MAX_OBJECT_BYTES:
            raise CorruptError("object-too-large")
        try:
            return self._get(failure.key)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code in NOT_READABLE:
                raise CorruptError("object-not-readable", code) from None
            raise

    def _get(self, key: str) -> Optional[tuple[bytes, str]]:
        try:
            response = self._client.get_object(Bucket=self._bucket, Key=key)
        except ClientError as error:
            if _is_gone(error):
                return None
            raise
        # One byte more than allowed: the object may have grown since it was listed.
        return response["Body"].read(MAX_OBJECT_BYTES + 1), response["ETag"]

    def note(self, key: str, etag: str) -> Optional[Note]:
        """Return the note of earlier runs; None without one.

        An invalid note, or one about other content of this key, lists no entries.
        """
        content = self._get(_note_key(key))
        if content is None:
            return None
        try:
            note = json.loads(content[0])
            if note["etag"] != etag:
                return Note()
            # Earlier versions have no lake tables.
            sent = note.get("lake_tables", {}).items()
            return Note(_indexes(note["done"]), {name: _indexes(each) for name, each in sent})
        except (AttributeError, ValueError, TypeError, LookupError, RecursionError):
            return Note()

    def write_note(self, key: str, etag: str, note: Note) -> None:
        """Write a note of the entries that are replayed; the object stays."""
        content: dict[str, Any] = {"etag": etag, "done": sorted(note.done)}
        if note.sent:
            content["lake_tables"] = {name: sorted(each) for name, each in note.sent.items()}
        body = json.dumps(content).encode()
        self._client.put_object(
            Bucket=self._bucket, Key=_note_key(key), Body=body, ContentType="application/json"
        )

    def finish(self, key: str, etag: str, *, with_note: bool) -> None:
        """Move the object below `replayed/` and delete its note.

        Another run may have moved it already. Raises CorruptError when it was replaced since it
        was read; it stays then.
        """
        try:
            self._client.copy_object(
                Bucket=self._bucket,
                Key=f"{REPLAYED_PREFIX}{key}",
                CopySource={"Bucket": self._bucket, "Key": key},
                CopySourceIfMatch=etag,
            )
        except ClientError as error:
            if error.response["Error"]["Code"] in ("PreconditionFailed", "412"):
                raise CorruptError("object-changed") from None
            if not _is_gone(error):
                raise
        self._client.delete_object(Bucket=self._bucket, Key=key)
        if with_note:
            self._client.delete_object(Bucket=self._bucket, Key=_note_key(key))


def _indexes(values: Any) -> set[int]:
    return {int(index) for index in values}


def _note_key(key: str) -> str:
    return f"{REPLAYED_PREFIX}{key}{NOTE_SUFFIX}"


def _is_gone(error: ClientError) -> bool:
    return error.response["Error"]["Code"] in ("NoSuchKey", "404")
