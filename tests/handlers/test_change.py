"""A change survives the way from the stream record to plain Python values, exactly."""

import json
import random
import string
from base64 import b64encode
from datetime import UTC, datetime
from decimal import Context, Decimal
from typing import Any, NamedTuple

import msgspec
import pytest
from boto3.dynamodb.types import TypeSerializer
from hypothesis import given
from hypothesis import strategies as st

from streaming_etl.handlers.rows.metadata import metadata_of
from streaming_etl.handlers.wire.change_line import (
    MAX_RECORD_BYTES,
    ChangeTooLargeError,
    change_line,
)
from tests.handlers.fakes import line, read_change, stream_record


class Told(NamedTuple):
    """All that a change tells."""

    kind: str
    keys: dict[str, Any]
    new: dict[str, Any] | None
    old: dict[str, Any] | None
    changed_at: datetime
    sequence_number: str
    event_id: str
    is_ttl_delete: bool


def told(change):
    return Told(*(getattr(change, name) for name in Told._fields))


CHANGES = [
    Told(
        kind="INSERT",
        keys={"id": "o-1"},
        new={
            "id": "o-1",
            "user_id": "u-7",
            "store_id": "s-3",
            "created": "2026-11-23T09:30:00Z",
            "updated_at": "2026-11-23T09:30:00Z",
        },
        old=None,
        changed_at=datetime(2026, 11, 23, 9, 30, 0, tzinfo=UTC),
        sequence_number="4421584500000000017450439091",
        event_id="c4ca4238a0b923820dcc509a6f75849b",
        is_ttl_delete=False,
    ),
    Told(
        kind="MODIFY",
        keys={"tenant": b"\x00\x01\xff", "number": Decimal("-12.5")},
        new={
            "tenant": b"\x00\x01\xff",
            "number": Decimal("-12.5"),
            "exact": Decimal("0.12345678901234567890123456789012345678"),
            "whole": 12345678901234567890123456789012345678,
            "largest": 10**20,
            "paid": True,
            "note": None,
            "empty": "",
            "tags": {"gift", "急ぎ"},
            "sizes": {1, Decimal("2.5")},
            "hashes": {b"\x01", b"\x02"},
            "lines": [{"sku": "a\nb", "quantity": 2}, [None, False, b""]],
        },
        old={"tenant": b"\x00\x01\xff", "number": Decimal("-12.5"), "lines": [], "extra": {}},
        changed_at=datetime(2026, 11, 23, 9, 30, 1, tzinfo=UTC),
        sequence_number="4421584500000000017450439092",
        event_id="c81e728d9d4c2f636f067f89cc14862c",
        is_ttl_delete=False,
    ),
    Told(
        kind="REMOVE",
        keys={"id": "o-1"},
        new=None,
        old={"id": "o-1", "store_id": "s-3"},
        changed_at=datetime(2026, 11, 23, 9, 30, 2, tzinfo=UTC),
        sequence_number="4421584600000000017450439093",
        event_id="eccbc87e4b5ce2fe28308fd9f2a7baf3",
        is_ttl_delete=False,
    ),
    Told(
        kind="REMOVE",
        keys={"id": "o-2"},
        new=None,
        old={"id": "o-2", "expires": 1795400000},
        changed_at=datetime(2026, 11, 23, 9, 30, 3, tzinfo=UTC),
        sequence_number="4421584700000000017450439094",
        event_id="a87ff679a2f3e71d9181a67b7542122c",
        is_ttl_delete=True,
    ),
]


def test_every_kind_of_change_reads_as_plain_values(stream_batch):
    assert [told(read_change(change_line(record))) for record in stream_batch] == CHANGES


def test_an_untrimmed_stream_record_reads_the_same(stream_batch):
    assert [told(read_change(json.dumps(record).encode())) for record in stream_batch] == CHANGES


def test_a_change_travels_as_one_trimmed_line_in_the_names_of_aws(stream_batch):
    assert change_line(stream_batch[3]) == (
        b'{"eventID":"a87ff679a2f3e71d9181a67b7542122c","eventName":"REMOVE",'
        b'"dynamodb":{"ApproximateCreationDateTime":1795426203,"Keys":{"id":{"S":"o-2"}},'
        b'"SequenceNumber":"4421584700000000017450439094",'
        b'"OldImage":{"id":{"S":"o-2"},"expires":{"N":"1795400000"}}},'
        b'"userIdentity":{"principalId":"dynamodb.amazonaws.com","type":"Service"}}\n'
    )


def test_a_deletion_by_a_user_is_no_ttl_delete():
    removal = stream_record(1, "REMOVE") | {
        "userIdentity": {"type": "Service", "principalId": "someone.amazonaws.com"}
    }
    assert read_change(change_line(removal)).is_ttl_delete is False


def record_of_line_bytes(size):
    padding = size - len(line(1, text={"S": ""}))
    return stream_record(1, text={"S": "x" * padding})


