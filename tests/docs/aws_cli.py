"""AWS's command line, told by botocore's own models of the services, as AWS's tool itself does."""

import json
import re
from dataclasses import dataclass
from functools import cache
from typing import Any

import botocore.session
import jmespath
from botocore import xform_name
from botocore.exceptions import UnknownServiceError
from botocore.model import OperationModel, Shape
from botocore.validate import ParamValidator

from tests.docs.blocks import DocError
from tests.docs.shell import SUBSTITUTED

# https://docs.aws.amazon.com/cli/latest/reference/index.html#options
GLOBAL_VALUES = {"region", "profile", "output", "query", "endpoint-url"}
GLOBAL_FLAGS = {"no-cli-pager", "no-paginate", "debug"}
OUTPUTS = {"json", "text", "table", "yaml", "yaml-stream"}
NUMBERS = {"integer", "long", "float", "double"}
PLACEHOLDER = re.compile(rf"[A-Z][A-Z0-9_]*|.*{SUBSTITUTED}.*", re.DOTALL)


@dataclass(frozen=True)
class HighLevel:
    """A command that is no operation: its words, and its options with a value or without."""

    words: int
    values: frozenset[str] = frozenset()
    flags: frozenset[str] = frozenset()


# https://docs.aws.amazon.com/cli/latest/reference/s3/ and .../logs/tail.html
SELECTION = frozenset({"exclude", "include"})
HIGH_LEVEL = {
    ("s3", "cp"): HighLevel(2, SELECTION, frozenset({"recursive", "dryrun"})),
    ("s3", "mv"): HighLevel(2, SELECTION, frozenset({"recursive", "dryrun"})),
    ("s3", "rm"): HighLevel(1, SELECTION, frozenset({"recursive", "dryrun"})),
    ("s3", "sync"): HighLevel(2, SELECTION, frozenset({"delete", "dryrun"})),
    ("s3", "ls"): HighLevel(1, frozenset(), frozenset({"recursive", "summarize"})),
    ("logs", "tail"): HighLevel(
        1, frozenset({"since", "format", "filter-pattern"}), frozenset({"follow"})
    ),
}


@cache
def session() -> botocore.session.Session:
    return botocore.session.Session()


def check(words: list[str], mention: bool) -> None:
    """Refuse what AWS's tool would refuse without asking AWS; `words` begin behind `aws`.

    mention: the command is named between backticks, so what it must be given may be left out.
    """
    command = " ".join(["aws", *words[:2]])
    if len(words) < 2:
        raise DocError(f"`{command}` names no operation")
    plain, options = _options(words[2:])
    high_level = HIGH_LEVEL.get((words[0], words[1]))
    if high_level:
        _check_high_level(command, high_level, plain, options)
        return
    operation = _operation(command, words[0], words[1], plain)
    wanted = 1 if operation.has_streaming_output else 0
    if wanted and options and not plain:
        # The file for the answer stands last.
        plain += options[list(options)[-1]][1:]
        del options[list(options)[-1]][1:]
    if len(plain) != wanted:
        raise DocError(f"`{command}` takes {wanted} words without an option, not {plain}")
    given = _without_global(command, options)
    _check_members(command, operation, given)
    if not mention:
        _check_required(command, operation, given)


def _options(words: list[str]) -> tuple[list[str], dict[str, list[str]]]:
    """The words before the first option, and each option's values."""
    plain: list[str] = []
    options: dict[str, list[str]] = {}
    values = plain
    for word in words:
        if word.startswith("--"):
            name, equals, value = word[2:].partition("=")
            values = options[name] = [value] if equals else []
        else:
            values.append(word)
    return plain, options


def _check_high_level(
    command: str, known: HighLevel, plain: list[str], options: dict[str, list[str]]
) -> None:
    for name, values in _without_global(command, options).items():
        if name not in known.values | known.flags:
            raise DocError(f"`{command}` has no --{name} in tests/docs/aws_cli.py")
        if len(values) != (name in known.values):
            raise DocError(f"--{name} of `{command}` has the values {values}")
    if len(plain) != known.words:
        raise DocError(f"`{command}` takes {known.words} words before its options, not {plain}")


