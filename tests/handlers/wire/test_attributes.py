"""DynamoDB JSON as plain Python values, exactly."""

import json
from base64 import b64encode
from decimal import Context, Decimal

import msgspec
import pytest
from boto3.dynamodb.types import TypeSerializer
from hypothesis import given
from hypothesis import strategies as st

from streaming_etl.handlers.wire.attributes import Attributes, key_text, plain_item

decode = msgspec.json.Decoder(Attributes).decode


def plain(attributes):
    return plain_item(decode(json.dumps(attributes)))


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
def test_an_integral_number_is_an_int_and_others_are_decimals(text, number):
    read = plain({"n": {"N": text}})["n"]
    assert (read, type(read)) == (number, type(number))


@pytest.mark.parametrize(
    "text", ["NaN", "Infinity", "", "1,5", "0." + "1" * 39, "1E+126", "1E+999999999"]
)
def test_rejects_a_number_that_dynamodb_cannot_hold(text):
    with pytest.raises((ArithmeticError, ValueError)):
        plain({"n": {"N": text}})


@pytest.mark.parametrize("value", [{}, {"S": None}, {"L": [{}]}, {"M": {"a": {}}}])
def test_rejects_an_attribute_without_a_value(value):
    with pytest.raises(ValueError, match="no value"):
        plain({"n": value})


def test_the_key_text_is_canonical_dynamodb_json():
    keys = {"tenant": {"B": "AAH/"}, "number": {"N": "-12.5"}, "day": {"N": "3"}}
    other = {"day": {"N": "3"}, "number": {"N": "-1.25E+1"}, "tenant": {"B": "AAH/"}}
    name = {"名": {"S": 'a"b'}}
    texts = {key_text(decode(json.dumps(each))) for each in (keys | name, name | other)}
    assert texts == {
        '{"day":{"N":"3"},"number":{"N":"-12.5"},"tenant":{"B":"AAH/"},"名":{"S":"a\\"b"}}'
    }


# Numbers that DynamoDB can hold: 38 digits, 1E-130 to 9.99E+125.
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
values = st.recursive(
    scalars | sets,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def in_dynamodb_json(item):
    """Item as in an event: boto3's DynamoDB JSON, with binary as base64."""
    image = {name: TypeSerializer().serialize(value) for name, value in item.items()}
    return json.loads(json.dumps(image, default=lambda binary: b64encode(bytes(binary)).decode()))


def typed(value):
    """Value with its types, because 1, True and Decimal("1.0") are equal."""
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


@given(st.dictionaries(st.text(), values, max_size=5))
def test_reads_any_item_as_it_was_before_boto3_wrote_it(item):
    assert typed(plain(in_dynamodb_json(item))) == typed(item)
