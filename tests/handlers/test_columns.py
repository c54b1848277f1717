"""A value takes its column's declared type, exactly, or is refused without being quoted."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum, IntEnum
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_etl.handlers.rows.metadata import metadata_of
from streaming_etl.handlers.rows.text_forms import RowError
from tests.handlers.fakes import line, read_change, row_encoder

METADATA = metadata_of(read_change(line(1))._record)


def cell(kind, declared, value):
    """How the value stands in a row of that format, between its neighbours."""
    columns = {"before": "int", "c": declared, "after": "int"}
    row = {"before": 0, "c": value, "after": 0}
    text = row_encoder(kind, columns).encode(METADATA, row).data.decode()
    start, end = (":00,0,", ",0\n") if kind == "csv" else ('{"before":0,"c":', ',"after":0,')
    return text[text.index(start) + len(start) : text.rindex(end)]


class Colour(str, Enum):  # noqa: UP042 (what users wrote before StrEnum)
    RED = "red"


class Level(IntEnum):
    HIGH = 3


TOKYO_NOON = datetime(2026, 11, 23, 12, tzinfo=ZoneInfo("Asia/Tokyo"))
DIGITS = "12345678901234567890.123456789012345678"

SCALARS = [
    ("string", "plain", '"plain"', '"plain"'),
    ("string", "", '""', '""'),
    ("string", "a,b", '"a,b"', '"a,b"'),
    ("string", 'say "hi"', '"say ""hi"""', '"say \\"hi\\""'),
    ("string", " padded ", '" padded "', '" padded "'),
    ("string", "back\\slash", '"back\\slash"', '"back\\\\slash"'),
    ("string", "急ぎ", '"急ぎ"', '"急ぎ"'),
    ("string", "a\r\nb\nc\rd", '"a\u2028b\u2028c\u2028d"', '"a\\r\\nb\\nc\\rd"'),
    ("string", "a\x01b", '"a\ufffdb"', '"a\\u0001b"'),
    ("string", 7, '"7"', '"7"'),
    ("string", Decimal("1E+3"), '"1000"', '"1000"'),
    ("string", Decimal(DIGITS), f'"{DIGITS}"', f'"{DIGITS}"'),
    ("string", 0.5, '"0.5"', '"0.5"'),
    ("string", True, '"true"', '"true"'),
    ("string", date(2026, 11, 23), '"2026-11-23"', '"2026-11-23"'),
    ("string", TOKYO_NOON, '"2026-11-23 03:00:00"', '"2026-11-23 03:00:00"'),
    ("string", b"\x00\xff", '"AP8="', '"AP8="'),
    ("string", [1, None, "a"], '"[1,null,""a""]"', '"[1,null,\\"a\\"]"'),
    ("string", {"b": {2, 1}}, '"{""b"":[1,2]}"', '"{\\"b\\":[1,2]}"'),
    ("string", Colour.RED, '"red"', '"red"'),
    ("boolean", False, "false", "false"),
    ("tinyint", -128, "-128", "-128"),
    ("smallint", 32767, "32767", "32767"),
    ("int", Decimal("2E+3"), "2000", "2000"),
    ("int", Level.HIGH, "3", "3"),
    ("bigint", -(2**63), "-9223372036854775808", "-9223372036854775808"),
    ("float", 1.5, "1.5", "1.5"),
    ("double", 7, "7", "7"),
    ("double", Decimal(DIGITS), DIGITS, DIGITS),
    ({"decimal": [10, 2]}, 5, "5.00", "5.00"),
    ({"decimal": [10, 2]}, Decimal("-1.50000"), "-1.50", "-1.50"),
    ({"decimal": [3, 0]}, Decimal("1E+2"), "100", "100"),
    ({"decimal": [38, 18]}, Decimal(DIGITS), DIGITS, DIGITS),
    ("date", date(2026, 11, 23), "2026-11-23", '"2026-11-23"'),
    ("date", "2026-11-23", "2026-11-23", '"2026-11-23"'),
    ("timestamp", "2026-11-23T12:00:00+09:00", "2026-11-23 03:00:00", '"2026-11-23 03:00:00"'),
    ("timestamp", "2026-11-23 12:00:00", "2026-11-23 12:00:00", '"2026-11-23 12:00:00"'),
    ("timestamp", "2026-11-23T12:00:00.5Z", "2026-11-23 12:00:00.500000",
     '"2026-11-23 12:00:00.500000"'),
    ("timestamp", "2026-11-23T12:00:00Z", "2026-11-23 12:00:00", '"2026-11-23 12:00:00"'),
    ("timestamp", "2026-11-23T12:00", "2026-11-23 12:00:00", '"2026-11-23 12:00:00"'),
    ("timestamp", "2026-W48-1T12:00:00Z", "2026-11-23 12:00:00", '"2026-11-23 12:00:00"'),
    ("timestamp", TOKYO_NOON, "2026-11-23 03:00:00", '"2026-11-23 03:00:00"'),
    ("timestamp", datetime(2026, 11, 23, 12), "2026-11-23 12:00:00", '"2026-11-23 12:00:00"'),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "value", "in_csv", "in_json"), SCALARS)
