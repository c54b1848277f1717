"""Environment variables of a transform that runs locally."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from streaming_etl.stack.errors import CommandError

if TYPE_CHECKING:
    from streaming_etl.components.settings.stages import TransformArgs


@contextmanager
def transform_variables(args: "TransformArgs") -> Iterator[None]:
    """Add the config's environment to that of this process for a block.

    A variable that the process has keeps its value. Raises CommandError for names without a value,
    which are those of secrets and of outputs.
    """
    names = {**args.environment, **args.secrets}
    missing = [name for name in names if name not in os.environ]
    values = {
        name: value
        for name, value in args.environment.items()
        if name in missing and isinstance(value, str)
    }
    if without := [name for name in missing if name not in values]:
        raise CommandError(
            f"The environment must have {', '.join(without)}, which the transform reads. Set test"
            f" values, such as `export {without[0]}=test`, or `monkeypatch.setenv` in a test.",
            code="missing-variables",
            names=without,
        )
    os.environ.update(values)
    try:
        yield
    finally:
        for name in values:
            os.environ.pop(name, None)
