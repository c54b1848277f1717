"""Orders as rows. A removed order returns its last attributes."""

# store_id is a dynamic partition key, so COLUMNS does not name it.
COLUMNS = {"id": "string", "total": "decimal(10,2)"}


def transform(change):
    order = change.new or change.old
    return {"id": order["id"], "store_id": order["store_id"], "total": order["total"]}
