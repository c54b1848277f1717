"""Settings from a stack's YAML, with the origin of each value."""

import difflib
import itertools
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

from streaming_etl.components.settings.lake_table import LakeTableArgs
from streaming_etl.components.settings.names import PIPELINE_NAME
from streaming_etl.components.settings.pipeline import StreamingEtlPipelineArgs
from streaming_etl.components.settings.validation import (
    Problem,
    Settings,
    build,
    group_class,
    invalid,
    join,
    ordered_fields,
    raise_if_any,
    renamed_settings,
)

Args = TypeVar("Args", bound=Settings)
Name = TypeVar("Name")
Key = tuple[str, Any]
"""A setting: its group, "" for the pipeline's own, and its name. Each tag is a setting."""
Values = dict[Key, Any]

DEFAULTS = "defaults"
TAGS = "tags"
LAKE_TABLES = "lake_tables"
# Settings that no two tables can share.
PER_TABLE_SETTINGS = ("table_name", "glue_table_name", "lake_tables", "renamed_from")
# Settings of a pipeline that its lake tables have by default.
INHERITED_SETTINGS = ("freshness",)
# Problems of a file; the same file may be set for many tables.
FILE_SETTINGS = ("transform_module", "requirements")


def groups_of(cls: type[Settings]) -> dict[str, type[Settings]]:
    """Return the groups of a settings class by name."""
    groups = {item.name: group_class(item) for item in ordered_fields(cls)}
    return {name: group for name, group in groups.items() if group is not None}


GROUPS: Mapping[str, type[Settings]] = groups_of(StreamingEtlPipelineArgs)


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
            shown = join(in_defaults(group), name) if place == DEFAULTS else other.name
            path = "" if place == root else place
            related.append(replace(other, name=shown, path=path))
        path = join(root, in_defaults(problem.path) if root == DEFAULTS else problem.path)
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
    tables = lake_tables_of(table)
    names = table[LAKE_TABLES] if isinstance(table.get(LAKE_TABLES), Mapping) else ()
    own, shared = flat(table), flat(defaults)
    groups = {*present_groups(table), *present_groups(defaults)}
    if tables:
        # The defaults of a lake table apply to each of several.
        lake_defaults = of_lake_table(defaults)
        shared = {key: value for key, value in shared.items() if not is_of_lake_table(*key)}
        groups = {*present_groups(table), *({group for group, _ in shared} & GROUPS.keys())}
        cleaned = dict(table[LAKE_TABLES])
        for name, settings in tables.items():
            group = f"{LAKE_TABLES}.{name}"
            cleaned[name], of_table = drop_nulled(settings, lake_defaults)
            for values, data_of in ((own, cleaned[name]), (shared, of_table)):
                values |= flat_group(LakeTableArgs, group, data_of)
                groups |= {join(group, each) for each in present_groups(data_of)}
        table[LAKE_TABLES] = cleaned
    own, shared = drop_nulled(own, shared)
    while True:
        inherited = shared.keys() - own.keys()
        args, setting_problems = build_pipeline(shared | own, groups, tables, names)
        unused = {
            _key(problem) for problem in setting_problems if problem.rule == "no-effect"
        } & inherited
        if not unused:
            break
        shared = {key: value for key, value in shared.items() if key not in unused}
    problems = list(structure_problems(path, table if isinstance(data, Mapping) else data))
    misplaced = {join(problem.path, problem.field) for problem in problems}
    misread_own = misread_settings(path, table if isinstance(data, Mapping) else data)
    setting_problems = [
        problem
        for problem in setting_problems
        # A group of another type has its problem already, and so has a setting instead of it.
        if problem.rule != "required"
        or (
            join(path, problem.path, problem.field) not in misplaced
            and misread_own.isdisjoint(other.name for other in problem.related)
        )
    ]
    own_names = {join(group, str(name)) for group, name in own}
    places = ["", *(f"{LAKE_TABLES}.{name}" for name in tables)]
    unusable = {
        *(join(group, str(name)) for group, name in map(_key, setting_problems)),
        *misread_own,
        *({join(*each) for each in itertools.product(places, misread)} - own_names),
    }
    config = PipelineConfig(path, args, own.keys(), inherited, problems, unusable)
    if isinstance(data, Mapping):
        problems += map(config.located, setting_problems)
    return config


def build_pipeline(
    values: Values,
    groups: Collection[str],
    lake_tables: Collection[str] = (),
    names: Iterable[str] = (),
) -> tuple[StreamingEtlPipelineArgs, list[Problem]]:
    """Settings from plain values; problems name their group, not yet their place.

    groups: those that the config contains. lake_tables: the names of valid lake tables; names:
    those of all.
    """
    top: dict[str, Any] = {}
    problems: list[Problem] = []
    if tags := {name: value for (group, name), value in values.items() if group == TAGS}:
        top[TAGS] = tags
    for key in names:
        group = f"{LAKE_TABLES}.{key}"
        lake_table, found = build_group(LakeTableArgs, group, values, groups)
        top.setdefault(LAKE_TABLES, {})[key] = lake_table
        # Those of the config's structure are enough for what is not a map of settings.
        if key in lake_tables:
            problems += [problem.below(group) for problem in found]
    return build_group(StreamingEtlPipelineArgs, "", values, groups, top, problems)


