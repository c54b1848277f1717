"""The example transforms of `shop`, with the conditions of their lake tables."""

from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from streaming_etl import TransformError, rows_of

ORDER = {
    "pk": "CUSTOMER#c-7",
    "sk": "ORDER#o-1",
    "id": "o-1",
    "status": "new",
    "lines": [
        {"sku": "sku-1", "quantity": 2, "price": Decimal("12.5")},
        {"sku": "sku-2", "quantity": 1, "price": Decimal("3.99")},
    ],
    "updated_at": "2026-11-01T09:00:00",
}
LEAD = {
    "pk": "CUSTOMER#c-7",
    "sk": "PROFILE",
    "id": "c-7",
    "type": "lead",
    "name": "Abe",
    "address": {"city": "Sapporo", "country": "JP"},
    "interests": ["tea"],
    "visits": 3,
    "created_at": 1793523600,
    "updated_at": "2026-11-02T10:30:00",
}
CUSTOMER = {**LEAD, "type": "customer"}
CART = {"pk": "CUSTOMER#c-7", "sk": "CART", "skus": ["sku-1"]}

ROWS: dict[str, dict[str, Any]] = {
    "shop.orders": {
        "id": "o-1",
        "customer_id": "c-7",
        "status": "new",
        "lines": [
            {"sku": "sku-1", "quantity": 2, "price": Decimal("12.50")},
            {"sku": "sku-2", "quantity": 1, "price": Decimal("3.99")},
        ],
        "total": Decimal("28.99"),
        "updated_at": datetime(2026, 11, 1, 9),
    },
    "shop.customers": {
        "id": "c-7",
        "type": "customer",
        "name": "Abe",
        "city": "Sapporo",
        "created": datetime(2026, 11, 1, 9),
        "updated_at": datetime(2026, 11, 2, 10, 30),
    },
    "shop.leads": {
        "id": "c-7",
        "name": "Abe",
        "interests": ["tea"],
        "visits": 3,
        "is_active": True,
        "updated_at": datetime(2026, 11, 2, 10, 30),
    },
}
ITEMS = {"shop.orders": ORDER, "shop.customers": CUSTOMER, "shop.leads": LEAD}


@pytest.mark.parametrize("lake_table", ROWS)
def test_an_item_is_a_row_of_its_lake_table_only(lake_table: str) -> None:
    for other, item in ITEMS.items():
        rows = [ROWS[lake_table]] if other == lake_table else []
        assert rows_of(lake_table, item) == rows
        assert rows_of(lake_table, old=item) == rows
    assert rows_of(lake_table, CART) == []


def test_a_lead_that_becomes_a_customer_leaves_one_lake_table_for_another() -> None:
    rows = {
        name: [row["_op"] for row in rows_of(name, CUSTOMER, LEAD, metadata=True)] for name in ROWS
    }
    assert rows == {"shop.orders": [], "shop.customers": ["INSERT"], "shop.leads": ["REMOVE"]}


def test_an_order_without_lines_has_no_total_and_one_without_the_attribute_fails() -> None:
    [row] = rows_of("shop.orders", {**ORDER, "lines": []})
    assert (row["lines"], row["total"]) == ([], Decimal(0))
    with pytest.raises(TransformError, match="KeyError"):
        rows_of("shop.orders", {name: value for name, value in ORDER.items() if name != "lines"})


def test_a_customer_without_an_address_has_no_city() -> None:
    bare = {name: value for name, value in CUSTOMER.items() if name != "address"}
    assert rows_of("shop.customers", bare) == [{**ROWS["shop.customers"], "city": None}]


def test_a_lead_with_few_visits_is_not_active() -> None:
    [row] = rows_of("shop.leads", {**LEAD, "visits": 2})
    assert row["is_active"] is False
