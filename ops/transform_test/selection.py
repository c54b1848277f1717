"""The transform module under test and the settings it is tested with."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Optional

from streaming_etl.components.settings.lake_table_names import ONLY_LAKE_TABLE, lake_table_title
from streaming_etl.ops.stack_settings import (
    Settings,
    StackSettings,
    config_with_tables,
    default_settings,
    stack_settings,
)
from streaming_etl.stack.errors import CommandError

if TYPE_CHECKING:
    from streaming_etl.components.settings.lake_table import LakeTableArgs
    from streaming_etl.components.settings.pipeline import StreamingEtlPipelineArgs

DEFAULT_STACK = "dev"


@dataclass(frozen=True, eq=False)
class TransformSelection:
    """A transform module and the settings it is tested with."""

    file: Path
    args: "StreamingEtlPipelineArgs"
    settings_source: str
    """Whose settings they are, such as `orders in Pulumi.dev.yaml`."""
    key_names: Sequence[str]
    """The table's key attributes; empty for an existing table without `--key`."""
    lake_table: str
    """The lake table of the pipeline."""

    @property
    def lake_table_args(self) -> "LakeTableArgs":
        """The settings of the lake table."""
        return self.args.tables[self.lake_table]


def select_transform(
    transform: str,
    stack: Optional[str] = None,
    overrides: Optional[Settings] = None,
    key_names: Sequence[str] = (),
) -> TransformSelection:
    """Find a module by its path or its lake table's name.

    transform: with several lake tables the name is `pipeline.lake-table`. stack: by default dev, if
    its config exists. A module that no pipeline of the stack uses has default settings, except
    `overrides`. key_names: the key of an existing table. Raises CommandError.
    """
    overrides = overrides or {}
    by_name = "/" not in transform and not transform.endswith(".py")
    pipelines = _stack_pipelines(stack)
    if by_name:
        name: Optional[str] = _named(transform, pipelines)
    else:
        name = _user_of(transform, pipelines, stack)
    if name is None or pipelines is None:
        # A crawler allows modules without COLUMNS; the rows are the same.
        settings = {"transform_module": transform, "catalog": "crawler", **overrides}
        keys = _key_names(default_settings(settings), None, key_names)
        return TransformSelection(
            Path(transform),
            default_settings(settings),
            "the default settings",
            keys,
            ONLY_LAKE_TABLE,
        )
    pipeline, key = _lake_tables(pipelines)[name]
    read = stack_settings(stack or DEFAULT_STACK, overrides, only=pipeline, only_lake_table=key)
    args = read.pipelines[pipeline]
    file = Path(args.tables[key].transform_module if by_name else transform)
    source = f"{name} in {pipelines.source}"
    return TransformSelection(file, args, source, _key_names(args, pipeline, key_names), key)


def _stack_pipelines(stack: Optional[str]) -> Optional[StackSettings]:
    if stack is None and config_with_tables(DEFAULT_STACK) is None:
        return None
    return stack_settings(stack or DEFAULT_STACK, {})


def _lake_tables(pipelines: Optional[StackSettings]) -> dict[str, tuple[str, str]]:
    """Return pipeline and lake table by the name that the user writes."""
    return {
        lake_table_title(pipeline, key): (pipeline, key)
        for pipeline, args in (pipelines.pipelines.items() if pipelines else ())
        for key in args.tables
    }


def _named(transform: str, pipelines: Optional[StackSettings]) -> str:
    """Return a lake table's name; raises CommandError for an unknown one."""
    known = _lake_tables(pipelines)
    if transform in known:
        return transform
    names = [name for name, (pipeline, _) in known.items() if pipeline == transform]
    if len(names) == 1:
        return names[0]
    if names:
        raise CommandError(
            f"TRANSFORM must be one of the lake tables of {transform}. Write {', '.join(names)}.",
            code="several-lake-tables",
            pipeline=transform,
            lake_tables=names,
        )
    raise _unknown_pipeline(transform, [*known])


def _user_of(path: str, pipelines: Optional[StackSettings], stack: Optional[str]) -> Optional[str]:
    """Return the only lake table that uses the module, if any."""
    if pipelines is None:
        return None
    resolved = Path(path).resolve()
    names = [
        name
        for name, (pipeline, key) in _lake_tables(pipelines).items()
        if Path(pipelines.pipelines[pipeline].tables[key].transform_module).resolve() == resolved
    ]
    if len(names) > 1:
        raise CommandError(
            f"{path} is the transform module of several lake tables in {pipelines.source}. Name one"
            f" of them instead: {', '.join(names)}.",
            code="ambiguous-module",
            module=path,
            pipelines=names,
        )
    if not names and stack is not None:
        raise CommandError(
            f"{path} must be the transform module of a pipeline in {pipelines.source}. Omit"
            " --stack to test it with default settings.",
            code="module-not-in-stack",
            module=path,
        )
    return names[0] if names else None


def _unknown_pipeline(name: str, known: Sequence[str]) -> CommandError:
    return CommandError(
        f"TRANSFORM must be a pipeline ({', '.join(known) or 'there are none'}) or the path of a"
        f" module such as transforms/{name.rpartition('.')[2]}.py (got {name}).",
        code="unknown-pipeline",
        pipeline=name,
        known=list(known),
    )


def _key_names(
    args: "StreamingEtlPipelineArgs", pipeline: Optional[str], key_names: Sequence[str]
) -> Sequence[str]:
    source = args.source
    created = [] if source.use_existing else [source.hash_key, *filter(None, [source.range_key])]
    if not key_names:
        return created
    if not 1 <= len(set(key_names)) == len(key_names) <= 2 or not all(key_names):
        raise CommandError(
            f"--key must name one or two different attributes (got {', '.join(key_names)}).",
            code="invalid-key",
            key_names=list(key_names),
        )
    if pipeline is not None and created and [*key_names] != created:
        raise CommandError(
            f"--key must be {', '.join(created)}, the key of the table that {pipeline} creates"
            f" (got {', '.join(key_names)}). Omit --key.",
            code="key-mismatch",
            key_names=list(key_names),
            created=created,
        )
    return key_names
