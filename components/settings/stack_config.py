"""From a stack's YAML to settings: the same classes, checked by the same words."""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, Optional, TypeVar

from streaming_etl.components.settings.pipeline import StreamingEtlPipelineArgs
from streaming_etl.components.settings.validation import (
    NoEffectError,
    SettingsError,
    refuse_all,
    refuse_no_map,
    required,
    unknown_settings,
)
from streaming_etl.components.table.lake_table import glue_name, prepare

Args = TypeVar("Args")
Inherited = dict[type, dict[str, Any]]
"""Of each class the settings that came from the defaults."""

DEFAULTS = "defaults"
# What two tables cannot have in common.
EACH_TABLES_OWN = ("table_name", "glue_table_name")


def pipelines_from_config(
    tables: object, defaults: object = None
) -> dict[str, StreamingEtlPipelineArgs]:
    """The settings of every pipeline of a stack, by its name, from the config's two maps.

    All of them are checked, their transform modules too, before the first is built.
    Raises SettingsError with a line for everything that is wrong, each with its path.
    """
    pipelines = settings_from_config(tables, defaults)
    refuse_all(_unprepared(pipelines))
    refuse_all(clashes(pipelines))
    return pipelines


def settings_from_config(
    tables: object, defaults: object = None
) -> dict[str, StreamingEtlPipelineArgs]:
    """The same without a look at transform modules and what they need.

    tables: the config's `tables`, a map of pipeline names to settings.
    defaults: its `defaults`, settings of all tables; what a table sets itself goes before.
    """
    if tables is None:
        raise SettingsError(
            "tables: there is no map of tables in the stack's config; write `streaming-etl:tables:`"
            " with at least one table below it, as Pulumi.dev.yaml of the repository does."
        )
    if not isinstance(tables, Mapping) or not tables:
        raise SettingsError(
            f"tables: {tables!r} is no map of tables; name at least one below `tables` in the"
            " stack's config, as Pulumi.dev.yaml does."
        )
    shared = _checked_defaults({} if defaults is None else defaults)
    pipelines: dict[str, StreamingEtlPipelineArgs] = {}
    problems: list[str] = []
    for name, settings in tables.items():
        try:
            pipelines[name] = args_from_config(f"tables.{name}", settings, shared)
        except SettingsError as error:
            problems += error.problems
    refuse_all(problems)
    return pipelines


def args_from_config(
    path: str, given: object, defaults: Mapping[str, Any] = {}
) -> StreamingEtlPipelineArgs:
    """The settings of one pipeline from plain data, as Pulumi reads it from the stack's config.

    path: where `given` stands, for error messages, such as `tables.orders`.
    defaults: settings that hold where `given` has none; checked already.
    Raises SettingsError with a line for everything that is wrong, each with its path.
    """
    problems: list[str] = []
    args = _build(StreamingEtlPipelineArgs, path, given, defaults, {}, problems)
    refuse_all(problems)
    assert args is not None
    return args


def clashes(pipelines: Mapping[str, StreamingEtlPipelineArgs]) -> Iterator[str]:
    """Where two pipelines would make the same table, or write to the same lake table."""
    made: dict[str, str] = {}
    written: dict[tuple[str, str], str] = {}
    for name, args in pipelines.items():
        if not args.source.use_existing:
            first = made.setdefault(args.table_name, name)
            if first != name:
                yield (
                    f"tables.{name}: table_name={args.table_name!r} is made by tables.{first}"
                    " already: a table is made once; name another, or read it with"
                    " `source: {use_existing: true}` once it is there."
                )
        if args.database_name is not None:
            lake_table = args.glue_table_name or glue_name(args.table_name)
            first = written.setdefault((str(args.database_name), lake_table), name)
            if first != name:
                yield (
                    f"tables.{name}: the lake table {args.database_name}.{lake_table} is"
                    f" tables.{first}'s already; give another glue_table_name."
                )


def _unprepared(pipelines: Mapping[str, StreamingEtlPipelineArgs]) -> Iterator[str]:
    """Where a transform module, or what it needs, is refused; once for all tables that share it."""
    refused: dict[str, list[str]] = {}
    for name, args in pipelines.items():
        try:
            prepare(name, args)
        except SettingsError as error:
            refused.setdefault(str(error), []).append(name)
    for problem, (first, *others) in refused.items():
        yield f"tables.{first}{f' and {len(others):,} more' if others else ''}: {problem}"


