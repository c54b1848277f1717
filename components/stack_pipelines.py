"""Pipelines of a stack's config, with every check that needs no AWS."""

from collections.abc import Iterator, Mapping
from typing import Any

from streaming_etl.components.packaging.dependencies import Target, ensure_dependencies
from streaming_etl.components.settings.pipeline import StreamingEtlPipelineArgs
from streaming_etl.components.settings.stack_config import PipelineConfig, merged, read_stack
from streaming_etl.components.settings.validation import (
    Problem,
    SettingsError,
    invalid,
    raise_if_any,
)
from streaming_etl.components.table.lake_table import resolve
from streaming_etl.components.table.layout import lake_table_name
from streaming_etl.components.table.module_imports import require_imports


def pipelines_from_config(
    tables: object, defaults: object = None
) -> dict[str, StreamingEtlPipelineArgs]:
    """Settings of every pipeline by its name, from a stack's config.

    tables: pipeline names and their settings. defaults: settings of all tables.
    Raises SettingsError with all problems, each with its path, before any resource exists.
    """
    configs, problems = read_stack(tables, defaults)
    valid = {name: config for name, config in configs.items() if not config.problems}
    raise_if_any(merged([*problems, *module_errors(valid), *conflicts(valid)]))
    return {name: config.args for name, config in configs.items()}


def module_errors(configs: Mapping[str, PipelineConfig]) -> Iterator[Problem]:
    """Problems of transform modules and of the packages that they need."""
    for name, config in configs.items():
        args = config.args
        try:
            resolve(name, args)
            target = Target.lambda_(args.runtime, args.architecture)
            packages = ensure_dependencies(target, args.transform.requirements)
            require_imports(args.transform_module, packages.transform.files)
        except SettingsError as error:
            yield from map(config.located, error.problems)


def conflicts(configs: Mapping[str, PipelineConfig]) -> Iterator[Problem]:
    """Problems of pipelines that create or write to the same table."""
    creators: dict[str, str] = {}
    writers: dict[tuple[Any, str], str] = {}
    for config in configs.values():
        args = config.args
        if not args.source.use_existing:
            first = creators.setdefault(args.table_name, config.path)
            if first != config.path:
                yield config.located(
                    invalid("table_name", args.table_name, "table-created-twice", other=first)
                )
        if args.database_name is not None:
            lake_table = lake_table_name(args)
            first = writers.setdefault((args.database_name, lake_table), config.path)
            if first != config.path:
                yield config.located(
                    invalid("glue_table_name", lake_table, "lake-table-shared", other=first)
                )
