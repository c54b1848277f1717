"""Values in a column: their text, or the broken rule."""

import math
import struct
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum, IntEnum
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_etl.handlers.rows.row_error import RowError
from tests.support.rows import cell, fields


class Colour(str, Enum):  # noqa: UP042 (from before StrEnum)
    RED = "red"


class Level(IntEnum):
    HIGH = 3


TOKYO_NOON = datetime(2026, 11, 23, 12, tzinfo=ZoneInfo("Asia/Tokyo"))
DIGITS = "12345678901234567890.123456789012345678"
[LARGEST_SINGLE] = struct.unpack(">f", b"\x7f\x7f\xff\xff")
SECONDS, MILLISECONDS = {"timestamp": "seconds"}, {"timestamp": "milliseconds"}

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
    ("boolean", True, "true", "true"),
    ("tinyint", -128, "-128", "-128"),
    ("smallint", 32767, "32767", "32767"),
    ("int", Decimal("2E+3"), "2000", "2000"),
    ("int", Level.HIGH, "3", "3"),
    ("bigint", -(2**63), "-9223372036854775808", "-9223372036854775808"),
    ("float", 1.5, "1.5", "1.5"),
    ("double", 7, "7", "7"),
    ("float", Decimal("0.1"), "0.1", "0.1"),
    ("float", 0.1 + 0.2, "0.3", "0.3"),
    ("float", 16_777_217, "16777216", "16777216"),
    ("float", Decimal("123456.789"), "123456.79", "123456.79"),
    ("float", -1e30, "-1e+30", "-1e+30"),
    ("float", 1e-7, "1e-07", "1e-07"),
    ("float", LARGEST_SINGLE, "3.4028235e+38", "3.4028235e+38"),
    ("float", -LARGEST_SINGLE, "-3.4028235e+38", "-3.4028235e+38"),
    ("float", 2**-149, "1.4e-45", "1.4e-45"),
    ("float", 9.81e-45, "9.8e-45", "9.8e-45"),
    ("double", Decimal(DIGITS), "1.2345678901234567e+19", "1.2345678901234567e+19"),
    ("double", 2**53 + 1, "9007199254740992.0", "9007199254740992.0"),
    ("double", 0.1 + 0.2, "0.30000000000000004", "0.30000000000000004"),
    ({"decimal": [10, 2]}, 5, "5.00", "5.00"),
    ({"decimal": [10, 2]}, Decimal("-1.50000"), "-1.50", "-1.50"),
    ({"decimal": [5, 2]}, Decimal("-999.99"), "-999.99", "-999.99"),
    ({"decimal": [2, 2]}, Decimal("-0.99"), "-0.99", "-0.99"),
    ({"decimal": [3, 0]}, Decimal("1E+2"), "100", "100"),
    ({"decimal": [38, 18]}, Decimal(DIGITS), DIGITS, DIGITS),
    ("date", date(2026, 11, 23), "2026-11-23", '"2026-11-23"'),
    ("date", "2026-11-23", "2026-11-23", '"2026-11-23"'),
    ("timestamp", "2026-11-23T12:00:00+09:00", "2026-11-23 03:00:00", '"2026-11-23 03:00:00"'),
    ("timestamp", "2026-11-23 12:00:00", "2026-11-23 12:00:00", '"2026-11-23 12:00:00"'),
    ("timestamp", "2026-11-23T12:00:00.5Z", "2026-11-23 12:00:00.500", '"2026-11-23 12:00:00.500"'),
    ("timestamp", "2026-11-23T12:00:00.001", "2026-11-23 12:00:00.001",
     '"2026-11-23 12:00:00.001"'),
    ("timestamp", "2026-11-23T12:00:00.0009999Z", "2026-11-23 12:00:00", '"2026-11-23 12:00:00"'),
    ("timestamp", "2026-11-23T23:59:59.9999999", "2026-11-23 23:59:59.999",
     '"2026-11-23 23:59:59.999"'),
    ("timestamp", datetime(9999, 12, 31, 23, 59, 59, 999_999), "9999-12-31 23:59:59.999",
     '"9999-12-31 23:59:59.999"'),
    ("timestamp", datetime(1969, 12, 31, 23, 59, 59, 999_500), "1969-12-31 23:59:59.999",
     '"1969-12-31 23:59:59.999"'),
    ("timestamp", "0001-01-01T00:00:00Z", "0001-01-01 00:00:00", '"0001-01-01 00:00:00"'),
    ("string", datetime(2026, 11, 23, 12, 0, 0, 1), '"2026-11-23 12:00:00.000001"',
     '"2026-11-23 12:00:00.000001"'),
    ("timestamp", "2026-11-23T12:00:00Z", "2026-11-23 12:00:00", '"2026-11-23 12:00:00"'),
    ("timestamp", "2026-11-23T12:00:00", "2026-11-23 12:00:00", '"2026-11-23 12:00:00"'),
    ("timestamp", "2026-11-23 12:00:00Z", "2026-11-23 12:00:00", '"2026-11-23 12:00:00"'),
    ("timestamp", "2026-W48-1T12:00:00", "2026-11-23 12:00:00", '"2026-11-23 12:00:00"'),
    ("timestamp", "2026-11-23T12:00", "2026-11-23 12:00:00", '"2026-11-23 12:00:00"'),
    ("timestamp", "2026-W48-1T12:00:00Z", "2026-11-23 12:00:00", '"2026-11-23 12:00:00"'),
    ("timestamp", TOKYO_NOON, "2026-11-23 03:00:00", '"2026-11-23 03:00:00"'),
    ("timestamp", datetime(2026, 11, 23, 12), "2026-11-23 12:00:00", '"2026-11-23 12:00:00"'),
    (SECONDS, 1795426200, "2026-11-23 09:30:00", '"2026-11-23 09:30:00"'),
    (SECONDS, Decimal("1795426200.0019"), "2026-11-23 09:30:00.001",
     '"2026-11-23 09:30:00.001"'),
    (SECONDS, Decimal("-0.0001"), "1969-12-31 23:59:59.999", '"1969-12-31 23:59:59.999"'),
    (SECONDS, Decimal("1795426199.99999999999999999999999999999"), "2026-11-23 09:29:59.999",
     '"2026-11-23 09:29:59.999"'),
    (SECONDS, -62135596800, "0001-01-01 00:00:00", '"0001-01-01 00:00:00"'),
    (MILLISECONDS, 1795426200250, "2026-11-23 09:30:00.250", '"2026-11-23 09:30:00.250"'),
    (MILLISECONDS, Decimal("1795426200250.9"), "2026-11-23 09:30:00.250",
     '"2026-11-23 09:30:00.250"'),
    ({"date": "seconds"}, 1795478399, "2026-11-23", '"2026-11-23"'),
    ({"date": "seconds"}, -1, "1969-12-31", '"1969-12-31"'),
    ({"date": "milliseconds"}, Decimal(1795478399999), "2026-11-23", '"2026-11-23"'),
]  # fmt: skip


