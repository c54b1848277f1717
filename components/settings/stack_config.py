"""Settings from a stack's YAML, with the origin of each value."""

import difflib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

from streaming_etl.components.settings.pipeline import StreamingEtlPipelineArgs
from streaming_etl.components.settings.validation import (
    Problem,
    Settings,
    build,
    invalid,
    raise_if_any,
    renamed_settings,
)

Name = TypeVar("Name")
Key = tuple[str, Any]
"""A setting: its group, "" for the pipeline's own, and its name. Each tag is a setting."""
Values = dict[Key, Any]

DEFAULTS = "defaults"
TAGS = "tags"
# Settings that no two tables can share.
PER_TABLE_SETTINGS = ("table_name", "glue_table_name", "renamed_from")
# Problems of a file; the same file may be set for many tables.
FILE_SETTINGS = ("transform_module", "requirements")

GROUPS: Mapping[str, type[Settings]] = {
    item.name: item.type
    for item in fields(StreamingEtlPipelineArgs)
    if isinstance(item.type, type) and issubclass(item.type, Settings)
}


@dataclass(frozen=True)
class PipelineConfig:
    """Settings of one pipeline of a stack, and their problems."""

    path: str
    args: StreamingEtlPipelineArgs
    """Usable when there are no problems."""
    own: Collection[Key]
    """Settings that the table sets."""
    inherited: Collection[Key]
    """Settings that come from the defaults."""
    problems: list[Problem]
    unusable: Collection[str] = ()
    """Settings, with their group, whose intended value is not known: a default replaces it."""

    def usable(self, *names: str) -> bool:
        """Whether these settings or groups have their intended values."""
        return not any(
            f"{name}.".startswith(f"{other}.") or f"{other}.".startswith(f"{name}.")
            for name in names
            for other in self.unusable
        )

    def located(self, problem: Problem) -> Problem:
        """The problem with the path at which its value is set."""
        root = self._root(_key(problem)) or self.path
        related = []
        for other in problem.related:
            group, _, name = other.name.rpartition(".")
            place = self._root((group, name))
            related.append(replace(other, path="" if place == root else place))
        path = f"{root}.{problem.path}" if problem.path else root
        return replace(problem, path=path, related=tuple(related), pipelines=(self.path,))

    def _root(self, key: Key) -> str:
        """Where a setting is set; "" for one that is not."""
        return DEFAULTS if key in self.inherited else self.path if key in self.own else ""


def settings_from_config(
    tables: object, defaults: object = None
) -> dict[str, StreamingEtlPipelineArgs]:
    """Settings of every pipeline, without reading the transform modules.

    tables: the config's `tables`, a map of pipeline names to settings.
    defaults: its `defaults`, settings of all tables; a table's own settings override them.
    Raises SettingsError with all problems.
    """
    configs, problems = read_stack(tables, defaults)
    raise_if_any(problems)
    return {name: config.args for name, config in configs.items()}


def args_from_config(path: str, data: object) -> StreamingEtlPipelineArgs:
    """Settings of one pipeline from plain data, such as a stack's config.

    path: the place of `data` in messages, such as `tables.orders`.
    Raises SettingsError with all problems.
    """
    config = build_without_unused_defaults(path, data, {})
    raise_if_any(replace(problem, pipelines=()) for problem in config.problems)
    return config.args


def read_stack(tables: object, defaults: object) -> tuple[dict[str, PipelineConfig], list[Problem]]:
    """Settings of every pipeline, and all problems of the stack."""
    if not isinstance(tables, Mapping) or not tables:
        return {}, [invalid("tables", tables, "no-tables")]
    problems = [] if defaults is None else list(defaults_problems(defaults))
    shared = {}
    if isinstance(defaults, Mapping):
        shared = {name: it for name, it in defaults.items() if name not in PER_TABLE_SETTINGS}
    misread = misread_settings(DEFAULTS, {} if defaults is None else defaults)
    configs = {
        str(name): build_without_unused_defaults(f"tables.{name}", settings, shared, misread)
        for name, settings in tables.items()
    }
    of_tables = [problem for config in configs.values() for problem in config.problems]
    return configs, merged([*problems, *of_tables])


def defaults_problems(defaults: object) -> Iterator[Problem]:
    """Problems of the defaults by themselves."""
    yield from structure_problems(DEFAULTS, defaults)
    if not isinstance(defaults, Mapping):
        return
    for name in PER_TABLE_SETTINGS:
        if name in defaults:
            yield invalid(name, defaults[name], "per-table-setting", path=DEFAULTS)
    # With the required settings of a table.
    table = {"table_name": "table", "transform_module": "module.py", "partitions": {}}
    own = {key: it for key, it in table.items() if key == "table_name" or key not in defaults}
    for problem in build_without_unused_defaults(DEFAULTS, own, defaults).problems:
        yield replace(problem, pipelines=())


def build_without_unused_defaults(
    path: str, data: object, defaults: Mapping[str, Any], misread: Collection[str] = ()
) -> PipelineConfig:
    """Settings of one table, without the defaults that have no effect there.

    misread: settings that the defaults may contain in another form.
    """
    table, defaults = drop_nulled(data if isinstance(data, Mapping) else {}, defaults)
    own, shared = drop_nulled(flat(table), flat(defaults))
    groups = [name for name in GROUPS if name in table or name in defaults]
    while True:
        inherited = shared.keys() - own.keys()
        args, setting_problems = build_pipeline(shared | own, groups)
        unused = {
            _key(problem) for problem in setting_problems if problem.rule == "no-effect"
        } & inherited
        if not unused:
            break
        shared = {key: value for key, value in shared.items() if key not in unused}
    problems = list(structure_problems(path, table if isinstance(data, Mapping) else data))
    unusable = {
        *(_dotted(*_key(problem)) for problem in setting_problems),
        *misread_settings(path, table if isinstance(data, Mapping) else data),
        *(set(misread) - {_dotted(*key) for key in own}),
    }
    config = PipelineConfig(path, args, own.keys(), inherited, problems, unusable)
    if isinstance(data, Mapping):
        problems += map(config.located, setting_problems)
    return config


