"""The worked transform of shipments: nested values, exact numbers, the carrier as the folder."""

from datetime import datetime
from decimal import Decimal

import pytest

from streaming_etl.ops.transform_test import RefusedError, rows_of

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


def test_a_shipment_becomes_a_row_with_its_parcels_counted() -> None:
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


def test_a_shipment_that_is_gone_or_bare_has_nulls_and_no_parcels() -> None:
    row = {
        **dict.fromkeys(("weight_kg", "address", "tags")),
        **BARE,
        "parcels": [],
        "parcel_count": 0,
        "updated_at": datetime(2026, 11, 1, 9),
    }
    assert rows_of(PIPELINE, BARE) == rows_of(PIPELINE, old=BARE) == [row]


def test_a_carrier_that_the_settings_do_not_list_is_refused() -> None:
    with pytest.raises(RefusedError, match=r"^partition key carrier: the text is none of the"):
        rows_of(PIPELINE, {**SHIPMENT, "carrier": "unknown"})


@pytest.mark.parametrize("weight", [Decimal("0.0001"), 1_000_000])
def test_a_weight_that_does_not_fit_is_refused(weight: Decimal) -> None:
    with pytest.raises(RefusedError, match=r"^column weight_kg decimal\(9,3\): the number has"):
        rows_of(PIPELINE, {**SHIPMENT, "weight_kg": weight})
