"""YAML of a stack's config with the values of the Pulumi CLI.

The CLI reads YAML 1.2 with gopkg.in/yaml.v3 and passes JSON to the program. PyYAML reads YAML 1.1,
where `yes` is true, `12:30` is 750 and `1e3` is text. tests/engine/test_config_values.py compares.
PyYAML rejects a tab between values, and tags that are not of YAML, which the CLI accepts.
"""

import re
from datetime import datetime
from decimal import Decimal
from typing import Any

import yaml

# https://github.com/go-yaml/yaml/blob/v3/resolve.go
WORDS: dict[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
NO_NUMBERS = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
INTEGER = re.compile(r"[-+]?(?:0[bB][01]+|0[oO][0-7]+|0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)")
FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
LEADING_ZERO = re.compile(r"^([-+]?0)(?=[0-7])")
TIME = re.compile(
    r"(\d{4})-(\d\d?)-(\d\d?)"
    r"(?:[Tt](\d\d?):(\d\d?):(\d\d?)(?:\.(\d+))?(?:Z|([-+])(\d\d):(\d\d))"
    r"| (\d\d?):(\d\d?):(\d\d?)(?:\.(\d+))?)?",
    re.ASCII,
)
# Pulumi reads other integers as floats.
LEAST_INTEGER, GREATEST_INTEGER = -(2**63), 2**63 - 1

TAGS: dict[str, tuple[type, ...]] = {
    "tag:yaml.org,2002:bool": (bool,),
    "tag:yaml.org,2002:float": (float, int),
    "tag:yaml.org,2002:int": (int,),
    "tag:yaml.org,2002:null": (type(None),),
    "tag:yaml.org,2002:timestamp": (str,),
}
"""Types of the values that a tag accepts."""

PLAIN = "!plain"
"""Tag of scalars without quotation marks and without a tag."""


class PulumiLoader(yaml.SafeLoader):
    """Loader that resolves plain scalars as the Pulumi CLI does."""

    def compose_mapping_node(self, anchor: Any) -> Any:
        """Return a map; raises ConstructorError for a repeated key."""
        # Construction adds the keys of merged maps to the node.
        node = super().compose_mapping_node(anchor)
        seen = set()
        for key_node in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key_node.value in seen:
                problem = f"the key {key_node.value} is repeated"
                raise yaml.constructor.ConstructorError(None, None, problem, key_node.start_mark)
            seen.add(key_node.value)
        return node


def construct_tagged(_: Any, node: Any) -> Any:
    """Return the value of a scalar with a tag such as `!!int`.

    Raises ConstructorError for a value of another type.
    """
    value = plain_value(node.value)
    if type(value) not in TAGS[node.tag]:
        problem = f"{node.value} is not {node.tag.rpartition(':')[2]}"
        raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)
    return value


# Not those of YAML 1.1.
PulumiLoader.yaml_implicit_resolvers = {}
PulumiLoader.add_implicit_resolver("tag:yaml.org,2002:merge", re.compile("<<$"), ["<"])
PulumiLoader.add_implicit_resolver(PLAIN, re.compile(""), None)
PulumiLoader.add_constructor(PLAIN, lambda _, node: plain_value(node.value))
# `<<` as a value is a text.
PulumiLoader.add_constructor("tag:yaml.org,2002:merge", lambda _, node: node.value)
for tag in TAGS:
    PulumiLoader.add_constructor(tag, construct_tagged)


def load(text: str) -> Any:
    """Return the document; raises yaml.YAMLError."""
    return yaml.load(text, PulumiLoader)


def plain_value(text: str) -> Any:
    """Return the value of a scalar without quotation marks."""
    if text in WORDS:
        return WORDS[text]
    if NO_NUMBERS.fullmatch(text):
        return float(text.replace(".", ""))
    if (time := _time(text)) is not None:
        return time
    number = None if text.startswith(("_", "._")) else _number(text.replace("_", ""))
    return text if number is None else number


def _number(text: str) -> int | float | None:
    """Return the number in the JSON of the CLI, or None."""
    if INTEGER.fullmatch(text):
        # In Go, a leading zero is octal.
        number = int(LEADING_ZERO.sub(r"\1o", text), 0)
        if LEAST_INTEGER <= number <= GREATEST_INTEGER:
            return number
        if 0 < number < 2**64:
            return int(Decimal(repr(float(number))))
    if not FLOAT.fullmatch(text):
        return None
    value = float(text)
    if abs(value) == float("inf"):
        return None
    # Go writes whole floats below 1e21 without an exponent, with the shortest digits.
    whole = value.is_integer() and abs(value) < 1e21
    return int(Decimal(repr(value))) if whole else value


def _time(text: str) -> str | None:
    """Return the text that Go has for a date or time."""
    match = TIME.fullmatch(text)
    if match is None:
        return None
    year, month, day, *clock, fraction, sign, hours, minutes = match.groups()[:10]
    if match[11] is not None:
        *clock, fraction = match.groups()[10:]
    hour, minute, second = (int(part or 0) for part in clock)
    try:
        time = datetime(int(year), int(month), int(day), hour, minute, second)
    except ValueError:
        return None
    offset = f"{sign or '+'}{hours or '00'}{minutes or '00'}".replace("-0000", "+0000")
    name = "UTC" if offset == "+0000" else offset
    point = f".{digits}" if (digits := (fraction or "")[:9].rstrip("0")) else ""
    return f"{time.isoformat(' ')}{point} {offset} {name}"