def _operation(command: str, service: str, name: str, plain: list[str]) -> OperationModel:
    """The operation that the words name; of `wait`, the one that is asked again and again."""
    # The tool keeps `s3` for its own commands.
    service = {"s3": "", "s3api": "s3"}.get(service, service)
    try:
        model = session().get_service_model(service)
    except UnknownServiceError:
        raise DocError(f"`{command}`: AWS has no service of that name") from None
    operations = {xform_name(each, "-"): each for each in model.operation_names}
    if name == "wait" and plain:
        waiters = session().get_waiter_model(service)
        names = {xform_name(each, "-"): each for each in waiters.waiter_names}
        waited = plain.pop(0)
        if waited not in names:
            raise DocError(f"`{command}` waits for none of {', '.join(sorted(names))}: {waited}")
        return model.operation_model(waiters.get_waiter(names[waited]).operation)
    if name not in operations:
        raise DocError(f"`{command}`: the service has no such operation")
    return model.operation_model(operations[name])


def _without_global(command: str, options: dict[str, list[str]]) -> dict[str, list[str]]:
    rest = dict(options)
    for name in GLOBAL_VALUES | GLOBAL_FLAGS:
        values = rest.pop(name, None)
        if values is None:
            continue
        if len(values) != (name in GLOBAL_VALUES):
            raise DocError(f"--{name} of `{command}` has the values {values}")
        if name == "query":
            jmespath.compile(values[0])
        if name == "output" and values[0] not in OUTPUTS:
            raise DocError(f"--output {values[0]} of `{command}` is none of {sorted(OUTPUTS)}")
    return rest


def _check_members(command: str, operation: OperationModel, options: dict[str, list[str]]) -> None:
    shape = operation.input_shape
    inputs = shape.members if shape else {}
    members = {xform_name(name, "-"): (name, it) for name, it in inputs.items()}
    for option, values in options.items():
        bare = option.removeprefix("no-")
        if option in members:
            _check_value(f"--{option} of `{command}`", members[option][1], values)
        elif bare not in members or members[bare][1].type_name != "boolean":
            raise DocError(f"`{command}` has no --{option}; it has {', '.join(sorted(members))}")


def _check_required(command: str, operation: OperationModel, options: dict[str, list[str]]) -> None:
    required = operation.input_shape.required_members if operation.input_shape else ()
    # The tool makes up a token by itself.
    needed = [name for name in required if name not in operation.idempotent_members]
    if lacking := [option for name in needed if (option := xform_name(name, "-")) not in options]:
        raise DocError(f"`{command}` needs --{' and --'.join(lacking)}")


def _check_value(option: str, shape: Shape, values: list[str]) -> None:
    kind = shape.type_name
    if kind == "boolean":
        if values:
            raise DocError(f"{option} takes no value; --no-... is its contrary")
    elif kind == "list" and values and not values[0].startswith("["):
        for value in values:
            _check_value(option, shape.member, [value])  # type: ignore[attr-defined]
    elif len(values) != 1:
        raise DocError(f"{option} takes one value, not {values}")
    elif getattr(shape, "enum", ()):
        if values[0] not in shape.enum:  # type: ignore[attr-defined]
            allowed = ", ".join(shape.enum)  # type: ignore[attr-defined]
            raise DocError(f"{option}={values[0]} is none of {allowed}")
    elif not PLACEHOLDER.fullmatch(values[0]) and not values[0].startswith("file://"):
        _check_one(option, shape, values[0])


def _check_one(option: str, shape: Shape, value: str) -> None:
    kind = shape.type_name
    if kind in ("list", "structure", "map") and value.startswith(("[", "{")):
        try:
            report = ParamValidator().validate(json.loads(value), shape)
        except ValueError as error:
            raise DocError(f"{option} is no JSON: {error}") from None
        if report.has_errors():
            raise DocError(f"{option}: {report.generate_report()}")
    elif kind in ("structure", "map"):
        # The tool's shorthand: `Key=value,Other=value`, of which the first level is looked at.
        keys = re.findall(r"(?:^|,)([A-Za-z]\w*)=", value)
        known: Any = getattr(shape, "members", None)
        if not keys or (known is not None and set(keys) - set(known)):
            raise DocError(f"{option}={value} is no shorthand of {', '.join(known or ['a map'])}")
    elif kind in NUMBERS and not re.fullmatch(r"-?\d+(\.\d+)?", value):
        raise DocError(f"{option} takes a number, not {value!r}")
