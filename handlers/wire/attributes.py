"""DynamoDB's attribute values (`{"S": "..."}`) as plain Python values, and key texts."""

from decimal import Context, Decimal, Inexact, InvalidOperation
from typing import Any, Optional

import msgspec
from pybase64 import b64decode

# A number of DynamoDB has at most 38 digits; one with more fails instead of being rounded.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html
_EXACT = Context(prec=38, Emin=-130, Emax=125, traps=[Inexact, InvalidOperation])


class Attribute(
    msgspec.Struct, frozen=True, gc=False, omit_defaults=True, forbid_unknown_fields=True
):
    """One attribute value; the field that is set is its type.

    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_AttributeValue.html
    """

    S: Optional[str] = None
    N: Optional[str] = None
    M: Optional[dict[str, "Attribute"]] = None
    L: Optional[list["Attribute"]] = None
    BOOL: Optional[bool] = None
    NULL: Optional[bool] = None
    B: Optional[str] = None
    SS: Optional[list[str]] = None
    NS: Optional[list[str]] = None
    BS: Optional[list[str]] = None


Attributes = dict[str, Attribute]


def plain_item(attributes: Attributes) -> dict[str, Any]:
    """Return the attributes as plain values, in the same order.

    Numbers are int if they are integral, else Decimal, both exact; binary is bytes; string,
    number and binary sets are sets; NULL is None. Raises ValueError or ArithmeticError.
    """
    # Without a call for the frequent types: a transform spends most of its time here.
    item: dict[str, Any] = {}
    for name, value in attributes.items():
        if (text := value.S) is not None:
            item[name] = text
        elif (text := value.N) is not None:
            item[name] = int(text) if text.isdigit() else _number(text)
        elif value.M is not None:
            item[name] = plain_item(value.M)
        elif value.L is not None:
            item[name] = _plain_list(value.L) if value.L else []
        elif value.BOOL is not None:
            item[name] = value.BOOL
        else:
            item[name] = _plain_other(value)
    return item


def _plain_list(attributes: list[Attribute]) -> list[Any]:
    items: list[Any] = []
    for value in attributes:
        if value.M is not None:
            items.append(plain_item(value.M))
        elif value.S is not None:
            items.append(value.S)
        elif value.N is not None:
            items.append(_number(value.N))
        elif value.L is not None:
            items.append(_plain_list(value.L))
        else:
            items.append(_plain_other(value))
    return items


def _plain_other(value: Attribute) -> Any:
    if value.BOOL is not None:
        return value.BOOL
    if value.NULL is not None:
        return None
    if value.B is not None:
        return b64decode(value.B, validate=True)
    if value.SS is not None:
        return set(value.SS)
    if value.NS is not None:
        return {_number(text) for text in value.NS}
    if value.BS is not None:
        return {b64decode(text, validate=True) for text in value.BS}
    raise ValueError("the attribute has no value")


def _number(text: str) -> int | Decimal:
    if "." in text and text[-1] != "0" and "E" not in text and len(text) <= _EXACT.prec:
        # The last decimal is not 0, so the number is not integral, and is short enough to be exact.
        return Decimal(text)
    if text.lstrip("-").isdigit():
        return int(text)
    number = _EXACT.create_decimal(text)
    integer = int(number)
    return integer if integer == number else number


_canonical = msgspec.json.Encoder(order="deterministic").encode


def key_text(keys: Attributes) -> str:
    """Return the keys as canonical DynamoDB JSON, one text per item."""
    for value in keys.values():
        if value.N is not None:
            keys = {name: _canonical_number(value) for name, value in keys.items()}
            break
    return str(_canonical(keys), "utf-8")


def _canonical_number(value: Attribute) -> Attribute:
    return value if value.N is None else Attribute(N=f"{Decimal(_number(value.N)):f}")
