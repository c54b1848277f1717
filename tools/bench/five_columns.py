"""A transform that returns five columns, for CSV."""

from typing import Any

COLUMNS = {
    "id": "string",
    "customer_id": "string",
    "title": "string",
    "total": "decimal(10,2)",
    "updated_at": "timestamp",
}


def transform(change: Any) -> dict[str, object]:
    order = change.new or change.old
    return {
        "id": order["id"],
        "customer_id": order["customer_id"],
        "title": order["title"],
        "total": order["total"],
        "updated_at": order["updated_at"],
    }