@pytest.mark.parametrize(("declared", "value", "in_csv", "in_json"), SCALARS)
def test_encodes_a_value_in_the_form_of_its_type(declared, value, in_csv, in_json):
    assert (cell("csv", declared, value), cell("json", declared, value)) == (in_csv, in_json)


NESTED = [
    ({"array": "string"}, ["a", None, 2], '["a",null,"2"]'),
    # Python's own order of this set is 8, 1.
    ({"array": "int"}, {8, 1}, "[1,8]"),
    ({"array": {"array": "date"}}, [(date(2026, 11, 23),), []], '[["2026-11-23"],[]]'),
    ({"map": ["string", "double"]}, {"b": 1.5, "a": None}, '{"b":1.5,"a":null}'),
    ({"map": ["int", "string"]}, {7: "x"}, '{"7":"x"}'),
    ({"map": ["string", "int"]}, {"Kyoto": 1, "KYOTO": 2}, '{"Kyoto":1,"KYOTO":2}'),
    (
        {"struct": [["city", "string"], ["floor", "int"], ["at", {"array": "timestamp"}]]},
        {"at": [TOKYO_NOON], "city": "Oita", "floor": None},
        '{"city":"Oita","at":["2026-11-23 03:00:00"]}',
    ),
    ({"array": {"struct": [["price", {"decimal": [5, 1]}]]}}, [{"price": 2}], '[{"price":2.0}]'),
]


