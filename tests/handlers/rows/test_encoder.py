"""Rows of a change: their lines, names and partition values."""

import csv
import inspect
import io
import json
from collections import OrderedDict
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_etl.handlers.rows.encoder import Rows
from streaming_etl.handlers.rows.metadata import METADATA_COLUMNS
from streaming_etl.handlers.rows.row_error import RowError
from streaming_etl.handlers.rows.schemaless_json import schemaless_json
from tests.support.rows import METADATA, fields, row_encoder

CSV_METADATA = (
    '"INSERT","{""id"":{""S"":""o-1""}}",0,"event-1","2026-11-23T00:00:00.000","4421584500000000017450439001",'
    "2026-11-23 09:30:00,"
)
JSON_METADATA = {
    "_op": "INSERT",
    "_key": '{"id":{"S":"o-1"}}',
    "_row": 0,
    "_event_id": "event-1",
    "_stream_epoch": "2026-11-23T00:00:00.000",
    "_sequence_number": "4421584500000000017450439001",
    "_changed_at": "2026-11-23 09:30:00",
}

TOKYO_NOON = datetime(2026, 11, 23, 12, tzinfo=ZoneInfo("Asia/Tokyo"))
DIGITS = "12345678901234567890.123456789012345678"
COLUMNS = {"id": "string", "note": "string", "total": {"decimal": [10, 2]}, "gone": "int"}
MARKER_ROW = {"store": "x", "kind": "a"}
ROW = {"total": Decimal("9.5"), "note": "", "id": "o-1", "gone": None}


def rejected(encoder, returned):
    """Fields of the error that the encoder raises."""
    with pytest.raises(RowError) as raised:
        encoder.encode(METADATA, returned)
    return fields(raised.value)


def test_a_csv_row_has_the_metadata_then_the_columns_in_order():
    rows = row_encoder("csv", COLUMNS).encode(METADATA, ROW)
    assert rows == Rows((), (CSV_METADATA + '"o-1","",9.50,\n').encode(), 1)


def test_a_json_row_has_the_columns_without_nulls_then_the_metadata():
    rows = row_encoder("json", COLUMNS).encode(METADATA, ROW)
    assert list(json.loads(rows.data, parse_float=Decimal).items()) == [
        ("id", "o-1"),
        ("note", ""),
        ("total", Decimal("9.50")),
        *JSON_METADATA.items(),
    ]
    assert rows == Rows((), rows.data, 1)


def test_without_columns_a_json_row_has_the_names_of_the_row():
    row = {
        "zeta": Decimal(DIGITS),
        "nothing": None,
        "bytes": b"\x00",
        "set": {"b", "a"},
        "at": TOKYO_NOON,
        "deep": {"list": [None, (1, 2.5)]},
    }
    rows = row_encoder().encode(METADATA, row)
    assert list(json.loads(rows.data, parse_float=Decimal).items()) == [
        ("zeta", Decimal(DIGITS)),
        ("bytes", "AA=="),
        ("set", ["a", "b"]),
        ("at", "2026-11-23 03:00:00"),
        ("deep", {"list": [None, [1, Decimal("2.5")]]}),
        *JSON_METADATA.items(),
    ]


@pytest.mark.parametrize("file_format", ["csv", "json"])
def test_a_marker_is_a_row_of_metadata_with_a_value_of_each_partition_key(file_format):
    encoder = row_encoder(file_format, COLUMNS, {"store": None, "kind": ["a", "b"]}, ["dt"])
    assert encoder.encode_marker(METADATA) == Rows(
        ("backfill", "a", "2026-11-23"), encoder.encode(METADATA, MARKER_ROW).data, 1
    )


def test_a_marker_of_a_table_without_dynamic_keys_has_no_partition_values():
    assert row_encoder("json", COLUMNS).encode_marker(METADATA).partition == ()


def test_an_empty_row_has_the_metadata_only():
    rows = row_encoder("json", {"c": "string"}).encode(METADATA, {})
    assert json.loads(rows.data) == JSON_METADATA
    assert tuple(JSON_METADATA) == METADATA_COLUMNS


@pytest.mark.parametrize("file_format", ["csv", "json"])
def test_numbers_the_rows_of_one_change(file_format):
    encoder = row_encoder(file_format, {"n": "string"})
    rows = encoder.encode(METADATA, [{"n": "a"}, {"n": "b"}])
    one_by_one = [encoder.encode(METADATA, {"n": name}).data for name in "ab"]
    number = (b",0,", b",1,") if file_format == "csv" else (b'"_row":0', b'"_row":1')
    assert rows == Rows((), one_by_one[0] + one_by_one[1].replace(*number), 2)


