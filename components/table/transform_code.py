"""Files of a transform: its module, and the files that it imports."""

import ast
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from keyword import iskeyword
from pathlib import Path
from typing import Any, NamedTuple, Optional

from streaming_etl.components.settings.validation import (
    Problem,
    SettingsError,
    invalid,
    raise_if_any,
)
from streaming_etl.components.table.module_imports import (
    PROVIDED,
    ModuleImport,
    imports_of,
    unprovided,
)

INIT = "__init__.py"
# A file is imported by this name, so that any file name is possible; a folder by its own name,
# which its files may import.
MODULE_NAME = "transform_module"
# With these a module can have names that it does not assign.
DYNAMIC_NAMES = {"__getattr__", "globals", "vars", "setattr", "exec"}


class Place(NamedTuple):
    """A name at the top level of a file."""

    file: str
    name: str


class FileImport(NamedTuple):
    """Name that a file imports."""

    file: str
    name: str
    line: int


@dataclass(frozen=True)
class TransformCode:
    """The user's files that the transform function needs.

    Paths of files are below `root`, with slashes.
    """

    path: str
    """As the settings write it."""
    root: Path
    """The folder of the module. Files and folders in it can be imported by their names."""
    name: str
    """The name by which the function imports the module."""
    main: str
    """The module's file."""
    modules: Mapping[str, str]
    """File or folder of the module, and of each name that is imported from `root`."""
    trees: Mapping[str, ast.Module]
    """The imported files, parsed; the module's first."""
    imports: Sequence[tuple[str, ModuleImport]]
    """Imports from outside of `root`, with the file of each."""
    missing: Sequence[FileImport]
    """Imported names that do not exist in `root`."""
    ambiguous: Sequence[FileImport]
    """Imported names that exist in `root` and in Lambda."""
    problems: Sequence[Problem]
    """Problems of imported files that are invalid Python."""

    @property
    def config(self) -> dict[str, Any]:
        """What the function needs to import the module."""
        return {"name": self.name, "paths": dict(sorted(self.modules.items()))}

    def shown(self, file: str) -> str:
        """Path of a file for messages."""
        is_path = file == self.main == self.modules[self.name]
        return self.path if is_path else (self.root / file).as_posix()

    @cached_property
    def files(self) -> Mapping[str, Path]:
        """Imported files, and all files of imported folders, for the archive.

        Without hidden files and bytecode. Raises SettingsError for a broken or circular link.
        """
        found: dict[str, Path] = {}
        for path in self.modules.values():
            is_folder = (self.root / path).is_dir()
            names = self._folder_files(path, ()) if is_folder else [path]
            found |= {name: self.root / name for name in names}
        return dict(sorted(found.items()))

    def _folder_files(self, path: str, parents: tuple[str, ...]) -> Iterator[str]:
        real = os.path.realpath(self.root / path)
        if real in parents:
            raise self._link_error(path)
        for name in sorted(os.listdir(real)):
            if name.startswith(".") or name == "__pycache__" or name.endswith(".pyc"):
                continue
            file = f"{path}/{name}"
            if (self.root / file).is_dir():
                yield from self._folder_files(file, (*parents, real))
            elif (self.root / file).is_file():
                yield file
            else:
                raise self._link_error(file)

    def _link_error(self, file: str) -> SettingsError:
        return _error(self.path, "module-link", file=self.shown(file))

    def place_of(self, name: str) -> Optional[Place]:
        """Return where a name is defined; None outside of `root`."""
        place, seen = Place(self.main, name), set[Place]()
        while place not in seen:
            seen.add(place)
            found = self._binding(place)
            if found is None or found == place:
                return found
            place = found
        return None

    def _binding(self, place: Place) -> Optional[Place]:
        """Return a name's place, or the place that it is imported from."""
        found: Optional[Place] = place
        for node in self.trees[place.file].body:
            if place.name in _bound_names(node):
                found = place
            elif isinstance(node, ast.ImportFrom):
                file = self._imported_file(place.file, "." * node.level + (node.module or ""))
                for alias in node.names:
                    if (alias.asname or alias.name) == place.name:
                        found = Place(file, alias.name) if file else None
                    elif alias.name == "*" and file and _defines(self.trees[file], place.name):
                        found = Place(file, place.name)
        return found

    def _imported_file(self, importer: str, module: str) -> Optional[str]:
        """Return the file of an imported module; None outside of `root`."""
        parts = _absolute(importer, module)
        path = _find(self.root, parts) if parts and parts[0] in self.modules else None
        file = path and _file_of(self.root, path)
        return file if file in self.trees else None


