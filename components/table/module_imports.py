"""Import statements of a Python file, read without running it."""

import ast
import sys
from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

# Packages that come with boto3 in Lambda's Python runtimes.
# https://docs.aws.amazon.com/lambda/latest/dg/python-package.html
WITH_BOTO3 = {"boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six", "urllib3"}
# Names that every function has.
PROVIDED = sys.stdlib_module_names | WITH_BOTO3 | {"streaming_etl"}
# The parts of this package that an archive contains.
OWN_PARTS = ("streaming_etl.Change", "streaming_etl.handlers")
IMPORT_ERRORS = {"ImportError", "ModuleNotFoundError", "Exception", "BaseException"}


class ModuleImport(NamedTuple):
    """Import statement of one module."""

    module: str
    """A relative name begins with a dot."""
    names: tuple[str, ...]
    """What `from` imports of the module; empty for `import`."""
    line: int
    required: bool
    """False below `if TYPE_CHECKING:` and in a `try` that handles ImportError."""

    @property
    def top(self) -> str:
        """First part of the name; empty for a relative one."""
        return self.module.partition(".")[0]


def imports_of(node: ast.AST, *, required: bool = True) -> Iterator[ModuleImport]:
    """Yield all imports below a node."""
    match node:
        case ast.Import():
            for alias in node.names:
                yield ModuleImport(alias.name, (), node.lineno, required)
        case ast.ImportFrom():
            module = "." * node.level + (node.module or "")
            names = tuple(alias.name for alias in node.names)
            yield ModuleImport(module, names, node.lineno, required)
        case _:
            unconditional = {id(child) for child in _unconditional(node)}
            for child in ast.iter_child_nodes(node):
                yield from imports_of(child, required=required and id(child) in unconditional)


def unprovided(each: ModuleImport, packages: Collection[str]) -> list[str]:
    """Return the names of an import that Lambda does not have.

    packages: first names of the packages in the function's archive.
    """
    if each.top == "streaming_etl":
        names = [each.module]
        if each.module == "streaming_etl":
            names = [f"streaming_etl.{name}" for name in each.names]
        own = tuple(f"{part}." for part in OWN_PARTS)
        return [name for name in names if name != each.top and not f"{name}.".startswith(own)]
    return [] if each.top in PROVIDED or each.top in packages else [each.module]


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
