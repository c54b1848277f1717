"""Which transform module is tried, and with the settings of which pipeline."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

from streaming_etl.ops.stack_settings import default_settings, stack_settings
from streaming_etl.stack.errors import CommandError
from streaming_etl.stack.outputs import ROOT

if TYPE_CHECKING:
    from streaming_etl.components.settings.pipeline import StreamingEtlPipelineArgs

DEFAULT_STACK = "dev"


@dataclass(frozen=True, eq=False)
class Asked:
    """A module and the settings that it is tried with."""

    file: Path
    args: "StreamingEtlPipelineArgs"
    told: str
    """Whose settings they are, for people."""
    key_names: Sequence[str]
    """The table's key attributes; none where only AWS knows them."""


def asked_for(
    transform: str,
    stack: Optional[str],
    changed: Optional[dict[str, Any]] = None,
    key_names: Sequence[str] = (),
) -> Asked:
    """The module at a path, with the settings of the one pipeline that uses it, or a pipeline's.

    stack: whose config is looked into; by default dev's, if there is one. A module that is in no
    config is tried with the defaults. changed: settings that are to be otherwise. key_names: the
    key of a table whose settings do not tell it. Raises CommandError.
    """
    file, name, told = _named(transform, stack)
    if name is not None:
        args = stack_settings(stack or DEFAULT_STACK, changed or {}, only=name).pipelines[name]
    else:
        # With a crawler, so that a module without COLUMNS is not refused; rows are the same.
        given = {"transform_module": str(transform), "catalog": "crawler", **(changed or {})}
        args = default_settings(given)
    return Asked(file, args, told, _key_names(args, name, key_names))


def _key_names(
    args: "StreamingEtlPipelineArgs", name: Optional[str], given: Sequence[str]
) -> Sequence[str]:
    source = args.source
    known = [] if source.use_existing else [source.hash_key, *filter(None, [source.range_key])]
    if not given:
        return known
    if not 1 <= len(set(given)) == len(given) <= 2 or not all(given):
        raise CommandError(
            f"{', '.join(map(repr, given))} is no key of a table: it has a partition key and at"
            " most a sort key; name one or two attributes."
        )
    if name is not None and known and [*given] != known:
        raise CommandError(
            f"The key {', '.join(given)} is not that of {name}, whose settings make the table with"
            f" the key {', '.join(known)}; only the key of an existing table is to be named."
        )
    return given


def _named(transform: str, stack: Optional[str]) -> tuple[Path, Optional[str], str]:
    """The module's file, the pipeline that uses it, if one does, and whose settings it has."""
    pipelines = _pipelines(stack)
    config = f"Pulumi.{stack or DEFAULT_STACK}.yaml"
    if not set("./") & set(transform):
        if transform not in pipelines:
            raise CommandError(
                f"{transform} is no pipeline of {config}, which has "
                f"{', '.join(pipelines) or 'none'}; name one of its own, or the path of a module "
                f"such as transforms/{transform}.py."
            )
        file = Path(os.path.relpath(ROOT / pipelines[transform].transform_module))
        return file, transform, f"{transform} in {config}"
    file = _found(Path(transform))
    names = [
        name
        for name, args in pipelines.items()
        if (ROOT / args.transform_module).resolve() == file.resolve()
    ]
    if len(names) > 1:
        raise CommandError(
            f"{transform} is the module of {', '.join(names)} in {config}, each with settings of "
            "its own; name one of these instead of the path."
        )
    if names:
        return file, names[0], f"{names[0]} in {config}"
    if stack is not None:
        raise CommandError(
            f"No pipeline of {config} has the module {transform}; name it there first."
        )
    return file, None, f"the defaults, as no pipeline of {config} has it"


def _pipelines(stack: Optional[str]) -> "dict[str, StreamingEtlPipelineArgs]":
    if stack is None and not (ROOT / f"Pulumi.{DEFAULT_STACK}.yaml").exists():
        return {}
    return stack_settings(stack or DEFAULT_STACK, {}).pipelines


def _found(path: Path) -> Path:
    """The path from here, or else from where the config's paths begin."""
    return ROOT / path if not path.is_file() and (ROOT / path).is_file() else path