def test_a_line_of_exactly_one_firehose_record_travels_plain():
    plain = change_line(record_of_line_bytes(MAX_RECORD_BYTES))
    assert (len(plain), plain[:11]) == (1_024_000, b'{"eventID":')


def test_a_line_one_byte_longer_travels_compressed_and_reads_the_same():
    record = record_of_line_bytes(MAX_RECORD_BYTES + 1)
    packed = change_line(record)
    assert len(packed) < 10_000
    assert (list(json.loads(packed)), packed[-1:]) == (["gzip"], b"\n")
    assert told(read_change(packed)) == told(read_change(json.dumps(record).encode()))


def test_a_change_too_large_even_compressed_is_refused_by_name():
    noise = "".join(random.Random(0).choices(string.printable, k=1_100_000))
    with pytest.raises(ChangeTooLargeError, match=r"^\d+ bytes compressed, 1024000 fit$"):
        line(1, noise={"S": noise})


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("-7", -7),
        ("1E+2", 100),
        ("2.50E+1", 25),
        ("1.0", 1),
        ("9.9999999999999999999999999999999999999E+125", int("9" * 38) * 10**88),
        ("1.5", Decimal("1.5")),
        ("-1E-130", Decimal("-1E-130")),
        (
            "1.2345678901234567890123456789012345678",
            Decimal("1.2345678901234567890123456789012345678"),
        ),
    ],
)
def test_a_number_is_an_int_where_it_is_whole_and_a_decimal_elsewhere(text, number):
    read = read_change(line(1, n={"N": text})).new["n"]
    assert (read, type(read)) == (number, type(number))


@pytest.mark.parametrize(
    "text", ["NaN", "Infinity", "", "1,5", "0." + "1" * 39, "1E+126", "1E+999999999"]
)
def test_what_is_no_number_of_dynamodb_is_refused_rather_than_rounded(text):
    with pytest.raises((ArithmeticError, ValueError)):
        told(read_change(line(1, n={"N": text})))


@pytest.mark.parametrize(
    "garbage",
    [
        b"\xff\xfe",
        b"null",
        b"[]",
        b'"text"',
        b"{}",
        b'{"gzip":"no base64 of a gzip"}',
        b'{"gzip":5}',
        b"[" * 100_000,
        b'{"eventID":"e","eventName":"INSERT","dynamodb":{}}',
        line(1, text={"X": "x"}),
    ],
)
def test_a_line_that_is_no_change_raises(garbage):
    with pytest.raises((ValueError, msgspec.DecodeError, OSError, RecursionError)):
        told(read_change(garbage))


def key_of(**keys):
    record = stream_record(1)
    record["dynamodb"]["Keys"] = keys
    return metadata_of(read_change(change_line(record))._record).key


def test_the_key_text_is_canonical_dynamodb_json():
    keys = {"tenant": {"B": "AAH/"}, "number": {"N": "-12.5"}, "day": {"N": "3"}}
    other = {"day": {"N": "3"}, "number": {"N": "-1.25E+1"}, "tenant": {"B": "AAH/"}}
    assert (
        key_of(**keys, 名={"S": 'a"b'})
        == key_of(名={"S": 'a"b'}, **other)
        == '{"day":{"N":"3"},"number":{"N":"-12.5"},"tenant":{"B":"AAH/"},"名":{"S":"a\\"b"}}'
    )


# Numbers as DynamoDB keeps them: 38 digits, 1E-130 to 9.99E+125.
whole_numbers = st.integers(-(10**38) + 1, 10**38 - 1)
exact_numbers = st.builds(
    lambda digits, exponent: Decimal(digits).scaleb(exponent, Context(prec=38)),
    whole_numbers,
    st.integers(-90, 80),
)
numbers = whole_numbers | exact_numbers
scalars = st.none() | st.booleans() | st.text() | numbers | st.binary()
sets = (
    st.sets(st.text(), min_size=1) | st.sets(numbers, min_size=1) | st.sets(st.binary(), min_size=1)
)
attributes = st.recursive(
    scalars | sets,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def on_the_wire(item):
    """The item as it stands in an event: boto3's DynamoDB JSON, with binary as base64."""
    image = {name: TypeSerializer().serialize(value) for name, value in item.items()}
    return json.loads(json.dumps(image, default=lambda binary: b64encode(bytes(binary)).decode()))


def typed(value):
    """The value with its types beside it, because 1, True and Decimal("1.0") are equal."""
    match value:
        case dict():
            return {name: typed(member) for name, member in value.items()}
        case list():
            return [typed(member) for member in value]
        case set():
            return {typed(member) for member in value}
        case Decimal() if value == int(value):
            return int, value
    return type(value), value


@given(st.dictionaries(st.text(), attributes, max_size=5))
def test_any_item_comes_back_as_it_was_before_boto3_wrote_it(item):
    read = read_change(line(1, **on_the_wire(item)))
    assert typed(read.new) == typed({"id": "o-1"} | item)
