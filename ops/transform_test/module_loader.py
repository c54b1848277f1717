"""Loads a transform module as the transform function does."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from importlib import invalidate_caches
from pathlib import Path
from traceback import extract_tb, format_list
from types import ModuleType

from streaming_etl.components.table.transform_code import TransformCode
from streaming_etl.handlers.user_code import UserCode
from streaming_etl.ops.transform_test.interrupt import interruptible
from streaming_etl.stack.errors import CommandError


class LoadedModule:
    """A transform module that ran once.

    Its modules have their names in `sys.modules` only in the context, so that neither another
    transform nor the tests' own imports get them.
    """

    def __init__(self, code: TransformCode) -> None:
        """Run the module; raises CommandError when it fails."""
        self.file = code.path
        self._code = UserCode(Path.cwd() / code.root, code.config)
        self._modules: dict[str, ModuleType] = {}
        self.files: Mapping[str, str] = self._code.files()
        invalidate_caches()
        with interruptible():
            try:
                with self.importable(), redirect_stdout(sys.stderr):
                    self.module = self._code.load()
            except BaseException as error:
                raise CommandError(
                    f"{self.file} must load without an error:\n{self.traceback(error)}",
                    code="module-fails",
                    module=self.file,
                    error=type(error).__name__,
                ) from None

    @contextmanager
    def importable(self) -> Iterator[None]:
        """Let code import the modules, and look them up as dataclasses do."""
        before = self._remove_modules()
        sys.modules.update(self._modules)
        sys.meta_path.insert(0, self._code)
        try:
            yield
        finally:
            sys.meta_path.remove(self._code)
            self._modules = self._remove_modules()
            sys.modules.update(before)

    def _remove_modules(self) -> dict[str, ModuleType]:
        names = [name for name in sys.modules if name.partition(".")[0] in self._code.paths]
        return {name: sys.modules.pop(name) for name in names}

    def traceback(self, error: BaseException) -> str:
        """Format an error with the user's lines that raised it."""
        frames = [
            frame for frame in extract_tb(error.__traceback__) if frame.filename in self.files
        ]
        return "".join([*format_list(frames), f"{type(error).__name__}: {error}"])
