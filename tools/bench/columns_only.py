"""The columns of `five_columns` without a function."""

COLUMNS = {
    "id": "string",
    "customer_id": "string",
    "title": "string",
    "total": "decimal(10,2)",
    "updated_at": "timestamp",
}