@pytest.mark.parametrize(("declared", "value", "in_json"), NESTED)
def test_encodes_nested_values_at_every_level(declared, value, in_json):
    assert cell("json", declared, value) == in_json


INT_RANGE = {"low": -(2**31), "high": 2**31 - 1}
PRICE = {"struct": [["price", {"decimal": [5, 1]}]]}

# Declared type, value, rule, column, type that the value has instead or other details.
INVALID = [
    ("string", timedelta(1), "type", "c string", "timedelta"),
    ("string", [timedelta(1)], "type", "c string", "timedelta"),
    ("string", [float("nan")], "json-number", "c string", {}),
    ("string", {1: "a", "1": "b"}, "map-keys", "c string", {}),
    ("boolean", 1, "type", "c boolean", "int"),
    ("boolean", "true", "type", "c boolean", "str"),
    ("int", True, "type", "c int", "bool"),
    ("int", "7", "type", "c int", "str"),
    ("int", 7.0, "type", "c int", "float"),
    ("int", Decimal("0.5"), "integer", "c int", INT_RANGE),
    ("int", Decimal("NaN"), "integer", "c int", INT_RANGE),
    ("tinyint", 128, "integer", "c tinyint", {"low": -128, "high": 127}),
    ("tinyint", -129, "integer", "c tinyint", {"low": -128, "high": 127}),
    ("smallint", 32_768, "integer", "c smallint", {"low": -32_768, "high": 32_767}),
    ("int", 2**31, "integer", "c int", INT_RANGE),
    ("bigint", 2**63, "integer", "c bigint", {"low": -(2**63), "high": 2**63 - 1}),
    ("float", Decimal("1E+39"), "float", "c float", {}),
    ("float", math.nextafter(LARGEST_SINGLE, math.inf), "float", "c float", {}),
    ("float", math.nextafter(-LARGEST_SINGLE, -math.inf), "float", "c float", {}),
    ("double", float("inf"), "float", "c double", {}),
    ("double", Decimal("NaN"), "float", "c double", {}),
    ("double", 10**400, "float", "c double", {}),
    ("double", "1.5", "type", "c double", "str"),
    ("double", True, "type", "c double", "bool"),
    ("float", False, "type", "c float", "bool"),
    ({"decimal": [10, 2]}, 1.5, "type", "c decimal(10,2)", "float"),
    ({"decimal": [10, 2]}, False, "type", "c decimal(10,2)", "bool"),
    ({"decimal": [10, 2]}, Decimal("0.125"), "decimal-digits", "c decimal(10,2)", {}),
    ({"decimal": [10, 2]}, 10**8, "decimal-digits", "c decimal(10,2)", {}),
    ({"decimal": [10, 2]}, Decimal("Infinity"), "decimal-digits", "c decimal(10,2)", {}),
    ({"decimal": [5, 2]}, Decimal("1234.56"), "decimal-digits", "c decimal(5,2)", {}),
    ({"decimal": [5, 2]}, Decimal("-1000.00"), "decimal-digits", "c decimal(5,2)", {}),
    ({"decimal": [5, 2]}, 1000, "decimal-digits", "c decimal(5,2)", {}),
    ({"decimal": [3, 0]}, Decimal(1000), "decimal-digits", "c decimal(3,0)", {}),
    ({"decimal": [2, 2]}, Decimal("1.00"), "decimal-digits", "c decimal(2,2)", {}),
    ("date", datetime(2026, 11, 23), "type", "c date", "datetime"),
    ("date", "20261123", "date", "c date", {}),
    ("date", "2026-W48-1", "date", "c date", {}),
    ("date", "2026-02-30", "date", "c date", {}),
    ("timestamp", date(2026, 11, 23), "type", "c timestamp", "date"),
    ("timestamp", "2026-11-23", "timestamp", "c timestamp", {}),
    ("timestamp", "23.11.2026 12:00", "timestamp", "c timestamp", {}),
    ("timestamp", "9999-12-31T23:59:59-09:00", "timestamp-range", "c timestamp", {}),
    ("timestamp", datetime(1, 1, 1, tzinfo=ZoneInfo("Asia/Tokyo")), "timestamp-range",
     "c timestamp", {}),
    ("timestamp", 1795426200, "type", "c timestamp", "int"),
    (SECONDS, "2026-11-23T09:30:00Z", "type", "c timestamp", "str"),
    (SECONDS, 1795426200.5, "type", "c timestamp", "float"),
    (SECONDS, True, "type", "c timestamp", "bool"),
    # Milliseconds as seconds.
    (SECONDS, 1795426200250, "timestamp-range", "c timestamp", {}),
    (SECONDS, -62135596801, "timestamp-range", "c timestamp", {}),
    (MILLISECONDS, Decimal("9E+125"), "timestamp-range", "c timestamp", {}),
    ({"date": "seconds"}, "2026-11-23", "type", "c date", "str"),
    ({"date": "seconds"}, 10**20, "timestamp-range", "c date", {}),
    ({"array": "int"}, "text", "type", "c array", "str"),
    ({"array": "int"}, ["1"], "type", "c[] int", "str"),
    ({"map": ["int", "int"]}, {"1": 1}, "type", "c key int", "str"),
    ({"map": ["string", "int"]}, {"a": "1"}, "type", "c[] int", "str"),
    ({"map": ["string", "int"]}, {1: 1, "1": 1}, "map-keys", "c", {}),
    ({"map": ["string", "int"]}, [], "type", "c map", "list"),
    (PRICE, [], "type", "c struct", "list"),
    (PRICE, {"cost": 1}, "struct-fields", "c struct", {"expected": "price"}),
    ({"array": PRICE}, [{"price": Decimal("0.25")}],
     "decimal-digits", "c[].price decimal(5,1)", {}),
]  # fmt: skip


