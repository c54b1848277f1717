"""Keys of tables as arguments of commands."""

from typing import Any

import pytest

from local.commands.keys import key_text, key_types, parse_key
from local.sample.examples import KEY_VALUES
from local.sample.item_json import for_boto3
from streaming_etl.ops.transform_test.sample_records import attributes
from streaming_etl.stack.clients import Clients
from streaming_etl.stack.errors import CommandError

TWO = {"user": "S", "at": "N"}


@pytest.mark.parametrize(
    ("text", "types", "key"),
    [
        ("o-1", {"id": "S"}, {"id": {"S": "o-1"}}),
        ("1", {"id": "S"}, {"id": {"S": "1"}}),
        ("[1]", {"id": "S"}, {"id": {"S": "[1]"}}),
        ('{"id": "{}"}', {"id": "S"}, {"id": {"S": "{}"}}),
        ("1.50", {"number": "N"}, {"number": {"N": "1.50"}}),
        ("AP8=", {"hash": "B"}, {"hash": {"B": b"\x00\xff"}}),
        ('{"at": 1e2, "user": "u"}', TWO, {"user": {"S": "u"}, "at": {"N": "1E+2"}}),
        ('{"at": "7", "user": "u"}', TWO, {"user": {"S": "u"}, "at": {"N": "7"}}),
    ],
)
def test_a_key_is_read(text: str, types: dict[str, str], key: dict[str, Any]) -> None:
    assert parse_key(text, types) == key


@pytest.mark.parametrize(
    ("text", "types", "code"),
    [
        ("u", TWO, "invalid-key"),
        ('{"user": "u"}', TWO, "invalid-key"),
        ('{"user": "u", "at": 1, "more": 2}', TWO, "invalid-key"),
        ('{"id": 5}', {"id": "S"}, "invalid-key-value"),
        ("five", {"id": "N"}, "invalid-key-value"),
        ("NaN", {"id": "N"}, "invalid-key-value"),
        ('{"id": true}', {"id": "N"}, "invalid-key-value"),
        ("no base64", {"id": "B"}, "invalid-key-value"),
        ('{"id": null}', {"id": "B"}, "invalid-key-value"),
    ],
)
def test_an_invalid_key_is_rejected(text: str, types: dict[str, str], code: str) -> None:
    with pytest.raises(CommandError) as raised:
        parse_key(text, types)

    assert raised.value.code == code


@pytest.mark.parametrize("types", [{"id": "S"}, {"id": "N"}, {"id": "B", "at": "S"}, TWO])
def test_a_printed_key_is_read_again(types: dict[str, str]) -> None:
    example = attributes({name: KEY_VALUES[type_] for name, type_ in types.items()})

    text = key_text({**example, "more": {"N": "1"}}, types)

    assert parse_key(text, types) == for_boto3(example)


@pytest.mark.e2e
def test_the_types_of_a_key_are_those_of_the_table(aws: Clients) -> None:
    dynamodb = aws("dynamodb")
    dynamodb.create_table(
        TableName="keys",
        BillingMode="PAY_PER_REQUEST",
        # In AWS's responses the order is by name.
        AttributeDefinitions=[
            {"AttributeName": "at", "AttributeType": "N"},
            {"AttributeName": "id", "AttributeType": "B"},
        ],
        KeySchema=[
            {"AttributeName": "id", "KeyType": "HASH"},
            {"AttributeName": "at", "KeyType": "RANGE"},
        ],
    )

    assert [*key_types(dynamodb, "keys").items()] == [("id", "B"), ("at", "N")]
