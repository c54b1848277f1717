"""Customers of the table `shop`: columns only, without a function."""

COLUMNS = {
    "id": "string",
    "type": "string",
    "name": "string",
    "city": {"type": "string", "path": "address.city"},
    "created": {"type": "timestamp", "path": "created_at", "unit": "seconds"},
    "updated_at": "timestamp",
}
