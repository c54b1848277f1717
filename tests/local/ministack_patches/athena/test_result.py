"""Text of values in a result."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest

from local.ministack_patches.athena.result import text


@pytest.mark.parametrize(
    ("value", "printed"),
    [
        (True, "true"),
        (1.5, "1.5"),
        (Decimal("0E-9"), "0.000000000"),
        (date(2026, 11, 23), "2026-11-23"),
        (datetime(2026, 11, 23, 9), "2026-11-23 09:00:00.000"),
        (b"\x01\xff", "01 ff"),
        ({"a": 1, "b": "x, y"}, "{a=1, b=x, y}"),
        ([1, None, [False]], "[1, null, [false]]"),
        ([], "[]"),
        ({}, "{}"),
    ],
)
def test_a_value_is_printed_as_athena_prints_it(value: Any, printed: str) -> None:
    assert text(value) == printed