def build_pipeline(
    values: Values, groups: Iterable[str]
) -> tuple[StreamingEtlPipelineArgs, list[Problem]]:
    """Settings from plain values; problems name their group, not yet their place."""
    problems: list[Problem] = []
    top: dict[str, Any] = {name: value for (group, name), value in values.items() if not group}
    if tags := {name: value for (group, name), value in values.items() if group == TAGS}:
        top.setdefault(TAGS, tags)
    for group in groups:
        own = {name: value for (of, name), value in values.items() if of == group}
        top[group], group_problems = build(GROUPS[group], own)
        problems += [problem.below(group) for problem in group_problems]
    invalid_names = {name for problem in problems for name in problem.names()}
    args, own_problems = build(StreamingEtlPipelineArgs, top)
    # The groups hold defaults in the place of invalid values: no rule applies to those.
    problems += [problem for problem in own_problems if problem.names().isdisjoint(invalid_names)]
    return args, problems


def drop_nulled(
    own: Mapping[Name, Any], defaults: Mapping[Name, Any]
) -> tuple[dict[Name, Any], dict[Name, Any]]:
    """Own values and defaults, without those that `null` resets."""
    nulled = {name for name, value in own.items() if value is None and name in defaults}
    return (
        {name: value for name, value in own.items() if name not in nulled},
        {name: value for name, value in defaults.items() if name not in nulled},
    )


def flat(settings: Mapping[str, Any]) -> Values:
    """Known settings by group and name, each tag as a setting."""
    names = {item.name for item in fields(StreamingEtlPipelineArgs)}
    values: Values = {}
    for name, value in settings.items():
        if name in GROUPS:
            known = {item.name for item in fields(GROUPS[name])}  # type: ignore[arg-type]
            inner = value if isinstance(value, Mapping) else {}
            values |= {(name, key): inner[key] for key in inner if key in known}
        elif name == TAGS and isinstance(value, Mapping):
            values |= {(TAGS, key): inner for key, inner in value.items()}
        elif name in names:
            values["", name] = value
    return values


def structure_problems(path: str, data: object) -> Iterator[Problem]:
    """Problems of the names and groups in a map of settings."""
    group, _, name = path.rpartition(".")
    if not isinstance(data, Mapping):
        yield invalid(name, data, "type", path=group, kind="a mapping of settings")
        return
    yield from name_problems(path, StreamingEtlPipelineArgs, data)
    for name, cls in GROUPS.items():
        value = data.get(name, {})
        if isinstance(value, Mapping):
            yield from name_problems(f"{path}.{name}", cls, value)
        else:
            yield invalid(name, value, "type", path=path, kind="a mapping of settings")


def misread_settings(path: str, data: object) -> set[str]:
    """Settings that a map probably contains in another form."""
    if not isinstance(data, Mapping):
        return {item.name for item in fields(StreamingEtlPipelineArgs)}
    names = set()
    for problem in structure_problems(path, data):
        intended = [problem.field]
        if problem.rule == "renamed-setting":
            intended = [problem.details["new"].partition(":")[0]]
        elif problem.rule == "unknown-setting":
            # All names of a class are suggested when none is similar.
            suggestions = problem.details["suggestions"]
            intended = suggestions if len(suggestions) == 1 else []
        names |= {_dotted(problem.path[len(path) + 1 :], name) for name in intended}
    return names


def name_problems(
    path: str, cls: type[Settings], values: Mapping[str, object]
) -> Iterator[Problem]:
    """Problems of renamed and unknown settings of one class."""
    known = sorted(item.name for item in fields(cls))  # type: ignore[arg-type]
    for name, value in values.items():
        if name in known:
            continue
        # A Pulumi program in another language writes batchSize.
        snake = re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", str(name)).lower()
        renamed = [replace(problem, path=path) for problem in renamed_settings(cls, {snake: value})]
        yield from renamed
        if not renamed:
            suggestions = difflib.get_close_matches(snake, known, n=1) or known
            yield invalid(str(name), None, "unknown-setting", path=path, suggestions=suggestions)


def merged(problems: Iterable[Problem]) -> list[Problem]:
    """The problems, each once with all pipelines that have it."""
    by_content: dict[tuple[str, ...], Problem] = {}
    for problem in problems:
        of_file = problem.field in FILE_SETTINGS and problem.value is not None
        path = "" if of_file else problem.path
        content = (path, problem.field, repr(problem.item), problem.rule, repr(problem.value))
        key = (*content, repr(problem.details))
        first = by_content.setdefault(key, problem)
        # A problem of the defaults by themselves concerns all tables.
        if first is not problem and first.pipelines:
            pipelines = (*first.pipelines, *problem.pipelines)
            by_content[key] = replace(first, pipelines=pipelines)
    return list(by_content.values())


def _dotted(group: str, name: object) -> str:
    return f"{group}.{name}" if group else str(name)


def _key(problem: Problem) -> Key:
    """The setting that a problem is about."""
    if problem.field == TAGS and problem.item is not None:
        return TAGS, problem.item
    return problem.path, problem.field
