"""Settings of a stack's pipelines, overridden by `--set`."""

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

import yaml

from streaming_etl.stack.config import StackConfig, read_config, validated
from streaming_etl.stack.errors import CommandError, UsageError
from streaming_etl.stack.outputs import open_stack
from streaming_etl.stack.pulumi_yaml import load

if TYPE_CHECKING:
    from streaming_etl.components.settings.pipeline import StreamingEtlPipelineArgs

REQUIRED_SETTINGS = {"table_name": "table", "transform_module": "transform.py", "partitions": {}}

LAKE_TABLES = "lake_tables"

Settings = dict[str, Any]
"""Nested settings, spelled as in a stack's config."""


@dataclasses.dataclass(frozen=True)
class StackSettings:
    """The validated settings of every pipeline of a stack."""

    source: str
    """Config file, or the stack's outputs."""
    region: Optional[str]
    pipelines: "dict[str, StreamingEtlPipelineArgs]"
    has_stack_dashboard: bool
    """Whether the stack has a dashboard of all pipelines."""


def parse_overrides(texts: Sequence[str]) -> Settings:
    """Parse `group.name=value` with YAML values; raises UsageError."""
    overrides: Settings = {}
    for text in texts:
        path, equals, value = text.partition("=")
        *groups, name = path.split(".")
        if not equals or not all([*groups, name]):
            raise UsageError(
                f"--set must be SETTING=VALUE (got {text}). Write for example"
                " forwarder.batching_window_seconds=60.",
                code="set-not-an-assignment",
                text=text,
            )
        inner = overrides
        for group in groups:
            inner = inner.setdefault(group, {})
            if not isinstance(inner, dict):
                raise UsageError(
                    f"--set {text} conflicts with an earlier --set {group}={inner}. Remove one.",
                    code="set-conflict",
                    text=text,
                    group=group,
                )
        try:
            inner[name] = load(value)
        except yaml.YAMLError:
            raise UsageError(
                f"--set {path} must have a YAML value (got {value}). Write it as in the stack's"
                " config.",
                code="set-not-yaml",
                text=text,
            ) from None
    return overrides


def stack_settings(
    stack: str,
    overrides: Settings,
    *,
    only: Optional[str] = None,
    only_lake_table: Optional[str] = None,
    outputs: Optional[Path] = None,
) -> StackSettings:
    """Read a stack's settings, each pipeline's merged with `overrides`.

    The config file in the current directory is read when it has tables, because a stack need not
    be deployed; otherwise the stack's outputs. only, only_lake_table: the one pipeline that
    `overrides` is for, and the one lake table of `lake_tables`. outputs: a file of outputs to read
    instead. Raises CommandError.
    """

    def merged(name: str, settings: Any) -> Any:
        if only not in (None, name):
            return settings
        return merge_pipeline(settings, overrides, only_lake_table)

    if outputs is None and (config := config_with_tables(stack)):
        return _from_config(config, merged)
    deployed = open_stack(stack, outputs, None)
    pipelines = deployed.pipelines
    if not pipelines:
        raise _no_pipelines(stack)
    args = {
        pipeline.name: _validated(
            merged(pipeline.name, pipeline.settings),
            f"the output `settings` of {pipeline.name}",
            pipeline.name,
        )
        for pipeline in pipelines
    }
    region, dashboard = pipelines[0].region or None, bool(deployed.exports.get("stack_dashboard"))
    return StackSettings(f"the outputs of {stack}", region, args, dashboard)


def default_settings(overrides: Settings) -> "StreamingEtlPipelineArgs":
    """Return the default settings merged with `overrides`; raises CommandError."""
    return _validated(merge(REQUIRED_SETTINGS, overrides), "--set")


def merge_pipeline(
    settings: Any, overrides: Settings, only_lake_table: Optional[str] = None
) -> Any:
    """Merge the settings of a pipeline.

    A setting of a lake table applies to each of `lake_tables`, or to `only_lake_table`.
    """
    if not isinstance(settings, Mapping) or not isinstance(settings.get(LAKE_TABLES), Mapping):
        return merge(settings, overrides)
    of_pipeline, of_tables = _split(overrides)
    merged = merge(settings, of_pipeline)
    tables = merged[LAKE_TABLES]
    if isinstance(tables, Mapping):
        merged[LAKE_TABLES] = {
            key: merge(table, of_tables) if only_lake_table in (None, key) else table
            for key, table in tables.items()
        }
    return merged


def _split(overrides: Settings) -> tuple[Settings, Settings]:
    """Return overrides of a pipeline, and of its lake tables."""
    # Imports Pulumi, which `--help` does not need.
    from streaming_etl.components.settings.stack_config import (
        GROUPS,
        INHERITED_SETTINGS,
        is_of_lake_table,
    )

    of_pipeline: Settings = {}
    of_tables: Settings = {}
    for name, value in overrides.items():
        if name in GROUPS and isinstance(value, dict):
            for inner, each in value.items():
                target = of_tables if is_of_lake_table(name, inner) else of_pipeline
                target.setdefault(name, {})[inner] = each
        elif name in INHERITED_SETTINGS:
            of_pipeline[name] = of_tables[name] = value
        else:
            (of_tables if is_of_lake_table("", name) else of_pipeline)[name] = value
    return of_pipeline, of_tables


def merge(settings: Any, overrides: Settings) -> Any:
    """Merge mappings by group; other settings are unchanged."""
    if not isinstance(settings, Mapping):
        return settings
    merged = dict(settings)
    for name, value in overrides.items():
        group = isinstance(value, dict) and isinstance(settings.get(name, {}), Mapping)
        merged[name] = merge(settings.get(name, {}), value) if group else value
    return merged


def config_with_tables(stack: str) -> Optional[StackConfig]:
    """Read the stack's config in the current directory, if it has tables."""
    directory = Path.cwd()
    if not ((directory / "Pulumi.yaml").exists() and (directory / f"Pulumi.{stack}.yaml").exists()):
        return None
    config = read_config(directory, stack)
    return config if f"{config.project}:tables" in config.values else None


def _from_config(config: StackConfig, merged: Callable[[str, Any], Any]) -> StackSettings:
    tables = config.section("tables")
    if isinstance(tables, dict):
        tables = {name: merged(name, table) for name, table in tables.items()}
    # Dates of YAML become text, which the settings report.
    text = json.dumps(tables, default=str)
    values = {**config.values, f"{config.project}:tables": text}
    config = dataclasses.replace(config, values=values)
    if not config.pipelines:
        raise _no_pipelines(config.stack)
    source, dashboard = f"Pulumi.{config.stack}.yaml", config.has_stack_dashboard
    return StackSettings(source, config.region, config.pipelines, dashboard)


def _validated(
    settings: Settings, source: str, name: str = "settings"
) -> "StreamingEtlPipelineArgs":
    # Imports Pulumi, which `--help` does not need.
    from streaming_etl.components.settings.stack_config import args_from_config

    return validated(source, lambda: args_from_config(name, settings))


def _no_pipelines(stack: str) -> CommandError:
    return CommandError(
        f"The stack {stack} has no pipelines. Add one below `tables` in Pulumi.{stack}.yaml.",
        code="no-pipelines",
        stack=stack,
    )