@pytest.mark.parametrize(("declared", "value", "rule", "column", "details"), INVALID)
def test_rejects_a_value_that_does_not_fit_its_type(declared, value, rule, column, details):
    with pytest.raises(RowError) as raised:
        cell("json", declared, value)
    error = fields(raised.value)
    if rule == "type":
        assert error == ("type", column, {"expected": error[2]["expected"], "got": details})
    else:
        assert error == (rule, column, details)


@given(st.integers(-(10**38) + 1, 10**38 - 1), st.integers(0, 38))
def test_encodes_any_number_of_38_digits_exactly(digits, scale):
    number = Decimal(f"{digits}E-{scale}")
    text = cell("json", {"decimal": [38, scale]}, number)
    assert (Decimal(text), Decimal(text).as_tuple().exponent) == (number, -scale)


def single(number):
    try:
        return struct.unpack("<f", struct.pack("<f", number))[0]
    except OverflowError:
        # Fewer digits of a number near the largest one are more than that.
        return math.inf


@given(st.floats(width=32, allow_nan=False, allow_infinity=False) | st.floats(-1e38, 1e38))
def test_a_float_has_the_fewest_digits_that_athena_reads_as_the_same_number(number):
    text = cell("json", "float", number)
    assert single(float(text)) == single(number)
    digits = len(text.lower().partition("e")[0].replace("-", "").replace(".", "").strip("0"))
    shortest = next(
        n for n in range(1, 10) if single(float(f"{single(number):.{n}g}")) == single(number)
    )
    # A subnormal number has two digits at least, a normal one six.
    assert digits <= max(shortest, 2 if abs(single(number)) < 2**-126 else 6)


@given(st.datetimes(), st.timezones() | st.none())
def test_a_timestamp_is_never_later_than_the_value(time, zone):
    try:
        in_utc = time.replace(tzinfo=zone).astimezone(UTC).replace(tzinfo=None) if zone else time
    except OverflowError:
        return
    text = cell("csv", "timestamp", time.replace(tzinfo=zone))
    assert timedelta() <= in_utc - datetime.fromisoformat(text) < timedelta(milliseconds=1)
