"""Settings errors as data, and the check of declared limits."""

import copy
import dataclasses
import re
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass, replace
from types import NoneType
from typing import Any, Self, TypeVar, Union, get_args, get_origin

import pulumi

from streaming_etl.components.settings.messages import render
from streaming_etl.components.settings.renamed import RENAMED_SETTINGS, RENAMED_VALUES

Args = TypeVar("Args", bound="Settings")

NOT_EMPTY = re.compile(r"(?s).+")


@dataclass(frozen=True)
class Related:
    """Another setting that a rule compares."""

    name: str
    """With its group, such as `delivery.buffer_mib`; without it within one group."""
    value: object
    path: str = ""
    """Where it is set, where that is another place than the problem's."""


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One invalid setting as plain data; its text is the message."""

    field: str
    value: object = None
    rule: str
    """Stable name of the rule, such as `range` or `unknown-setting`."""
    path: str = ""
    """Group that the value is set in, such as `tables.orders.delivery` or `defaults`."""
    item: object = None
    """Key or entry of the field that is invalid, in a mapping or a module."""
    details: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """What the rule requires: `low`, `high`, `choices`, `kind` and the like."""
    related: tuple[Related, ...] = ()
    pipelines: tuple[str, ...] = ()
    """Paths of the pipelines that have this problem, once a config was read."""

    def __str__(self) -> str:
        return render(self)

    def below(self, group: str) -> "Problem":
        """The same problem with the group's name before its path."""
        related = tuple(replace(other, name=join(group, other.name)) for other in self.related)
        return replace(self, path=join(group, self.path), related=related)

    def names(self) -> set[str]:
        """All settings that the problem is about, each with its group."""
        return {join(self.path, self.field), *(other.name for other in self.related)}


def join(*names: str) -> str:
    """Return the path of a setting without empty parts."""
    return ".".join(filter(None, names))


class SettingsError(pulumi.RunError, ValueError):
    """Invalid settings; raised before any resource exists.

    As a RunError, Pulumi shows its text alone, without a traceback.
    """

    problems: list[Problem]

    def __init__(self, problems: Union[Problem, Iterable[Problem]]) -> None:
        self.problems = [problems] if isinstance(problems, Problem) else list(problems)
        lines = [str(problem) for problem in self.problems]
        head = [f"{len(lines)} settings are invalid:"] if len(lines) > 1 else []
        super().__init__("\n".join([*head, *lines]))


def invalid(
    field: str,
    value: object,
    rule: str,
    *related: Related,
    path: str = "",
    item: object = None,
    **details: Any,
) -> Problem:
    """Build the problem of one setting."""
    return Problem(
        field=field,
        value=value,
        rule=rule,
        path=path,
        item=item,
        details=details,
        related=related,
    )


def raise_if_any(problems: Iterable[Problem]) -> None:
    """Raise one SettingsError with all problems, if there are any."""
    if collected := list(problems):
        raise SettingsError(collected)


def limited(default: object, low: float, high: float, reason: str) -> Any:
    """Declare a number from `low` to `high`; `reason` explains the limits.

    Two int limits make it a whole number.
    """
    return dataclasses.field(default=default, metadata={"low": low, "high": high, "reason": reason})


def one_of(*choices: object, default: object = MISSING) -> Any:
    """Declare a choice, by default the first one."""
    default = choices[0] if default is MISSING else default
    return dataclasses.field(default=default, metadata={"choices": choices})


def text(
    default: object = MISSING, pattern: "re.Pattern[str]" = NOT_EMPTY, kind: str = "non-empty text"
) -> Any:
    """Declare text that matches `pattern`; `kind` describes it in messages."""
    metadata = {"pattern": pattern, "kind": kind}
    return dataclasses.field(default=default, metadata=metadata)


def texts(
    default: Sequence[str],
    most: int,
    least: int = 0,
    *,
    or_text: bool = False,
    outputs: bool = False,
    **entry: object,
) -> Any:
    """Declare a list of different texts; `entry` is the metadata of each.

    or_text: a text is accepted as a list of one. outputs: entries may be outputs.
    """
    metadata: dict[str, object] = {"most": most, "least": least, "or_text": or_text}
    metadata |= {"outputs": outputs, "entry": entry}
    return dataclasses.field(default=default, metadata=metadata)


def checked(check: Callable[[str, object], Iterator[Problem]]) -> Any:
    """Declare a map that `check` validates, and whose values nothing shows."""
    return dataclasses.field(default_factory=dict, repr=False, metadata={"check": check})


