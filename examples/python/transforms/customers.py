"""Customers as rows, by the attributes of the columns' names or paths."""

COLUMNS = {
    "pk": "string",
    "name": "string",
    "city": {"type": "string", "path": "address.city"},
}
