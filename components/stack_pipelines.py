"""Pipelines of a stack's config, with every check that needs no AWS."""

import itertools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, Optional

import pulumi

from streaming_etl.components.packaging.dependencies import (
    Packages,
    Target,
    ensure_dependencies,
)
from streaming_etl.components.settings.lake_table_names import ONLY_LAKE_TABLE
from streaming_etl.components.settings.names import own_name_problems, pipeline_name_problems
from streaming_etl.components.settings.pipeline import StreamingEtlPipelineArgs
from streaming_etl.components.settings.stack_config import PipelineConfig, merged, read_stack
from streaming_etl.components.settings.validation import (
    Problem,
    SettingsError,
    invalid,
    join,
    raise_if_any,
)
from streaming_etl.components.table.lake_table import (
    DERIVED_TABLES,
    column_problems,
    plan_lake_table,
)
from streaming_etl.components.table.layout import (
    access_log_problems,
    database_name,
    event_pattern_problems,
    lake_table_name,
    prefix_problems,
    resource_name_problems,
    resource_prefix,
    role_name_problems,
    workgroup_problems,
)
from streaming_etl.components.table.transform_module import read_transform_module
from streaming_etl.components.transform_guard import require_code

PACKAGE_SETTINGS = ("runtime", "architecture")
ROLE_SETTINGS = ("lake_tables", "catalog", "merge", "backfill")
PREFIX_SETTINGS = ("table_name", "database_name", "renamed_from")
LAKE_TABLE_PREFIX_SETTINGS = ("glue_table_name", "partitions")
KEY_SETTINGS = ("layout", "granularity", "dynamic_partition_keys")
# Of each shard. https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Limits.html
MAX_READERS = 2
COLUMN_RULES: Mapping[str, tuple[str, ...]] = {
    "needs-columns": ("format",),
    "catalog-needs-columns": ("format", "catalog"),
    "nested-column": ("format",),
    "column-is-partition-key": tuple(f"partitions.{name}" for name in KEY_SETTINGS),
    "partition-key-type": ("partitions.dynamic_partition_keys",),
    "requirements-without-transform": ("transform.requirements",),
    "secrets-without-transform": ("transform.secrets",),
}
"""Settings that a rule about columns depends on."""


def pipelines_from_config(
    tables: object, defaults: object = None
) -> dict[str, StreamingEtlPipelineArgs]:
    """Settings of every pipeline by its name, from a stack's config.

    tables: pipeline names and their settings. defaults: settings of all tables. Both are data,
    or the JSON text that Pulumi passes to the program.
    Warns of a stream with two readers.
    Raises SettingsError with all problems, each with its path, before any resource exists.
    """
    configs, problems = read_stack(_data(tables), _data(defaults))
    problems += [*pipeline_problems(configs), *conflicts(configs)]
    raise_if_any(merged(problems))
    warn_of_shared_streams(configs)
    return {name: config.args for name, config in configs.items()}


def _data(value: object) -> object:
    """Data of a JSON text; other text unchanged, for rejection."""
    if not isinstance(value, str):
        return value
    if not value:
        # Pulumi passes a section without entries as "".
        return None
    try:
        return json.loads(value)
    except ValueError:
        return value


def pipeline_problems(configs: Mapping[str, PipelineConfig]) -> Iterator[Problem]:
    """Problems of names, modules and packages of valid settings."""
    packages_of = cache(ensure_dependencies)
    for name, config in configs.items():
        args = config.args
        problems = list(pipeline_name_problems(name))
        named = not problems
        if named and config.usable("renamed_from"):
            problems += own_name_problems(name, args.former_names)
            problems += workgroup_problems(name, args)
            problems += access_log_problems(name, args)
        if named:
            problems += resource_name_problems(name, args)
        if named and config.usable("iam", *ROLE_SETTINGS):
            problems += role_name_problems(name, args)
        if named and config.usable("lake_tables", *PREFIX_SETTINGS):
            problems += event_pattern_problems(name, args)
        for key in args.tables:
            if named and usable(config, key, *LAKE_TABLE_PREFIX_SETTINGS, shared=PREFIX_SETTINGS):
                problems += prefix_problems(name, args, key)
            found = lake_table_problems(config, key, packages_of)
            problems += [problem.below(args.lake_table_path(key)) for problem in found]
        yield from map(config.located, problems)


