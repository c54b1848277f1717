"""The failure objects of a pipeline: listed, read, and moved away once all of each is put back."""

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Optional
from urllib.parse import urlparse

from botocore.exceptions import ClientError

from streaming_etl.components.table.lake_table import REPLAYED_PREFIX
from streaming_etl.stack.errors import CommandError

NOTE_SUFFIX = ".done.json"


@dataclass(frozen=True)
class Found:
    """An object below one of the failure prefixes."""

    key: str
    size: int
    written: datetime


class Objects:
    """The failure objects in one bucket.

    What is done is moved below `replayed/` with its whole key behind: out of sight of the alarms
    and of the next run, and outside the table. Of an object that is done in part, a note of what
    is done lies there until the rest is done too.
    """

    def __init__(self, client: Any, bucket: str) -> None:
        self._client, self._bucket = client, bucket

    def below(
        self, location: str, since: Optional[datetime], until: Optional[datetime]
    ) -> Iterator[Found]:
        """The objects below `s3://bucket/path/` that were written from `since` to before `until`.

        Raises CommandError when the location lies in another bucket.
        """
        place = urlparse(location)
        if place.netloc != self._bucket:
            raise CommandError(f"{location} is not in the pipeline's bucket {self._bucket}.")
        pages = self._client.get_paginator("list_objects_v2")
        for page in pages.paginate(Bucket=self._bucket, Prefix=place.path.lstrip("/")):
            for item in page.get("Contents", []):
                written = item["LastModified"]
                after = since is None or written >= since
                if after and (until is None or written < until):
                    yield Found(item["Key"], item["Size"], written)

    def read(self, key: str) -> Optional[tuple[bytes, str]]:
        """Content and ETag; None when it is gone, as another run may have moved it."""
        try:
            answer = self._client.get_object(Bucket=self._bucket, Key=key)
        except ClientError as error:
            if _is_gone(error):
                return None
            raise
        return answer["Body"].read(), answer["ETag"]

    def noted(self, key: str, etag: str) -> Optional[set[int]]:
        """The places in the object that earlier runs have put back; None without a note.

        A note about something else that had this key counts for nothing.
        """
        noted = self.read(_note(key))
        if noted is None:
            return None
        note = json.loads(noted[0])
        return set(note["done"]) if note["etag"] == etag else set()

    def remember(self, key: str, etag: str, done: Collection[int]) -> None:
        """Note what of the object is put back; the object stays as and where it is."""
        note = json.dumps({"etag": etag, "done": sorted(done)}).encode()
        self._client.put_object(
            Bucket=self._bucket, Key=_note(key), Body=note, ContentType="application/json"
        )

    def finish(self, key: str, etag: str, *, with_note: bool) -> None:
        """Move the object away, and remove the note about it.

        An object that is gone stays gone: another run has moved it.
        """
        try:
            self._client.copy_object(
                Bucket=self._bucket,
                Key=f"{REPLAYED_PREFIX}{key}",
                CopySource={"Bucket": self._bucket, "Key": key},
                # Not what somebody wrote in its place since it was read.
                CopySourceIfMatch=etag,
            )
        except ClientError as error:
            if not _is_gone(error):
                raise
        self._client.delete_object(Bucket=self._bucket, Key=key)
        if with_note:
            self._client.delete_object(Bucket=self._bucket, Key=_note(key))


def _note(key: str) -> str:
    return f"{REPLAYED_PREFIX}{key}{NOTE_SUFFIX}"


def _is_gone(error: ClientError) -> bool:
    return error.response["Error"]["Code"] in ("NoSuchKey", "404")