@pytest.mark.parametrize("returned", [None, []])
def test_transform_may_filter_a_change(returned):
    rows = row_encoder(dynamic_partition_keys=["store"]).encode(METADATA, returned)
    assert rows == Rows((), b"", 0)


@pytest.mark.parametrize(
    ("returned", "got"), [("row", "str"), (({},), "tuple"), ([{}, None], "NoneType"), (0, "int")]
)
def test_rejects_anything_but_a_row_a_list_of_rows_or_none(returned, got):
    assert rejected(row_encoder(), returned) == ("returned-type", "", {"got": got})


@pytest.mark.parametrize("file_format", ["csv", "json"])
@pytest.mark.parametrize("row", [{"id": "1", "z": 1, "_op": 2}, {"z": 1, "_op": 2}])
def test_rejects_names_that_are_not_in_columns(file_format, row):
    encoder = row_encoder(file_format, {"id": "string", "n": "int"})
    assert rejected(encoder, row) == ("unknown-column", "", {"got": 2})


@pytest.mark.parametrize("name", ["_op", "_changed_at", "_OP", "year", "Day", "Store", 5])
def test_without_columns_rejects_the_names_of_metadata_and_partition_keys(name):
    reserved = (
        "_op, _key, _row, _event_id, _stream_epoch, _sequence_number, _changed_at,"
        " store, year, month, day"
    )
    encoder = row_encoder(dynamic_partition_keys=["store"])
    row = {"store": "a", name: 1}
    assert rejected(encoder, row) == ("column-name", "", {"expected": reserved})
    # NULLs are left out, and a map may have these names.
    [line] = encoder.encode(
        METADATA, {"store": "a", name: None, "map": {name: 1}}
    ).data.splitlines()
    assert json.loads(line) == {"map": {str(name): 1}} | JSON_METADATA


@pytest.mark.parametrize(
    ("rule", "names"),
    [
        ("same-but-for-case", ["id", "Id"]),
        ("same-but-for-case", ["Ärger", "b", "ärger"]),
        *[("name-characters", ["a", name]) for name in ("", "a.b", "first name", "price:eur")],
        *[("name-characters", [name]) for name in ("a-b", "a,b", "a<", "²", "\ud800", "a" * 256)],
        ("name-characters", ["é" * 128]),
    ],
)
@pytest.mark.parametrize(
    "parent", [lambda it: it, lambda it: {"a": it}, lambda it: {"a": [1, [it]]}]
)
def test_without_columns_rejects_names_that_athena_cannot_read(rule, names, parent):
    encoder = row_encoder()
    for value in (1, {"x": {}}):
        row = parent(dict.fromkeys(names, 1) | {"other": value})
        for _ in range(2):
            assert rejected(encoder, row) == (rule, "", {})


def test_without_columns_accepts_other_names_in_each_map_and_row():
    encoder = row_encoder()
    rows = [
        {"Id": 1, "map": {"Id": 1, "iD_2": {"id": 1}, "a" * 255: 1}},
        {"iD": 1, "map": {"_op": 1, "year": 1, "1a": 1, "日本": 1, "é" * 127 + "a": 1}},
        {"id": 1, "map": {1: 1}},
    ]
    lines = encoder.encode(METADATA, rows).data.splitlines()
    assert [json.loads(line) | JSON_METADATA for line in lines] == [
        rows[0] | JSON_METADATA,
        rows[1] | JSON_METADATA,
        {"id": 1, "map": {"1": 1}} | JSON_METADATA,
    ]


def test_without_columns_leaves_out_empty_maps_and_nulls_in_maps():
    row = {
        "empty": {},
        "only_empty": {"a": {"b": {}}, "c": None},
        "list": [{}, {"x": {}}, None, (1, {})],
        "map": {"Name": None, "name": 1, "list": []},
        "ordered": OrderedDict(a={}, b=2),
    }
    data = row_encoder().encode(METADATA, row).data
    assert json.loads(data) == {
        "list": [None, None, None, [1, None]],
        "map": {"name": 1, "list": []},
        "ordered": {"b": 2},
        **JSON_METADATA,
    }
    # The names of earlier maps are not checked again.
    lines = row_encoder().encode(METADATA, [{"n": 1, "empty": {}}] * 2).data.splitlines()
    assert [json.loads(line) for line in lines] == [
        {"n": 1} | JSON_METADATA | {"_row": number} for number in range(2)
    ]


