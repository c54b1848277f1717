"""Stream records of a backfill: SNAPSHOT changes and the marker."""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

import msgspec

from streaming_etl.handlers.wire.change_line import stream_label

KIND = "SNAPSHOT"
MARKER = "BACKFILL"
"""Event type of the marker, which has no item."""

_canonical = msgspec.json.Encoder(order="deterministic").encode


def snapshot_record(
    item: Mapping[str, Any], key_names: Sequence[str], taken_at_ms: int, stream_arn: str
) -> dict[str, Any]:
    """Return the stream record of an item's SNAPSHOT; item: DynamoDB JSON.

    taken_at_ms: the time of the read by AWS's clock, in epoch milliseconds.
    stream_arn: the table's stream at that time.

    This time is the sequence number. A stream's sequence number has at least 21 digits, so every
    change of an item on the same stream comes after its snapshots, and a later snapshot after an
    earlier one, in any order of arrival. The event id depends on the key and the time only.
    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_StreamRecord.html
    """
    keys = {name: item[name] for name in key_names}
    digest = sha256(_canonical(keys)).hexdigest()[:32]
    return {
        "eventID": f"snapshot-{taken_at_ms}-{digest}",
        "eventName": KIND,
        "eventSourceARN": stream_arn,
        "dynamodb": {
            # In seconds, as in the stream.
            "ApproximateCreationDateTime": taken_at_ms // 1000,
            "Keys": keys,
            "SequenceNumber": str(taken_at_ms),
            "NewImage": item,
        },
    }


def marker_record(completed_at_ms: int, stream_arn: str) -> dict[str, Any]:
    """Return the stream record that marks a completed backfill.

    completed_at_ms: a time by AWS's clock, in epoch milliseconds. Rows of earlier streams than
    `stream_arn` no longer belong to the current state.
    """
    return {
        "eventID": f"backfill-{stream_label(stream_arn)}",
        "eventName": MARKER,
        "eventSourceARN": stream_arn,
        "dynamodb": {
            "ApproximateCreationDateTime": completed_at_ms // 1000,
            "Keys": {},
            "SequenceNumber": str(completed_at_ms),
        },
    }
