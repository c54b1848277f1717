"""Which transform module is tried, and with the settings of which pipeline."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

from ops import OpsError
from ops.cost.asked import one_pipeline, stack_settings
from ops.stack import ROOT

if TYPE_CHECKING:
    from components.settings import StreamingEtlPipelineArgs

DEFAULT_STACK = "dev"


@dataclass(frozen=True)
class Asked:
    """A module and the settings that it is tried with."""

    file: Path
    args: "StreamingEtlPipelineArgs"
    told: str
    """Whose settings they are, for people."""

    @property
    def key_names(self) -> list[str]:
        """The table's key attributes, as the settings name them."""
        source = self.args.source
        return [source.hash_key, *filter(None, [source.range_key])]


def asked_for(
    transform: str, stack: Optional[str], changed: Optional[dict[str, Any]] = None
) -> Asked:
    """The module at a path, with the settings of the one pipeline that uses it, or a pipeline's.

    stack: whose config is looked into; by default dev's, if there is one. A module that is in no
    config is tried with the defaults. changed: settings that are to be otherwise.
    Raises OpsError.
    """
    pipelines = _pipelines(stack, changed or {})
    config = f"Pulumi.{stack or DEFAULT_STACK}.yaml"
    if not set("./") & set(transform):
        if transform not in pipelines:
            raise OpsError(
                f"{transform} is no pipeline of {config}, which has "
                f"{', '.join(pipelines) or 'none'}; name one of its own, or the path of a module "
                f"such as transforms/{transform}.py."
            )
        args = pipelines[transform]
        file = Path(os.path.relpath(ROOT / args.transform_module))
        return Asked(file, args, f"{transform} in {config}")
    file = _found(Path(transform))
    names = [
        name
        for name, args in pipelines.items()
        if (ROOT / args.transform_module).resolve() == file.resolve()
    ]
    if len(names) > 1:
        raise OpsError(
            f"{transform} is the module of {', '.join(names)} in {config}, each with settings of "
            "its own; name one of these instead of the path."
        )
    if names:
        return Asked(file, pipelines[names[0]], f"{names[0]} in {config}")
    if stack is not None:
        raise OpsError(f"No pipeline of {config} has the module {transform}; name it there first.")
    # With a crawler, so that a module without COLUMNS is not refused; rows are the same.
    given = {"transform_module": str(transform), "catalog": "crawler", **(changed or {})}
    [args] = one_pipeline(given).values()
    return Asked(file, args, f"the defaults, as no pipeline of {config} has it")


def _pipelines(
    stack: Optional[str], changed: dict[str, Any]
) -> "dict[str, StreamingEtlPipelineArgs]":
    if stack is None and not (ROOT / f"Pulumi.{DEFAULT_STACK}.yaml").exists():
        return {}
    return stack_settings(ROOT, stack or DEFAULT_STACK, changed)[1]


def _found(path: Path) -> Path:
    """The path from here, or else from where the config's paths begin."""
    return ROOT / path if not path.is_file() and (ROOT / path).is_file() else path