def usable(config: PipelineConfig, key: str, *names: str, shared: Sequence[str] = ()) -> bool:
    """Whether settings have their intended values; shared: those of the pipeline."""
    path = config.args.lake_table_path(key)
    return config.usable(*(join(path, name) for name in names), *shared)


def lake_table_problems(
    config: PipelineConfig, key: str, packages_of: Callable[[Target, Optional[str]], Packages]
) -> Iterator[Problem]:
    """Problems of a lake table's packages and module."""
    args = config.args
    requirements = args.tables[key].transform.requirements
    packages = None
    if usable(config, key, "transform.requirements", shared=PACKAGE_SETTINGS):
        target = Target.lambda_(args.runtime, args.architecture)
        try:
            packages = packages_of(target, requirements)
        except SettingsError as error:
            yield from error.problems
    # Without a module there is a problem of it or of `lake_tables` already.
    if usable(config, key, "transform_module") and args.tables[key].transform_module:
        yield from module_problems(config, key, packages)


def module_problems(
    config: PipelineConfig, key: str, packages: Packages | None
) -> Iterator[Problem]:
    """Problems of a transform module; without packages, imports are not checked.

    Nor are those of a module that the function does not import.
    """
    args = config.args.tables[key]
    try:
        module = read_transform_module(args.transform_module)
        for problem in column_problems(args, module):
            if usable(config, key, *COLUMN_RULES[problem.rule]):
                yield problem
        if packages is not None and module.code is not None:
            require_code(module.code, packages.transform, args.transform)
    except SettingsError as error:
        yield from error.problems


def conflicts(configs: Mapping[str, PipelineConfig]) -> Iterator[Problem]:
    """Problems of pipelines that need the same table, stream or name."""
    yield from name_conflicts(configs)
    yield from glue_conflicts(configs)
    creators: dict[pulumi.Input[str], str] = {}
    for config in configs.values():
        args = config.args
        if config.usable("table_name", "source.use_existing") and not args.source.use_existing:
            first = creators.setdefault(args.table_name, config.path)
            if first != config.path:
                yield config.located(
                    invalid("table_name", args.table_name, "table-created-twice", other=first)
                )
    for table, readers in readers_by_table(configs).items():
        others = [config.path for config in readers[:MAX_READERS]]
        for config in readers[MAX_READERS:]:
            yield config.located(
                invalid("table_name", table, "too-many-readers", most=MAX_READERS, others=others)
            )


def name_conflicts(configs: Mapping[str, PipelineConfig]) -> Iterator[Problem]:
    """Problems of former names that another pipeline has or had.

    Two pipelines with one name would be the same resources, and so would their physical names.
    """
    owners = {name: name for name in configs}
    for name, config in configs.items():
        if not config.usable("renamed_from"):
            continue
        for former in config.args.former_names:
            owner = owners.setdefault(former, name)
            if owner != name:
                other = configs[owner].path
                yield config.located(
                    invalid("renamed_from", former, "former-name-in-use", other=other)
                )
    yield from resource_name_conflicts(configs)


