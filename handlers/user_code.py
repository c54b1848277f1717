"""The user's files in the archive of the transform function."""

import importlib
import sys
from collections.abc import Mapping, Sequence
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any, Optional


class UserCode:
    """The transform module, and the modules in its folder that it imports.

    root: the folder. config: the name of the module, and the path below `root` of every name that
    is imported from there. Other names in the folder hide no module of Lambda's.
    """

    def __init__(self, root: Path, config: Mapping[str, Any]) -> None:
        self.root, self.name = root, config["name"]
        self.paths: Mapping[str, str] = config["paths"]

    def load(self) -> ModuleType:
        """Import the module, and find its imports from now on."""
        if self not in sys.meta_path:
            sys.meta_path.insert(0, self)
        return importlib.import_module(self.name)

    def find_spec(
        self,
        name: str,
        path: Optional[Sequence[str]] = None,  # noqa: ARG002
        target: Optional[ModuleType] = None,  # noqa: ARG002
    ) -> Optional[ModuleSpec]:
        """Find one of the names; Python itself finds submodules."""
        if name not in self.paths:
            return None
        place = self.root / self.paths[name]
        if not place.is_dir():
            return spec_from_file_location(name, place)
        init = place / "__init__.py"
        if init.is_file():
            return spec_from_file_location(name, init, submodule_search_locations=[str(place)])
        spec = ModuleSpec(name, None, is_package=True)
        spec.submodule_search_locations = [str(place)]
        return spec

    def files(self) -> dict[str, str]:
        """Return names of files in logs, by their paths in tracebacks."""
        places = [self.root / path for path in self.paths.values()]
        files = [each for place in places for each in (place, *place.rglob("*.py"))]
        return {str(file): file.relative_to(self.root).as_posix() for file in files}
