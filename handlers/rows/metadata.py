"""Metadata columns: the part of every row that identifies its change."""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import msgspec

from streaming_etl.handlers.rows.text_forms import column_time
from streaming_etl.handlers.wire.attributes import key_text


class Metadata(msgspec.Struct, gc=False, rename=lambda name: f"_{name}"):
    """Metadata of one row, in the order of its columns."""

    op: str
    key: str
    row: int
    event_id: str
    stream_epoch: str
    """Label of the stream that the change comes from; '' for changes of earlier versions."""
    sequence_number: str
    changed_at: str
    """UTC, in SQL's form."""


METADATA_COLUMNS = tuple(field.encode_name for field in msgspec.structs.fields(Metadata))


def metadata_of(record: Any) -> Metadata:
    """Metadata of the rows of a decoded stream record; `row` is 0."""
    stream = record.dynamodb
    return Metadata(
        record.eventName,
        key_text(stream.Keys),
        0,
        record.eventID,
        record.streamLabel,
        stream.SequenceNumber,
        time_text(stream.ApproximateCreationDateTime),
    )


@lru_cache(maxsize=4096)
def time_text(seconds: float) -> str:
    """Return a change's time, in epoch seconds, as in `Metadata.changed_at`."""
    return column_time(datetime.fromtimestamp(seconds, UTC))