def resource_name_conflicts(configs: Mapping[str, PipelineConfig]) -> Iterator[Problem]:
    """Problems of lake tables whose resources something else has or had."""
    owners: dict[str, str] = {}
    for name, config in configs.items():
        for each in (name, *config.args.former_names):
            owners.setdefault(each, config.path)
    # Current names first, so that the problem is at a former one.
    for rule in ("resource-names-shared", "former-name-in-use"):
        for name, config in configs.items():
            for key, args in config.args.lake_tables.items():
                path = config.args.lake_table_path(key)
                own = f"{config.path}.{path}"
                # The reserved name has its problem already.
                if key == ONLY_LAKE_TABLE:
                    continue
                if rule == "resource-names-shared":
                    other = owners.setdefault(resource_prefix(name, key), own)
                    if other != own:
                        yield config.located(invalid("lake_tables", key, rule, other=other))
                    continue
                for pipeline, former in itertools.product(
                    (name, *config.args.former_names), (key, *args.former_names)
                ):
                    # That name is the pipeline's.
                    if former == ONLY_LAKE_TABLE or (pipeline, former) == (name, key):
                        continue
                    other = owners.setdefault(resource_prefix(pipeline, former), own)
                    if other != own:
                        problem = invalid("renamed_from", former, rule, path=path, other=other)
                        yield config.located(problem)


def readers_by_table(
    configs: Mapping[str, PipelineConfig],
) -> dict[pulumi.Input[str], list[PipelineConfig]]:
    """The pipelines that read the stream of each table."""
    readers: dict[pulumi.Input[str], list[PipelineConfig]] = {}
    for config in configs.values():
        if config.usable("table_name"):
            readers.setdefault(config.args.table_name, []).append(config)
    return readers


def warn_of_shared_streams(configs: Mapping[str, PipelineConfig]) -> None:
    """Log a warning for each stream that can have no further reader."""
    for table, readers in readers_by_table(configs).items():
        if len(readers) == MAX_READERS:
            pipelines = " and ".join(config.path for config in readers)
            pulumi.log.warn(
                f"{pipelines} read the stream of the table {table}. DynamoDB allows"
                f" {MAX_READERS} readers per shard: with a third one all of them are throttled."
            )


def glue_conflicts(configs: Mapping[str, PipelineConfig]) -> Iterator[Problem]:
    """Problems of lake tables with the name of another Glue table.

    A view and an objects table have names derived from a lake table's: two of these are equal
    only if the lake tables are.
    """
    names = {
        (name, key): glue_names(name, config.args, key)
        for name, config in configs.items()
        for key in config.args.tables
        if usable(config, key, "glue_table_name", shared=PREFIX_SETTINGS)
        and (config.args.database_name is not None or not any(pipeline_name_problems(name)))
    }

    def path_of(name: str, key: str) -> str:
        return join(configs[name].path, configs[name].args.lake_table_path(key))

    writers: dict[tuple[Any, str], tuple[str, str]] = {}
    derived = {
        (database, name_of(table)): (kind, owner)
        for owner, (database, table) in names.items()
        for kind, name_of in DERIVED_TABLES.items()
    }
    for place, glue_table in names.items():
        _, table = glue_table
        name, key = place
        path = configs[name].args.lake_table_path(key)
        details: dict[str, Any] = {"path": path}
        first = writers.setdefault(glue_table, place)
        if first != place:
            details["other"] = path_of(*first)
            problem = invalid("glue_table_name", table, "lake-table-shared", **details)
            yield configs[name].located(problem)
        kind, owner = derived.get(glue_table, ("", place))
        if owner != place and table in derived_tables(configs[owner[0]].args, owner[1]):
            details |= {"kind": kind, "other": path_of(*owner)}
            problem = invalid("glue_table_name", table, "lake-table-is-derived", **details)
            yield configs[name].located(problem)


def glue_names(name: str, args: StreamingEtlPipelineArgs, key: str) -> tuple[Any, str]:
    """Database and Glue table of a lake table."""
    return database_name(name, args), lake_table_name(args, key)


def derived_tables(args: StreamingEtlPipelineArgs, key: str) -> list[Optional[str]]:
    """Names of a lake table's view and further tables, if any."""
    try:
        module = read_transform_module(args.tables[key].transform_module)
        table = plan_lake_table(lake_table_name(args, key), args.tables[key], module)
    except SettingsError:
        return []
    return table.names[1:]
