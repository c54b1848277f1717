"""Imports of a transform module that fail in Lambda."""

import ast
import sys
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from streaming_etl.components.settings.validation import SettingsError, invalid

# Packages that come with boto3 in Lambda's Python runtimes.
# https://docs.aws.amazon.com/lambda/latest/dg/python-package.html
WITH_BOTO3 = {"boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six", "urllib3"}
# The parts of this package that an archive contains.
OWN_PARTS = ("streaming_etl.Change", "streaming_etl.handlers")
IMPORT_ERRORS = {"ImportError", "ModuleNotFoundError", "Exception", "BaseException"}


class ModuleImport(NamedTuple):
    """Import statement; a relative name begins with a dot."""

    name: str
    line: int


def require_imports(path: str, archive: Iterable[str]) -> None:
    """Raise SettingsError for imports that fail in Lambda.

    path: the transform module. archive: paths of the packages' files in the function's archive.
    """
    if missing := resolve_imports(Path(path).read_bytes(), archive):
        names, line = tuple(each.name for each in missing), missing[0].line
        raise SettingsError(
            invalid("transform_module", path, "module-imports", imports=names, line=line)
        )


def resolve_imports(source: bytes, archive: Iterable[str] = ()) -> list[ModuleImport]:
    """List the imports that neither archive, standard library nor boto3 provides.

    Imports below `if TYPE_CHECKING:` and in a `try` that handles ImportError are optional.
    """
    packages = {path.partition("/")[0].partition(".")[0] for path in archive}
    provided = sys.stdlib_module_names | WITH_BOTO3 | packages
    return [each for each in _required(ast.parse(source)) if not _resolves(each.name, provided)]


def _resolves(name: str, provided: Collection[str]) -> bool:
    top = name.partition(".")[0]
    if top == "streaming_etl":
        return name == top or f"{name}.".startswith(tuple(f"{part}." for part in OWN_PARTS))
    return top in provided


def _required(node: ast.AST) -> Iterator[ModuleImport]:
    """Yield the imports below a node that must succeed."""
    match node:
        case ast.Import():
            yield from (ModuleImport(alias.name, node.lineno) for alias in node.names)
        case ast.ImportFrom(module="streaming_etl", level=0):
            names = (f"streaming_etl.{alias.name}" for alias in node.names)
            yield from (ModuleImport(name, node.lineno) for name in names)
        case ast.ImportFrom():
            yield ModuleImport("." * node.level + (node.module or ""), node.lineno)
        case _:
            for child in _unconditional(node):
                yield from _required(child)


def _unconditional(node: ast.AST) -> Iterable[ast.AST]:
    match node:
        case ast.If() if ast.unparse(node.test).rpartition(".")[2] == "TYPE_CHECKING":
            return node.orelse
        case ast.Try() if any(map(_handles_import_error, node.handlers)):
            return [*node.handlers, *node.finalbody]
    return ast.iter_child_nodes(node)


def _handles_import_error(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    types = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(isinstance(it, ast.Name) and it.id in IMPORT_ERRORS for it in types)
