"""Nested rows of shipments, in one partition per carrier."""

from streaming_etl import Change

COLUMNS = {
    "id": "string",
    "status": "string",
    "weight_kg": "decimal(9,3)",
    "address": "struct<city:string,postcode:string,country:string>",
    "parcels": "array<struct<sku:string,quantity:int>>",
    "parcel_count": "int",
    "tags": "array<string>",
    "updated_at": "timestamp",
}


def transform(change: Change) -> dict[str, object]:
    shipment = change.new or change.old or {}
    parcels = shipment.get("parcels", [])
    return {
        "id": shipment["id"],
        # A dynamic partition key, not a column.
        "carrier": shipment["carrier"],
        "status": shipment["status"],
        "weight_kg": shipment.get("weight_kg"),
        "address": shipment.get("address"),
        "parcels": parcels,
        "parcel_count": sum(parcel["quantity"] for parcel in parcels),
        "tags": shipment.get("tags"),
        "updated_at": shipment["updated_at"],
    }