class Settings:
    """Base of the settings classes, frozen dataclasses that check all their fields."""

    def __new__(cls, *_: object, **values: object) -> Self:
        raise_if_any(renamed_settings(cls, values))
        return super().__new__(cls)

    def __post_init__(self) -> None:
        raise_if_any(validated(self)[1])

    def further_problems(self) -> Iterator[Problem]:
        """Problems beyond the fields' metadata; each field is valid by itself."""
        yield from ()


def build(cls: type[Args], values: Mapping[str, object]) -> tuple[Args, list[Problem]]:
    """Settings with defaults for invalid values, and all problems.

    values: settings of the class by name; unknown ones are left out.
    """
    # Not by the constructor, which raises.
    args = object.__new__(cls)
    items = fields(cls)  # type: ignore[arg-type]
    missing = [item.name for item in items if item.name not in values and required(item)]
    vars(args).update({item.name: values.get(item.name, substitute_of(item)) for item in items})
    return validated(args, missing)


def validated(args: Args, missing: Collection[str] = ()) -> tuple[Args, list[Problem]]:
    """The settings with defaults for invalid values, and all problems."""
    problems = []
    substitutes = {}
    for item in ordered_fields(type(args)):
        if item.name in missing:
            own_problems = [invalid(item.name, None, "required")]
        else:
            own_problems = list(field_problems(type(args), item, getattr(args, item.name)))
        if own_problems:
            problems += own_problems
            substitutes[item.name] = substitute_of(item)
    valid = copy.copy(args)
    vars(valid).update(substitutes)
    # With a substitute in the place of an invalid value, only rules about other values count.
    problems += [
        problem
        for problem in valid.further_problems()
        if not any(name.partition(".")[0] in substitutes for name in problem.names())
    ]
    return valid, problems


def field_problems(cls: type, item: "Field[Any]", value: object) -> Iterator[Problem]:
    """Problems of one field by itself, from its type and metadata."""
    name, rules = item.name, item.metadata
    types = get_args(item.type) if get_origin(item.type) is Union else (item.type,)
    if isinstance(value, pulumi.Output):
        # Part of pulumi.Input, and of no other type here.
        if not any(get_origin(kind) is Awaitable for kind in types):
            yield known_value(name)
    elif value is None and NoneType in types:
        return
    elif isinstance(value, str) and value in RENAMED_VALUES.get((cls.__name__, name), ()):
        new = RENAMED_VALUES[cls.__name__, name][value]
        yield invalid(name, value, "renamed-setting", old=f"{name}: {value}", new=f"{name}: {new}")
    elif "check" in rules:
        yield from rules["check"](name, value)
    elif "entry" in rules:
        yield from list_problems(name, value, rules)
    elif rules:
        yield from value_problems(name, value, rules)
    elif bool in types:
        if not isinstance(value, bool):
            yield invalid(name, value, "type", kind="true or false")
    elif (group := group_class(item)) is not None:
        if not isinstance(value, group):
            yield invalid(name, value, "type", kind=f"a {group.__name__}")
    elif get_origin(item.type) is not None:
        if not isinstance(value, Mapping):
            yield invalid(name, value, "type", kind="a mapping")
    elif not isinstance(value, item.type):  # type: ignore[arg-type]
        yield invalid(name, value, "type", kind=f"a {item.type.__name__}")  # type: ignore[union-attr]


def value_problems(name: str, value: object, rules: Mapping[str, Any]) -> Iterator[Problem]:
    """Problems of a number, a choice or a text."""
    if "low" in rules:
        low, high = rules["low"], rules["high"]
        integral = isinstance(low, int) and isinstance(high, int)
        if isinstance(value, bool) or not isinstance(value, int if integral else (int, float)):
            yield invalid(name, value, "type", kind="a whole number" if integral else "a number")
        elif not low <= value <= high:
            yield invalid(name, value, "range", low=low, high=high, reason=rules["reason"])
    elif "choices" in rules:
        # Compared with its type: True is not 1, and 30.0 is not 30.
        if isinstance(value, str) and value in rules.get("unavailable", ()):
            reason = rules["unavailable"][value]
            yield invalid(
                name, value, "unavailable-choice", choices=rules["choices"], reason=reason
            )
        elif (type(value), value) not in [(type(choice), choice) for choice in rules["choices"]]:
            yield invalid(name, value, "choice", choices=rules["choices"])
    elif not isinstance(value, str):
        yield invalid(name, value, "type", kind=rules["kind"])
    elif not rules["pattern"].fullmatch(value):
        yield invalid(name, value, "pattern", kind=rules["kind"])
    elif (length := len(value.encode(errors="surrogatepass"))) > rules.get("most_bytes", length):
        yield invalid(name, value, "too-many-bytes", most=rules["most_bytes"], length=length)


