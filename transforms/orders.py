"""Flat rows of orders: text and timestamps."""

from streaming_etl import Change

COLUMNS = {
    "id": "string",
    "user_id": "string",
    "store_id": "string",
    "created": "timestamp",
    "updated_at": "timestamp",
}


def transform(change: Change) -> dict[str, object]:
    # A REMOVE has only the old image.
    order = change.new or change.old or {}
    return {
        "id": order["id"],
        "user_id": order["user_id"],
        "store_id": order["store_id"],
        "created": order["created"],
        "updated_at": order["updated_at"],
    }
