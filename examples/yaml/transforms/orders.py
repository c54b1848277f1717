"""Orders as rows. A removed order returns its last attributes."""

# The row key store_id is a folder of the lake, so it is no column.
COLUMNS = {"id": "string", "total": "decimal(10,2)"}


def transform(change):
    order = change.new or change.old
    return {"id": order["id"], "store_id": order["store_id"], "total": order["total"]}
