"""DynamoDB JSON in samples, and the invalid values in it."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Context, Inexact, InvalidOperation, Overflow, Subnormal
from typing import Any, Optional

import msgspec

from streaming_etl.handlers.wire.attributes import Attributes, plain_item

# DynamoDB's limits of a number. boto3 accepts a little more.
MAX_DIGITS = 38
NUMBER_RANGE = "1E-130 to 9.9E+125"
NUMBERS = Context(
    prec=MAX_DIGITS,
    Emin=-130,
    Emax=125,
    traps=[Inexact, InvalidOperation, Overflow, Subnormal],
)

TYPES = {
    "S": ("text in quotes", '{"S": "text"}'),
    "N": (
        f"a number in quotes of at most {MAX_DIGITS} digits, within {NUMBER_RANGE}",
        '{"N": "1.5"}',
    ),
    "B": ("base64 in quotes", '{"B": "MQ=="}'),
    "BOOL": ("true or false", '{"BOOL": true}'),
    "NULL": ("true", '{"NULL": true}'),
    "M": ("an object of attributes", '{"M": {"name": {"S": "text"}}}'),
    "L": ("a list of typed values", '{"L": [{"S": "text"}]}'),
    "SS": ("a list of texts", '{"SS": ["text"]}'),
    "NS": ("a list of numbers in quotes", '{"NS": ["1.5"]}'),
    "BS": ("a list of base64 texts", '{"BS": ["MQ=="]}'),
}
"""What the value of each type must be, and an example."""
ELEMENT_TYPES = {"SS": "S", "NS": "N", "BS": "B"}

# A misspelled type is also meant as one. An item of plain JSON has a key, which is not a map.
TYPE_LIKE = re.compile("[A-Z]{1,4}")


@dataclass(frozen=True)
class InvalidValue:
    """A value that is not DynamoDB JSON, without its content."""

    attribute: str
    """Path of the value, such as `address.lines[0]`."""
    type: Optional[str]
    """Its type; None without a valid type."""
    got: str
    """Kind of the value."""
    set_type: Optional[str] = None
    """Type of the set for an element of a set."""

    @property
    def must_be(self) -> str:
        """What is accepted."""
        if self.type is None:
            return f"an object with one type of DynamoDB, {', '.join(TYPES)}"
        return TYPES[self.type][0]

    def __str__(self) -> str:
        fix = (
            f"Write text as {TYPES['S'][1]} and a map as {TYPES['M'][1]}"
            if self.type is None
            else f"Write it as {TYPES[self.set_type or self.type][1]}"
        )
        return f"`{self.attribute}` must be {self.must_be} (got {self.got}). {fix}."


def is_dynamodb_json(item: Mapping[str, Any]) -> bool:
    """Report whether each attribute has a type descriptor, valid or not."""
    return bool(item) and all(
        isinstance(value, Mapping) and len(value) == 1 and all(map(_is_type_like, value))
        for value in item.values()
    )


def _is_type_like(name: object) -> bool:
    return isinstance(name, str) and TYPE_LIKE.fullmatch(name) is not None


def invalid_values(item: Mapping[str, Any]) -> Iterator[InvalidValue]:
    """Yield what is invalid in the attributes of an item or map."""
    for name, attribute in item.items():
        yield from _invalid_attribute(str(name), attribute)


def _invalid_attribute(path: str, attribute: Any) -> Iterator[InvalidValue]:
    if not isinstance(attribute, Mapping):
        yield InvalidValue(path, None, kind_of(attribute))
        return
    if len(attribute) != 1 or not TYPES.keys() >= attribute.keys():
        names = " and ".join(map(str, attribute))
        yield InvalidValue(path, None, f"an object with {names}" if names else "an empty object")
        return
    [(type_, value)] = attribute.items()
    match type_, value:
        case "M", Mapping():
            for name, inner in value.items():
                yield from _invalid_attribute(f"{path}.{name}", inner)
        case "L", list():
            for index, inner in enumerate(value):
                yield from _invalid_attribute(f"{path}[{index}]", inner)
        case "NULL", False:
            yield InvalidValue(path, type_, "false")
        case "SS" | "NS" | "BS", list():
            element = ELEMENT_TYPES[type_]
            for index, inner in enumerate(value):
                if not _is_valid(element, inner):
                    yield InvalidValue(f"{path}[{index}]", element, _kind(element, inner), type_)
        case _:
            if not _is_valid(type_, value):
                yield InvalidValue(path, type_, _kind(type_, value))


def _is_valid(type_: str, value: Any) -> bool:
    """Report whether the transform and DynamoDB accept the value."""
    try:
        plain_item(msgspec.convert({"": {type_: value}}, Attributes))
        if type_ == "N":
            NUMBERS.create_decimal(value)
    except (ArithmeticError, ValueError):
        return False
    return True


def _kind(type_: str, value: Any) -> str:
    return "another text" if type_ in ("N", "B") and isinstance(value, str) else kind_of(value)


def kind_of(value: Any) -> str:
    """Return the kind of a JSON value, without its content."""
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case str():
            return "text"
        case Mapping():
            return "an object"
        case list():
            return "a list"
    return "a number"
