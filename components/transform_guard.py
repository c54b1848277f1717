"""Check of a transform's files together with the packages of its function."""

import zlib
from collections.abc import Iterator
from typing import Any

from streaming_etl.components.packaging.dependencies import LIMITS, Dependencies
from streaming_etl.components.settings.stages import TransformArgs
from streaming_etl.components.settings.validation import Problem, invalid, raise_if_any
from streaming_etl.components.table.transform_code import TransformCode, import_problems


def require_code(code: TransformCode, packages: Dependencies, args: TransformArgs) -> None:
    """Raise SettingsError for imports that fail in Lambda and for large files.

    What a layer contains is not known here: with layers, only the user's own files are checked.
    """
    imports = import_problems(code, packages.files, has_layers=bool(args.layers))
    raise_if_any([*imports, *size_problems(code, packages)])


def size_problems(code: TransformCode, packages: Dependencies) -> Iterator[Problem]:
    """Problem of files that, with the packages, are larger than Lambda accepts."""
    sizes = {name: file.stat().st_size for name, file in code.files.items()}
    largest = sorted(sizes, key=lambda name: -sizes[name])[:3]
    details: dict[str, Any] = {
        "largest": [f"{code.shown(name)} with {sizes[name]:,}" for name in largest]
    }
    for kind, limit in LIMITS.items():
        own = sum(sizes.values())
        if kind == "zipped" and own <= LIMITS["unzipped"]:
            own = sum(len(zlib.compress(file.read_bytes())) for file in code.files.values())
        of_packages = sum(getattr(file, kind) for file in packages.files.values())
        if own + of_packages > limit:
            details |= {"kind": kind, "limit": limit, "size": own, "packages": of_packages}
            yield invalid("transform_module", code.path, "code-too-large", **details)
            return
