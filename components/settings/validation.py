"""How a setting is refused: field, value, what is allowed, what to do; before any resource."""

import difflib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import MISSING, Field, fields
from typing import Any

import pulumi


class SettingsError(pulumi.RunError, ValueError):
    """Settings that AWS or this project would refuse; raised before any resource exists.

    As a RunError, Pulumi shows its text alone, without a traceback.
    """

    problems: Sequence[str]
    """Everything that is wrong; more than one where a whole stack was looked at."""

    def __init__(self, *problems: str) -> None:
        self.problems = problems
        head = [f"{len(problems)} settings are refused:"] if len(problems) > 1 else []
        super().__init__("\n".join([*head, *problems]))


class NoEffectError(SettingsError):
    """A setting that is right by itself and has no effect beside the others."""

    def __init__(self, group: type, setting: "Field[Any]", value: object, reason: str) -> None:
        super().__init__(f"{setting.name}={value!r} has no effect: {reason}; drop it.")
        self.group, self.setting, self.default = group, setting.name, default_of(setting)


def refuse_all(problems: Iterable[str]) -> None:
    """Raise one error that tells all problems; nothing where there are none."""
    if found := list(problems):
        raise SettingsError(*found)


def refuse(field: str, value: object, problem: str) -> SettingsError:
    """The error to raise: `field=value problem`; `problem` ends with what to do."""
    if isinstance(value, pulumi.Output):
        return refuse_output(field)
    return SettingsError(f"{field}={value!r} {problem}")


def refuse_output(field: str) -> SettingsError:
    """The error to raise for an output where a plain value is needed."""
    return SettingsError(
        f"{field} is the output of a resource, or a secret: what is made depends on it, so it must"
        " be known before anything is; write its value out."
    )


def refuse_no_map(path: str, value: object) -> SettingsError:
    """The error to raise for what should be a map of settings."""
    return SettingsError(f"{path}: {value!r} is no map of settings; write `name: value` lines.")


def require_range(field: str, value: Any, low: float, high: float, meaning: str) -> None:
    """Refuse a number outside `low` to `high`; `meaning` tells whose limit it is.

    A bool is no number, and an int field (both bounds ints) takes no fraction.
    """
    whole = isinstance(low, int) and isinstance(high, int)
    number = isinstance(value, int if whole else (int, float)) and not isinstance(value, bool)
    if not number:
        kind = "a whole number" if whole else "a number"
        raise refuse(field, value, f"is not {kind}: {meaning}; use {_told(low)} to {_told(high)}.")
    if not low <= value <= high:
        remedy = f"use {_told(high)} or fewer" if value > high else f"use {_told(low)} or more"
        raise refuse(field, value, f"is out of range: {meaning}; {remedy}.")


def _told(number: float) -> str:
    # A year is no amount: only what has five digits is grouped.
    return f"{number:,}" if number >= 10_000 else str(number)


def require_choice(field: str, value: object, choices: Collection[Any], meaning: str) -> None:
    """Refuse a value that is none of `choices`."""
    if not isinstance(value, (str, int)) or isinstance(value, bool) or value not in choices:
        allowed = ", ".join(str(choice) for choice in choices)
        raise refuse(field, value, f"is not allowed: {meaning}; use one of {allowed}.")


def require_bool(field: str, value: object) -> None:
    """Refuse anything but true and false."""
    if not isinstance(value, bool):
        raise refuse(field, value, "is not a yes or no; use true or false.")


def require_text(field: str, value: object, meaning: str) -> None:
    """Refuse anything but non-empty text."""
    if not isinstance(value, str) or not value:
        raise refuse(field, value, f"is not a text: {meaning}; give a non-empty string.")


def require_input_text(field: str, value: object, prefix: str, meaning: str) -> None:
    """Refuse a plain value that is no text beginning with `prefix`; another resource's output may
    be anything."""
    if isinstance(value, pulumi.Output):
        return
    if not isinstance(value, str) or not value or not value.startswith(prefix):
        what = f"text that begins with {prefix}" if prefix else "text"
        raise refuse(field, value, f"is no {what}: {meaning}; give it as such or leave it out.")


def require_list(field: str, value: object, meaning: str) -> None:
    """Refuse anything but a list; a text would be taken letter by letter."""
    if isinstance(value, (str, bytes)) or not isinstance(value, Sequence):
        raise refuse(field, value, f"is no list: {meaning}; write it as a list.")


def unknown_settings(given: Mapping[str, Any], known: Collection[str]) -> Iterator[str]:
    """What to say of each setting that does not exist: the nearest one that does."""
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(str(name), known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(sorted(known))}."
            yield f"there is no setting {name!r}: {hint}"


def all_but(args: Any, *names: str) -> set[str]:
    """The names of the other settings of a group."""
    return {item.name for item in fields(args)} - set(names)


def refuse_ignored(args: Any, names: set[str], reason: str) -> None:
    """Refuse the named settings, which have no effect, where they differ from their default."""
    for item in fields(args):
        if item.name in names and getattr(args, item.name) != default_of(item):
            raise NoEffectError(type(args), item, getattr(args, item.name), reason)


def default_of(item: "Field[Any]") -> Any:
    """The default of a dataclass field."""
    return item.default if item.default_factory is MISSING else item.default_factory()


def required(item: "Field[Any]") -> bool:
    """Whether a dataclass field has no default."""
    return item.default is MISSING and item.default_factory is MISSING
