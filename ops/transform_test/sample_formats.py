"""What a document of a sample file is, told by its whole shape: AWS's own, a change or an item."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from difflib import get_close_matches
from typing import Any, Optional

from streaming_etl.ops.transform_test.sample_records import KINDS

TOLD = ("kind", "new", "old", "keys", "changed_at", "is_ttl_delete")

# What `aws dynamodb scan`, `query`, `get-item` and `aws dynamodbstreams get-records` print.
PAGE = {"Count", "ScannedCount", "ConsumedCapacity", "LastEvaluatedKey", "NextToken"}
LISTS = {"Items": PAGE, "Records": {"NextShardIterator"}}
ITEM = {"Item", "ConsumedCapacity"}
# https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
BATCH = {
    *("requestContext", "responseContext", "version", "timestamp", "DDBStreamBatchInfo"),
    "payload",
}


def opened(document: Any) -> list[Any]:
    """What the document wraps: items, stream records, or itself."""
    if isinstance(document, list):
        return [inner for each in document for inner in _unwrapped(each)]
    return _unwrapped(document)


def _unwrapped(document: Any) -> list[Any]:
    if isinstance(document, dict):
        for name, beside in LISTS.items():
            if isinstance(document.get(name), list) and document.keys() <= {name, *beside}:
                return list(document[name])
        if isinstance(document.get("Item"), dict) and document.keys() <= ITEM:
            return [document["Item"]]
    return [document]


def is_of_bucket(document: Any, key_names: Sequence[str]) -> bool:
    """Whether it is a failed batch, or an error record of Firehose."""
    if not isinstance(document, dict):
        return False
    payload = document.get("payload")
    if "payload" in document and document.keys() <= BATCH:
        wraps = isinstance(payload, dict) and "Records" in payload
        return wraps or isinstance(document.get("requestContext"), dict)
    # Lines of it have more fields than AWS tells; an item has its key.
    return (
        isinstance(document.get("rawData"), str)
        and (len(document) == 1 or not {"errorCode", "lastErrorCode"}.isdisjoint(document))
        and not _has_key(document, key_names)
    )


def change_told(given: Mapping[str, Any], key_names: Sequence[str]) -> Optional[dict[str, Any]]:
    """The change as `stream_record` takes it; None for an item.

    Raises ValueError for a change that is told wrong.
    """
    if given.get("kind") in KINDS and given.keys() <= {*TOLD}:
        return _with_time(given)
    images = any(isinstance(given.get(name), Mapping) for name in ("new", "old", "keys"))
    looks_told = images or given.get("kind") in KINDS or given.keys() <= {*TOLD}
    if not looks_told or _has_key(given, key_names):
        return None
    kinds = ", ".join(KINDS)
    for name in given:
        if name not in TOLD:
            near = get_close_matches(name, TOLD, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(TOLD)}"
            raise ValueError(f"a change has no field {name!r}: {hint}")
    if "kind" not in given:
        raise ValueError(f"the change has no kind; give {kinds} as its `kind`")
    raise ValueError(f"kind={given['kind']!r} is none of {kinds}; use one of these")


def _has_key(document: Mapping[str, Any], key_names: Sequence[str]) -> bool:
    return bool(key_names) and document.keys() >= {*key_names}


def _with_time(given: Mapping[str, Any]) -> dict[str, Any]:
    told = dict(given)
    ttl = told.get("is_ttl_delete", False)
    if not isinstance(ttl, bool):
        raise ValueError(f"is_ttl_delete={ttl!r} is not a yes or no; use true or false")
    if "changed_at" in told:
        try:
            told["changed_at"] = datetime.fromisoformat(told["changed_at"])
        except (TypeError, ValueError):
            raise ValueError(
                f"changed_at={told['changed_at']!r} is no ISO time; write it as"
                " 2026-11-23T09:30:00Z"
            ) from None
    return told
