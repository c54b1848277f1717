"""Leads of the table `shop`: visitors who are not customers yet."""

from streaming_etl import Change

COLUMNS = {
    "id": "string",
    "name": "string",
    "interests": "array<string>",
    "visits": "int",
    "is_active": "boolean",
    "updated_at": "timestamp",
}


def transform(change: Change) -> dict[str, object]:
    lead = change.new or change.old or {}
    return {
        "id": lead["id"],
        "name": lead["name"],
        "interests": lead.get("interests"),
        "visits": lead["visits"],
        "is_active": lead["visits"] >= 3,
        "updated_at": lead["updated_at"],
    }