class _Reader:
    """Reads a module and the files in its folder that it imports."""

    def __init__(self, path: str, root: Path, main: str, modules: dict[str, str]) -> None:
        self.path, self.root, self.main, self.modules = path, root, main, modules
        self.trees: dict[str, ast.Module] = {}
        self.imports: list[tuple[str, ModuleImport]] = []
        self.missing: list[FileImport] = []
        self.ambiguous: list[FileImport] = []
        self.problems: list[Problem] = []

    def code(self) -> TransformCode:
        [name] = self.modules
        self.read(self.main)
        found = (self.imports, self.missing, self.ambiguous, self.problems)
        return TransformCode(
            self.path, self.root, name, self.main, self.modules, self.trees, *found
        )

    def read(self, file: str) -> None:
        """Parse a file, and those that it imports."""
        if file in self.trees:
            return
        try:
            tree = ast.parse((self.root / file).read_bytes(), filename=file)
        except (SyntaxError, ValueError) as error:
            line, reason = getattr(error, "lineno", None) or 1, getattr(error, "msg", str(error))
            shown = self.path if file == self.main else (self.root / file).as_posix()
            self.problems.append(_problem(shown, "module-syntax", reason=reason, line=line))
            # It may have any name.
            tree = ast.parse("__getattr__ = None")
        self.trees[file] = tree
        for each in imports_of(tree):
            self.follow(file, each)

    def follow(self, file: str, each: ModuleImport) -> None:
        """Read the files of an import, or add it to `imports`."""
        parts = _absolute(file, each.module)
        path = _find(self.root, parts[:1]) if parts else None
        # The module of a table `calendar` may import the standard library's.
        is_outside = path in (None, self.main)
        if parts and (is_outside or parts[0] in PROVIDED | {MODULE_NAME}):
            self.imports.append((file, each))
            if not is_outside:
                self.ambiguous.append(FileImport(file, parts[0], each.line))
            return
        names = self.read_own(parts, each) if parts else [each.module]
        if each.required:
            self.missing += [FileImport(file, name, each.line) for name in names]

    def read_own(self, parts: list[str], each: ModuleImport) -> list[str]:
        """Read the files of an import; return the missing names."""
        for length in range(1, len(parts) + 1):
            path = _find(self.root, parts[:length])
            if path is None:
                return [each.module]
            if length == 1:
                self.modules.setdefault(parts[0], path)
            self.read_module(path)
        missing = []
        for name in each.names:
            tree = self.trees.get(_file_of(self.root, path or ""))
            if submodule := _find(self.root, [*parts, name]):
                self.read_module(submodule)
            elif name != "*" and not (tree and _defines(tree, name)):
                dot = "" if each.module.endswith(".") else "."
                missing.append(f"{each.module}{dot}{name}")
        return missing

    def read_module(self, path: str) -> None:
        file = _file_of(self.root, path)
        if (self.root / file).is_file():
            self.read(file)