def test_without_columns_a_set_is_a_sorted_list():
    assert json.loads(row_encoder().encode(METADATA, {"set": {8, 1}}).data)["set"] == [1, 8]


class Size(str, Enum):  # noqa: UP042 (from before StrEnum)
    LARGE = "large"


def test_without_columns_the_name_in_a_map_is_the_text_of_its_key():
    encoder = row_encoder()
    [line] = encoder.encode(METADATA, {"map": {Size.LARGE: 1, 1: 2, "TRUE": 3}}).data.splitlines()
    assert json.loads(line)["map"] == {"large": 1, "1": 2, "TRUE": 3}
    # True equals 1, but its text is another one.
    same = {"map": {Size.LARGE: 1, True: 2, "TRUE": 3}}
    assert rejected(encoder, same) == ("same-but-for-case", "", {})


@pytest.mark.parametrize(
    ("file_format", "columns"),
    [("csv", {"id": "string"}), ("json", {"id": "string"}), ("json", None)],
)
def test_the_row_of_transform_is_not_changed(file_format, columns):
    encoder = row_encoder(file_format, columns, dynamic_partition_keys=["store"])
    row = {"id": "1", "store": "a"}
    assert encoder.encode(METADATA, row) == encoder.encode(METADATA, row)
    assert row == {"id": "1", "store": "a"}


@pytest.mark.parametrize(
    "number",
    [*map(float, ("nan", "inf", "-inf")), *map(Decimal, ("NaN", "Infinity", "-Infinity"))],
    ids=repr,
)
@pytest.mark.parametrize(
    "parent",
    [lambda it: it, lambda it: [0.5, it], lambda it: {"a": [{"b": it}]}, lambda it: {it}],
    ids=["column", "list", "map", "set"],
)
def test_without_columns_rejects_numbers_that_json_cannot_hold(number, parent):
    row = {"id": "o-1", "n": parent(number), "last": 1}
    assert rejected(row_encoder(), row) == ("json-number", "", {})


def test_without_columns_the_names_of_few_and_small_maps_are_kept_in_memory():
    encode_row = schemaless_json(METADATA_COLUMNS, ())
    cells = inspect.getclosurevars(encode_row).nonlocals
    encode_row({"map": dict.fromkeys(map("name_{}".format, range(1000)), 1)})
    for number in range(2000):
        encode_row({f"row_{number}": {f"map_{number}": 1}})
    known = (
        cells["known_columns"],
        inspect.getclosurevars(cells["is_complete"]).nonlocals["known_fields"],
    )
    assert [len(names) for names in known] == [1024, 1024]
    assert max(map(len, known[1])) == 1


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("sagawa", "sagawa"),
        (7, "7"),
        (True, "true"),
        (date(2026, 11, 23), "2026-11-23"),
        ("急", "急"),
    ],
)
@pytest.mark.parametrize(
    ("file_format", "columns"),
    [("csv", {"id": "string"}), ("json", {"id": "string"}), ("json", None)],
)
def test_a_dynamic_partition_key_is_in_the_partition_and_not_in_the_row(
    file_format, columns, value, text
):
    keyed = row_encoder(file_format, columns, dynamic_partition_keys=["carrier"])
    plain = row_encoder(file_format, columns).encode(METADATA, {"id": "1"})
    rows = keyed.encode(METADATA, {"id": "1", "carrier": value})
    assert (keyed.partition_keys, rows) == (("carrier",), Rows((text,), plain.data, 1))


# Syntax of prefixes and folders, and what Athena escapes in an object's location.
FORBIDDEN_CHARACTERS = "/=%{}\n\x7f\x85\ud800\"#$'*:?[\\]^"
READABLE = ["with space", "a,b", "急" * 85, *"!&(+;<@~|`é急", "A", "001", "true", "__x"]


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        (None, "partition-missing"),
        ("", "partition-text"),
        ("x" * 256, "partition-text"),
        ("急" * 86, "partition-text"),
        ("dhl", "partition-value"),
    ],
)
def test_rejects_a_partition_value_that_is_not_a_folder_of_the_table(value, rule):
    encoder = row_encoder(dynamic_partition_keys={"carrier": ["", "x" * 256, "ups"]})
    assert rejected(encoder, {"carrier": value}) == (rule, "carrier", {})


@pytest.mark.parametrize("character", FORBIDDEN_CHARACTERS)
def test_rejects_a_character_that_athena_does_not_read_in_a_partition_value(character):
    rejection = ("partition-character", "carrier", {"character": ascii(character)})
    for allowed in (None, [f"a{character}b"]):
        encoder = row_encoder(dynamic_partition_keys={"carrier": allowed})
        assert rejected(encoder, {"carrier": f"a{character}b"}) == rejection


