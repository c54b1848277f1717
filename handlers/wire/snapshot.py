"""Items from before the stream as changes of type SNAPSHOT."""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

import msgspec

KIND = "SNAPSHOT"

_canonical = msgspec.json.Encoder(order="deterministic").encode


def snapshot_record(
    item: Mapping[str, Any], key_names: Sequence[str], taken_at_ms: int
) -> dict[str, Any]:
    """Return the stream record of an item's SNAPSHOT; item: DynamoDB JSON.

    taken_at_ms: a time in epoch milliseconds, not after the time at which the item was read.

    This time is the sequence number. A stream's sequence number has at least 21 digits, so every
    change of an item comes after its snapshots, and a later snapshot after an earlier one, in
    any order of arrival. The event id depends on the key and the time only.
    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_StreamRecord.html
    """
    keys = {name: item[name] for name in key_names}
    digest = sha256(_canonical(keys)).hexdigest()[:32]
    return {
        "eventID": f"snapshot-{taken_at_ms}-{digest}",
        "eventName": KIND,
        "dynamodb": {
            # In seconds, as in the stream.
            "ApproximateCreationDateTime": taken_at_ms // 1000,
            "Keys": keys,
            "SequenceNumber": str(taken_at_ms),
            "NewImage": item,
        },
    }
