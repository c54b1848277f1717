"""Types of an invoice. An item of other types fails its change."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Optional, Self, TypedDict

import msgspec


class Line(TypedDict):
    """One line, which becomes a struct of the lake table."""

    sku: str
    quantity: int
    price: Decimal


class Invoice(msgspec.Struct, frozen=True):
    """An invoice as the table has it, with defaults for missing attributes."""

    id: str
    customer_id: str
    lines: list[Line]
    issued_at: str
    discount: Decimal = Decimal(0)
    paid_at: Optional[str] = None

    @classmethod
    def of(cls, item: Mapping[str, object]) -> Self:
        """Check an item's types. Raises msgspec.ValidationError, whose text is not logged."""
        return msgspec.convert(item, cls)

    @property
    def total(self) -> Decimal:
        """Sum of the lines after the discount."""
        return sum((line["quantity"] * line["price"] for line in self.lines), -self.discount)
