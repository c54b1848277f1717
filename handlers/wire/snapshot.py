"""Items that the table held before its stream told of them: each as a change of kind SNAPSHOT."""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

import msgspec

KIND = "SNAPSHOT"

_canonical = msgspec.json.Encoder(order="deterministic").encode


def snapshot_record(
    item: Mapping[str, Any], key_names: Sequence[str], taken_at_ms: int
) -> dict[str, Any]:
    """A stream record, as `line.change_line` takes it, for an item in DynamoDB JSON.

    taken_at_ms: epoch milliseconds not after the moment at which the item was as it is told.

    Its sequence number is that time. A stream's own has 21 digits or more, so every change of an
    item comes after its snapshots, and a later snapshot after an earlier one, in whatever order
    they arrive. The same item taken at the same time has the same event id.
    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_StreamRecord.html
    """
    keys = {name: item[name] for name in key_names}
    digest = sha256(_canonical(keys)).hexdigest()[:32]
    return {
        "eventID": f"snapshot-{taken_at_ms}-{digest}",
        "eventName": KIND,
        "dynamodb": {
            # Whole seconds, as the stream gives them.
            "ApproximateCreationDateTime": taken_at_ms // 1000,
            "Keys": keys,
            "SequenceNumber": str(taken_at_ms),
            "NewImage": item,
        },
    }
