"""Items of all types as JSON, and writes in files."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from local.sample.item_json import Write, for_boto3, item_text, parse_item, writes_of
from streaming_etl.stack.errors import CommandError

EVERY_TYPE = {
    "PK": {"S": "USER#1"},
    "B": {"B": "AP8="},
    "at": {"N": "1.50"},
    "more": {"M": {"B": {"S": "text"}, "list": {"L": [{"BOOL": True}, {"BS": ["AQ=="]}]}}},
    "none": {"NULL": True},
    "roles": {"SS": ["a", "b"]},
    "sizes": {"NS": ["1", "2.5"]},
}


def test_an_item_has_any_type_in_dynamodb_json() -> None:
    item = parse_item(json.dumps(EVERY_TYPE))

    assert item == EVERY_TYPE
    assert for_boto3(item) == {
        **EVERY_TYPE,
        "B": {"B": b"\x00\xff"},
        "more": {"M": {"B": {"S": "text"}, "list": {"L": [{"BOOL": True}, {"BS": [b"\x01"]}]}}},
    }


def test_an_item_of_plain_json_keeps_its_numbers() -> None:
    number = "1.2345678901234567890123456789"

    assert parse_item(f'{{"id": "1", "n": {number}, "map": {{"S": 1}}}}') == {
        "id": {"S": "1"},
        "n": {"N": number},
        "map": {"M": {"S": {"N": "1"}}},
    }


@pytest.mark.parametrize(
    ("text", "code", "details"),
    [
        ("{id: 1}", "invalid-json", {}),
        ("[]", "item-not-an-object", {}),
        (
            '{"id": {"B": "no base64"}}',
            "invalid-dynamodb-json",
            {"attribute": "id", "type": "B", "got": "another text"},
        ),
        (
            '{"id": {"S": "1"}, "a": {"M": {"b": {"N": "x"}}}}',
            "invalid-dynamodb-json",
            {"attribute": "a.b", "type": "N", "got": "another text"},
        ),
        (
            '{"a": {"X": "1"}}',
            "invalid-dynamodb-json",
            {"attribute": "a", "type": None, "got": "an object with X"},
        ),
        ('{"id": 1e200}', "invalid-attribute", {"attribute": "id"}),
    ],
)
def test_an_invalid_item_is_rejected(text: str, code: str, details: dict[str, Any]) -> None:
    with pytest.raises(CommandError) as raised:
        parse_item(text)

    assert (raised.value.code, raised.value.details) == (code, details)


@pytest.mark.parametrize(
    ("item", "text"),
    [
        (
            {"id": {"S": "1"}, "n": {"N": "2.5"}, "l": {"L": [{"NULL": True}, {"BOOL": False}]}},
            {"id": "1", "n": 2.5, "l": [None, False]},
        ),
        ({"id": {"S": "1"}, "m": {"M": {"a": {"N": "7"}}}}, {"id": "1", "m": {"a": 7}}),
        # Plain JSON would be another number, or read as DynamoDB JSON.
        ({"n": {"N": "0.12345678901234567890"}}, {"n": {"N": "0.12345678901234567890"}}),
        ({"m": {"M": {"S": {"S": "a"}}}}, {"m": {"M": {"S": {"S": "a"}}}}),
        ({"m": {"M": {"EU": {"S": "a"}}}}, {"m": {"M": {"EU": {"S": "a"}}}}),
        (EVERY_TYPE, EVERY_TYPE),
    ],
)
def test_a_printed_item_is_read_again(item: dict[str, Any], text: dict[str, Any]) -> None:
    printed = item_text(item, {"id": "S"})

    assert json.loads(printed) == text
    assert parse_item(printed) == item


def test_a_binary_key_is_base64_in_plain_json() -> None:
    item = {"device": {"B": "AP8="}, "at": {"N": "1"}}

    assert json.loads(item_text(item, {"device": "B", "at": "N"})) == {"device": "AP8=", "at": 1}


TEA = {"code": {"N": "7"}, "title": {"S": "tea"}}
SEVEN = {"code": {"N": "7"}}


@pytest.mark.parametrize(
    ("document", "writes"),
    [
        ({"Items": [TEA], "Count": 1, "ScannedCount": 1}, [Write(SEVEN, TEA)]),
        ({"Item": TEA}, [Write(SEVEN, TEA)]),
        ({"Responses": {"catalogue": [TEA]}, "UnprocessedKeys": {}}, [Write(SEVEN, TEA)]),
        (
            {
                "catalogue": [
                    {"PutRequest": {"Item": TEA}},
                    {"DeleteRequest": {"Key": SEVEN}},
                ]
            },
            [Write(SEVEN, TEA), Write(SEVEN, None)],
        ),
        (
            {
                "Records": [
                    {"eventName": "INSERT", "dynamodb": {"Keys": SEVEN, "NewImage": TEA}},
                    {"eventName": "REMOVE", "dynamodb": {"Keys": SEVEN, "OldImage": TEA}},
                ]
            },
            [Write(SEVEN, TEA), Write(SEVEN, None)],
        ),
        ([{"code": 7, "title": "tea"}], [Write(SEVEN, TEA)]),
        ({"kind": "MODIFY", "new": TEA, "old": {**TEA, "title": {"S": "?"}}}, [Write(SEVEN, TEA)]),
        ({"kind": "SNAPSHOT", "new": TEA}, [Write(SEVEN, TEA)]),
    ],
)
def test_the_writes_in_a_file_are_read(document: Any, writes: list[Write]) -> None:
    assert writes_of(json.dumps(document).encode(), "file", ["code"]) == writes


def test_objects_of_an_export_are_read() -> None:
    full = b'{"Item": {"code": {"N": "7"}, "title": {"S": "tea"}}}\n' * 2
    change = {"Metadata": {"WriteTimestampMicros": {"N": "1795426200000000"}}, "Keys": SEVEN}
    lines = [json.dumps({**change, "NewImage": TEA}), json.dumps({**change, "OldImage": TEA})]

    assert writes_of(gzip.compress(full), "full.json.gz", ["code"]) == [Write(SEVEN, TEA)] * 2
    assert writes_of("\n".join(lines).encode(), "incremental.json", ["code"]) == [
        Write(SEVEN, TEA),
        Write(SEVEN, None),
    ]


def test_items_of_another_table_are_rejected(tmp_path: Path) -> None:
    with pytest.raises(CommandError) as raised:
        writes_of(json.dumps([TEA]).encode(), str(tmp_path), ["PK", "SK"])

    assert raised.value.code == "missing-key"
    assert raised.value.details == {"file": str(tmp_path), "line": 1, "missing": ["PK", "SK"]}
