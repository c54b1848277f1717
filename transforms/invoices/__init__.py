"""Invoices with typed items, in a folder of two files."""

from streaming_etl import Change

from .model import Invoice

COLUMNS = {
    "id": "string",
    "customer_id": "string",
    "lines": "array<struct<sku:string,quantity:int,price:decimal(9,2)>>",
    "total": "decimal(11,2)",
    "is_paid": "boolean",
    "issued_at": "timestamp",
}


def transform(change: Change) -> dict[str, object]:
    invoice = Invoice.of(change.new or change.old or {})
    return {
        "id": invoice.id,
        "customer_id": invoice.customer_id,
        "lines": invoice.lines,
        "total": invoice.total,
        "is_paid": invoice.paid_at is not None,
        "issued_at": invoice.issued_at,
    }