def read_transform_code(path: str) -> TransformCode:
    """Read the files of a transform module without running them.

    path: of a Python file, or of a folder with __init__.py, relative to the working directory.
    Raises SettingsError if the module does not exist, is invalid Python, or is a folder whose name
    cannot be imported.
    """
    place = Path(path)
    if place.is_file():
        reader = _Reader(path, place.parent, place.name, {MODULE_NAME: place.name})
    elif (place / INIT).is_file():
        name = place.name
        if not name.isidentifier() or iskeyword(name) or name in PROVIDED | {MODULE_NAME}:
            raise _error(path, "package-name", folder=name)
        reader = _Reader(path, place.parent, f"{name}/{INIT}", {name: name})
    elif place.is_dir():
        raise _error(path, "package-without-init")
    else:
        raise _error(path, "module-missing", directory=Path.cwd())
    code = reader.code()
    raise_if_any(each for each in code.problems if each.value == path)
    return code


def import_problems(
    code: TransformCode, archive: Iterable[str] = (), *, has_layers: bool = False
) -> Iterator[Problem]:
    """Problems of imported files, and of imports that fail in Lambda.

    One per file and rule. archive: paths of the packages' files in the function's archive.
    has_layers: layers may have any other package.
    """
    packages = {path.partition("/")[0].partition(".")[0] for path in archive}
    yield from code.problems
    ambiguous, missing = list(code.ambiguous), list(code.missing)
    for file, each in code.imports:
        if each.required and not has_layers:
            absent = unprovided(each, packages)
            missing += [FileImport(file, name, each.line) for name in absent]
    clashes = code.modules.keys() & packages
    if code.name in clashes:
        yield _problem(code.path, "package-name", folder=code.name)
    for file, tree in code.trees.items():
        tops = ((each.top, each.line) for each in imports_of(tree))
        ambiguous += [FileImport(file, top, line) for top, line in tops if top in clashes]
    for rule, found in (("module-ambiguous", ambiguous), ("module-imports", missing)):
        for file in code.trees:
            of_file = sorted((each.line, each.name) for each in found if each.file == file)
            if not of_file:
                continue
            imports = tuple(dict.fromkeys(name for _, name in of_file))
            yield _problem(code.shown(file), rule, imports=imports, line=of_file[0][0])


def defined_names(tree: ast.Module) -> set[str]:
    """Names of functions, classes, imports and variables, anywhere in the module."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, ast.alias):
            names.add(node.asname or node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
    return names


def _defines(tree: ast.Module, name: str) -> bool:
    """Whether a module has a name, as far as the file shows."""
    names = defined_names(tree)
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    dynamic = DYNAMIC_NAMES & (used | names) or "*" in names
    return name in names or name.startswith("__") or bool(dynamic)


def _bound_names(node: ast.stmt) -> set[str]:
    """Names that a statement defines, except by an import."""
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return {name}
        case ast.Assign(targets=targets):
            return {target.id for target in targets if isinstance(target, ast.Name)}
        case ast.AnnAssign(target=ast.Name(id=name)):
            return {name}
    return set()


def _absolute(file: str, module: str) -> list[str]:
    """Parts of a module's name; empty outside of its package."""
    name = module.lstrip(".")
    level = len(module) - len(name)
    parts = name.split(".") if name else []
    package = file.split("/")[:-1]
    if level > len(package):
        return []
    return [*package[: len(package) - level + 1], *parts] if level else parts


def _find(root: Path, parts: list[str]) -> Optional[str]:
    """Path of a module below `root`, in Python's order of places."""
    path = "/".join(parts)
    folder, file = root / path, root / f"{path}.py"
    if (folder / INIT).is_file():
        return path
    if file.is_file():
        return f"{path}.py"
    is_package = folder.is_dir() and next(folder.rglob("*.py"), None) is not None
    return path if is_package else None


def _file_of(root: Path, path: str) -> str:
    """The file that an import of a file or a folder runs."""
    return f"{path}/{INIT}" if (root / path).is_dir() else path


def _problem(path: str, rule: str, **details: Any) -> Problem:
    return invalid("transform_module", path, rule, **details)


def _error(path: str, rule: str, **details: Any) -> SettingsError:
    return SettingsError(_problem(path, rule, **details))
