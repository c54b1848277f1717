"""What `transform` returned becomes lines that Athena reads back as the declared types."""

import csv
import io
import json
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_etl.handlers.rows.encoder import Rows
from streaming_etl.handlers.rows.metadata import METADATA_COLUMNS, metadata_of
from streaming_etl.handlers.rows.text_forms import RowError
from tests.handlers.fakes import line, read_change, row_encoder

METADATA = metadata_of(read_change(line(1))._record)
CSV_METADATA = (
    '"INSERT","{""id"":{""S"":""o-1""}}",0,"event-1","4421584500000000017450439001",'
    "2026-11-23 09:30:00,"
)
JSON_METADATA = {
    "_op": "INSERT",
    "_key": '{"id":{"S":"o-1"}}',
    "_row": 0,
    "_event_id": "event-1",
    "_sequence_number": "4421584500000000017450439001",
    "_changed_at": "2026-11-23 09:30:00",
}


TOKYO_NOON = datetime(2026, 11, 23, 12, tzinfo=ZoneInfo("Asia/Tokyo"))
DIGITS = "12345678901234567890.123456789012345678"


def test_a_csv_row_holds_the_metadata_then_the_columns_in_order():
    columns = {"id": "string", "note": "string", "total": {"decimal": [10, 2]}, "gone": "int"}
    row = {"total": Decimal("9.5"), "note": "", "id": "o-1", "gone": None}
    rows = row_encoder("csv", columns).encode(METADATA, row)
    assert rows == Rows((), (CSV_METADATA + '"o-1","",9.50,\n').encode(), 1)


def test_a_json_row_holds_the_columns_in_order_without_nulls_then_the_metadata():
    columns = {"id": "string", "note": "string", "total": {"decimal": [10, 2]}, "gone": "int"}
    row = {"total": Decimal("9.5"), "note": "", "id": "o-1", "gone": None}
    rows = row_encoder("json", columns).encode(METADATA, row)
    assert list(json.loads(rows.data, parse_float=Decimal).items()) == [
        ("id", "o-1"),
        ("note", ""),
        ("total", Decimal("9.50")),
        *JSON_METADATA.items(),
    ]
    assert rows == Rows((), rows.data, 1)


def test_without_columns_a_json_row_holds_what_the_row_holds():
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


def test_the_metadata_stand_alone_where_a_row_is_empty():
    rows = row_encoder("json", {"c": "string"}).encode(METADATA, {})
    assert json.loads(rows.data) == JSON_METADATA
    assert tuple(JSON_METADATA) == METADATA_COLUMNS


def test_the_rows_of_one_change_are_numbered():
    rows = row_encoder().encode(METADATA, [{"n": "a"}, {"n": "b"}])
    first, second = map(json.loads, rows.data.splitlines())
    assert (first, second) == (
        {"n": "a", **JSON_METADATA},
        {"n": "b", **JSON_METADATA, "_row": 1},
    )
    assert rows.line_count == 2


@pytest.mark.parametrize("returned", [None, []])
def test_a_change_may_be_left_out(returned):
    rows = row_encoder(dynamic_partition_keys=["store"]).encode(METADATA, returned)
    assert rows == Rows((), b"", 0)


@pytest.mark.parametrize(
    ("returned", "kind"), [("row", "str"), (({},), "tuple"), ([{}, None], "NoneType"), (0, "int")]
)
def test_anything_but_a_row_a_list_of_rows_or_none_is_refused(returned, kind):
    with pytest.raises(RowError) as refusal:
        row_encoder().encode(METADATA, returned)
    assert str(refusal.value) == (
        f"transform returned {kind}; return a dict, a list of dicts or None"
    )


@pytest.mark.parametrize("kind", ["csv", "json"])
def test_a_name_outside_columns_is_refused(kind):
    with pytest.raises(RowError) as refusal:
        row_encoder(kind, {"id": "string"}).encode(METADATA, {"id": "1", "z": 1, "_op": 2})
    assert str(refusal.value) == (
        "column _op, z is not in COLUMNS; add it there or leave it out of the row"
    )


