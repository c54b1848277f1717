"""Keys of tables as arguments of commands."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from local.commands.items import delete_item, put_item
from local.commands.keys import example_attributes, example_key, key_text, key_types, parse_key
from local.emulator import state
from local.sample.writes import to_dynamodb
from streaming_etl.handlers.wire.routing import Where
from streaming_etl.stack.clients import Clients
from streaming_etl.stack.errors import CommandError
from streaming_etl.stack.outputs import DeployedStack
from tools.messages.commands import OUTPUTS

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
    example = example_key(types)

    assert parse_key(key_text({**example, "more": 1}, types), types) == parse_key(
        json.dumps(example), types
    )


@pytest.mark.parametrize(
    ("rules", "attributes"),
    [
        ({}, {}),
        ({"type": ["lead", "visitor"], "closed": [False]}, {"type": "lead", "closed": False}),
        ({"sk": {"prefix": "ORDER#"}, "version": [2.5]}, {"sk": "ORDER#1", "version": 2.5}),
    ],
)
def test_an_example_matches_the_condition(rules: Any, attributes: dict[str, Any]) -> None:
    assert example_attributes(rules) == attributes
    plain = json.loads(json.dumps(attributes), parse_float=Decimal)
    assert Where(rules).matches(to_dynamodb(plain))


@pytest.mark.e2e
@pytest.mark.parametrize("types", [{"id": "N"}, {"at": "N", "id": "S"}, {"id": "B", "at": "B"}])
def test_an_item_with_any_key_is_written_and_deleted(
    aws: Clients, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, types: dict[str, str]
) -> None:
    monkeypatch.setattr(state, "STATE_FILE", tmp_path / "local.json")
    dynamodb = aws("dynamodb")
    table = "keys-" + "-".join(f"{name}-{type_}" for name, type_ in types.items())
    dynamodb.create_table(
        TableName=table,
        BillingMode="PAY_PER_REQUEST",
        # In AWS's responses the order is by name.
        AttributeDefinitions=[
            {"AttributeName": name, "AttributeType": types[name]} for name in sorted(types)
        ],
        KeySchema=[
            {"AttributeName": name, "KeyType": kind}
            for name, kind in zip(types, ("HASH", "RANGE"), strict=False)
        ],
    )
    assert list(key_types(dynamodb, table).items()) == list(types.items())
    outputs = {**OUTPUTS, "source_table": table, "region": aws.region}
    example = example_key(types)

    with state.state_file(DeployedStack("dev", {"orders": outputs}, aws.endpoint)):
        put_item("orders", json.dumps({**example, "note": "x"}))
        [item] = dynamodb.scan(TableName=table)["Items"]
        delete_item("orders", key_text(example, types))

    assert item == {**parse_key(json.dumps(example), types), "note": {"S": "x"}}
    assert dynamodb.scan(TableName=table)["Items"] == []