def test_a_value_stands_in_its_type_s_own_form(kind, value, in_csv, in_json):
    assert (cell("csv", kind, value), cell("json", kind, value)) == (in_csv, in_json)


NESTED = [
    ({"array": "string"}, ["a", None, 2], '["a",null,"2"]'),
    ({"array": "int"}, {3, 1, 2}, "[1,2,3]"),
    ({"array": {"array": "date"}}, [(date(2026, 11, 23),), []], '[["2026-11-23"],[]]'),
    ({"map": ["string", "double"]}, {"b": 1.5, "a": None}, '{"b":1.5,"a":null}'),
    ({"map": ["int", "string"]}, {7: "x"}, '{"7":"x"}'),
    (
        {"struct": [["city", "string"], ["floor", "int"], ["at", {"array": "timestamp"}]]},
        {"at": [TOKYO_NOON], "city": "Oita", "floor": None},
        '{"city":"Oita","at":["2026-11-23 03:00:00"]}',
    ),
    ({"array": {"struct": [["price", {"decimal": [5, 1]}]]}}, [{"price": 2}], '[{"price":2.0}]'),
]


@pytest.mark.parametrize(("kind", "value", "in_json"), NESTED)
def test_a_nested_value_is_encoded_all_the_way_down(kind, value, in_json):
    assert cell("json", kind, value) == in_json


WIDE = "the number has more digits than fit; quantize it in transform or declare a wider decimal"
WHOLE = "the number is not whole or not within {}; round it or declare a wider type"
FINITE = "infinite, not a number or too large; return None instead"
NOT_DATE = "the text is no date of the form YYYY-MM-DD"
NOT_TIME = "the text is no ISO time such as 2026-11-23T09:30:00Z"
SAME = "two keys of a map read the same as text; rename one"
NO_JSON = "JSON has no infinity and no NaN; return None instead"
ANY_TEXT = "text, numbers, booleans, times, bytes, lists, sets and dicts"
AN_INT = "an int or a whole Decimal"
A_NUMBER = "an int, a float or a Decimal"
EXACT = "an int or a Decimal (a float is inexact)"
PRICE = {"struct": [["price", {"decimal": [5, 1]}]]}


def takes(column, what, got):
    return f"column {column} takes {what}, not {got}; convert it in transform"


