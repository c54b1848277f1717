"""Primary keys of source tables, as text and as DynamoDB values."""

import base64
import json
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from local.deploy.existing_tables import definition_of
from local.sample.item_json import DynamoItem, item_text
from local.sample.writes import Item
from streaming_etl.stack.errors import CommandError

# What a value of each type must be, and an example.
TYPES = {"S": ("a text", "1"), "N": ("a number", "1"), "B": ("base64", "MQ==")}


def key_types(dynamodb: Any, table_name: str) -> dict[str, str]:
    """Return the type of each key attribute, the hash key first."""
    return dict(definition_of(dynamodb.describe_table(TableName=table_name)).keys)


def parse_key(text: str, types: Mapping[str, str]) -> dict[str, Any]:
    """Read a key: JSON, or the value of a hash key."""
    try:
        values = json.loads(text, parse_float=Decimal, parse_int=Decimal)
    except ValueError:
        values = None
    if not isinstance(values, dict):
        # `1` and `"1"` are texts like any other.
        values = {next(iter(types)): text}
    if set(values) != set(types):
        raise CommandError(
            f"KEY must be a JSON object with exactly {' and '.join(types)} (got {text}). "
            f"Write it as {example(types)}.",
            code="invalid-key",
            attributes=list(types),
        )
    return {name: key_value(name, type_, values[name]) for name, type_ in types.items()}


def key_value(name: str, type_: str, value: Any) -> dict[str, Any]:
    """Convert a value of JSON to a key attribute of this type."""
    try:
        if type_ == "N" and isinstance(value, str | Decimal) and Decimal(value).is_finite():
            return {"N": str(Decimal(value))}
        if type_ == "B" and isinstance(value, str):
            return {"B": base64.b64decode(value, validate=True)}
        if type_ == "S" and isinstance(value, str):
            return {"S": value}
    except (InvalidOperation, ValueError):
        pass
    raise CommandError(
        f"`{name}` must be {TYPES[type_][0]} (got {json.dumps(value, default=str)}). "
        f"Write it as {example({name: type_})}.",
        code="invalid-key-value",
        attribute=name,
        type=type_,
    )


def key_text(item: DynamoItem, types: Mapping[str, str]) -> str:
    """Print the key of an item as `parse_key` reads it."""
    if list(types.values()) == ["S"]:
        return str(item[next(iter(types))]["S"])
    return item_text({name: item[name] for name in types}, types)


def example_key(types: Mapping[str, str]) -> Item:
    """Return a key of plain JSON."""
    return {name: 1 if type_ == "N" else TYPES[type_][1] for name, type_ in types.items()}


def example(types: Mapping[str, str]) -> str:
    """Print a key of plain JSON."""
    return json.dumps(example_key(types))