@pytest.mark.parametrize("name", ["_op", "_changed_at", 5])
def test_without_columns_a_row_may_not_take_the_names_of_the_metadata(name):
    with pytest.raises(RowError) as refusal:
        row_encoder().encode(METADATA, {name: 1})
    assert str(refusal.value) == (
        "a column's name must be a text other than "
        "_op, _key, _row, _event_id, _sequence_number, _changed_at; rename it"
    )


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
    ("kind", "columns"), [("csv", {"id": "string"}), ("json", {"id": "string"}), ("json", None)]
)
def test_a_row_partition_key_names_the_folder_and_leaves_the_row(kind, columns, value, text):
    keyed = row_encoder(kind, columns, dynamic_partition_keys=["carrier"])
    plain = row_encoder(kind, columns).encode(METADATA, {"id": "1"})
    rows = keyed.encode(METADATA, {"id": "1", "carrier": value})
    assert (keyed.partition_keys, rows) == (("carrier",), Rows((text,), plain.data, 1))


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (None, "is missing; every row must return it"),
        *[
            (
                text,
                ": the text is empty, longer than 255 characters or holds / = % { } "
                "or a control character; replace it in transform",
            )
            for text in ("", "a/b", "a=b", "50%", "{a", "a}", "a\nb", "a\x7f", "x" * 256, "\ud800")
        ],
        (
            "dhl",
            ": the text is none of the values in the pipeline's settings, "
            "so Athena would not see the row; add it there",
        ),
    ],
)
def test_a_row_partition_key_that_makes_no_folder_is_refused(value, error):
    allowed = ["", "a/b", "a=b", "50%", "{a", "a}", "a\nb", "a\x7f", "x" * 256, "\ud800", "ups"]
    with pytest.raises(RowError) as refusal:
        row_encoder(dynamic_partition_keys={"carrier": allowed}).encode(
            METADATA, {"carrier": value}
        )
    assert str(refusal.value).removeprefix("partition key carrier").strip() == error.strip()


@pytest.mark.parametrize("value", [1.5, Decimal("1.5"), TOKYO_NOON, b"a", ["a"]])
def test_a_row_partition_key_is_a_text_an_int_a_bool_or_a_date(value):
    with pytest.raises(RowError) as refusal:
        row_encoder(dynamic_partition_keys=["carrier"]).encode(METADATA, {"carrier": value})
    assert str(refusal.value) == (
        "column carrier (a partition key) takes text, an int, a bool or a date, "
        f"not {type(value).__name__}; convert it in transform"
    )


def test_the_rows_of_one_change_share_their_partition_keys():
    stores = row_encoder(dynamic_partition_keys=["store"])
    assert stores.encode(METADATA, [{"store": "a"}, {"store": "a"}]).partition == ("a",)
    with pytest.raises(RowError) as refusal:
        stores.encode(METADATA, [{"store": "a"}, {"store": "b"}])
    assert str(refusal.value) == (
        "the rows of one change have different partition keys; return one set"
    )


@pytest.mark.parametrize(
    ("time_keys", "zone", "partition"),
    [
        (["year", "month", "day", "hour"], UTC, ("2026", "11", "23", "09")),
        (["year", "month", "day", "hour"], ZoneInfo("Asia/Tokyo"), ("2026", "11", "23", "18")),
        (["dt", "hour"], ZoneInfo("Pacific/Kiritimati"), ("2026-11-23", "23")),
        (["dt"], timezone(timedelta(hours=-10)), ("2026-11-22",)),
    ],
)
def test_time_keys_follow_the_change_s_own_time_in_the_zone(time_keys, zone, partition):
    clocked = row_encoder(dynamic_partition_keys=["store"], time_keys=time_keys, zone=zone)
    rows = clocked.encode(METADATA, {"store": "a"})
    assert (clocked.partition_keys, rows.partition) == (
        ("store", *time_keys),
        ("a", *partition),
    )


def one_line(text):
    """What CSV keeps of a text: a row must be one line, and U+0001 is the escape character."""
    for line_break in ("\r\n", "\n", "\r"):
        text = text.replace(line_break, "\u2028")
    return text.replace("\x01", "\ufffd")


rough_text = st.text(
    st.sampled_from(" \",\\\r\n\t\x00\x01\u2028;'a") | st.characters(codec="utf-8")
)


@given(st.lists(st.lists(st.none() | rough_text, min_size=3, max_size=3), min_size=1, max_size=4))
def test_any_text_comes_back_from_csv_on_a_line_of_its_own(rows):
    texts = row_encoder("csv", dict.fromkeys("abc", "string"))
    data = texts.encode(METADATA, [dict(zip("abc", row, strict=True)) for row in rows]).data
    lines = data.decode().split("\n")
    assert (len(lines), lines[-1]) == (len(rows) + 1, "")
    read = [next(csv.reader(io.StringIO(line, newline=""))) for line in lines[:-1]]
    assert [cells[-3:] for cells in read] == [
        [one_line(text or "") for text in row] for row in rows
    ]


whole_numbers = st.integers(-(10**38) + 1, 10**38 - 1)
scales = st.integers(0, 38)


@given(whole_numbers, scales)
def test_any_number_of_38_digits_stands_exactly_in_json(digits, scale):
    number = Decimal(f"{digits}E-{scale}") if scale else digits
    rows = row_encoder().encode(METADATA, {"n": number, "deep": [number]})
    read = json.loads(rows.data, parse_float=Decimal)
    assert (read["n"], read["deep"]) == (number, [number])


finite_floats = st.floats(allow_nan=False, allow_infinity=False)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | finite_floats | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text().map("column {}".format), json_values, max_size=5))
def test_any_json_value_comes_back_from_a_row_without_columns(row):
    data = row_encoder().encode(METADATA, row).data
    kept = {name: value for name, value in row.items() if value is not None}
    assert (json.loads(data), data.count(b"\n")) == (kept | JSON_METADATA, 1)
