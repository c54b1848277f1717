"""The user's module, loaded as Lambda loads it: under its name there, with what it finds there."""

import builtins
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from functools import cache
from importlib.metadata import packages_distributions
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from traceback import extract_tb, format_list
from types import ModuleType
from typing import Any, Optional

from packaging.utils import canonicalize_name

from streaming_etl.components.packaging.pins import read_pins
from streaming_etl.components.packaging.wheels import HANDLERS_LOCK
from streaming_etl.components.table.transform_module import PURE
from streaming_etl.stack.errors import CommandError
from streaming_etl.stack.outputs import ROOT

# The user's module, by its name in the archive.
NAME = "transform_module"

# What Lambda's own boto3 brings with it.
# https://docs.aws.amazon.com/lambda/latest/dg/python-package.html
WITH_BOTO3 = {"dateutil", "jmespath", "s3transfer", "six", "urllib3"}

Carried = Callable[[str], bool]
"""Tells whether the function would find what is imported by this first name."""


def load(file: Path, carried: Carried) -> ModuleType:
    """The module of the file; raises CommandError when it cannot be loaded."""
    spec = spec_from_file_location(NAME, file.resolve())
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    vars(module)["__builtins__"] = {**vars(builtins), "__import__": _imports(carried)}
    try:
        with in_place(module), redirect_stdout(sys.stderr):
            spec.loader.exec_module(module)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise CommandError(
            f"{file} fails when it is loaded, so no change would become a row:\n"
            f"{trace(error, file)}"
        ) from None
    return module


@contextmanager
def in_place(module: ModuleType) -> Iterator[None]:
    """Have the module where it stands in Lambda: dataclasses and others look it up there."""
    before = sys.modules.get(NAME)
    sys.modules[NAME] = module
    try:
        yield
    finally:
        del sys.modules[NAME]
        if before is not None:
            sys.modules[NAME] = before


def trace(error: BaseException, file: Path) -> str:
    """The error below the lines of the file that led to it."""
    own = [
        frame for frame in extract_tb(error.__traceback__) if frame.filename == str(file.resolve())
    ]
    return "".join([*format_list(own), f"{type(error).__name__}: {error}"])


def carried_by(requirements: Optional[str]) -> Carried:
    """What an archive with this lock file carries; raises SettingsError."""
    pins = [*read_pins(HANDLERS_LOCK, "handlers/requirements.txt")]
    if requirements is not None:
        pins += read_pins(ROOT / requirements, f"requirements={requirements!r}")
    names = {canonicalize_name(pin.name) for pin in pins}

    def carried(top: str) -> bool:
        return top in PURE | WITH_BOTO3 or not names.isdisjoint(
            map(canonicalize_name, _distributions().get(top, []))
        )

    return carried


@cache
def _distributions() -> Mapping[str, list[str]]:
    return packages_distributions()


def _imports(carried: Carried) -> Callable[..., Any]:
    """An `import` that finds no more than it would in the function."""

    def find(name: str, *args: Any) -> Any:
        top = name.partition(".")[0]
        relative = len(args) > 3 and args[3]
        if not relative and not carried(top):
            raise ModuleNotFoundError(
                f"No module named {top!r} in the function, which has Python's own library, boto3, "
                "`handlers` and what the lock files pin: name a package in a lock file "
                "(transform.requirements) and install it here too; put code of yours into the "
                "module itself",
                name=top,
            )
        return __import__(name, *args)

    return find