def list_problems(name: str, value: object, rules: Mapping[str, Any]) -> Iterator[Problem]:
    """Problems of a list and of its entries."""
    if rules.get("or_text") and isinstance(value, str):
        value = (value,)
    # str is a Sequence, too.
    if isinstance(value, (str, bytes)) or not isinstance(value, Sequence):
        yield invalid(name, value, "type", kind="a list")
        return
    if len(value) < rules["least"]:
        yield invalid(name, value, "too-few", least=rules["least"])
    if len(value) > rules["most"]:
        yield invalid(name, len(value), "too-many", most=rules["most"])
    for index, entry in enumerate(value):
        if isinstance(entry, pulumi.Output):
            if not rules.get("outputs"):
                yield known_value(name)
            continue
        yield from value_problems(name, entry, rules["entry"])
        if entry in value[:index]:
            yield invalid(name, entry, "duplicate")


def known_value(name: str, path: str = "") -> Problem:
    """The problem of an output or a secret instead of a value."""
    return invalid(name, None, "known-value", path=path)


def renamed_settings(cls: type, values: Mapping[str, object]) -> Iterator[Problem]:
    """Problems of settings that had another name in an earlier version."""
    renamed = RENAMED_SETTINGS.get(cls.__name__, {})
    for old, value in values.items():
        if old in renamed:
            new = renamed[old]
            new_values = RENAMED_VALUES.get((cls.__name__, new), {})
            if isinstance(value, str) and value in new_values:
                old_text, new = f"{old}: {value}", f"{new}: {new_values[value]}"
                yield invalid(old, None, "renamed-setting", old=old_text, new=new)
            else:
                yield invalid(old, None, "renamed-setting", old=old, new=new)


def no_effect(args: Settings, names: Collection[str], *because: Related) -> Iterator[Problem]:
    """Problems of named settings that have no effect and no default value."""
    for item in fields(args):  # type: ignore[arg-type]
        value = getattr(args, item.name)
        if item.name in names and not is_default(value, default_of(item)):
            yield invalid(item.name, value, "no-effect", *because)


def both_or_none(
    args: Settings, first: str, second: str, *, both: str, none: str
) -> Iterator[Problem]:
    """Problem of one of two settings that is set without the other.

    both, none: what the pipeline has with both settings, and with none.
    """
    unset = {
        item.name
        for item in fields(args)  # type: ignore[arg-type]
        if is_default(getattr(args, item.name), default_of(item))
    }
    for name, other in ((first, second), (second, first)):
        if name in unset and other not in unset:
            missing = Related(name, None)
            yield invalid(
                other, getattr(args, other), "both-or-none", missing, both=both, none=none
            )


def is_default(value: object, default: object) -> bool:
    """Whether a setting, or each of a group, has its default value."""
    if isinstance(default, Settings) and type(value) is type(default):
        names = [item.name for item in fields(default)]  # type: ignore[arg-type]
        return all(is_default(getattr(value, name), getattr(default, name)) for name in names)
    # A stack's config and outputs have the default () as [].
    return value == default or (isinstance(default, tuple) and value == [*default])


def fields_except(args: Settings, *names: str) -> set[str]:
    """Names of the other settings of a group."""
    return {item.name for item in fields(args)} - set(names)  # type: ignore[arg-type]


def ordered_fields(cls: type) -> "list[Field[Any]]":
    """Fields of the class first, then inherited ones."""
    bases = [base for base in cls.__mro__[1:] if is_dataclass(base)]
    inherited = {item.name for base in bases for item in fields(base)}
    return sorted(fields(cls), key=lambda item: item.name in inherited)


def group_class(item: "Field[Any]") -> "type[Settings] | None":
    """The settings class of a field that is a group."""
    kinds = get_args(item.type) if get_origin(item.type) is Union else (item.type,)
    found = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Settings)]
    return found[0] if found else None


def required(item: "Field[Any]") -> bool:
    """Whether a dataclass field has no default."""
    return item.default is MISSING and item.default_factory is MISSING


def default_of(item: "Field[Any]") -> Any:
    """The default of a dataclass field."""
    return item.default if item.default_factory is MISSING else item.default_factory()


def substitute_of(item: "Field[Any]") -> Any:
    """A valid value of a field, which is its default or empty."""
    if not required(item):
        return default_of(item)
    return item.type() if is_dataclass(item.type) else ""  # type: ignore[operator]
