"""The example transform of invoices, which is a folder."""

from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from streaming_etl import TransformError, rows_of

MODULE = "transforms/invoices"
LINES = [
    {"sku": "sku-114", "quantity": 2, "price": Decimal("9.50")},
    {"sku": "sku-007", "quantity": 1, "price": 30},
]
INVOICE = {
    "id": "i-1",
    "customer_id": "c-017",
    "lines": LINES,
    "discount": 4,
    "issued_at": "2026-11-23T10:05:00Z",
}


def test_an_invoice_becomes_a_row() -> None:
    row = {
        "id": "i-1",
        "customer_id": "c-017",
        "lines": LINES,
        "total": Decimal("45.00"),
        "is_paid": False,
        "issued_at": datetime(2026, 11, 23, 10, 5),
    }
    assert rows_of(MODULE, INVOICE) == [row]


def test_missing_attributes_have_defaults() -> None:
    invoice = {name: value for name, value in INVOICE.items() if name != "discount"}
    [row] = rows_of(MODULE, {**invoice, "paid_at": "2026-11-30T08:00:00Z"})
    assert (row["total"], row["is_paid"]) == (Decimal("49.00"), True)


@pytest.mark.parametrize(
    "attribute", [{"customer_id": None}, {"lines": [{"sku": "a"}]}, {"discount": "4 EUR"}]
)
def test_an_item_of_other_types_fails_without_its_values(attribute: dict[str, Any]) -> None:
    with pytest.raises(TransformError) as failed:
        rows_of(MODULE, INVOICE | attribute)
    assert failed.value.reason == "ValidationError at invoices/model.py:31"
