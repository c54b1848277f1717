"""Plain data as lines, one fact on each: `path: value`."""

import base64
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

VIEW = re.compile(r"/\* Presto View: (\S+) \*/")
# What tells the items of a list apart: an item then keeps its path when another comes before it.
LABELS = ("id", "name", "parameterName", "type")
STATEMENT = {"Effect", "Action", "Resource", "Principal", "Condition"}


def facts(path: str, value: Any) -> Iterator[str]:
    """A line for each value below `path`: maps by key, lists in order, texts that hold JSON opened,
    a policy as a line per action, a text of many lines as these."""
    value = opened(value)
    if isinstance(value, dict) and value:
        value = dict(value)
        if isinstance(value.get("Statement"), list):
            yield from policy_facts(path, value.pop("Statement"))
            version = value.pop("Version", None)
            if version != "2012-10-17":
                yield from facts(f"{path}.Version", version)
        for key in sorted(value):
            yield from facts(f"{path}.{name(key)}", value[key])
    elif isinstance(value, list) and value:
        for label, item in labelled(value):
            yield from facts(f"{path}[{name(label)}]", item)
    elif isinstance(value, str) and "\n" in value:
        for line in value.split("\n"):
            yield f"{path}| {line if line.isprintable() else quoted(line)}"
    else:
        yield f"{path}: {scalar(value)}"


def opened(value: Any) -> Any:
    """The data that a text holds, or the value itself."""
    if not isinstance(value, str):
        return value
    if view := view_of(value):
        return f"a view, digest {digest(view.encode())}"
    return parsed(value) if value.startswith(("{", "[")) else value


def view_of(text: str) -> str:
    """What Athena keeps of a view, as JSON; "" for another text."""
    view = VIEW.fullmatch(text)
    try:
        return base64.b64decode(view[1], validate=True).decode() if view else ""
    except ValueError:
        return ""


def parsed(text: str) -> Any:
    """What a text means as JSON; the text itself when it is none."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def labelled(items: list[Any]) -> list[tuple[str, Any]]:
    """Each item of a list with what its path says of it."""
    if not any(isinstance(item, (dict, list)) for item in items):
        return [("", item) for item in items]
    if all(isinstance(item, dict) for item in items):
        for key in LABELS:
            labels = [item.get(key) for item in items]
            if all(isinstance(label, str) for label in labels) and len({*labels}) == len(labels):
                return [
                    (item[key], {other: item[other] for other in item if other != key})
                    for item in items
                ]
    return [(str(index), item) for index, item in enumerate(items)]


def policy_facts(path: str, statements: list[Any]) -> Iterator[str]:
    """`path: Allow s3:GetObject on {bucket.arn}/data/* if s3:prefix StringLike data/*`."""
    for index, statement in enumerate(statements):
        if (
            not isinstance(statement, dict)
            or not {"Effect", "Action"} <= set(statement) <= STATEMENT
        ):
            yield from facts(f"{path}.Statement[{index}]", statement)
            continue
        end = ""
        if "Principal" in statement:
            end += f" by {principal(statement['Principal'])}"
        if "Resource" in statement:
            end += f" on {joined(statement['Resource'])}"
        if "Condition" in statement:
            end += f" if {condition(statement['Condition'])}"
        for action in as_list(statement["Action"]):
            yield f"{path}: {scalar(statement['Effect'])} {scalar(action)}{end}"


def principal(value: Any) -> str:
    if not isinstance(value, dict):
        return scalar(value)
    return " and ".join(f"{scalar(kind)} {joined(value[kind])}" for kind in sorted(value))


def condition(value: Mapping[str, Mapping[str, Any]]) -> str:
    return " and ".join(
        f"{scalar(key)} {scalar(operator)} {joined(value[operator][key])}"
        for operator in sorted(value)
        for key in sorted(value[operator])
    )


def joined(value: Any) -> str:
    return ", ".join(map(scalar, as_list(value)))


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def name(key: str) -> str:
    return key if key.isprintable() else json.dumps(key)


def scalar(value: Any) -> str:
    """A value on one line; a text stands in quotes where it would read as something else."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, str) and value.isprintable() and value.strip() == value != "":
        # "500" is no number, and what already looks quoted would be taken for another text.
        return value if parsed(value) is value else quoted(value)
    return quoted(value)


def quoted(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def digest(data: bytes) -> str:
    """Enough of a hash to see that something is another one."""
    return hashlib.sha256(data).hexdigest()[:12]
