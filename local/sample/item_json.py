"""Items as JSON: plain or DynamoDB JSON, with all types of DynamoDB."""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from local.sample.lake import changes_of
from streaming_etl.ops.transform_test.dynamodb_json import is_dynamodb_json
from streaming_etl.ops.transform_test.sample_formats import SampleSource, samples_of
from streaming_etl.ops.transform_test.sample_records import InvalidChangeError, attributes
from streaming_etl.stack.errors import CommandError

DynamoItem = dict[str, Any]
"""An item or a key in DynamoDB JSON, binary as base64 text."""


@dataclass(frozen=True)
class Write:
    """One write to a table; without an item, a delete."""

    key: DynamoItem
    item: DynamoItem | None


def parse_item(text: str) -> DynamoItem:
    """Read an item of plain or DynamoDB JSON; raises CommandError."""
    try:
        item = json.loads(text, parse_float=Decimal, parse_int=Decimal)
    except ValueError as error:
        raise CommandError(
            f"ITEM must be JSON ({error}). Put it in single quotes.", code="invalid-json"
        ) from None
    if not isinstance(item, dict):
        raise CommandError(
            'ITEM must be a JSON object such as {"id": "1"}.', code="item-not-an-object"
        )
    try:
        return attributes(item)
    except InvalidChangeError as error:
        raise CommandError(f"ITEM is invalid: {error}", code=error.code, **error.details) from None


def writes_of(body: bytes, name: str, key_names: Sequence[str]) -> list[Write]:
    """Read the writes in a file of any form that `test-transform` reads.

    name: of the file, for messages. Raises CommandError with file, line and reason.
    """
    try:
        lines = samples_of(body, SampleSource(name, key_names, "never"))
    except CommandError as error:
        if error.code != "missing-key":
            raise
        raise CommandError(
            f"{name}, line {error.details['line']}: the item must have the key of the table (it "
            f"lacks {', '.join(error.details['missing'])}). Import items of this table only.",
            code=error.code,
            **error.details,
        ) from None
    writes = []
    for line in lines:
        [change] = changes_of(line)
        stream = change["dynamodb"]
        writes.append(Write(stream["Keys"], stream.get("NewImage")))
    return writes


def for_boto3(value: Any) -> Any:
    """Return DynamoDB JSON with binary as bytes."""
    if isinstance(value, list):
        return [for_boto3(each) for each in value]
    if not isinstance(value, Mapping):
        return value
    converted: dict[str, Any] = {}
    for name, inner in value.items():
        # Below the name of an attribute is a map; below a type is a text.
        if name == "B" and isinstance(inner, str):
            converted[name] = base64.b64decode(inner)
        elif name == "BS" and isinstance(inner, list):
            converted[name] = [base64.b64decode(each) for each in inner]
        else:
            converted[name] = for_boto3(inner)
    return converted


def item_text(item: DynamoItem, key_types: Mapping[str, str]) -> str:
    """Print an item as `parse_item` reads it, if possible as plain JSON.

    A binary key is base64 text in plain JSON.
    """
    try:
        plain = {
            name: str(value["B"]) if key_types.get(name) == "B" else plain_value(value)
            for name, value in item.items()
        }
    except NotPlainError:
        return json.dumps(item)
    return json.dumps(item if is_dynamodb_json(plain) else plain)


class NotPlainError(Exception):
    """A value that plain JSON does not have."""


def plain_value(attribute: Mapping[str, Any]) -> Any:
    """Return an attribute's value in plain JSON; raises NotPlainError."""
    [(type_, value)] = attribute.items()
    match type_:
        case "S" | "BOOL":
            return value
        case "NULL":
            return None
        case "N":
            number = Decimal(value)
            plain = int(number) if number == number.to_integral_value() else float(number)
            if Decimal(repr(plain)) == number:
                return plain
        case "L":
            return [plain_value(each) for each in value]
        case "M":
            return {name: plain_value(each) for name, each in value.items()}
    raise NotPlainError