REFUSED = [
    ("string", timedelta(1), takes("c string", ANY_TEXT, "timedelta")),
    ("string", [timedelta(1)], takes("c string", ANY_TEXT, "timedelta")),
    ("string", [float("nan")], f"column c string: {NO_JSON}"),
    ("string", {1: "a", "1": "b"}, f"column c string: {SAME}"),
    ("boolean", 1, takes("c boolean", "a bool", "int")),
    ("boolean", "true", takes("c boolean", "a bool", "str")),
    ("int", True, takes("c int", AN_INT, "bool")),
    ("int", "7", takes("c int", AN_INT, "str")),
    ("int", 7.0, takes("c int", AN_INT, "float")),
    ("int", Decimal("0.5"), "column c int: " + WHOLE.format(f"{-2**31} to {2**31 - 1}")),
    ("int", Decimal("NaN"), "column c int: " + WHOLE.format(f"{-2**31} to {2**31 - 1}")),
    ("tinyint", 128, "column c tinyint: " + WHOLE.format("-128 to 127")),
    ("bigint", 2**63, "column c bigint: " + WHOLE.format(f"{-2**63} to {2**63 - 1}")),
    ("float", Decimal("1E+39"), "column c float: " + FINITE),
    ("double", float("inf"), "column c double: " + FINITE),
    ("double", Decimal("NaN"), "column c double: " + FINITE),
    ("double", 10**400, "column c double: " + FINITE),
    ("double", "1.5", takes("c double", A_NUMBER, "str")),
    ({"decimal": [10, 2]}, 1.5, takes("c decimal(10,2)", EXACT, "float")),
    ({"decimal": [10, 2]}, False, takes("c decimal(10,2)", EXACT, "bool")),
    ({"decimal": [10, 2]}, Decimal("0.125"), f"column c decimal(10,2): {WIDE}"),
    ({"decimal": [10, 2]}, 10**8, f"column c decimal(10,2): {WIDE}"),
    ({"decimal": [10, 2]}, Decimal("Infinity"), f"column c decimal(10,2): {WIDE}"),
    ("date", datetime(2026, 11, 23), takes("c date", "a date or YYYY-MM-DD", "datetime")),
    ("date", "20261123", f"column c date: {NOT_DATE}"),
    ("date", "2026-W48-1", f"column c date: {NOT_DATE}"),
    ("date", "2026-02-30", f"column c date: {NOT_DATE}"),
    ("timestamp", date(2026, 11, 23), takes("c timestamp", "a datetime or an ISO text", "date")),
    ("timestamp", "2026-11-23", f"column c timestamp: {NOT_TIME}"),
    ("timestamp", "23.11.2026 12:00", f"column c timestamp: {NOT_TIME}"),
    ("timestamp", 1795426200, takes("c timestamp", "a datetime or an ISO text", "int")),
    ({"array": "int"}, "text", takes("c array", "a list, a tuple or a set", "str")),
    ({"array": "int"}, ["1"], takes("c[] int", AN_INT, "str")),
    ({"map": ["int", "int"]}, {"1": 1}, takes("c key int", AN_INT, "str")),
    ({"map": ["string", "int"]}, {"a": "1"}, takes("c[] int", AN_INT, "str")),
    ({"map": ["string", "int"]}, {1: 1, "1": 1}, f"column c: {SAME}"),
    ({"map": ["string", "int"]}, [], takes("c map", "a dict", "list")),
    (PRICE, [], takes("c struct", "a dict", "list")),
    (PRICE, {"cost": 1}, "column c struct: holds more than its declared fields price"),
    ({"array": PRICE}, [{"price": Decimal("0.25")}], f"column c[].price decimal(5,1): {WIDE}"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "value", "error"), REFUSED)
def test_a_value_that_does_not_fit_is_refused_with_column_type_and_remedy(kind, value, error):
    with pytest.raises(RowError) as refusal:
        cell("json", kind, value)
    assert str(refusal.value) == error


@given(st.integers(-(10**38) + 1, 10**38 - 1), st.integers(0, 38))
def test_any_number_of_38_digits_stands_exactly_in_a_decimal_column(digits, scale):
    number = Decimal(f"{digits}E-{scale}")
    text = cell("json", {"decimal": [38, scale]}, number)
    assert (Decimal(text), Decimal(text).as_tuple().exponent) == (number, -scale)