def _checked_defaults(given: object) -> Mapping[str, Any]:
    """Settings of all tables, found to be right by themselves."""
    if not isinstance(given, Mapping):
        raise refuse_no_map(DEFAULTS, given)
    problems = [
        f"{DEFAULTS}: {name} is each table's own; set it there."
        for name in EACH_TABLES_OWN
        if name in given
    ]
    # As a table has them that sets no more than it must.
    table = {"table_name": "table", "transform_module": "module.py", "partitions": {}}
    own = {name: value for name, value in table.items() if name not in given}
    _build(StreamingEtlPipelineArgs, DEFAULTS, own, given, {}, problems)
    refuse_all(problems)
    return given


def _build(
    cls: type[Args],
    path: str,
    given: object,
    defaults: object,
    inherited: Inherited,
    problems: list[str],
) -> Optional[Args]:
    """Settings of a class; None where something is wrong, which then stands in `problems`.

    What came from `defaults` is entered into `inherited`.
    """
    if not isinstance(given, Mapping) or not isinstance(defaults, Mapping):
        wrong = defaults if isinstance(given, Mapping) else given
        problems.append(str(refuse_no_map(path, wrong)))
        return None
    known = {item.name: item for item in dataclasses.fields(cls)}  # type: ignore[arg-type]
    given, defaults = _taken_back(given, defaults)
    merged = {**defaults, **given}
    before = len(problems)
    problems += [f"{path}: {problem}" for problem in unknown_settings(merged, known)]
    if missing := [name for name, item in known.items() if name not in merged and required(item)]:
        problems.append(f"{path}: {', '.join(missing)} must be set.")
    values: dict[str, Any] = {}
    for name in [name for name in known if name in merged]:
        group, value = known[name].type, merged[name]
        if isinstance(group, type) and dataclasses.is_dataclass(group):
            own, shared = given.get(name, {}), defaults.get(name, {})
            value = _build(group, f"{path}.{name}", own, shared, inherited, problems)
        elif name == "tags" and isinstance(value, Mapping):
            own, shared = _taken_back(value, defaults.get(name, {}))
            value = {**shared, **own}
        values[name] = value
    inherited[cls] = {name: value for name, value in values.items() if name not in given}
    if len(problems) > before:
        return None
    try:
        return _effective(cls, values, inherited)
    except SettingsError as error:
        of_defaults = "" if path.partition(".")[0] == DEFAULTS else _origin(cls, error, inherited)
        problems.append(f"{path}: {error}{of_defaults}")
        return None


def _effective(cls: type[Args], values: dict[str, Any], inherited: Inherited) -> Args:
    """The settings, without the defaults that have no effect beside the others: those are meant
    for other tables."""
    while True:
        try:
            return cls(**values)
        except NoEffectError as error:
            name = error.setting
            if name not in inherited.get(error.group, ()):
                raise
            if error.group is cls:
                del values[name]
                continue
            [key] = [key for key, value in values.items() if type(value) is error.group]
            values[key] = dataclasses.replace(values[key], **{name: error.default})


def _taken_back(
    given: Mapping[str, Any], defaults: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Both without the defaults that a table takes back by `null`."""
    back = {name for name, value in given.items() if value is None and name in defaults}
    own = {name: value for name, value in given.items() if name not in back}
    return own, {name: value for name, value in defaults.items() if name not in back}


def _origin(cls: type, error: SettingsError, inherited: Inherited) -> str:
    """Tells which of the settings that an error is about stand in `defaults`, not at its path."""
    groups = inherited if cls is StreamingEtlPipelineArgs else {cls: inherited[cls]}
    found = {
        name
        for group in groups.values()
        for name, value in group.items()
        if f"{name}={value!r}" in str(error)
    }
    if isinstance(error, NoEffectError):
        # What keeps it from having one stands in its group.
        found |= set(inherited.get(error.group, ()))
    return f" (`{DEFAULTS}` sets {', '.join(sorted(found))}.)" if found else ""