def build_group(
    cls: type[Args],
    group: str,
    values: Values,
    groups: Collection[str],
    built: Mapping[str, Any] | None = None,
    problems: Iterable[Problem] = (),
) -> tuple[Args, list[Problem]]:
    """Settings of a class and its groups; their problems without its path.

    built: values that replace plain ones. problems: those of `built`.
    """
    problems = list(problems)
    top: dict[str, Any] = {name: value for (of, name), value in values.items() if of == group}
    top |= built or {}
    for name, inner in groups_of(cls).items():
        if join(group, name) in groups:
            top[name], found = build_group(inner, join(group, name), values, groups)
            problems += [problem.below(name) for problem in found]
    invalid_names = {name for problem in problems for name in problem.names()}
    args, own_problems = build(cls, top)
    # The groups hold defaults in the place of invalid values: no rule applies to those.
    problems += [problem for problem in own_problems if problem.names().isdisjoint(invalid_names)]
    return args, problems


def lake_tables_of(table: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Settings of each lake table with a valid name."""
    tables = table.get(LAKE_TABLES)
    return {
        key: settings
        for key, settings in (tables.items() if isinstance(tables, Mapping) else ())
        if is_lake_table_name(key) and isinstance(settings, Mapping)
    }


def is_lake_table_name(key: object) -> bool:
    """Whether the dotted path of a group can contain the name."""
    return isinstance(key, str) and PIPELINE_NAME.fullmatch(key) is not None


def of_lake_table(defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The defaults that are settings of a lake table."""
    names = lake_table_settings()
    return {name: value for name, value in defaults.items() if name in names}


def lake_table_settings() -> set[str]:
    """Names in defaults that are settings of each lake table only."""
    names = {item.name for item in fields(LakeTableArgs)}
    return names - {*PER_TABLE_SETTINGS, *INHERITED_SETTINGS}


def is_of_lake_table(group: str, name: Any) -> bool:
    """Whether a setting of a pipeline is one of each lake table."""
    first, _, _ = group.partition(".")
    classes = groups_of(LakeTableArgs)
    if not group:
        return name in lake_table_settings()
    known = {item.name for item in fields(classes[first])} if first in classes else set()  # type: ignore[arg-type]
    return name in known


def in_defaults(group: str) -> str:
    """A lake table's group as it is in the defaults."""
    parts = group.split(".")
    return join(*parts[2:]) if parts[0] == LAKE_TABLES else group


def present_groups(settings: Mapping[str, Any]) -> list[str]:
    """Names of the groups that a map contains, and of `lake_tables`."""
    return [name for name in GROUPS if isinstance(settings.get(name), Mapping)]


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
    """Known settings of a pipeline, each tag as a setting.

    Those of `lake_tables` are not among them.
    """
    values = flat_group(StreamingEtlPipelineArgs, "", settings)
    tags = settings.get(TAGS)
    if isinstance(tags, Mapping):
        values.pop(("", TAGS))
        values |= {(TAGS, key): value for key, value in tags.items()}
    if isinstance(settings.get(LAKE_TABLES), Mapping):
        values.pop(("", LAKE_TABLES))
    return values


def flat_group(cls: type[Settings], group: str, settings: Mapping[str, Any]) -> Values:
    """Known settings of a class by group and name."""
    groups = groups_of(cls)
    values: Values = {}
    for name in (item.name for item in fields(cls)):  # type: ignore[arg-type]
        value = settings.get(name)
        if name in groups:
            inner = value if isinstance(value, Mapping) else {}
            values |= flat_group(groups[name], join(group, name), inner)
        elif name in settings:
            values[group, name] = value
    return values


def structure_problems(
    path: str, data: object, cls: type[Settings] = StreamingEtlPipelineArgs
) -> Iterator[Problem]:
    """Problems of the names and groups in a map of settings."""
    group, _, name = path.rpartition(".")
    if not isinstance(data, Mapping):
        yield invalid(name, data, "type", path=group, kind="a mapping of settings")
        return
    yield from name_problems(path, cls, data)
    optional = {item.name for item in fields(cls) if item.default is None}  # type: ignore[arg-type]
    for name, inner in groups_of(cls).items():
        value = data.get(name, {})
        if value is None and name in optional:
            continue
        yield from structure_problems(f"{path}.{name}", value, inner)
    tables = data.get(LAKE_TABLES)
    for key, settings in tables.items() if isinstance(tables, Mapping) else ():
        if is_lake_table_name(key):
            yield from structure_problems(f"{path}.{LAKE_TABLES}.{key}", settings, LakeTableArgs)


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
        names |= {join(problem.path[len(path) + 1 :], name) for name in intended}
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


def _key(problem: Problem) -> Key:
    """The setting that a problem is about."""
    if problem.field == TAGS and problem.item is not None:
        return TAGS, problem.item
    return problem.path, problem.field
