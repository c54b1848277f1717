"""The example transform of shipments."""

from datetime import datetime
from decimal import Decimal

import pytest

from streaming_etl import TransformError, rows_of

PIPELINE = "shipments"
SHIPMENT = {
    "id": "s-1",
    "carrier": "yamato",
    "status": "packed",
    "weight_kg": Decimal("12.3"),
    "address": {"city": "Sapporo", "country": "JP"},
    "parcels": [{"sku": "sku-1", "quantity": 2}, {"sku": "sku-2", "quantity": 1}],
    "tags": {"gift", "cool"},
    "updated_at": "2026-11-01T09:00:00",
}
BARE = {name: SHIPMENT[name] for name in ("id", "carrier", "status", "updated_at")}


def test_a_shipment_becomes_a_row_with_its_parcel_count() -> None:
    assert rows_of(PIPELINE, SHIPMENT) == [
        {
            "id": "s-1",
            "status": "packed",
            "weight_kg": Decimal("12.300"),
            "address": {"city": "Sapporo", "postcode": None, "country": "JP"},
            "parcels": [{"sku": "sku-1", "quantity": 2}, {"sku": "sku-2", "quantity": 1}],
            "parcel_count": 3,
            "tags": ["cool", "gift"],
            "updated_at": datetime(2026, 11, 1, 9),
            "carrier": "yamato",
        }
    ]


def test_a_shipment_without_optional_fields_has_nulls_and_no_parcels() -> None:
    row = {
        **dict.fromkeys(("weight_kg", "address", "tags")),
        **BARE,
        "parcels": [],
        "parcel_count": 0,
        "updated_at": datetime(2026, 11, 1, 9),
    }
    assert rows_of(PIPELINE, BARE) == rows_of(PIPELINE, old=BARE) == [row]


def test_a_carrier_that_is_not_in_the_settings_fails() -> None:
    with pytest.raises(TransformError, match="carrier"):
        rows_of(PIPELINE, {**SHIPMENT, "carrier": "unknown"})


@pytest.mark.parametrize("weight", [Decimal("0.0001"), 1_000_000])
def test_a_weight_beyond_its_decimal_type_fails(weight: Decimal) -> None:
    with pytest.raises(TransformError, match="weight_kg"):
        rows_of(PIPELINE, {**SHIPMENT, "weight_kg": weight})
