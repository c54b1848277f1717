"""Loads a transform module under its name in the archive."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from traceback import extract_tb, format_list
from types import ModuleType

from streaming_etl.ops.transform_test.interrupt import interruptible
from streaming_etl.stack.errors import CommandError

NAME = "transform_module"


def load_module(file: Path) -> ModuleType:
    """Run the module once; raises CommandError when it fails."""
    spec = spec_from_file_location(NAME, file.resolve())
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    with interruptible():
        try:
            with in_sys_modules(module), redirect_stdout(sys.stderr):
                spec.loader.exec_module(module)
        except BaseException as error:
            raise CommandError(
                f"{file} must load without an error:\n{module_traceback(error, file)}",
                code="module-fails",
                module=str(file),
                error=type(error).__name__,
            ) from None
    return module


@contextmanager
def in_sys_modules(module: ModuleType) -> Iterator[None]:
    """Register the module by its name, which dataclasses and others look up."""
    before = sys.modules.get(NAME)
    sys.modules[NAME] = module
    try:
        yield
    finally:
        del sys.modules[NAME]
        if before is not None:
            sys.modules[NAME] = before


def module_traceback(error: BaseException, file: Path) -> str:
    """Format an error with the lines of the module that raised it."""
    path = str(file.resolve())
    frames = [frame for frame in extract_tb(error.__traceback__) if frame.filename == path]
    return "".join([*format_list(frames), f"{type(error).__name__}: {error}"])