@pytest.mark.parametrize("value", [*READABLE, "x" * 255])
def test_a_partition_value_may_have_other_characters(value):
    for allowed in (None, ["ups", value]):
        encoder = row_encoder(dynamic_partition_keys={"carrier": allowed})
        assert encoder.encode(METADATA, {"carrier": value}).partition == (value,)


@pytest.mark.parametrize("value", [1.5, Decimal("1.5"), TOKYO_NOON, b"a", ["a"]])
def test_a_partition_value_is_a_string_an_int_a_bool_or_a_date(value):
    rule, column, details = rejected(
        row_encoder(dynamic_partition_keys=["carrier"]), {"carrier": value}
    )
    assert (rule, column, details["got"]) == ("type", "carrier", type(value).__name__)


def test_the_rows_of_one_change_have_the_same_partition_values():
    stores = row_encoder(dynamic_partition_keys=["store"])
    assert stores.encode(METADATA, [{"store": "a"}, {"store": "a"}]).partition == ("a",)
    assert rejected(stores, [{"store": "a"}, {"store": "b"}]) == ("partition-mixed", "", {})


@pytest.mark.parametrize(
    ("time_keys", "zone", "partition"),
    [
        (["year", "month", "day", "hour"], UTC, ("2026", "11", "23", "09")),
        (["year", "month", "day", "hour"], ZoneInfo("Asia/Tokyo"), ("2026", "11", "23", "18")),
        (["dt", "hour"], ZoneInfo("Pacific/Kiritimati"), ("2026-11-23", "23")),
        (["dt"], timezone(timedelta(hours=-10)), ("2026-11-22",)),
    ],
)
def test_time_keys_are_the_event_time_in_the_zone(time_keys, zone, partition):
    encoder = row_encoder(dynamic_partition_keys=["store"], time_keys=time_keys, zone=zone)
    rows = encoder.encode(METADATA, {"store": "a"})
    assert (encoder.partition_keys, rows.partition) == (("store", *time_keys), ("a", *partition))


def in_one_line(text):
    """Text of a CSV field, without line breaks and escape characters."""
    for line_break in ("\r\n", "\n", "\r"):
        text = text.replace(line_break, "\u2028")
    return text.replace("\x01", "\ufffd")


rough_text = st.text(
    st.sampled_from(" \",\\\r\n\t\x00\x01\u2028;'a") | st.characters(codec="utf-8")
)


@given(st.lists(st.lists(st.none() | rough_text, min_size=3, max_size=3), min_size=1, max_size=4))
def test_csv_keeps_any_text_in_one_line(rows):
    encoder = row_encoder("csv", dict.fromkeys("abc", "string"))
    data = encoder.encode(METADATA, [dict(zip("abc", row, strict=True)) for row in rows]).data
    lines = data.decode().split("\n")
    assert (len(lines), lines[-1]) == (len(rows) + 1, "")
    read = [next(csv.reader(io.StringIO(line, newline=""))) for line in lines[:-1]]
    assert [cells[-3:] for cells in read] == [
        [in_one_line(text or "") for text in row] for row in rows
    ]


@given(st.integers(-(10**38) + 1, 10**38 - 1), st.integers(0, 38))
def test_json_keeps_any_number_of_38_digits_exactly(digits, scale):
    number = Decimal(f"{digits}E-{scale}") if scale else digits
    rows = row_encoder().encode(METADATA, {"n": number, "deep": [number]})
    read = json.loads(rows.data, parse_float=Decimal)
    assert (read["n"], read["deep"]) == (number, [number])


finite_floats = st.floats(allow_nan=False, allow_infinity=False)
names = st.text(st.sampled_from("ab_0é日"), min_size=1)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | finite_floats | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
    max_leaves=12,
)


def without_empty_maps(value):
    """The value without NULLs and empty maps, except in lists."""
    if isinstance(value, list):
        return [without_empty_maps(item) for item in value]
    if not isinstance(value, dict):
        return value
    members = {name: without_empty_maps(item) for name, item in value.items()}
    return {name: item for name, item in members.items() if item is not None} or None


@given(st.dictionaries(names, json_values, max_size=5))
def test_without_columns_keeps_any_json_value(row):
    data = row_encoder().encode(METADATA, row).data
    kept = without_empty_maps(row) or {}
    assert (json.loads(data), data.count(b"\n")) == (kept | JSON_METADATA, 1)
