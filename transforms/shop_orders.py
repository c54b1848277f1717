"""Orders of the table `shop`, each with its lines in one row."""

from streaming_etl import Change

COLUMNS = {
    "id": "string",
    "customer_id": "string",
    "status": "string",
    "lines": "array<struct<sku:string,quantity:int,price:decimal(9,2)>>",
    "total": "decimal(11,2)",
    "updated_at": "timestamp",
}


def transform(change: Change) -> dict[str, object]:
    order = change.new or change.old or {}
    lines = order["lines"]
    return {
        "id": order["id"],
        # An order is below its customer, such as CUSTOMER#c-017.
        "customer_id": order["pk"].removeprefix("CUSTOMER#"),
        "status": order["status"],
        "lines": lines,
        "total": sum(line["quantity"] * line["price"] for line in lines),
        "updated_at": order["updated_at"],
    }
