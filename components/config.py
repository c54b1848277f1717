"""From a stack's YAML to settings: the same classes, checked by the same words."""

import dataclasses
from collections.abc import Mapping
from typing import Any, TypeVar

from components.lake_table import glue_name, prepare
from components.refusals import SettingsError, require_known
from components.settings import StreamingEtlPipelineArgs

Args = TypeVar("Args")


def pipelines_from_config(given: object) -> dict[str, StreamingEtlPipelineArgs]:
    """The settings of every pipeline of a stack, by its name, from the config's `tables` map.

    All of them are checked, their transform modules too, before the first is built.
    Raises SettingsError that begins with the path of what is wrong.
    """
    if not isinstance(given, Mapping) or not given:
        raise SettingsError(
            f"tables: {given!r} is no map of tables; name at least one below `tables` in the"
            " stack's config, as Pulumi.dev.yaml does."
        )
    pipelines = {}
    for name, settings in given.items():
        path = f"tables.{name}"
        pipelines[name] = args_from_config(path, settings)
        try:
            prepare(name, pipelines[name])
        except SettingsError as error:
            raise SettingsError(f"{path}: {error}") from None
    refuse_clashes(pipelines)
    return pipelines


def refuse_clashes(pipelines: Mapping[str, StreamingEtlPipelineArgs]) -> None:
    """Refuse two pipelines that would make the same table, or write to the same lake table."""
    made: dict[str, str] = {}
    written: dict[tuple[str, str], str] = {}
    for name, args in pipelines.items():
        if not args.source.existing:
            first = made.setdefault(args.table_name, name)
            if first != name:
                raise SettingsError(
                    f"tables.{name}: table_name={args.table_name!r} is made by tables.{first}"
                    " already: a table is made once; name another, or read it with"
                    " `source: {existing: true}` once it is there."
                )
        if args.database_name is not None:
            lake_table = args.glue_table_name or glue_name(args.table_name)
            first = written.setdefault((str(args.database_name), lake_table), name)
            if first != name:
                raise SettingsError(
                    f"tables.{name}: the lake table {args.database_name}.{lake_table} is"
                    f" tables.{first}'s already; give another glue_table_name."
                )


def args_from_config(path: str, given: object) -> StreamingEtlPipelineArgs:
    """The settings of one pipeline from plain data, as Pulumi reads it from the stack's config.

    path: where `given` stands, for error messages, such as `tables.orders`.
    Raises SettingsError that begins with the path of what is wrong.
    """
    return _build(StreamingEtlPipelineArgs, path, given)


def _build(cls: type[Args], path: str, given: object) -> Args:
    if not isinstance(given, Mapping):
        raise SettingsError(f"{path}: {given!r} is no map of settings; write `name: value` lines.")
    known = {item.name: item for item in dataclasses.fields(cls)}  # type: ignore[arg-type]
    require_known(path, given, known)
    missing = [
        name
        for name, item in known.items()
        if name not in given
        and item.default is dataclasses.MISSING
        and item.default_factory is dataclasses.MISSING
    ]
    if missing:
        raise SettingsError(f"{path}: {', '.join(missing)} must be set.")
    values: dict[str, Any] = {}
    for name, value in given.items():
        group = known[name].type
        if dataclasses.is_dataclass(group) and isinstance(group, type):
            value = _build(group, f"{path}.{name}", value)
        values[name] = value
    try:
        return cls(**values)
    except SettingsError as error:
        raise SettingsError(f"{path}: {error}") from None
